"""The journal: what is not in here did not happen. One batch is one statement, and so one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

import asyncpg
import msgspec

from matcher.shell.errors import NotOwner
from venue.events import AnyEvent, Traded
from venue.ledger import Posting
from venue.orders import Order
from venue.products import Product

if TYPE_CHECKING:
    from asyncpg.prepared_stmt import PreparedStatement

    from matcher.shell.wiring import Database


# Opens one connection of its own to the journal, closed at the end of its context.
type Connect = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One batch as it goes into the journal: what was asked, what happened, and where that left things.

    orders: every order that the batch touched, as it stands after it. commands, events: JSON arrays. checksum: see
    matcher.shell.chain.
    """

    sequence: int
    at: int
    commands: bytes
    events: bytes
    checksum: bytes
    orders: list[Order]
    trades: list[Traded]
    postings: list[Posting]
    products: list[Product]


class Recorded(msgspec.Struct, frozen=True):
    """One batch as it was found in the journal. checksum: None for a batch from before there were any."""

    sequence: int
    epoch: int
    at: int
    commands: bytes
    events: bytes
    checksum: bytes | None


class Journal(Protocol):
    """Makes batches durable, each whole or not at all."""

    async def append(self, entry: Entry) -> None:
        """Commit one batch. Raises NotOwner when the epoch is stale: then, surely, nothing was written.

        Any other exception leaves the outcome unknown.
        """


# Locking the lease row for the length of this statement is the fence: whoever raises the epoch waits for this commit,
# or is waited for and makes this statement write nothing. The row keeps the journal's head, see `head`; and as it is
# written anyway, the lease is renewed with it.
_APPEND: Final = """
WITH fence AS (
    UPDATE leases SET head = $3, expires_at = clock_timestamp() + $12 WHERE shard = $1 AND epoch = $2 RETURNING 1
), batch AS (
    INSERT INTO batches (shard, sequence, epoch, at, commands, events, checksum)
    SELECT $1, $3, $2, $4, $5, $6, $11 FROM fence
    RETURNING 1
), placed AS (
    INSERT INTO orders (id, account, product_id, side, type, time_in_force, post_only, client_oid, price, size, funds,
                        status, created_at, filled, executed_value, fees, hold, done_at, done_reason, reject_reason,
                        stp, expire_at, stop, stop_price, display_size)
    SELECT o.* FROM fence, json_to_recordset($7) AS o (
        order_id uuid, account text, product_id text, side text, type text, time_in_force text, post_only boolean,
        client_oid text, price bigint, size bigint, funds bigint, status text, created_at bigint, filled bigint,
        executed_value bigint, fees bigint, hold bigint, done_at bigint, done_reason text, reject_reason text,
        stp text, expire_at bigint, stop text, stop_price bigint, display_size bigint)
    ON CONFLICT (id) DO UPDATE SET
        status = excluded.status, filled = excluded.filled, executed_value = excluded.executed_value,
        size = excluded.size, price = excluded.price, funds = excluded.funds, fees = excluded.fees,
        hold = excluded.hold, done_at = excluded.done_at, done_reason = excluded.done_reason
), traded AS (
    INSERT INTO trades (product_id, trade_id, sequence, at, side, price, size, maker_order_id, maker_account, maker_fee,
                        taker_order_id, taker_account, taker_fee)
    SELECT t.* FROM fence, json_to_recordset($8) AS t (
        product_id text, trade_id bigint, sequence bigint, at bigint, side text, price bigint, size bigint,
        maker_order_id uuid, maker_account text, maker_fee bigint,
        taker_order_id uuid, taker_account text, taker_fee bigint)
), posted AS (
    INSERT INTO postings (shard, sequence, at,
                          account, asset, kind, free, held, order_id, trade_id, product_id, amend_id, ordinal)
    SELECT $1, $3, $4,
           p.account, p.asset, p.kind, p.free, p.held, p.order_id, p.trade_id, p.product_id, p.amend_id, p.ordinal - 1
    FROM fence, ROWS FROM (json_to_recordset($9) AS (
        account text, asset text, kind text, free bigint, held bigint, order_id uuid, trade_id bigint, product_id text,
        amend_id uuid)
    ) WITH ORDINALITY AS p (account, asset, kind, free, held, order_id, trade_id, product_id, amend_id, ordinal)
), listed AS (
    INSERT INTO products (id, rules)
    SELECT r ->> 'id', r::jsonb FROM fence, json_array_elements($10) AS r
    ON CONFLICT (id) DO UPDATE SET rules = excluded.rules
)
SELECT count(*) FROM batch
"""

