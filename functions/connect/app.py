"""$connect: remember who is behind a new socket."""

from typing import Any

from venue_aws import wiring
from venue_aws.observed import Event, Line, observed


@observed
def handler(event: Event, line: Line) -> dict[str, Any]:
    """Open the session. A failure refuses the connection: a socket that nobody knows would stay silent."""
    request = event["requestContext"]
    account = (request.get("authorizer") or {}).get("account")
    wiring.sessions().open(request["connectionId"], account=account)
    line.count("StreamConnected")
    line.tell(connection_id=request["connectionId"], account=account)
    return {"statusCode": 200}
