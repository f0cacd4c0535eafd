"""How soon a matcher serves: from a checkpoint and the tail of a long journal, from the first row, and after another.

    python -m bench.recovery

Starts a PostgreSQL of its own, writes a journal of a million rows (one command each; 100,000 orders open, 100,000 done
and known in full, every id known for ever) with a checkpoint as far from its end as one may ever be, and starts the
real matcher on it. Then two matchers on a small journal: the owner is stopped (SIGTERM) or killed, and the time is
taken until the other acknowledges an order. Writes .local/bench/recovery.json.
"""

import argparse
import asyncio
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import batched
from pathlib import Path
from uuid import UUID

import msgspec
import psutil
import psycopg
import urllib3
from rich.console import Console
from rich.table import Table

from local.processes import Running, clean_environment, find, free_port, start, stop
from local.servers import database_url, launch
from local.state import State, choose_ports
from matcher.shell.catalogue import load
from matcher.shell.follower import Follower
from matcher.shell.journal import Recorded, connection
from matcher.shell.migrations import migrate, scripts
from matcher.shell.wiring import CHECKPOINT_COMMANDS, Database
from venue import wire
from venue.commands import AnyCommand, ListProduct, PlaceOrder
from venue.holds import hold_for
from venue.orders import Side
from venue.products import Product

ROOT = Path(__file__).parents[1]
RESULT = ROOT / ".local" / "bench" / "recovery.json"
ROWS = 1_000_000
WHOLE_ROWS = 100_000
OPEN = 100_000
ROUNDS = 3
TAKE_OVERS = 5
_MID = 1_000_000
_WRITE = 20_000
_PATIENCE_S = 120.0


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the start of the process until it serves; of them for the checkpoint, and for its tail.

    cpu_s: what the process itself worked until then. The rest it waited: for the database, for others on this machine.
    """

    ready_s: float
    cpu_s: float
    load_s: float
    tail_s: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Medians of `starts` and of the take-overs. Seconds."""

    rows: int
    tail_rows: int
    open_orders: int
    state_bytes: int
    ready_s: float
    starts: list[Start]
    whole_rows: int
    whole_ready_s: float
    stopped_s: float
    killed_s: float
    stopped: list[float]
    killed: list[float]


