"""A PostgreSQL that dies and comes back."""

import os
import signal
import time
from pathlib import Path

import psutil
import psycopg

from local.processes import Running, stop
from local.servers import ENDINGS, database_url, launch
from local.state import State, choose_ports
from tests.cluster.database import NewDatabase, create_database


class Postgres:
    """A PostgreSQL that may be killed and started again on its data; fsync is on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = State(ports=choose_ports(None))
        self._running: Running | None = None

    @property
    def url(self) -> str:
        """Its own database, for psycopg."""
        return database_url(self._state)

    def new_database(self) -> NewDatabase:
        """Make an empty database."""
        return create_database(self.url, self._state)

    def start(self) -> None:
        """Start it, and wait until it has recovered and answers."""
        self._running = launch("postgres", self._folder, self._state)

    def stop(self) -> None:
        """Stop it in order."""
        stop(self._running, how=ENDINGS["postgres"])

    def kill(self) -> None:
        """kill -9: the postmaster first, then whatever it had started."""
        stop(self._running, how=signal.SIGKILL)
        self._wait_for_the_last()

    def stop_at_once(self) -> None:
        """An immediate stop: everyone leaves without tidying up, and the next start recovers."""
        stop(self._running, how=signal.SIGQUIT)
        self._wait_for_the_last()

    def kill_backend(self) -> None:
        """kill -9 the process behind one of the matcher's connections: then PostgreSQL throws out all, and recovers."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'matcher' ORDER BY random() LIMIT 1"
            ).fetchone()
        assert row is not None, "the matcher has no connection"
        os.kill(row[0], signal.SIGKILL)

    def _wait_for_the_last(self) -> None:
        """Wait until nobody has the data open any more: two servers on the same data would spoil them."""
        deadline = time.monotonic() + 20
        while any(_stands_in(process, self._folder / "postgres") for process in psutil.process_iter()):
            assert time.monotonic() < deadline, "a part of PostgreSQL goes on"
            time.sleep(0.01)


def _stands_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder)
    except psutil.Error:
        return False
