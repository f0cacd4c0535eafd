"""How many orders a second the matcher makes durable, one order a request, beside its own server's bare echo.

    python -m bench.matcher

Starts a PostgreSQL of its own with fsync on, the real matcher and the echo server (bench.programs), fires at both in
turns, and writes .local/bench/matcher.json. Everything runs on one machine and shares its cores; what other programs
took of them in the meantime is printed, because it is what is missing from the figures.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import psutil
import psycopg
from rich import box
from rich.console import Console
from rich.table import Table

from bench.load import Load, Measured
from bench.programs import ROOT, fire, matcher_environment, products, start_postgres, start_server
from local.processes import Running
from local.servers import database_url
from local.state import State, choose_ports

RESULT = ROOT / ".local" / "bench" / "matcher.json"
CONNECTIONS = 64
ROUNDS = 3
ORDER_ROUND_S = 6.0
ECHO_ROUND_S = 2.0
REQUESTS_MAX = 150_000
# As many as POST /orders/batch takes.
ORDERS_EACH = 15
BATCH_ROUND_S = 3.0
BATCH_REQUESTS_MAX = 10_000


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of each: an order a request, ORDERS_EACH a request, bare echo.

    CPU in µs an order, where it comes alone; `others_cpu` is the share of all cores that other programs took meanwhile.
    """

    orders: Measured
    batches: Measured
    echo: Measured
    fsync_ms: float
    matcher_cpu_us: float
    postgres_cpu_us: float
    others_cpu: float


class Batches(msgspec.Struct, frozen=True, kw_only=True):
    """How many commands the journal's batches had."""

    mean: float
    max: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over the rounds. `ratio`: durable orders for one echo. batched_per_s: orders, ORDERS_EACH a request."""

    orders_per_s: float
    batched_per_s: float
    p50_ms: float
    p99_ms: float
    echo_per_s: float
    fsync_ms: float
    ratio: float
    cpu_count: int
    connections: int
    orders_journalled: int
    batch_commands: Batches
    rounds: list[Round]


class Bench:
    """The programs under test, and the clock on their processors."""

    def __init__(self, folder: Path, *, matcher: Running, postgres: Running, matcher_port: int, echo_port: int) -> None:
        self._folder = folder
        self._matcher = psutil.Process(matcher.pid)
        self._postgres = psutil.Process(postgres.pid)
        self._matcher_port = matcher_port
        self._echo_port = echo_port
        self._products = products()

    def round(self, seed: int) -> Round:
        """Measure fsync, echo and orders, one after the other."""
        fsync_ms = fdatasync_ms(self._folder)
        echo = self._fire(self._echo_port, seconds=ECHO_ROUND_S, seed=seed)
        before, wall = self._cpu(), time.perf_counter()
        orders = self._fire(self._matcher_port, seconds=ORDER_ROUND_S, seed=seed)
        wall = time.perf_counter() - wall
        machine, matcher, postgres, children = (b - a for a, b in zip(before, self._cpu(), strict=True))
        cores = os.cpu_count() or 1
        batches = self._fire(
            self._matcher_port,
            seconds=BATCH_ROUND_S,
            seed=seed + 1_000,
            requests=BATCH_REQUESTS_MAX,
            orders_each=ORDERS_EACH,
        )
        return Round(
            orders=orders,
            batches=batches,
            echo=echo,
            fsync_ms=fsync_ms,
            matcher_cpu_us=matcher / orders.answered * 1e6,
            postgres_cpu_us=postgres / orders.answered * 1e6,
            others_cpu=max(0.0, machine - matcher - postgres - children) / wall / cores,
        )

    def _fire(
        self, port: int, *, seconds: float, seed: int, requests: int = REQUESTS_MAX, orders_each: int = 1
    ) -> Measured:
        order = Load(
            port=port,
            connections=CONNECTIONS,
            seconds=seconds,
            requests=requests,
            orders_each=orders_each,
            seed=seed,
            products=self._products,
        )
        return fire(order)

    def _cpu(self) -> tuple[float, float, float, float]:
        """CPU seconds so far: of the whole machine, the matcher, PostgreSQL, and this program with its children."""
        machine = psutil.cpu_times()
        family = [self._postgres, *self._postgres.children(recursive=True)]
        me = os.times()
        return (
            machine.user + machine.nice + machine.system,
            _busy(self._matcher),
            sum(_busy(process) for process in family),
            me.user + me.system + me.children_user + me.children_system,
        )


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def fdatasync_ms(folder: Path, *, times: int = 100) -> float:
    """The median of appending 8 KiB to a file in this folder and waiting for the disk."""
    file = folder / "fsync"
    took = []
    with file.open("wb", buffering=0) as opened:
        for _ in range(times):
            opened.write(b"\0" * 8192)
            started = time.perf_counter()
            os.fdatasync(opened.fileno())
            took.append((time.perf_counter() - started) * 1000)
    file.unlink()
    return statistics.median(took)


@contextmanager
def programs(folder: Path) -> Iterator[tuple[Bench, str]]:
    """Start all that is needed in this folder, and stop it again. Gives the bench and the journal's address."""
    state, log = State(ports=choose_ports(None)), folder / "matcher.log"
    ports = state.ports
    with ExitStack() as running:
        postgres = start_postgres(running, folder, state)
        told = matcher_environment(state)
        matcher = start_server(running, "matcher.shell", port=ports.matcher, log=log, **told)
        start_server(running, "bench.echo", str(ports.aws), port=ports.aws, log=log)
        bench = Bench(folder, matcher=matcher, postgres=postgres, matcher_port=ports.matcher, echo_port=ports.aws)
        yield bench, database_url(state)