def commands(product: Product, rows: int) -> Iterator[AnyCommand]:
    """A market that fills up with open orders, and then trades at its touch."""
    chance = random.Random(1)
    yield ListProduct(at=1, product=product)
    for number in range(1, rows):
        side: Side = "buy" if number % 2 else "sell"
        rests = number <= min(OPEN, rows // 2)
        away = 1 + chance.randrange(5_000) if rests else 0
        yield order(product, side, _MID - away if side == "buy" else _MID + away, UUID(int=chance.getrandbits(128)))


def order(product: Product, side: Side, price: int, order_id: UUID) -> PlaceOrder:
    """An order with the hold that it needs."""
    plain = PlaceOrder(
        at=order_id.int % 997 + 1_000,
        order_id=str(order_id),
        account=f"account-{order_id.int % 64}",
        product_id=product.id,
        side=side,
        price=price,
        size=5,
        maker_bps=product.maker_bps,
        taker_bps=product.taker_bps,
    )
    return msgspec.structs.replace(plain, hold=hold_for(plain, product))


async def write_journal(database: Database, product: Product, rows: int, *, checkpoint_at: int | None) -> int:
    """Fill an empty database: the rows as a sequencer seals them, and a checkpoint. Gives the saved state's bytes."""
    size = 0
    async with connection(database) as own:
        await migrate(own, scripts())
        await own.execute("INSERT INTO leases VALUES (0, 1, 'bench', 'nowhere', '-infinity')")
        follower = Follower(0)
        numbered = enumerate(commands(product, rows), 1)
        for chunk in batched(numbered, _WRITE, strict=False):
            made = [_sealed(follower, sequence, command) for sequence, command in chunk]
            columns = ["shard", "sequence", "epoch", "at", "commands", "events", "checksum"]
            records = [(0, r.sequence, r.epoch, r.at, r.commands, r.events, r.checksum) for r in made]
            await own.copy_records_to_table("batches", records=records, columns=columns)
            if checkpoint_at is not None and follower.sequence == checkpoint_at:
                await follower.save(own)
                size = await own.fetchval("SELECT length(state) FROM checkpoints")
        await own.execute("INSERT INTO products VALUES ($1, $2)", product.id, wire.encode(product).decode())
        await own.execute("ANALYZE batches", timeout=600)
        await own.execute("CHECKPOINT", timeout=600)
    return size


def _sealed(follower: Follower, sequence: int, command: AnyCommand) -> Recorded:
    """One row as the sequencer would have written it, and the follower behind it."""
    body = wire.encode([command])
    events = wire.encode(follower.engine.apply(command))
    checksum = follower.chain.seal(sequence, command.at, body, events)
    follower.sequence, follower.at, follower.epoch = sequence, command.at, 1
    follower.commands += 1
    return Recorded(sequence, 1, command.at, body, events, checksum)


class Matcher:
    """One matcher process."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.port = free_port()
        self.log = folder / f"matcher-{self.port}.log"
        self.began = time.monotonic()
        environment = clean_environment(
            PGHOST=database.host,
            PGPORT=str(database.port),
            PGPASSWORD=database.password or "",
            PGDATABASE=database.name,
            PORT=str(self.port),
        )
        command = [sys.executable, "-m", "matcher.shell"]
        self.running: Running = start(command, env=environment, log=self.log, cwd=ROOT)
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=0.2, read=2), retries=False)

    def asks(self, method: str, path: str, body: bytes | None = None) -> bool:
        """Whether a request is answered with 200."""
        try:
            return self._http.request(method, f"http://127.0.0.1:{self.port}{path}", body=body).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def wait_for(self, condition: Callable[[], bool]) -> float:
        """Wait; gives the seconds since it was started."""
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > deadline or find(self.running) is None:
                raise AssertionError(f"it did not come true; see {self.log}:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.005)
        return time.monotonic() - self.began

    def said(self, event: str) -> dict[str, str | float]:
        """The last log line of this name."""
        lines = [msgspec.json.decode(line) for line in self.log.read_bytes().splitlines() if line.startswith(b"{")]
        found: dict[str, str | float] = next((line for line in reversed(lines) if line["event"] == event), {})
        return found


def ready(database: Database, folder: Path) -> Start:
    """Start a matcher on this journal, wait until it serves, and end it."""
    matcher = Matcher(database, folder)
    try:
        took = matcher.wait_for(lambda: matcher.asks("GET", "/ready"))
        told, cpu = matcher.said("followed"), psutil.Process(matcher.running.pid).cpu_times()
        return Start(
            ready_s=took, cpu_s=cpu.user + cpu.system, load_s=float(told["load_s"]), tail_s=float(told["tail_s"])
        )
    finally:
        stop(matcher.running)


def take_over(database: Database, folder: Path, how: signal.Signals) -> float:
    """Give the seconds from the signal to the owner until the standby acknowledges an order."""
    (product,) = [each for each in load(ROOT / "matcher" / "products.toml", shards=1) if each.id == "BTC-USD"]
    owner = Matcher(database, folder)
    standby: Matcher | None = None
    try:
        owner.wait_for(lambda: owner.asks("GET", "/ready"))
        other = standby = Matcher(database, folder)
        other.wait_for(lambda: bool(other.said("standing_by")))
        time.sleep(random.random())
        process = find(owner.running)
        assert process is not None
        body = wire.encode(order(product, "buy", 1, UUID(int=random.getrandbits(128), version=4)))
        sent = time.monotonic()
        process.send_signal(how)
        other.wait_for(lambda: other.asks("POST", "/shards/0/commands", body))
        return time.monotonic() - sent
    finally:
        stop(owner.running, how=signal.SIGKILL)
        if standby is not None:
            stop(standby.running)


def run(rows: int, rounds: int) -> Result:
    """Run it all."""
    (product,) = [each for each in load(ROOT / "matcher" / "products.toml", shards=1) if each.id == "BTC-USD"]
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name, ExitStack() as running:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL may run as another user and has to pass through
        state = State(ports=choose_ports(None))
        postgres = launch("postgres", folder, state)
        running.callback(stop, postgres, how=signal.SIGINT)
        long, short, small = (_database(state, name) for name in ("long", "short", "small"))
        checkpoint_at = (rows - CHECKPOINT_COMMANDS) // _WRITE * _WRITE
        size = asyncio.run(write_journal(long, product, rows, checkpoint_at=checkpoint_at))
        starts = [ready(long, folder) for _ in range(rounds)]
        asyncio.run(write_journal(short, product, WHOLE_ROWS, checkpoint_at=None))
        whole = ready(short, folder)
        stopped = [take_over(small, folder, signal.SIGTERM) for _ in range(TAKE_OVERS)]
        killed = [take_over(small, folder, signal.SIGKILL) for _ in range(TAKE_OVERS)]
    return Result(
        rows=rows,
        tail_rows=rows - checkpoint_at,
        open_orders=min(OPEN, rows // 2),
        state_bytes=size,
        ready_s=statistics.median(each.ready_s for each in starts),
        starts=starts,
        whole_rows=WHOLE_ROWS,
        whole_ready_s=whole.ready_s,
        stopped_s=statistics.median(stopped),
        killed_s=statistics.median(killed),
        stopped=stopped,
        killed=killed,
    )


def _database(state: State, name: str) -> Database:
    with psycopg.connect(database_url(state), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    port, password = state.ports.postgres, state.database_password
    return Database(host="127.0.0.1", port=port, user="postgres", password=password, name=name)


def show(result: Result) -> Table:
    """The result as a person reads it."""
    table = Table(title="How soon a matcher serves", box=None, title_justify="left")
    table.add_column("from")
    table.add_column("seconds, median", justify="right")
    table.add_column("each", style="dim")
    loads = ", ".join(
        f"{each.ready_s:.2f} (load {each.load_s:.2f}, tail {each.tail_s:.2f}, CPU {each.cpu_s:.2f})"
        for each in result.starts
    )
    table.add_row(
        f"a start, {result.rows:,} rows, checkpoint {result.tail_rows:,} rows back", f"{result.ready_s:.2f}", loads
    )
    table.add_row(f"a start, {result.whole_rows:,} rows, no checkpoint", f"{result.whole_ready_s:.2f}", "")
    for what, median, each in (
        ("SIGTERM to the owner, until the standby acknowledges", result.stopped_s, result.stopped),
        ("kill -9 of the owner, until the standby acknowledges", result.killed_s, result.killed),
    ):
        table.add_row(what, f"{median:.2f}", ", ".join(f"{value:.2f}" for value in each))
    return table


def main() -> None:
    """Run, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    told = parser.parse_args()
    result = run(told.rows, told.rounds)
    Console().print(show(result))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(result)))


if __name__ == "__main__":
    main()
