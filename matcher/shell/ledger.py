"""The ledger: postings and trades, kept in rows of their own beside the journal. They follow from a batch's events."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Final

import asyncpg
from msgspec.structs import astuple

from matcher.shell.errors import JournalBroken
from matcher.shell.journal import Recorded
from venue import wire
from venue.events import AnyEvent, ProductListed, Traded
from venue.ledger import Posting, postings
from venue.products import Product

# Behind sequence, ordinal and time as Posting has its fields.
_POSTINGS: Final = """
SELECT sequence, ordinal, at, account, asset, kind, free, held, order_id::text, trade_id, product_id, amend_id::text
FROM postings WHERE shard = $1 AND sequence > $2 AND sequence <= $3 ORDER BY sequence, ordinal
"""
# As _TRADED.
_TRADES: Final = """
SELECT product_id, trade_id, sequence, at, side, price, size, maker_order_id::text, maker_account, maker_fee,
       taker_order_id::text, taker_account, taker_fee
FROM trades JOIN unnest($1::text[], $2::bigint[]) AS told (product_id, trade_id) USING (product_id, trade_id)
"""
_TRADED: Final = attrgetter(
    "product_id",
    "trade_id",
    "sequence",
    "at",
    "side",
    "price",
    "size",
    "maker_order_id",
    "maker_account",
    "maker_fee",
    "taker_order_id",
    "taker_account",
    "taker_fee",
)
# Below any batch: a row that stands before the first one is no batch's.
_BELOW: Final = -(2**62)


class Ledger:
    """Compares one shard's rows with its journal, batch by batch from the first."""

    def __init__(self, connection: asyncpg.Connection, *, shard: int) -> None:
        self._connection = connection
        self._shard = shard
        self._sequence = _BELOW
        self._products: dict[str, Product] = {}

    async def check(self, batch: Recorded) -> None:
        """Take the next batch, which is good itself. Raises JournalBroken where its rows are not what it gives."""
        events = wire.EVENTS.decode(batch.events)
        posted = await self._connection.fetch(_POSTINGS, self._shard, self._sequence, batch.sequence)
        due = [(batch.sequence, n, batch.at, *astuple(one)) for n, one in enumerate(self._posted(events))]
        if [tuple(row) for row in posted] != due:
            raise JournalBroken(f"batch {batch.sequence} of shard {self._shard} has other postings than it gave then")
        told = {(event.product_id, event.trade_id): _TRADED(event) for event in events if isinstance(event, Traded)}
        if told:
            traded = await self._connection.fetch(_TRADES, *map(list, zip(*told, strict=True)))
            if {(row["product_id"], row["trade_id"]): tuple(row) for row in traded} != told:
                raise JournalBroken(f"batch {batch.sequence} of shard {self._shard} has other trades than it made then")
        self._sequence = batch.sequence

    def _posted(self, events: list[AnyEvent]) -> Iterator[Posting]:
        for event in events:
            if isinstance(event, ProductListed):
                self._products[event.product.id] = event.product
            yield from postings(event, self._products.get(getattr(event, "product_id", "")))
