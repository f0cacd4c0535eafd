"""GET /orders, /orders/{id}, /fills, /fees: an account's orders and fills, as the journal has them."""

from collections.abc import Callable
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from venue.desk import waiting_order
from venue.errors import NotFound
from venue.identity import order_id_of
from venue.ports import Holds
from venue_aws import wiring
from venue_aws.answers import FeesView, FillView, OrderView
from venue_aws.api import Api, answered, caller, page_headers
from venue_aws.markets import Markets
from venue_aws.pages import fill_cursor, order_cursor
from venue_aws.records import Records
from venue_aws.requests import FillsQuery, Id, OrdersQuery


def build(records: Callable[[], Records], holds: Callable[[], Holds], markets: Callable[[], Markets]) -> Api:
    """Make the handler over its sources, each made when first needed."""
    api = Api()

    def view(order_id: str, account: str) -> OrderView:
        # An order that waits in the queue is not in the journal yet; its hold knows it.
        order = records().order(order_id, account=account) or waiting_order(holds(), order_id, account=account)
        if order is None:
            raise NotFound("order not found")
        return OrderView.of(order, markets().product(order.product_id))

    @api.app.get("/orders/client:<client_oid>", tags=["orders"], summary="One order, by its client_oid")
    def order_by_client_oid(client_oid: Annotated[Id, Path()]) -> OrderView:
        account = caller(api.app.current_event)
        return view(order_id_of(account, client_oid), account)

    @api.app.get("/orders/<order_id>", tags=["orders"], summary="One order")
    def order(order_id: Annotated[Id, Path()]) -> OrderView:
        return view(order_id, caller(api.app.current_event))

    @api.app.get("/orders", tags=["orders"], summary="The account's orders")
    def orders(query: Annotated[OrdersQuery, Query()]) -> Response[list[OrderView]]:
        account = caller(api.app.current_event)
        found = records().orders(
            account=account, statuses=query.statuses(), product_id=query.product_id, page=query.page()
        )
        rules = markets().by_id()
        views = [OrderView.of(order, rules[order.product_id]) for order in found]
        return answered(views, headers=page_headers([order_cursor(order) for order in found]))

    @api.app.get("/fills", tags=["orders"], summary="The account's fills")
    def fills(query: Annotated[FillsQuery, Query()]) -> Response[list[FillView]]:
        account = caller(api.app.current_event)
        found = records().fills(
            account=account, order_id=query.order_id, product_id=query.product_id, page=query.page()
        )
        rules = markets().by_id()
        views = [FillView.of(fill, rules[fill.product_id]) for fill in found]
        return answered(views, headers=page_headers([fill_cursor(fill) for fill in found]))

    @api.app.get("/fees", tags=["orders"], summary="The account's fee rates")
    def fees() -> FeesView:
        caller(api.app.current_event)
        return FeesView.of(markets().products())

    return api


handler = build(wiring.early(wiring.records), wiring.wallets, wiring.early(wiring.markets))