def journalled(url: str) -> tuple[int, Batches]:
    """What the journal says: how many orders there are, and how large the batches were."""
    with psycopg.connect(url) as connection:
        orders = connection.execute("SELECT count(*) FROM orders").fetchone()
        sizes = connection.execute(
            "SELECT avg(n)::float8, max(n) FROM (SELECT json_array_length(convert_from(commands, 'UTF8')::json) AS n"
            " FROM batches WHERE sequence > 3) AS s"
        ).fetchone()
    assert orders is not None
    assert sizes is not None
    return orders[0], Batches(mean=sizes[0], max=sizes[1])


def run(rounds: int) -> Result:
    """Run it all. Raises AssertionError when an order was refused, or answered and not in the journal."""
    folder = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
    with folder as name, programs(Path(name)) as (bench, url):
        measured = [bench.round(seed) for seed in range(rounds)]
        orders, batches = journalled(url)
    answered = sum(each.orders.answered + ORDERS_EACH * each.batches.answered for each in measured)
    assert answered == sum(each.orders.accepted + each.batches.accepted for each in measured), "orders were refused"
    assert orders == answered, f"{answered} orders were acknowledged, {orders} are in the journal"
    orders_per_s = statistics.median(each.orders.answered / each.orders.seconds for each in measured)
    batched_per_s = statistics.median(each.batches.accepted / each.batches.seconds for each in measured)
    echo_per_s = statistics.median(each.echo.answered / each.echo.seconds for each in measured)
    return Result(
        orders_per_s=orders_per_s,
        batched_per_s=batched_per_s,
        p50_ms=statistics.median(each.orders.p50_ms for each in measured),
        p99_ms=statistics.median(each.orders.p99_ms for each in measured),
        echo_per_s=echo_per_s,
        fsync_ms=statistics.median(each.fsync_ms for each in measured),
        ratio=orders_per_s / echo_per_s,
        cpu_count=os.cpu_count() or 1,
        connections=CONNECTIONS,
        orders_journalled=orders,
        batch_commands=batches,
        rounds=measured,
    )


def show(result: Result) -> Table:
    """The result as a person reads it."""
    title = f"The matcher: {CONNECTIONS} connections, one order a request, {result.cpu_count} cores"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("", "orders/s", "p50 ms", "p99 ms", f"by {ORDERS_EACH}", "echo/s", "ratio", "fsync ms"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("µs CPU", "others"):
        table.add_column(column, justify="right", style="dim", no_wrap=True)
    for number, each in enumerate(result.rounds, 1):
        orders, echo = each.orders.answered / each.orders.seconds, each.echo.answered / each.echo.seconds
        table.add_row(
            str(number),
            f"{orders:,.0f}",
            f"{each.orders.p50_ms:.1f}",
            f"{each.orders.p99_ms:.1f}",
            f"{each.batches.accepted / each.batches.seconds:,.0f}",
            f"{echo:,.0f}",
            f"{orders / echo:.2f}",
            f"{each.fsync_ms:.2f}",
            f"{each.matcher_cpu_us:.0f}+{each.postgres_cpu_us:.0f}",
            f"{each.others_cpu:.0%}",
        )
    table.add_section()
    table.add_row(
        "median",
        f"{result.orders_per_s:,.0f}",
        f"{result.p50_ms:.1f}",
        f"{result.p99_ms:.1f}",
        f"{result.batched_per_s:,.0f}",
        f"{result.echo_per_s:,.0f}",
        f"{result.ratio:.2f}",
        f"{result.fsync_ms:.2f}",
    )
    table.caption = (
        f"{result.orders_journalled:,} orders, every one of them in the journal; "
        f"{result.batch_commands.mean:.0f} commands a batch, {result.batch_commands.max} at most. "
        f"by {ORDERS_EACH}: orders/s where a request brings so many. "
        "µs CPU: of the matcher and of PostgreSQL for one order. others: what other programs took of all cores."
    )
    return table


def main() -> None:
    """Run, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    result = run(parser.parse_args().rounds)
    Console().print(show(result))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(result)))


if __name__ == "__main__":
    main()
