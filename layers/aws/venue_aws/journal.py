"""Journal batches as they were committed, for a reader whose message came without them or not at all."""

import msgspec
from psycopg.rows import scalar_row, tuple_row

from venue import wire
from venue.ledger import Posting
from venue.wire import Batch
from venue_aws.database import Database

_BATCH = "SELECT at, convert_from(events, 'UTF8') FROM batches WHERE shard = %(shard)s AND sequence = %(sequence)s"

# As JSON, so that one decoder checks every row.
_POSTINGS = """
    SELECT coalesce(json_agg(json_build_object(
        'account', account, 'asset', asset, 'kind', kind, 'free', free, 'held', held,
        'order_id', order_id, 'trade_id', trade_id, 'product_id', product_id) ORDER BY ordinal), '[]')::text
    FROM postings WHERE shard = %(shard)s AND sequence = %(sequence)s"""

_DECODER = msgspec.json.Decoder(list[Posting])


class Journal:
    """The journal's tables, read only. Raises Unavailable when they do not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def batch(self, shard: int, sequence: int) -> Batch | None:
        """Give one batch with its events and the postings that were committed with it; None before it is there."""
        key = {"shard": shard, "sequence": sequence}
        found = self._database.fetch(_BATCH, key, row=tuple_row)
        if not found:
            return None
        at, events = found[0]
        (rows,) = self._database.fetch(_POSTINGS, key, row=scalar_row)
        return Batch(
            shard=shard,
            sequence=sequence,
            at=at,
            events=wire.EVENTS.decode(events),
            postings=_DECODER.decode(rows),
        )
