"""$disconnect: cancel the orders that end with a socket, and forget it and all it listened to.

API Gateway sends this at its best effort; who finds a socket gone sends it as well (venue_aws.endings).
"""

from collections.abc import Callable
from typing import Any

from venue.desk import OrderDesk
from venue_aws import wiring
from venue_aws.observed import Event, Handler, Line, observed
from venue_aws.sessions import Sessions


def build(sessions: Callable[[], Sessions], desk: Callable[[], OrderDesk]) -> Handler[dict[str, Any]]:
    """Make the handler over a desk, which is made when the first session takes its orders along."""

    @observed
    def disconnect(event: Event, line: Line) -> dict[str, Any]:
        connection_id = event["requestContext"]["connectionId"]
        line.tell(connection_id=connection_id)
        account = sessions().takes_orders_of(connection_id)
        if account is not None:
            # First the orders: were the session forgotten, nobody would know of them when this fails.
            done = desk().cancel_all(account=account)
            # Once more by the queue, behind the orders that still wait there: in every shard, whichever has answered.
            desk().cancel_all(account=account, wait=False)
            line.count("OrdersCancelledOnDisconnect", len(done.order_ids))
            line.tell(account=account, cancelled=len(done.order_ids), pending=done.pending)
        line.tell(items=sessions().close(connection_id))
        line.count("StreamDisconnected")
        return {"statusCode": 200}

    return disconnect


handler = build(wiring.early(wiring.sessions), wiring.order_desk)
