"""PostgreSQL's tables, and what each statement of the matcher does to them: at one moment, or not at all.

Each statement is known here by its text; one that is not known is an error, so that nobody changes a statement without
changing its model. That the models answer as a real server does is the matter of
`tests/integration/matcher/test_simulated_database.py`.
"""

import hashlib
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final

import asyncpg
import msgspec

from matcher.shell import checkpoints, journal, lease, migrations, relay, tenure
from matcher.shell.checkpoints import Checkpoint
from tests.simulation.rows import Committed, Held, Row
from venue.events import Traded
from venue.ledger import Posting
from venue.orders import Order
from venue.products import Product

_ORDERS: Final = msgspec.json.Decoder(list[Order])
_TRADES: Final = msgspec.json.Decoder(list[Traded])
_POSTINGS: Final = msgspec.json.Decoder(list[Posting])
_PRODUCTS: Final = msgspec.json.Decoder(list[Product])
# What the relay reads of a posting.
_RELAYED: Final = ("account", "asset", "kind", "free", "held", "order_id", "trade_id", "product_id", "amend_id")
_MIGRATED: Final = [
    Row(name=name, sha256=hashlib.sha256(script.encode()).hexdigest()) for name, script in migrations.scripts().items()
]


# What a disk may do to a checkpoint.
DAMAGE: Final = "UPDATE checkpoints SET state = substr(state, 1, length(state) - 1) WHERE shard = $1 AND sequence = $2"