_RECORDED: Final = """
SELECT sequence, epoch, at, commands, events, checksum FROM batches WHERE shard = $1 AND sequence > $2
ORDER BY sequence LIMIT $3
"""
_HEAD: Final = "SELECT head FROM leases WHERE shard = $1"
# One read: so many rows, and about so many bytes as far as the rows before tell.
_ROWS_MIN: Final = 20
_ROWS_MAX: Final = 2_000
_READ_BYTES: Final = 4 * 1024 * 1024

# A statement that says nothing else waits so long for its answer: TCP would wait a quarter of an hour for a server that
# is gone without a word, and whoever stands by would do so in vain.
ANSWER_S: Final = 15.0

_SESSION: Final = {
    "application_name": "matcher",
    # Compiling a plan takes longer than any of these statements.
    "jit": "off",
    # A machine that is gone in the middle of an append must not keep the lease's row locked for hours.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}

_encode = msgspec.json.Encoder().encode


@asynccontextmanager
async def connection(database: Database, *, answer_s: float = ANSWER_S) -> AsyncIterator[asyncpg.Connection]:
    """Open one direct connection, and close it. Raises OSError, TimeoutError or asyncpg.PostgresError."""
    opened = await asyncpg.connect(
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password,
        database=database.name,
        ssl=database.sslmode,
        timeout=5,
        command_timeout=answer_s,
        server_settings=_SESSION,
    )
    try:
        yield opened
    finally:
        try:
            await opened.close(timeout=1)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            opened.terminate()


class PostgresJournal:
    """The journal of one shard under one epoch, over one connection that it has for itself."""

    def __init__(
        self, append: PreparedStatement[asyncpg.Record], *, shard: int, epoch: int, lease_s: float, timeout_s: float
    ) -> None:
        self._append = append
        self._shard = shard
        self._epoch = epoch
        self._renewal = timedelta(seconds=lease_s)
        self._timeout_s = timeout_s

    @classmethod
    async def open(
        cls, connection: asyncpg.Connection, *, shard: int, epoch: int, lease_s: float, timeout_s: float
    ) -> PostgresJournal:
        """Prepare the statement, which renews the lease for `lease_s`.

        A commit that takes longer than `timeout_s` is one of unknown outcome.
        """
        append = await connection.prepare(_APPEND)
        return cls(append, shard=shard, epoch=epoch, lease_s=lease_s, timeout_s=timeout_s)

    async def append(self, entry: Entry) -> None:
        """Commit one batch, as Journal promises."""
        written = await self._append.fetchval(
            self._shard,
            self._epoch,
            entry.sequence,
            entry.at,
            entry.commands,
            entry.events,
            _json(entry.orders),
            _json(entry.trades),
            _json(entry.postings),
            _json(entry.products),
            entry.checksum,
            self._renewal,
            timeout=self._timeout_s,
        )
        if written != 1:
            raise NotOwner(f"epoch {self._epoch} of shard {self._shard} is over")


async def head(connection: asyncpg.Connection, *, shard: int) -> int:
    """Give a sequence that the shard's journal reaches at least, from now on. Otherwise rows at its end are lost."""
    return await connection.fetchval(_HEAD, shard) or 0


async def recorded(connection: asyncpg.Connection, *, shard: int, after: int = 0) -> AsyncIterator[Recorded]:
    """Give the shard's batches in order, those after the sequence `after`, to the end that the journal has by then.

    No transaction is left open between the reads: a migration would wait for it, and the owner for the migration.
    """
    limit = _ROWS_MIN
    while True:
        rows = await connection.fetch(_RECORDED, shard, after, limit)
        for row in rows:
            yield Recorded(*row)
        if len(rows) < limit:
            return
        after = rows[-1]["sequence"]
        size = sum(len(row["commands"]) + len(row["events"]) for row in rows)
        limit = min(max(_ROWS_MIN, _READ_BYTES * limit // (size + 1)), _ROWS_MAX)


def _json(rows: list[Order] | list[Traded] | list[Posting] | list[Product] | list[AnyEvent]) -> str:
    return _encode(rows).decode()
