"""What the journal tells an account: its orders, fills, ledger and holds. Newest first, in pages."""

from collections.abc import Sequence
from typing import Final

import msgspec
from psycopg.rows import kwargs_row, scalar_row

from venue import wire
from venue.orders import Fill, Order, Status
from venue.products import Product
from venue_aws import queries
from venue_aws.database import Database
from venue_aws.pages import PAGE_MAX, Entry, EntryKey, FillKey, OrderKey, Page

# What is pending is not in the journal yet.
_NOT_OVER: Final[frozenset[Status]] = frozenset({"pending", "open", "active"})


class Records:
    """Reads of one account's own records. Raises Unavailable when the journal does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def products(self) -> list[Product]:
        """Give the rules of all products."""
        rules = self._database.fetch(queries.PRODUCTS, {}, row=scalar_row)
        return [wire.PRODUCT.decode(text) for text in rules]

    def order(self, order_id: str, *, account: str) -> Order | None:
        """Give one order of this account; None for an unknown one and for another's."""
        found = self._database.fetch(queries.ORDER, {"id": order_id, "account": account}, row=kwargs_row(Order))
        return found[0] if found else None

    def orders(
        self, *, account: str, statuses: Sequence[Status] | None, product_id: str | None, page: Page
    ) -> list[Order]:
        """Give a page of orders; `statuses` None: all."""
        wanted = {"product_id": product_id, "statuses": None if statuses is None else list(statuses)}
        if statuses is not None and _NOT_OVER.issuperset(statuses):
            query = queries.OPEN_ORDERS_NEWER if page.before else queries.OPEN_ORDERS
        elif statuses is not None and _NOT_OVER.isdisjoint(statuses):
            query = queries.ORDERS_OVER_NEWER if page.before else queries.ORDERS_OVER
        else:
            query = queries.ORDERS_NEWER if page.before else queries.ORDERS
        parameters = {**_bounds(account, page), **page.key(OrderKey), **wanted}
        return _newest_first(self._database.fetch(query, parameters, row=kwargs_row(Order)), page)

    def fills(
        self, *, account: str, order_id: str | None = None, product_id: str | None = None, page: Page
    ) -> list[Fill]:
        """Give a page of fills: the account's side of its trades, both sides where it traded with itself."""
        query = queries.FILLS_NEWER if page.before else queries.FILLS
        wanted = {"order_id": order_id, "product_id": product_id}
        parameters = {**_bounds(account, page), **page.key(FillKey), **wanted}
        return _newest_first(self._database.fetch(query, parameters, row=kwargs_row(Fill)), page)

    def fills_of(self, order_id: str, *, account: str) -> list[Fill]:
        """Give the last PAGE_MAX fills of one order."""
        return self.fills(account=account, order_id=order_id, page=Page(limit=PAGE_MAX))

    def ledger(self, *, account: str, asset: str, page: Page) -> tuple[list[Entry], int]:
        """Give a page of the ledger, and the balance (minor units, free and held) that its newest entry left."""
        query = queries.LEDGER_NEWER if page.before else queries.LEDGER
        parameters = {**_bounds(account, page), **page.key(EntryKey), "asset": asset}
        entries = _newest_first(self._database.fetch(query, parameters, row=kwargs_row(Entry)), page)
        if not entries:
            return [], 0
        newest = EntryKey(entries[0].sequence, entries[0].shard, entries[0].ordinal)
        parameters = {"account": account, "asset": asset, **msgspec.structs.asdict(newest)}
        # As text: a sum may be wider than the numbers it is made of.
        balance: list[str] = self._database.fetch(queries.BALANCE, parameters, row=scalar_row)
        return entries, int(balance[0])

    def open_holds(self, *, account: str, asset: str, products: Sequence[Product], page: Page) -> list[Order]:
        """Give a page (`after` and `limit` only) of the open orders that hold `asset`; `products`: all there are."""
        holding = {
            "quoted": [product.id for product in products if product.quote.id == asset],
            "based": [product.id for product in products if product.base.id == asset],
        }
        parameters = {**_bounds(account, page), **page.key(OrderKey), **holding}
        return self._database.fetch(queries.OPEN_HOLDS, parameters, row=kwargs_row(Order))


def _bounds(account: str, page: Page) -> dict[str, object]:
    return {"account": account, "limit": page.limit, "start": page.start, "end": page.end}


def _newest_first[Row](rows: list[Row], page: Page) -> list[Row]:
    return rows[::-1] if page.before else rows
