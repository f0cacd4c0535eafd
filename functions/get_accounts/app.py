"""GET /accounts: one account for each currency, its balance, ledger and holds."""

from collections.abc import Callable
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from venue.errors import NotFound
from venue.identity import wallet_id_of
from venue.ports import Balance
from venue.products import Asset
from venue_aws import wiring
from venue_aws.answers import AccountView, HoldView, LedgerEntry, hold_view, ledger_entries
from venue_aws.api import Api, answered, caller, page_headers
from venue_aws.markets import Markets
from venue_aws.pages import entry_cursor, order_cursor
from venue_aws.records import Records
from venue_aws.requests import HoldsQuery, Id, ListQuery
from venue_aws.wallets import Wallets


def build(records: Callable[[], Records], wallets: Callable[[], Wallets], markets: Callable[[], Markets]) -> Api:
    """Make the handler over its sources, each made when first needed."""
    api = Api()

    def asset_of(account_id: str) -> Asset:
        account = caller(api.app.current_event)
        for asset in markets().assets().values():
            if wallet_id_of(account, asset.id) == account_id:
                return asset
        raise NotFound("account not found")

    def views() -> list[AccountView]:
        account = caller(api.app.current_event)
        balances = {balance.asset: balance for balance in wallets().balances(account)}
        return [
            AccountView.of(balances.get(asset.id, Balance(asset=asset.id)), asset, account)
            for asset in markets().assets().values()
        ]

    @api.app.get("/accounts", tags=["accounts"], summary="The caller's wallets, one for each currency")
    def accounts() -> list[AccountView]:
        return views()

    @api.app.get("/accounts/<account_id>", tags=["accounts"], summary="One wallet")
    def account(account_id: Annotated[Id, Path()]) -> AccountView:
        asset = asset_of(account_id)
        return next(view for view in views() if view.currency == asset.id)

    @api.app.get("/accounts/<account_id>/ledger", tags=["accounts"], summary="What changed a wallet's balance")
    def ledger(account_id: Annotated[Id, Path()], query: Annotated[ListQuery, Query()]) -> Response[list[LedgerEntry]]:
        asset = asset_of(account_id)
        owner = caller(api.app.current_event)
        entries, balance = records().ledger(account=owner, asset=asset.id, page=query.page())
        cursors = [entry_cursor(entry) for entry in entries]
        return answered(ledger_entries(entries, balance, asset), headers=page_headers(cursors))

    @api.app.get("/accounts/<account_id>/holds", tags=["accounts"], summary="What open orders hold of a wallet")
    def holds(account_id: Annotated[Id, Path()], query: Annotated[HoldsQuery, Query()]) -> Response[list[HoldView]]:
        asset = asset_of(account_id)
        owner = caller(api.app.current_event)
        products = markets().products()
        orders = records().open_holds(account=owner, asset=asset.id, products=products, page=query.page())
        cursors = [order_cursor(order) for order in orders]
        return answered([hold_view(order, asset) for order in orders], headers=page_headers(cursors))

    return api


handler = build(wiring.records, wiring.early(wiring.wallets), wiring.early(wiring.markets))
