"""What a benchmark of the matcher runs against: a PostgreSQL of its own with fsync on, and the real matcher."""

import signal
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
import psycopg
import urllib3

from bench.load import Load, Measured
from local.processes import Running, clean_environment, start, stop, wait_until
from local.servers import database_url, launch
from local.state import State
from matcher.shell.catalogue import load
from venue.products import Product

ROOT = Path(__file__).parents[1]
# 16 MiB each, 1 GiB in all: more than the rounds write.
LOG_SEGMENTS = 64


def start_postgres(running: ExitStack, folder: Path, state: State) -> Running:
    """A server that has run for a while: it has log segments to use again, as every server has after its checkpoints.

    One that lacks them stops all commits for 50 ms whenever it makes a new one.
    """
    folder.chmod(0o711)  # PostgreSQL may run as another user and has to pass through
    postgres = launch("postgres", folder, state)
    running.callback(stop, postgres, how=signal.SIGINT)
    with psycopg.connect(database_url(state), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET min_wal_size = '1GB'")
        connection.execute("SELECT pg_reload_conf()")
        for _ in range(LOG_SEGMENTS):
            connection.execute("SELECT pg_logical_emit_message(false, 'bench', 'a segment'), pg_switch_wal()")
        connection.execute("CHECKPOINT")
    return postgres


def start_server(running: ExitStack, module: str, *arguments: str, port: int, log: Path, **environment: str) -> Running:
    """Run `python -m module` until it is ready at this port."""
    command = [sys.executable, "-m", module, *arguments]
    server = start(command, env=clean_environment(**environment), log=log, cwd=ROOT)
    running.callback(stop, server)
    http = urllib3.PoolManager(timeout=urllib3.Timeout(2), retries=False)
    wait_until(partial(_ready, http, port), name=module, running=server, log=log)
    return server


def matcher_environment(state: State) -> dict[str, str]:
    """What the matcher is told, without its neighbours."""
    return {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(state.ports.postgres),
        "PGPASSWORD": state.database_password,
        "PORT": str(state.ports.matcher),
    }


def products() -> list[Product]:
    """The markets that are traded. ACME-USD has whole shares only; the others have room for many prices and sizes."""
    return [product for product in load(ROOT / "matcher" / "products.toml", shards=1) if product.id != "ACME-USD"]


def fire(order: Load) -> Measured:
    """Fire from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        timeout=order.seconds + 30,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Measured)


def _ready(http: urllib3.PoolManager, port: int) -> bool:
    try:
        return http.request("GET", f"http://127.0.0.1:{port}/ready").status == 200
    except urllib3.exceptions.HTTPError:
        return False
