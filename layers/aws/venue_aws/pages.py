"""Pages of the lists that an account reads, newest first, and the cursors by which a client walks them."""

from typing import Annotated
from uuid import UUID

import msgspec

from venue.errors import Malformed
from venue.money import UNITS_MAX
from venue.orders import Fill, Liquidity, Order

PAGE_DEFAULT = 100
PAGE_MAX = 1000

_Number = Annotated[int, msgspec.Meta(ge=0, le=UNITS_MAX)]


class OrderKey(msgspec.Struct, frozen=True, array_like=True):
    """Where an order stands in its list."""

    at: _Number
    id: UUID


class FillKey(msgspec.Struct, frozen=True, array_like=True):
    """Where a fill stands in its list."""

    at: _Number
    trade_id: _Number
    liquidity: Liquidity
    product: str


class EntryKey(msgspec.Struct, frozen=True, array_like=True):
    """Where an entry stands in its ledger."""

    sequence: _Number
    shard: _Number
    ordinal: _Number


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list is asked for. before, after: a cursor, newer or older than it; start, end: µs, inclusive."""

    limit: int = PAGE_DEFAULT
    before: str | None = None
    after: str | None = None
    start: int | None = None
    end: int | None = None

    def key(self, kind: type[OrderKey | FillKey | EntryKey]) -> dict[str, object]:
        """Give the cursor's parts by name, all None without one. Raises Malformed, naming the parameter."""
        text = self.before or self.after
        if text is None:
            return dict.fromkeys(kind.__struct_fields__)
        try:
            return msgspec.structs.asdict(msgspec.convert(text.split("."), kind, strict=False))
        except msgspec.ValidationError as error:
            field = "before" if self.before else "after"
            raise Malformed(f"{field}: not a cursor of this list", field=field) from error


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an account's balance of one asset, minor units."""

    shard: int
    sequence: int
    ordinal: int
    at: int
    kind: str
    amount: int
    order_id: str | None
    trade_id: int | None
    product_id: str | None


def order_cursor(order: Order) -> str:
    """The place of an order in its list."""
    return f"{order.created_at}.{order.order_id}"


def fill_cursor(fill: Fill) -> str:
    """The place of a fill in its list."""
    return f"{fill.at}.{fill.trade_id}.{fill.liquidity}.{fill.product_id}"


def entry_cursor(entry: Entry) -> str:
    """The place of an entry in its ledger."""
    return f"{entry.sequence}.{entry.shard}.{entry.ordinal}"
