"""$disconnect: forget a socket and all it listened to. API Gateway sends this at its best effort; TTL does the rest."""

from collections.abc import Callable
from typing import Any

from venue_aws import wiring
from venue_aws.observed import Event, Handler, Line, observed
from venue_aws.sessions import Sessions


def build(sessions: Callable[[], Sessions]) -> Handler[dict[str, Any]]:
    """Make the handler."""

    @observed
    def disconnect(event: Event, line: Line) -> dict[str, Any]:
        connection_id = event["requestContext"]["connectionId"]
        items = sessions().close(connection_id)
        line.count("StreamDisconnected")
        line.tell(connection_id=connection_id, items=items)
        return {"statusCode": 200}

    return disconnect


handler = build(wiring.early(wiring.sessions))
