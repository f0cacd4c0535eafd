"""Where a campaign takes place: a folder, a real PostgreSQL in it, and matchers that come and go. All end with it."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from matcher.shell.wiring import LEASE_S
from tests.cluster.database import NewDatabase
from tests.cluster.postgres import Postgres
from tests.cluster.process import MatcherProcess


class Ground:
    """Starts what is asked for, and knows what has to be ended."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.postgres = Postgres(folder)
        self.is_kept = False
        self._numbers = itertools.count(1)

    def matcher(
        self, database: NewDatabase, *, lease_s: float = LEASE_S, extra: Mapping[str, str] | None = None
    ) -> MatcherProcess:
        """Start a matcher. `extra`: what else its environment has."""
        log = self.folder / "log" / f"matcher-{next(self._numbers)}.log"
        process = MatcherProcess(database.settings, log=log, lease_s=lease_s, extra=dict(extra or {}))
        self.stack.callback(process.kill)
        return process


@contextmanager
def ground(name: str) -> Iterator[Ground]:
    """Make the folder and start PostgreSQL. The folder goes in the end, unless somebody wants it kept."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user and has to pass through
    with ExitStack() as stack:
        made = Ground(folder, stack)
        stack.callback(lambda: None if made.is_kept else shutil.rmtree(folder, ignore_errors=True))
        stack.callback(made.postgres.stop)
        made.postgres.start()
        yield made
