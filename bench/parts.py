"""What an order costs the processor, part by part: the matcher's own steps, and PostgreSQL's for each table.

    python -m bench.parts

Batches of BATCH orders go through every step in turn, so that whatever else the machine does weighs on all of them.
Each step is timed by its own thread's or process's processor, not by the clock. What the kernel does with packets is in
none of them: `python -m bench.matcher` has the whole programs.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import psutil
import uvloop
from starlette.types import Receive, Scope, Send

from bench.load import Load, requests
from bench.programs import products, start_postgres
from local.servers import database_url
from local.state import State, choose_ports
from matcher.core.engine import Engine
from matcher.shell.batch import Batch
from matcher.shell.intake import Intake
from matcher.shell.journal import Entry, PostgresJournal
from matcher.shell.migrations import migrate, scripts
from matcher.shell.outcome import outcome_of
from matcher.shell.request import read_one
from matcher.shell.sequencer import Sequencer
from matcher.shell.server import http_server
from venue import wire
from venue.commands import AnyCommand, ListProduct
from venue.ports import NotServed

# As many as come together where 64 connections have one order in flight each.
BATCH: Final = 31
BATCHES: Final = 500
# Not counted: until the books are filled and the caches warm.
WARM: Final = 50
# Which rows go along with a batch's own.
TABLES: Final = {
    "batch": (),
    "orders": ("orders",),
    "trades": ("trades",),
    "postings": ("postings",),
    "all": ("orders", "trades", "postings"),
}


class Clock:
    """Collects what each part takes."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time this thread's processor for one batch."""
        started = time.thread_time_ns()
        yield
        self.took.setdefault(name, []).append((time.thread_time_ns() - started) / 1e3 / BATCH)

    def us(self, name: str) -> float:
        """The median, µs an order."""
        return statistics.median(self.took[name][WARM:])


class Answers:
    """Waits for BATCH answers."""

    def __init__(self) -> None:
        self._given = 0
        self._all = asyncio.Event()

    def count(self) -> None:
        """Count one."""
        self._given += 1
        if self._given % BATCH == 0:
            self._all.set()

    async def wait(self) -> None:
        """Return when the last is given."""
        await self._all.wait()
        self._all.clear()


class Wire(asyncio.Transport):
    """A connection without a kernel."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self._answers = answers

    def write(self, data: Any) -> None:
        """Take an answer."""
        del data
        self._answers.count()

    def is_closing(self) -> bool:
        """Never."""
        return False


class AtOnce(Intake):
    """Answers without a sequencer behind it, and about as much."""

    def submit(self, shard: int, headers: Any, body: bytes) -> asyncio.Future[bytes]:
        """Answer with what came, twice: an outcome is about as long."""
        del shard, headers
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        answer.set_result(body + body)
        return answer


class Kept:
    """A journal that keeps the last entry."""

    entry: Entry

    async def append(self, entry: Entry) -> None:
        """Take it."""
        self.entry = entry


def nobody(shard: int) -> Sequencer:
    """No sequencer."""
    raise NotServed(str(shard))


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that nothing comes to."""
    del scope, receive, send


def connections(answers: Answers) -> list[asyncio.Protocol]:
    """Connections to the real server's protocol."""
    server = http_server(_nowhere, shortcut=AtOnce(nobody), host="", port=0)
    server.config.load()
    kind: Any = server.config.http_protocol_class
    made: list[asyncio.Protocol] = []
    for _ in range(BATCH):
        made.append(kind(config=server.config, server_state=server.server_state, app_state={}))
        made[-1].connection_made(Wire(answers))
    return made


