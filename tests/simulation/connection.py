"""A connection to the simulated PostgreSQL: what asyncpg gives, as far as the matcher uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from matcher.shell import journal
from tests.simulation.rows import Row

if TYPE_CHECKING:
    from tests.simulation.database import Database
    from tests.simulation.process import Process

_STUCK_S = (1.0, 9.0)


class Call(msgspec.Struct):
    """A statement on its way."""

    connection: Connection
    statement: str
    arguments: tuple[Any, ...]
    answer: asyncio.Future[Any]
    withdrawn: bool = False


class Connection:
    """What asyncpg gives, as far as the matcher uses it: one statement at a time, in order."""

    def __init__(self, server: Database, process: Process) -> None:
        self.server = server
        self.process = process
        self.closed = False
        self._crashes = server.crashes
        self._broken = False
        self._under_way: Call | None = None
        self._listeners: list[Callable[..., None]] = []
        self._arrival = 0.0

    @property
    def crashed(self) -> bool:
        """Whether what came over it and was not committed is gone; also when its process was gone before."""
        return self._broken or self._crashes != self.server.crashes

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

    async def prepare(self, statement: str) -> Prepared:
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
        self.closed = self._broken = True
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
        if statement == journal._APPEND:
            server.appends_until = max(server.appends_until, self._arrival)
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
