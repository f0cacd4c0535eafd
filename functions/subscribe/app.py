"""$default: what a client says on its socket. The desk answers on the socket itself."""

from collections.abc import Callable
from typing import Any

from venue_aws import wiring
from venue_aws.observed import Event, Handler, Line, observed
from venue_aws.subscriptions import SubscriptionDesk


def build(desk: Callable[[], SubscriptionDesk]) -> Handler[dict[str, Any]]:
    """Make the handler. What is wrong with a message is told on the socket, and no failure of the call."""

    @observed
    def subscribe(event: Event, line: Line) -> dict[str, Any]:
        connection_id = event["requestContext"]["connectionId"]
        outcome = desk().take(connection_id, event.get("body") or "")
        line.count("StreamMessages")
        line.tell(connection_id=connection_id, outcome=outcome)
        return {"statusCode": 200}

    return subscribe


handler = build(wiring.early(wiring.subscription_desk))
