"""A process of the simulation: what belongs to it, whether it runs, and what its clock shows."""

import asyncio
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any

from tests.simulation.due import Due

# Which process the code that runs now belongs to; None for the world outside.
RUNNING: ContextVar["Process | None"] = ContextVar("RUNNING", default=None)

# When every run begins, µs since 1970.
EPOCH_US = 1_800_000_000_000_000


class Gone(ConnectionResetError):
    """The process that asks has been killed: what it still does leads nowhere."""


class Process:
    """Code that is killed, paused, and shown wrong time together. `name` is unique in a run."""

    def __init__(self, name: str, time: Callable[[], float]) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.skew_s = 0.0
        self.context: Context = copy_context()
        self.context.run(RUNNING.set, self)
        self._time = time
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._put_off: list[Due] = []

    def clock(self) -> int:
        """Give µs since 1970, as this machine's clock has them."""
        return EPOCH_US + round((self._time() + self.skew_s) * 1_000_000)

    def check(self) -> None:
        """Raise Gone when it was killed: call it before anything goes out."""
        if not self.alive:
            raise Gone(self.name)

    def kill(self) -> None:
        """End it here and now. What its code does while it is cleared away reaches nobody."""
        self.alive = False
        for task in list(self._tasks):
            task.cancel()

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Note a task that belongs to it."""
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    def put_off(self, due: Due) -> None:
        """Keep what it would have run."""
        self._put_off.append(due)

    def resume(self) -> list[Due]:
        """Go on; gives what has piled up."""
        self.paused = False
        put_off, self._put_off = self._put_off, []
        return put_off
