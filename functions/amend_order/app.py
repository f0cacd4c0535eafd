"""PATCH /orders/{id}: another price or size. The amend desk does the work."""

from collections.abc import Callable
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from venue.amends import AmendDesk
from venue.identity import order_id_of
from venue_aws import wiring
from venue_aws.answers import PlacedOrder
from venue_aws.api import Api, answered, count, trader, wants_to_wait
from venue_aws.requests import Id, OrderChange

ABOUT = """
Less size at the same price leaves the order where it stands; anything else puts it behind the others at its price, and
it may trade. What it needs beyond what it holds is held before; what it needs no longer is free again. Answers the
order as it is then, with all its fills; a repeat of an `amend_id` answers it as it is now.
""".strip()


def build(desk: Callable[[], AmendDesk]) -> Api:
    """Make the handler over a desk, which is made when the first amend comes."""
    api = Api()

    def amend(order_id: str, change: OrderChange) -> Response[PlacedOrder]:
        event = api.app.current_event
        api.tell(order_id=order_id)
        amended = desk().amend(change.change(), order_id=order_id, account=trader(event), wait=wants_to_wait(event))
        count("OrdersAmended")
        return answered(PlacedOrder.placed(amended), pending=amended.pending)

    @api.app.patch("/orders/client:<client_oid>", tags=["orders"], summary="Amend an order by its client_oid")
    def amend_by_client_oid(client_oid: Annotated[Id, Path()], change: OrderChange) -> Response[PlacedOrder]:
        return amend(order_id_of(trader(api.app.current_event), client_oid), change)

    @api.app.patch("/orders/<order_id>", tags=["orders"], summary="Amend an order", description=ABOUT)
    def amend_order(order_id: Annotated[Id, Path()], change: OrderChange) -> Response[PlacedOrder]:
        return amend(order_id, change)

    return api


handler = build(wiring.early(wiring.amend_desk))
