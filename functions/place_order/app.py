"""POST /orders, one or a batch: who is asking, what they sent, what we answer. The desk does the work."""

from collections.abc import Callable

from aws_lambda_powertools.event_handler import Response

from venue.desk import OrderDesk, Placed
from venue_aws import wiring
from venue_aws.answers import BatchedOrder, PlacedOrder
from venue_aws.api import Api, answered, count, trader, wants_to_wait
from venue_aws.requests import NewOrder, NewOrders

ABOUT_BATCH = """
The orders reach the matcher together, one right after the other, and each is answered for itself, in their order: one
that is refused does not keep the others from being placed. What cannot be read is refused whole.
""".strip()


def build(desk: Callable[[], OrderDesk]) -> Api:
    """Make the handler over a desk, which is made when the first order comes."""
    api = Api()

    @api.app.post("/orders", tags=["orders"], summary="Place an order")
    def place_order(order: NewOrder) -> Response[PlacedOrder]:
        # The account comes from the authorizer, never from the body.
        event = api.app.current_event
        placed = desk().place(order.ticket(), account=trader(event), wait=wants_to_wait(event))
        count("OrdersPending" if placed.pending else "OrdersPlaced")
        api.tell(order_id=placed.order.order_id)
        return answered(PlacedOrder.placed(placed), pending=placed.pending)

    @api.app.post(
        "/orders/batch", tags=["orders"], summary="Place up to 15 orders of one product", description=ABOUT_BATCH
    )
    def place_orders(batch: NewOrders) -> Response[list[BatchedOrder]]:
        event = api.app.current_event
        tickets = [order.ticket() for order in batch.orders]
        answers = desk().place_all(tickets, account=trader(event), wait=wants_to_wait(event))
        for answer in answers:
            if isinstance(answer, Placed):
                count("OrdersPending" if answer.pending else "OrdersPlaced")
        api.tell(orders=[answer.order.order_id for answer in answers if isinstance(answer, Placed)])
        return answered([BatchedOrder.of(answer, event.request_context.request_id) for answer in answers])

    return api


handler = build(wiring.early(wiring.order_desk))
