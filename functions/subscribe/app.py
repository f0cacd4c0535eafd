"""$default: what a client says on its socket. The desk answers on the socket itself."""

from typing import Any

from venue_aws import wiring
from venue_aws.observed import Event, Line, observed
from venue_aws.stream import Gone, PushFailed


@observed
def handler(event: Event, line: Line) -> dict[str, Any]:
    """Carry out one message. What is wrong with it is told on the socket; who cannot be told is let go."""
    connection_id = event["requestContext"]["connectionId"]
    try:
        outcome = wiring.subscription_desk().take(connection_id, event.get("body") or "")
    except Gone:
        wiring.sessions().close(connection_id)
        outcome = "gone"
    except PushFailed:
        wiring.sockets().drop(connection_id)
        wiring.sessions().close(connection_id)
        outcome = "dropped"
    line.count("StreamMessages")
    line.tell(connection_id=connection_id, outcome=outcome)
    return {"statusCode": 200}
