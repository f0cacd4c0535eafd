"""POST /orders: who is asking, what they sent, what we answer. The desk does the work."""

from collections.abc import Callable

from aws_lambda_powertools.event_handler import Response

from venue.desk import OrderDesk
from venue_aws import wiring
from venue_aws.answers import PlacedOrder
from venue_aws.api import Api, answered, count, trader, wants_to_wait
from venue_aws.requests import NewOrder


def build(desk: Callable[[], OrderDesk]) -> Api:
    """Make the handler over a desk, which is made when the first order comes."""
    api = Api()

    @api.app.post("/orders", tags=["orders"], summary="Place an order")
    def place_order(order: NewOrder) -> Response[PlacedOrder]:
        # The account comes from the authorizer, never from the body.
        event = api.app.current_event
        placed = desk().place(order.ticket(), account=trader(event), wait=wants_to_wait(event))
        count("OrdersPending" if placed.pending else "OrdersPlaced")
        return answered(PlacedOrder.placed(placed), pending=placed.pending)

    return api


handler = build(wiring.early(wiring.order_desk))
