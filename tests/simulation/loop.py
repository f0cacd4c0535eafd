"""An event loop without a world: time is a number that jumps to whatever is due next, and blocking code may wait in it.

What asyncio promises holds: callbacks run in the order in which they were laid down. All chance comes from how long the
things outside take. There are no threads: what is given to one runs as a greenlet, which is left where it waits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context, copy_context
from functools import partial
from heapq import heappop, heappush
from typing import Any

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

from tests.simulation.due import Due
from tests.simulation.process import RUNNING, Process

# More steps than the longest run needs by far: something turns in circles.
STEPS_MAX = 500_000


class Stalled(Exception):
    """Nothing will ever happen again, or it never ends."""


class Task[Result](asyncio.Task[Result]):
    """A task whose place in a set is the same in every run."""

    count = 0

    def __init__(self, coroutine: Generator[Any, Any, Result], **options: Any) -> None:
        Task.count += 1
        self._number = Task.count
        super().__init__(coroutine, **options)  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return self._number


class Loop(asyncio.BaseEventLoop):
    """Virtual time, in seconds from 0. A process that is paused keeps what it would have run until it goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self.tasks: list[asyncio.Task[Any]] = []
        self._timers: list[tuple[float, int, Due]] = []
        self._timed = 0
        Task.count = 0

    def time(self) -> float:
        """Give the virtual time."""
        return self.now

    def get_debug(self) -> bool:
        """Never."""
        return False

    def call_soon(  # type: ignore[override]
        self, callback: Any, *arguments: Any, context: Context | None = None
    ) -> Due:
        """See asyncio."""
        due = Due(callback, arguments, context)
        self._ready.append(due)  # type: ignore[attr-defined]
        return due

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *arguments: Any, context: Context | None = None
    ) -> Due:
        """See asyncio."""
        return self.call_at(self.now + delay, callback, *arguments, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *arguments: Any, context: Context | None = None
    ) -> Due:
        """See asyncio. What is due at the same moment runs in the order in which it was laid down."""
        due = Due(callback, arguments, context)
        due.at = when
        self._timed += 1
        heappush(self._timers, (when, self._timed, due))
        return due

    def create_task(self, coroutine: Any, **options: Any) -> Any:  # type: ignore[override]
        """Make a task that its process knows of."""
        task: Task[Any] = Task(coroutine, loop=self, **options)
        self.tasks.append(task)
        process = task.get_context().get(RUNNING)
        if process is not None:
            process.adopt(task)
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, function: Callable[..., Any], *arguments: Any
    ) -> asyncio.Future[Any]:
        """Run blocking code beside everything else; giving up the future does not stop it."""
        del executor
        answer: asyncio.Future[Any] = self.create_future()
        self.create_task(blocking(function, *arguments)).add_done_callback(partial(_hand_over, answer))
        return answer

    def _run_once(self) -> None:
        """Run on until it is stopped."""
        ready: Any = self._ready  # type: ignore[attr-defined]
        timers = self._timers
        while not self._stopping:  # type: ignore[attr-defined]
            while timers and timers[0][2].is_cancelled:
                heappop(timers)
            if self.steps > STEPS_MAX or not (ready or timers):
                raise Stalled(f"after {self.now:.3f} s")
            if not ready:
                self.now = max(self.now, timers[0][0])
            while timers and timers[0][0] <= self.now:
                ready.append(heappop(timers)[2])
            for _ in range(len(ready)):
                due = ready.popleft()
                if due.is_cancelled:
                    continue
                self.steps += 1
                process = due.context.get(RUNNING)
                if process is not None and process.paused:
                    process.put_off(due)
                else:
                    # What a callback raises is a fault of the simulation, and ends it.
                    due.context.run(due.callback, *due.args)

    def go_on(self, process: Process) -> None:
        """Let a paused process run what has piled up."""
        self._ready.extend(process.resume())  # type: ignore[attr-defined]

    def call_exception_handler(self, context: Any) -> None:
        """Say nothing: those whom nobody waits for any more belong to processes that are gone."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a system call here."""

    def _process_events(self, event_list: object) -> None:
        """There are no sockets."""


async def blocking[Result](function: Callable[..., Result], *arguments: Any) -> Result:
    """Run code that knows nothing of asyncio; where it calls `wait`, others go on."""
    thread = greenlet(function)
    thread.gr_context = copy_context()
    asked = thread.switch(*arguments)
    while not thread.dead:
        try:
            answer = await asked
        except BaseException as error:
            asked = thread.throw(error)
        else:
            asked = thread.switch(answer)
    result: Result = asked
    return result


def wait[Result](awaited: Awaitable[Result]) -> Result:
    """Wait for something in blocking code that runs by `blocking`."""
    waiting = getcurrent().parent
    assert waiting is not None, "only code that runs by `blocking` may wait"
    answer: Result = waiting.switch(awaited)
    return answer


def pause(seconds: float) -> None:
    """Wait for so long in blocking code."""
    wait(Alarm(asyncio.get_running_loop(), seconds))


class Alarm:
    """What a future is to the task that waits for it, only that the task goes on at the very moment, not a turn later.

    Most of what happens in a run is somebody who waits for a network.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_due", "_is_cancelled", "_loop", "_seconds")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._asyncio_future_blocking = False
        self._is_cancelled = False
        self._loop = loop
        self._seconds = seconds

    def __await__(self) -> Generator[Any]:
        """See asyncio."""
        self._asyncio_future_blocking = True
        yield self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """See asyncio."""
        return self._loop

    def add_done_callback(self, callback: Callable[..., object], *, context: Context) -> None:
        """See asyncio: here it is the task's own, and the only one."""
        self._callback, self._context = callback, context
        self._due = self._loop.call_later(self._seconds, callback, self, context=context)

    def cancel(self, msg: object = None) -> bool:
        """See asyncio."""
        del msg
        if self._is_cancelled:
            return False
        self._is_cancelled = True
        self._due.cancel()
        self._loop.call_soon(self._callback, self, context=self._context)
        return True

    def result(self) -> None:
        """See asyncio."""
        del self._due  # which has this alarm: nobody else would part them
        if self._is_cancelled:
            raise asyncio.CancelledError


def _hand_over(answer: asyncio.Future[Any], task: asyncio.Task[Any]) -> None:
    if task.cancelled():
        answer.cancel()
    elif (error := task.exception()) is not None:
        if not answer.done():
            answer.set_exception(error)
    elif not answer.done():
        answer.set_result(task.result())