class Tables:
    """The tables. `now` gives the server's time in seconds. `released` is told when a lease is given up."""

    def __init__(self, now: Callable[[], float], released: Callable[[], None]) -> None:
        self.leases: dict[int, Held] = {}
        self.batches: dict[int, list[Committed]] = {}
        self.published: dict[int, int] = {}
        self.orders: dict[str, Order] = {}
        self.trades: list[Traded] = []
        self.products: dict[str, Product] = {}
        self.checkpoints: dict[tuple[int, int], tuple[Any, ...]] = {}
        self._damaged: set[tuple[int, int]] = set()
        self._now = now
        self._released = released
        self.does: dict[str, Callable[..., Any]] = {
            lease._TAKE: self._take,
            lease._RENEW: self._renew,
            lease._RELEASE: self._release,
            lease._IS_FREE: self._is_free,
            tenure._LISTED_ELSEWHERE: self._listed_elsewhere,
            relay._BATCHES: self._read_batches,
            relay._POSTINGS: self._read_postings,
            relay._START: self._start_relay,
            relay._ADVANCE: self._advance_relay,
            journal._RECORDED: self._recorded,
            journal._HEAD: self._head,
            checkpoints._SAVE: self._save_checkpoint,
            checkpoints._NEWEST: self._newest_checkpoint,
            checkpoints._ALL: self._all_checkpoints,
            checkpoints._READ: self._read_checkpoint,
            checkpoints._MARK: self._mark_checkpoint,
            DAMAGE: self._damage_checkpoint,
            relay._CHECKSUM: self._checksum,
            migrations._TABLE: _nothing,
            migrations._OWNER: _nothing,
            "SET LOCAL lock_timeout = '1s'": _nothing,
            "SELECT pg_advisory_xact_lock($1)": _nothing,
            "SELECT name, sha256 FROM migrations": _migrated,
        }

    # The journal.

    def passes(self, shard: int, epoch: int) -> bool:
        """Whether the fence lets this epoch write."""
        held = self.leases.get(shard)
        return held is not None and held.epoch == epoch

    def commit(self, arguments: tuple[Any, ...], *, began: float) -> Committed:
        """Write a batch whose statement has passed the fence when it began. Raises UniqueViolationError."""
        (shard, epoch, sequence, at, commands, events, *rows, checksum, renewal) = arguments
        orders, trades, postings, products = rows
        batches = self.batches.setdefault(shard, [])
        if any(batch.sequence == sequence for batch in reversed(batches)):
            raise asyncpg.UniqueViolationError("batches_pkey")
        batch = Committed(shard, sequence, epoch, at, commands, events, checksum, _POSTINGS.decode(postings))
        batches.append(batch)
        self.leases[shard].head = sequence
        self.leases[shard].expires_at = began + renewal.total_seconds()
        for order in _ORDERS.decode(orders):
            self.orders[order.order_id] = order
        self.trades += _TRADES.decode(trades)
        self.products.update((product.id, product) for product in _PRODUCTS.decode(products))
        return batch

    # Leases, by the database's clock.

    def _take(self, shard: int, owner: str, address: str, length_s: float) -> int | None:
        now, held = self._now(), self.leases.get(shard)
        if held is not None and held.expires_at >= now and held.owner != owner:
            return None
        epoch = 1 if held is None else held.epoch + 1
        self.leases[shard] = Held(epoch, owner, address, now + length_s, 0 if held is None else held.head)
        return epoch

    def _renew(self, shard: int, epoch: int, length_s: float) -> int | None:
        held = self.leases.get(shard)
        if held is None or held.epoch != epoch:
            return None
        held.expires_at = self._now() + length_s
        return epoch

    def _release(self, shard: int, epoch: int) -> None:
        held = self.leases.get(shard)
        if held is not None and held.epoch == epoch:
            held.expires_at = float("-inf")
            self._released()

    def _is_free(self, shard: int, owner: str) -> bool:
        held = self.leases.get(shard)
        return held is None or held.owner == owner or held.expires_at < self._now()

    # Reads.

    def _listed_elsewhere(self, shard: int) -> list[Row]:
        return [Row(id=product.id, shard=product.shard) for product in self.products.values() if product.shard != shard]

    def _head(self, shard: int) -> int | None:
        held = self.leases.get(shard)
        return None if held is None else held.head

    def _recorded(self, shard: int, after: int, limit: int) -> list[Row]:
        return [
            Row(
                sequence=batch.sequence,
                epoch=batch.epoch,
                at=batch.at,
                commands=batch.commands,
                events=batch.events,
                checksum=batch.checksum,
            )
            for batch in self._after(shard, after, limit)
        ]

    def _checksum(self, shard: int, sequence: int) -> Row | None:
        found = (batch for batch in self.batches.get(shard, ()) if batch.sequence == sequence)
        return next((Row(checksum=batch.checksum) for batch in found), None)

    def _after(self, shard: int, after: int, limit: int) -> list[Committed]:
        return list(islice((batch for batch in self.batches.get(shard, ()) if batch.sequence > after), limit))

    # The relay.

    def _start_relay(self, shard: int) -> int:
        return self.published.setdefault(shard, 0)

    def _advance_relay(self, shard: int, sequence: int) -> None:
        if self.published.get(shard, sequence) < sequence:
            self.published[shard] = sequence

    def _read_batches(self, shard: int, after: int, limit: int) -> list[Row]:
        return [
            Row(
                sequence=batch.sequence,
                at=batch.at,
                commands=batch.commands,
                events=batch.events,
                checksum=batch.checksum,
            )
            for batch in self._after(shard, after, limit)
        ]

    def _read_postings(self, shard: int, first: int, last: int) -> list[Row]:
        return [
            Row(sequence=batch.sequence, **{name: getattr(posting, name) for name in _RELAYED})
            for batch in self.batches.get(shard, ())
            if first <= batch.sequence <= last
            for posting in batch.postings
        ]

    # Checkpoints.

    def _save_checkpoint(self, shard: int, sequence: int, *values: Any) -> None:
        self.checkpoints[shard, sequence] = (shard, sequence, *values)
        self._damaged.discard((shard, sequence))
        kept = [other for other in self._good(shard) if other != sequence][: checkpoints.KEPT - 1]
        for other in self._saved(shard):
            if kept and other < kept[-1] and other != sequence:
                del self.checkpoints[shard, other]
                self._damaged.discard((shard, other))

    def _saved(self, shard: int) -> list[int]:
        return sorted((sequence for of, sequence in self.checkpoints if of == shard), reverse=True)

    def _good(self, shard: int) -> list[int]:
        return [sequence for sequence in self._saved(shard) if (shard, sequence) not in self._damaged]

    def _newest_checkpoint(self, shard: int, versions: Sequence[str]) -> int | None:
        del versions  # there is one program
        good = self._good(shard)
        names = Checkpoint.__struct_fields__
        return self.checkpoints[shard, good[0]][names.index("commands")] if good else None

    def _mark_checkpoint(self, shard: int, sequence: int) -> None:
        if (shard, sequence) in self.checkpoints:
            self._damaged.add((shard, sequence))

    def _damage_checkpoint(self, shard: int, sequence: int) -> None:
        place = Checkpoint.__struct_fields__.index("state")
        values = self.checkpoints[shard, sequence]
        self.checkpoints[shard, sequence] = (*values[:place], values[place][:-1], *values[place + 1 :])

    def _all_checkpoints(self, shard: int) -> list[Row]:
        return [Row(sequence=sequence) for sequence in self._saved(shard)]

    def _read_checkpoint(self, shard: int, sequence: int) -> Row | None:
        values = self.checkpoints.get((shard, sequence))
        names = (*Checkpoint.__struct_fields__, "checksum")
        return None if values is None else Row(**dict(zip(names, values, strict=True)))


def _nothing(*_: Any) -> None:
    """Locks and tables that matter to no run."""


def _migrated() -> list[Row]:
    return _MIGRATED
