"""The simulated PostgreSQL server: statements arrive, wait for locks, are carried out, and sometimes get no answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any

import asyncpg

from matcher.shell import checkpoints, journal, lease
from tests.simulation.connection import Call, Connection
from tests.simulation.process import Process
from tests.simulation.rows import Committed, Held
from tests.simulation.tables import DAMAGE, Tables
from tests.simulation.trouble import Trouble

_FENCE_SLOW_S = (1.0, 5.0)
_LOCKS = frozenset({lease._TAKE, lease._RENEW, lease._RELEASE})


# When a statement began, its text, its arguments, its answer.
type Answered = Callable[[float, str, Any, Any], None]


class Database:
    """The server. `committed` is told of each batch at the moment of its commit, `answered` of each statement that was
    carried out. appends_until: until then a batch is on its way here, or waits for its commit."""

    def __init__(self, loop: asyncio.AbstractEventLoop, trouble: Trouble) -> None:
        self.loop = loop
        self.trouble = trouble
        self.outside = Context()
        self.tables = Tables(loop.time, self._notify)
        self.committed: Callable[[Committed, Held], None] = _ignored
        self.answered: Answered = _ignored
        self.connections: dict[int, Connection] = {}
        self.appends_until = 0.0
        self.crashes = 0
        self._count = 0
        self._locked_until: dict[int, float] = {}

    @asynccontextmanager
    async def connect(self, process: Process) -> AsyncIterator[Connection]:
        """Open a connection of one process."""
        process.check()
        await asyncio.sleep(3 * self.trouble.way())
        if self.trouble.lasts("database_away"):
            raise ConnectionRefusedError("the database is away")
        self._count += 1
        number = self._count
        connection = self.connections[number] = Connection(self, process)
        try:
            yield connection
        finally:
            connection.closed = True
            self.connections.pop(number, None)

    def crash(self) -> None:
        """Break every connection; what was not committed is gone."""
        self.crashes += 1
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
        if statement in _LOCKS:
            free = self._locked_until.get(call.arguments[0], 0.0)
            if free > self.loop.time():
                if statement == lease._TAKE:
                    self._reply(call, None)  # it passes over a locked row
                    return
                # A moment after the commit that it waits for.
                self.loop.call_at(free + 0.000_001, self.arrive, call, context=self.outside)
                return
        does = self.tables.does.get(statement)
        if does is None:
            raise LookupError(f"the simulated database does not know this statement:\n{statement}")
        result = does(*call.arguments)
        self.answered(self.loop.time(), statement, call.arguments, result)
        if statement == checkpoints._SAVE and self.trouble.takes("checkpoint_damaged"):
            shard, sequence = call.arguments[:2]
            self.answered(self.loop.time(), DAMAGE, (shard, sequence), self.tables.does[DAMAGE](shard, sequence))
        if self.trouble.takes("statement_answer_lost"):
            call.connection.cut()
        else:
            self._reply(call, result)

    def passes(self, shard: int, epoch: int) -> bool:
        """Whether the fence lets this epoch write."""
        return self.tables.passes(shard, epoch)

    # The fence is looked at when the statement begins; nobody gets at the lease until it has committed.

    def _append(self, call: Call) -> None:
        shard, epoch = call.arguments[:2]
        if not self.passes(shard, epoch):
            self.trouble.fired["fenced"] += 1
            self.answered(self.loop.time(), call.statement, call.arguments, 0)
            self._reply(call, 0)
            return
        began = self.loop.time()
        takes_s = 0.0008 + self.trouble.way()
        if self.trouble.takes("commit_slow"):
            takes_s = self.trouble.between(*_FENCE_SLOW_S)
        until = began + takes_s
        self.appends_until = max(self.appends_until, until)
        self._locked_until[shard] = max(self._locked_until.get(shard, 0.0), until)
        self.loop.call_at(until, self._commit, call, began, context=self.outside)

    def _commit(self, call: Call, began: float) -> None:
        if call.connection.crashed:
            return
        try:
            batch = self.tables.commit(call.arguments, began=began)
        except asyncpg.UniqueViolationError as error:
            self.answered(began, call.statement, call.arguments, error)
            self._reply(call, error)
            return
        self.answered(began, call.statement, call.arguments, 1)
        self.committed(batch, self.tables.leases[batch.shard])
        if self.trouble.takes("commit_answer_lost"):
            call.connection.cut()
        else:
            self._reply(call, 1)

    def _reply(self, call: Call, result: Any) -> None:
        self.loop.call_later(self.trouble.way(), call.connection.hear, call, result, context=self.outside)

    def _notify(self) -> None:
        for connection in self.connections.values():
            self.loop.call_later(self.trouble.way(), connection.notify, context=connection.process.context)


def _ignored(*_: Any) -> None:
    """Nobody listens."""
