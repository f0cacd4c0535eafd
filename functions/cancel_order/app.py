"""DELETE /orders: one by its id, one by its owner's id, all of a product, all; and all unless the owner speaks up."""

from collections.abc import Callable
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from venue.desk import OrderDesk
from venue.identity import order_id_of
from venue_aws import wiring
from venue_aws.answers import SwitchView
from venue_aws.api import Api, answered, answered_id, trader, wants_to_wait
from venue_aws.requests import CancelScope, DeadMansSwitch, Id, ProductId

Product = Annotated[ProductId | None, Query()]
# ccxt names the product in a body, where a DELETE has none otherwise.
Scope = Annotated[CancelScope | None, Body()]

ABOUT_ALL = """
Takes the orders that are open when the matcher reads it. An order that is still `pending` in the order queue is not
open yet: cancel it by its id, or ask with `Prefer: respond-async`. The cancel then goes behind every order that the
account has in the queue, takes those too, and any that was opened meanwhile.
""".strip()

ABOUT_SWITCH = """
All the account's orders are cancelled `timeout` seconds from now unless this is asked again before; `timeout` 0 takes
the switch back. It is kept with the orders, so that it falls whatever becomes of the client or of a matcher.
""".strip()


def build(desk: Callable[[], OrderDesk]) -> Api:
    """Make the handler over a desk, which is made when the first cancel comes."""
    api = Api()

    def cancel(order_id: str, product_id: str | None) -> Response[str]:
        event = api.app.current_event
        api.tell(order_id=order_id)
        done = desk().cancel(order_id, account=trader(event), product_id=product_id, wait=wants_to_wait(event))
        return answered_id(order_id, pending=done.pending)

    @api.app.delete("/orders/client:<client_oid>", tags=["orders"], summary="Cancel an order by its client_oid")
    def cancel_by_client_oid(
        client_oid: Annotated[Id, Path()], product_id: Product = None, scope: Scope = None
    ) -> Response[str]:
        order_id = order_id_of(trader(api.app.current_event), client_oid)
        return cancel(order_id, _named(product_id, scope))

    @api.app.delete("/orders/<order_id>", tags=["orders"], summary="Cancel an order")
    def cancel_order(order_id: Annotated[Id, Path()], product_id: Product = None, scope: Scope = None) -> Response[str]:
        return cancel(order_id, _named(product_id, scope))

    @api.app.delete(
        "/orders", tags=["orders"], summary="Cancel all orders, or all of one product", description=ABOUT_ALL
    )
    def cancel_orders(product_id: Product = None, scope: Scope = None) -> Response[list[str]]:
        event = api.app.current_event
        done = desk().cancel_all(account=trader(event), product_id=_named(product_id, scope), wait=wants_to_wait(event))
        return answered(done.order_ids, pending=done.pending)

    @api.app.post(
        "/orders/cancel-all-after", tags=["orders"], summary="Set a dead-man switch", description=ABOUT_SWITCH
    )
    def cancel_all_after(switch: DeadMansSwitch) -> Response[SwitchView]:
        event = api.app.current_event
        return answered(SwitchView.of(desk().cancel_all_after(switch.timeout, account=trader(event))))

    return api


def _named(product_id: str | None, scope: CancelScope | None) -> str | None:
    return product_id or (scope.product_id if scope else None)


handler = build(wiring.early(wiring.order_desk))
