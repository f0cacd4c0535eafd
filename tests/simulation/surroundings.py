"""What surrounds a run: times that fit a few seconds, and ears for what a matcher did not expect."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from matcher.shell import poller, share, timer
from tests.simulation.auditor import Auditor
from tests.simulation.reconciler import FORGOTTEN_US
from venue import reconciliation


class Defects(logging.Handler):
    """Hears what a matcher did not expect: it steps down and goes on, but here it ends the run."""

    def __init__(self, auditor: Auditor) -> None:
        super().__init__(logging.ERROR)
        self._auditor = auditor

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of an exception that is no part of life."""
        if record.exc_info is not None and record.exc_info[1] is not None:
            self._auditor.fail("a matcher knows what may happen", f"{record.msg}: {told(record.exc_info[1])}")


def told(error: BaseException) -> str:
    """What went wrong, out of all nested groups."""
    return ", ".join(map(told, error.exceptions)) if isinstance(error, BaseExceptionGroup) else repr(error)


@contextmanager
def heard(auditor: Auditor) -> Iterator[None]:
    """Let the auditor hear what matchers log, and nobody else."""
    log = logging.getLogger("matcher")
    before = log.level, log.propagate, log.handlers
    log.setLevel(logging.ERROR)
    log.propagate, log.handlers = False, [Defects(auditor)]
    try:
        yield
    finally:
        level, log.propagate, log.handlers = before
        log.setLevel(level)


# How often matchers look, where they do it only to be quick: here it costs time and finds nothing. And when a hold is
# forgotten: runs are short.
_OTHERWISE = (
    (share, "POLL_S", 0.6),
    (timer, "TICK_S", 0.3),
    (poller, "_IDLE_S", 0.5),
    (reconciliation, "FORGOTTEN_US", FORGOTTEN_US),
)


@contextmanager
def hurried() -> Iterator[None]:
    """Fit the venue's times to runs of a few seconds."""
    before = [getattr(module, name) for module, name, _ in _OTHERWISE]
    for module, name, length in _OTHERWISE:
        setattr(module, name, length)
    try:
        yield
    finally:
        for (module, name, _), length in zip(_OTHERWISE, before, strict=True):
            setattr(module, name, length)
