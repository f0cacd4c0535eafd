"""$disconnect: forget a socket and all it listened to. API Gateway sends this at its best effort; TTL does the rest."""

from typing import Any

from venue_aws import wiring
from venue_aws.observed import Event, Line, observed


@observed
def handler(event: Event, line: Line) -> dict[str, Any]:
    """Close the session."""
    connection_id = event["requestContext"]["connectionId"]
    items = wiring.sessions().close(connection_id)
    line.count("StreamDisconnected")
    line.tell(connection_id=connection_id, items=items)
    return {"statusCode": 200}
