"""The ledger: postings and trades, kept in rows of their own beside the journal. They follow from a batch's events."""

from collections.abc import Iterator
from typing import Any, Final

import asyncpg

from matcher.shell.errors import JournalBroken
from matcher.shell.journal import Recorded
from venue import wire
from venue.events import AnyEvent, ProductListed, Traded
from venue.ledger import postings
from venue.products import Product

type Row = tuple[Any, ...]

_POSTINGS: Final = """
SELECT sequence, ordinal, at, account, asset, kind, free, held, order_id::text, trade_id, product_id, amend_id::text
FROM postings WHERE shard = $1 AND sequence > $2 AND sequence <= $3 ORDER BY sequence, ordinal
"""
_TRADES: Final = """
SELECT product_id, trade_id, sequence, at, side, price, size, maker_order_id::text, maker_account, maker_fee,
       taker_order_id::text, taker_account, taker_fee
FROM trades JOIN unnest($1::text[], $2::bigint[]) AS told (product_id, trade_id) USING (product_id, trade_id)
"""
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
        if [tuple(row) for row in posted] != list(self._posted(events, batch)):
            raise JournalBroken(f"batch {batch.sequence} of shard {self._shard} has other postings than it gave then")
        told = {(event.product_id, event.trade_id): _row(event) for event in events if isinstance(event, Traded)}
        if told:
            traded = await self._connection.fetch(_TRADES, *map(list, zip(*told, strict=True)))
            if {(row["product_id"], row["trade_id"]): tuple(row) for row in traded} != told:
                raise JournalBroken(f"batch {batch.sequence} of shard {self._shard} has other trades than it made then")
        self._sequence = batch.sequence

    def _posted(self, events: list[AnyEvent], batch: Recorded) -> Iterator[Row]:
        ordinal = 0
        for event in events:
            if isinstance(event, ProductListed):
                self._products[event.product.id] = event.product
            for one in postings(event, self._products.get(getattr(event, "product_id", ""))):
                yield (
                    batch.sequence,
                    ordinal,
                    batch.at,
                    one.account,
                    one.asset,
                    one.kind,
                    one.free,
                    one.held,
                    one.order_id,
                    one.trade_id,
                    one.product_id,
                    one.amend_id,
                )
                ordinal += 1


def _row(trade: Traded) -> Row:
    return (
        trade.product_id,
        trade.trade_id,
        trade.sequence,
        trade.at,
        trade.side,
        trade.price,
        trade.size,
        trade.maker_order_id,
        trade.maker_account,
        trade.maker_fee,
        trade.taker_order_id,
        trade.taker_account,
        trade.taker_fee,
    )
