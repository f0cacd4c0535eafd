"""Callers: so many at once, each sending one command after the other, each remembering what it was told."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from venue.commands import AnyCommand
from venue.ports import NotServed
from venue.wire import Outcome
from venue_aws.matcher import MatcherClient

PATIENCE_S = 60.0
# A caller that was not served asks again after this.
PAUSE_S = 0.02


class Heard(msgspec.Struct, frozen=True):
    """A command that was acknowledged: with what, by whom, and when (s, monotonic)."""

    command: AnyCommand
    outcome: Outcome
    url: str
    sent_s: float
    heard_s: float


# Brings one command to the matcher; gives the outcome and the address that gave it. Raises NotServed.
type Road = Callable[[AnyCommand], tuple[Outcome, str]]


def straight_to(*urls: str, patience_s: float = PATIENCE_S) -> Road:
    """A road to the first of these addresses that serves, the one that served last being asked first."""
    client, order = MatcherClient(patience_s=patience_s), list(urls)

    def submit(command: AnyCommand) -> tuple[Outcome, str]:
        for url in tuple(order):
            try:
                outcome = client.submit(command, url=url)
            except NotServed as error:
                failure = error
            else:
                order.sort(key=lambda each: each != url)
                return outcome, url
        raise failure

    return submit


class Callers:
    """Callers on roads of their own, who share one line of commands.

    Where the outcome is unknown they send the same command again, as clients do, until they hear of it or are stopped;
    then it is among the `unheard`. `roads` makes a road for each of them.
    """

    def __init__(self, roads: Callable[[], Road], commands: Iterable[AnyCommand], *, count: int = 8) -> None:
        self.heard: list[Heard] = []
        self.unheard: list[AnyCommand] = []
        self.refusals = 0
        self._commands: Iterator[AnyCommand] = iter(commands)
        self._failures: list[Exception] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(roads(),)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int = 1) -> None:
        """Wait until so many were heard of."""
        self.wait_until(lambda: len(self.heard) >= count)

    def next_heard(self, *, after_s: float, url: str | None = None) -> Heard:
        """Wait for the first acknowledgement of what was sent after `after_s`; `url`: only by this one."""

        def found() -> list[Heard]:
            return [each for each in tuple(self.heard) if each.sent_s > after_s and url in (None, each.url)]

        self.wait_until(found)
        return min(found(), key=lambda each: each.heard_s)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for something to become true while they call."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert not self._failures, self._failures
            assert time.monotonic() < deadline, f"callers waited for {PATIENCE_S} s"
            time.sleep(0.005)

    def stop(self) -> None:
        """Let each finish what it is asking now."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self._failures, self._failures

    def _call(self, road: Road) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    command = next(self._commands, None)
                if command is None:
                    return
                self._ask(road, command)
        except Exception as error:
            self._failures.append(error)

    def _ask(self, road: Road, command: AnyCommand) -> None:
        while True:
            sent_s = time.monotonic()
            try:
                outcome, url = road(command)
            except NotServed:
                self.refusals += 1
                if self._stop.wait(PAUSE_S):
                    self.unheard.append(command)
                    return
            else:
                self.heard.append(Heard(command, outcome, url, sent_s, time.monotonic()))
                return


@contextmanager
def calling(roads: Callable[[], Road], commands: Iterable[AnyCommand], *, count: int = 8) -> Iterator[Callers]:
    """Let callers call for as long as the block lasts."""
    callers = Callers(roads, commands, count=count)
    try:
        yield callers
    finally:
        callers.stop()


def again(commands: Iterable[AnyCommand], then: Iterable[AnyCommand]) -> Iterator[AnyCommand]:
    """What was not heard of before, and then what is new."""
    return itertools.chain(list(commands), then)