async def matcher(clock: Clock) -> list[Entry]:
    """Time the matcher's steps; gives what came to the journal."""
    load = Load(port=0, connections=1, seconds=1, requests=BATCH * BATCHES, seed=1, products=products())
    asked = requests(load)
    bodies = [request.partition(b"\r\n\r\n")[2] for request in asked]
    engine, kept, answers, entries = Engine(), Kept(), Answers(), list[Entry]()
    made = connections(answers)
    sequencer = Sequencer(Engine(), kept, sequence=0, at=0, clock=lambda: time.time_ns() // 1000)
    running = asyncio.create_task(sequencer.run())
    for product in load.products:
        engine.apply(ListProduct(product=product))
        await sequencer.submit(ListProduct(product=product))
    for start in range(0, len(asked), BATCH):
        with clock.part("http"):
            for protocol, request in zip(made, asked[start : start + BATCH], strict=True):
                protocol.data_received(request)
            await answers.wait()
        with clock.part("read"):
            commands = [read_one(body) for body in bodies[start : start + BATCH]]
        _steps(clock, engine, [read_one(body) for body in bodies[start : start + BATCH]])
        with clock.part("sequencer"):
            waiting = [sequencer.submit(command) for command in commands]
            await waiting[-1]
        entries.append(kept.entry)
    running.cancel()
    return entries


def _steps(clock: Clock, engine: Engine, commands: list[AnyCommand]) -> None:
    """What the sequencer does with each command, once more and one by one."""
    with clock.part("match"):
        happened = [engine.apply(command) for command in commands]
    batch = Batch()
    with clock.part("ledger"):
        for command, events in zip(commands, happened, strict=True):
            batch.add(command, events, engine)
    with clock.part("outcome"):
        for command, events in zip(commands, happened, strict=True):
            wire.encode(outcome_of(engine, command, events))


async def postgres(clock: Clock, entries: list[Entry]) -> dict[str, float]:
    """Time the appends, with the rows of every table and of each alone; gives the sessions' µs an order."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder, ExitStack() as running:
        state = State(ports=choose_ports(None))
        start_postgres(running, Path(folder), state)
        url = database_url(state)
        sessions = {name: await _session(url, name) for name in TABLES}
        busy = dict.fromkeys(TABLES, 0.0)
        for start in range(0, len(entries), WARM):
            for name, (journal, process) in sessions.items():
                some = [_only(entry, TABLES[name]) for entry in entries[start : start + WARM]]
                before = _busy_s(process)
                for entry in some:
                    with clock.part(f"driver, {name}"):
                        await journal.append(entry)
                if start:
                    busy[name] += _busy_s(process) - before
        return {name: seconds * 1e6 / BATCH / (len(entries) - WARM) for name, seconds in busy.items()}


async def _session(url: str, name: str) -> tuple[PostgresJournal, psutil.Process]:
    """A database of its own, and who appends to it."""
    administrator = await asyncpg.connect(url)
    await administrator.execute(f"CREATE DATABASE parts_{name}")
    await administrator.close()
    connection = await asyncpg.connect(f"{url.rpartition('/')[0]}/parts_{name}", server_settings={"jit": "off"})
    await migrate(connection, scripts())
    await connection.execute("INSERT INTO leases VALUES (0, 1, 'bench', '', now())")
    journal = await PostgresJournal.open(connection, shard=0, epoch=1, lease_s=3, timeout_s=30)
    return journal, psutil.Process(connection.get_server_pid())


def _only(entry: Entry, tables: tuple[str, ...]) -> Entry:
    dropped: dict[str, Any] = {name: [] for name in ("orders", "trades", "postings") if name not in tables}
    return msgspec.structs.replace(entry, **dropped)


def _busy_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def run() -> dict[str, float]:
    """All parts, µs an order."""
    clock = Clock()
    sessions = await postgres(clock, await matcher(clock))
    steps = {name: clock.us(name) for name in ("http", "read", "match", "ledger", "outcome", "sequencer")}
    rest = steps.pop("sequencer") - steps["match"] - steps["ledger"] - steps["outcome"]
    bare = sessions["batch"]
    return {
        "HTTP": steps["http"],
        "reading the command": steps["read"],
        "match": steps["match"],
        "postings, and what the batch touched": steps["ledger"],
        "outcome": steps["outcome"],
        "futures, encoding, checksum": rest,
        "rows and the driver": clock.us("driver, all"),
        "PostgreSQL: batch and commit": bare,
        "PostgreSQL: orders": sessions["orders"] - bare,
        "PostgreSQL: trades": sessions["trades"] - bare,
        "PostgreSQL: postings": sessions["postings"] - bare,
        "PostgreSQL, all in one": sessions["all"],
    }


def main() -> None:
    """Run, print."""
    for name, us in uvloop.run(run()).items():
        print(f"{name:<40}{us:6.1f} µs")


if __name__ == "__main__":
    main()
