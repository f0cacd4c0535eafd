"""PostgreSQL as the matcher's statements see it: what one of them does, it does at one moment, or not at all.

Each statement of the matcher is known here by its text; one that is not known is an error, so that nobody changes a
statement without changing its model. Nothing compares the models with a real server side by side; the campaigns with
real processes do so as a whole.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import Context
from itertools import islice
from typing import Any

import asyncpg
import msgspec

from matcher.shell import checkpoints, journal, lease, migrations, relay, tenure
from matcher.shell.checkpoints import Checkpoint
from tests.simulation.process import Process
from tests.simulation.trouble import Trouble
from venue.events import Traded
from venue.ledger import Posting
from venue.orders import Order
from venue.products import Product

_ORDERS = msgspec.json.Decoder(list[Order])
_TRADES = msgspec.json.Decoder(list[Traded])
_POSTINGS = msgspec.json.Decoder(list[Posting])
_PRODUCTS = msgspec.json.Decoder(list[Product])
_FENCE_SLOW_S = (1.0, 5.0)
_STUCK_S = (1.0, 9.0)


class Row:
    """A row: values by name or place."""

    __slots__ = ("_values",)

    def __init__(self, **values: Any) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values.values())

    def values(self) -> list[Any]:
        """All of them, in order."""
        return list(self._values.values())


class Held(msgspec.Struct):
    """A row of `leases`."""

    epoch: int
    owner: str
    address: str
    expires_at: float
    head: int = 0


class Committed(msgspec.Struct, frozen=True):
    """One journal batch as it was committed."""

    shard: int
    sequence: int
    epoch: int
    at: int
    commands: bytes
    events: bytes
    checksum: bytes
    postings: list[Posting]


class Call(msgspec.Struct):
    """A statement on its way."""

    connection: "Connection"
    statement: str
    arguments: tuple[Any, ...]
    answer: asyncio.Future[Any]
    withdrawn: bool = False


class Database:
    """The server. `committed` is told of each batch at the moment of its commit."""

    def __init__(self, loop: asyncio.AbstractEventLoop, trouble: Trouble) -> None:
        self.loop = loop
        self.trouble = trouble
        self.outside = Context()
        self.committed: Callable[[Committed, Held], None] = _ignored
        self.leases: dict[int, Held] = {}
        self.batches: dict[int, list[Committed]] = {}
        self.published: dict[int, int] = {}
        self.orders: dict[str, Order] = {}
        self.trades: list[Traded] = []
        self.products: dict[str, Product] = {}
        self.checkpoints: dict[tuple[int, int], tuple[Any, ...]] = {}
        self.connections: dict[int, Connection] = {}
        self._count = 0
        self._locked_until: dict[int, float] = {}
        self._does: dict[str, Callable[..., Any]] = {
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
            relay._CHECKSUM: self._checksum,
            migrations._TABLE: _nothing,
            "SET LOCAL lock_timeout = '1s'": _nothing,
            "SELECT pg_advisory_xact_lock($1)": _nothing,
            "SELECT name, sha256 FROM migrations": _migrated,
        }

    @asynccontextmanager
    async def connect(self, process: Process) -> AsyncIterator["Connection"]:
        """Open a connection of one process."""
        process.check()
        await asyncio.sleep(3 * self.trouble.way())
        if self.trouble.lasts("database_away"):
            raise ConnectionRefusedError("the database is away")
        self._count += 1
        connection = self.connections[self._count] = Connection(self, process)
        try:
            yield connection
        finally:
            connection.closed = True
            self.connections.pop(connection.number, None)

    def crash(self) -> None:
        """Break every connection; what was not committed is gone."""
        for connection in list(self.connections.values()):
            connection.cut()
        self._locked_until.clear()

    def arrive(self, call: Call) -> None:
        """Carry out a statement, now or when the lock that it needs is free."""
        if call.withdrawn or call.connection.crashed:
            return
        statement = call.statement
        if statement == journal._APPEND:
            self._append(call)
            return
        if statement in (lease._TAKE, lease._RENEW, lease._RELEASE):
            free = self._locked_until.get(call.arguments[0], 0.0)
            if free > self.loop.time():
                if statement == lease._TAKE:
                    self._reply(call, None)  # it passes over a locked row
                    return
                # A moment after the commit that it waits for.
                self.loop.call_at(free + 0.000_001, self.arrive, call, context=self.outside)
                return
        does = self._does.get(statement)
        if does is None:
            raise LookupError(f"the simulated database does not know this statement:\n{statement}")
        result = does(*call.arguments)
        if self.trouble.takes("statement_answer_lost"):
            call.connection.cut()
        else:
            self._reply(call, result)

    def _reply(self, call: Call, result: Any) -> None:
        self.loop.call_later(self.trouble.way(), call.connection.hear, call, result, context=self.outside)

    # The journal. The fence is looked at when the statement begins; nobody gets at the lease until it has committed.

    def _append(self, call: Call) -> None:
        shard, epoch = call.arguments[:2]
        if not self.passes(shard, epoch):
            self.trouble.fired["fenced"] += 1
            self._reply(call, 0)
            return
        expires_at = self.loop.time() + call.arguments[-1].total_seconds()
        takes_s = 0.0008 + self.trouble.way()
        if self.trouble.takes("commit_slow"):
            takes_s = self.trouble.between(*_FENCE_SLOW_S)
        until = self.loop.time() + takes_s
        self._locked_until[shard] = max(self._locked_until.get(shard, 0.0), until)
        self.loop.call_at(until, self._commit, call, expires_at, context=self.outside)

    def passes(self, shard: int, epoch: int) -> bool:
        """Whether the fence lets this epoch write."""
        held = self.leases.get(shard)
        return held is not None and held.epoch == epoch

    def _commit(self, call: Call, expires_at: float) -> None:
        if call.connection.crashed:
            return
        (shard, epoch, sequence, at, commands, events, orders, trades, postings, products, checksum, _) = call.arguments
        batches = self.batches.setdefault(shard, [])
        if any(batch.sequence == sequence for batch in reversed(batches)):
            self._reply(call, asyncpg.UniqueViolationError("batches_pkey"))
            return
        batch = Committed(shard, sequence, epoch, at, commands, events, checksum, _POSTINGS.decode(postings))
        batches.append(batch)
        self.leases[shard].head = sequence
        self.leases[shard].expires_at = expires_at
        for order in _ORDERS.decode(orders):
            self.orders[order.order_id] = order
        self.trades += _TRADES.decode(trades)
        self.products.update((product.id, product) for product in _PRODUCTS.decode(products))
        self.committed(batch, self.leases[shard])
        if self.trouble.takes("commit_answer_lost"):
            call.connection.cut()
        else:
            self._reply(call, 1)

    # Leases, by the database's clock.

    def _take(self, shard: int, owner: str, address: str, length_s: float) -> int | None:
        now, held = self.loop.time(), self.leases.get(shard)
        if held is not None and held.expires_at >= now and held.owner != owner:
            return None
        epoch = 1 if held is None else held.epoch + 1
        self.leases[shard] = Held(epoch, owner, address, now + length_s, 0 if held is None else held.head)
        return epoch

    def _renew(self, shard: int, epoch: int, length_s: float) -> int | None:
        held = self.leases.get(shard)
        if held is None or held.epoch != epoch:
            return None
        held.expires_at = self.loop.time() + length_s
        return epoch

    def _release(self, shard: int, epoch: int) -> None:
        held = self.leases.get(shard)
        if held is None or held.epoch != epoch:
            return
        held.expires_at = float("-inf")
        for connection in self.connections.values():
            self.loop.call_later(self.trouble.way(), connection.notify, context=connection.process.context)

    def _is_free(self, shard: int, owner: str) -> bool:
        held = self.leases.get(shard)
        return held is None or held.owner == owner or held.expires_at < self.loop.time()

    # Reads.

    def _listed_elsewhere(self, shard: int) -> list[Row]:
        return [Row(id=product.id, shard=product.shard) for product in self.products.values() if product.shard != shard]

    def _head(self, shard: int) -> int | None:
        held = self.leases.get(shard)
        return None if held is None else held.head

    def _recorded(self, shard: int, after: int, limit: int) -> list[Row]:
        found = (batch for batch in self.batches.get(shard, ()) if batch.sequence > after)
        return [
            Row(
                sequence=batch.sequence,
                epoch=batch.epoch,
                at=batch.at,
                commands=batch.commands,
                events=batch.events,
                checksum=batch.checksum,
            )
            for batch in islice(found, limit)
        ]

    def _checksum(self, shard: int, sequence: int) -> Row | None:
        found = (batch for batch in self.batches.get(shard, ()) if batch.sequence == sequence)
        return next((Row(checksum=batch.checksum) for batch in found), None)

    def _read_batches(self, shard: int, after: int, limit: int) -> list[Row]:
        found = (batch for batch in self.batches.get(shard, ()) if batch.sequence > after)
        return [
            Row(
                sequence=batch.sequence,
                at=batch.at,
                commands=batch.commands,
                events=batch.events,
                checksum=batch.checksum,
            )
            for batch in islice(found, limit)
        ]

    def _read_postings(self, shard: int, first: int, last: int) -> list[Row]:
        return [
            Row(sequence=batch.sequence, **{name: getattr(posting, name) for name in Posting.__struct_fields__})
            for batch in self.batches.get(shard, ())
            if first <= batch.sequence <= last
            for posting in batch.postings
        ]

    # Checkpoints.

    def _save_checkpoint(self, shard: int, sequence: int, *values: Any) -> None:
        self.checkpoints[shard, sequence] = (shard, sequence, *values)
        for older in self._saved(shard)[checkpoints.KEPT :]:
            if older != sequence:
                del self.checkpoints[shard, older]

    def _saved(self, shard: int) -> list[int]:
        return sorted((sequence for of, sequence in self.checkpoints if of == shard), reverse=True)

    def _newest_checkpoint(self, shard: int) -> int | None:
        saved = self._saved(shard)
        names = Checkpoint.__struct_fields__
        return self.checkpoints[shard, saved[0]][names.index("commands")] if saved else None

    def _all_checkpoints(self, shard: int) -> list[Row]:
        return [Row(sequence=sequence) for sequence in self._saved(shard)]

    def _read_checkpoint(self, shard: int, sequence: int) -> Row | None:
        values = self.checkpoints.get((shard, sequence))
        names = (*Checkpoint.__struct_fields__, "checksum")
        return None if values is None else Row(**dict(zip(names, values, strict=True)))

    def _start_relay(self, shard: int) -> int:
        return self.published.setdefault(shard, 0)

    def _advance_relay(self, shard: int, sequence: int) -> None:
        if self.published[shard] < sequence:
            self.published[shard] = sequence


class Connection:
    """What asyncpg gives, as far as the matcher uses it: one statement at a time, in order."""

    def __init__(self, server: Database, process: Process) -> None:
        self.server = server
        self.process = process
        self.number = server._count
        self.closed = False
        self.crashed = False
        self._under_way: Call | None = None
        self._listeners: list[Callable[..., None]] = []
        self._arrival = 0.0

    async def fetchval(self, statement: str, *arguments: Any, timeout: float | None = None) -> Any:
        """One value."""
        found = await self._ask(statement, arguments, timeout)
        return found.values()[0] if isinstance(found, Row) else found

    async def fetch(self, statement: str, *arguments: Any, timeout: float | None = None) -> Any:
        """Rows."""
        return await self._ask(statement, arguments, timeout)

    async def fetchrow(self, statement: str, *arguments: Any, timeout: float | None = None) -> Any:
        """One row, or None."""
        return await self._ask(statement, arguments, timeout)

    async def execute(self, statement: str, *arguments: Any, timeout: float | None = None) -> None:
        """Carry out."""
        await self._ask(statement, arguments, timeout)

    async def add_listener(self, channel: str, told: Callable[..., None]) -> None:
        """One round trip; there is one channel."""
        del channel
        await asyncio.sleep(2 * self.server.trouble.way())
        self._listeners.append(told)

    async def remove_listener(self, channel: str, told: Callable[..., None]) -> None:
        """See asyncpg."""
        del channel
        self._listeners.remove(told)

    def notify(self) -> None:
        """Tell who listens."""
        if not self.closed:
            for told in self._listeners:
                told()

    def is_closed(self) -> bool:
        """See asyncpg."""
        return self.closed

    async def prepare(self, statement: str) -> "Prepared":
        """One round trip."""
        await asyncio.sleep(2 * self.server.trouble.way())
        return Prepared(self, statement)

    @asynccontextmanager
    async def transaction(self, *, readonly: bool = False) -> AsyncIterator[None]:
        """Reads only, and migrations, which have all been run: nothing to roll back."""
        del readonly
        yield

    def cut(self) -> None:
        """Break it: who waits for an answer hears no more than that."""
        self.closed = self.crashed = True
        if self._under_way is not None and not self._under_way.answer.done():
            self._under_way.answer.set_exception(asyncpg.ConnectionDoesNotExistError("connection was closed"))

    def hear(self, call: Call, result: Any) -> None:
        """Bring an answer to the process, if it still waits."""
        if self.closed or call.answer.done():
            return
        if isinstance(result, Exception):
            call.answer.set_exception(result)
        else:
            call.answer.set_result(result)

    async def _ask(self, statement: str, arguments: tuple[Any, ...], timeout: float | None) -> Any:
        self.process.check()
        if self.closed:
            raise asyncpg.InterfaceError("the connection is closed")
        if self._under_way is not None:
            raise asyncpg.InterfaceError("another operation is in progress")
        server, trouble = self.server, self.server.trouble
        call = self._under_way = Call(self, statement, arguments, server.loop.create_future())
        delay_s = trouble.way()
        if statement == journal._APPEND:
            if trouble.takes("commit_dropped"):
                self.cut()
            elif trouble.takes("commit_stuck"):
                delay_s = trouble.between(*_STUCK_S)
        self._arrival = max(self._arrival, server.loop.time() + delay_s)
        server.loop.call_at(self._arrival, server.arrive, call, context=server.outside)
        try:
            if timeout is None:
                return await call.answer
            async with asyncio.timeout(timeout):
                return await call.answer
        except BaseException:
            # asyncpg asks the server to stop; that may come too late.
            call.withdrawn = call.withdrawn or trouble.rng.random() < 0.5
            raise
        finally:
            self._under_way = None


class Prepared:
    """A prepared statement."""

    def __init__(self, connection: Connection, statement: str) -> None:
        self._connection = connection
        self._statement = statement

    async def fetchval(self, *arguments: Any, timeout: float | None = None) -> Any:
        """One value."""
        return await self._connection.fetchval(self._statement, *arguments, timeout=timeout)

    async def fetch(self, *arguments: Any, timeout: float | None = None) -> Any:
        """Rows."""
        return await self._connection.fetch(self._statement, *arguments, timeout=timeout)


def _ignored(*_: Any) -> None:
    """Nobody listens."""


def _nothing(*_: Any) -> None:
    """Locks and tables that matter to no run."""


def _migrated() -> list[Row]:
    return _MIGRATED


_MIGRATED = [
    Row(name=name, sha256=hashlib.sha256(script.encode()).hexdigest()) for name, script in migrations.scripts().items()
]
