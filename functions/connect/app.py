"""$connect: remember who is behind a new socket."""

from collections.abc import Callable
from typing import Any

from venue_aws import wiring
from venue_aws.observed import Event, Handler, Line, observed
from venue_aws.sessions import Sessions


def build(sessions: Callable[[], Sessions]) -> Handler[dict[str, Any]]:
    """Make the handler. A failure refuses the connection: a socket that nobody knows would stay silent."""

    @observed
    def connect(event: Event, line: Line) -> dict[str, Any]:
        request = event["requestContext"]
        account = (request.get("authorizer") or {}).get("account")
        sessions().open(request["connectionId"], account=account)
        line.count("StreamConnected")
        line.tell(connection_id=request["connectionId"], account=account)
        return {"statusCode": 200}

    return connect


handler = build(wiring.early(wiring.sessions))
