"""Draining ends when everything has arrived, or when nothing moves any more; never before."""

import io
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console
from rich.progress import Progress

from local.demo.drain import Stage, drain


@pytest.fixture
def bars() -> Progress:
    return Progress(console=Console(file=io.StringIO()))


def arriving(*counts: int, total: int) -> tuple[Callable[[], tuple[int, int]], list[int]]:
    """A stage's state that grows by one step each time it is asked, and what it has told so far."""
    steps: Iterator[int] = iter(counts)
    told: list[int] = []

    def state() -> tuple[int, int]:
        told.append(next(steps, counts[-1]))
        return told[-1], total

    return state, told


async def test_it_waits_for_the_slowest_stage(bars: Progress) -> None:
    fast, _ = arriving(5, total=5)
    slow, told = arriving(0, 2, 5, total=5)
    assert await drain([Stage("fast", fast), Stage("slow", slow)], bars, pause_s=0)
    assert told == [0, 2, 5]


async def test_it_ends_when_nothing_moves_any_more(bars: Progress) -> None:
    stuck, told = arriving(0, 3, total=5)
    assert not await drain([Stage("stuck", stuck)], bars, patience_s=0.05, pause_s=0.01)
    assert told[-1] == 3


async def test_progress_anywhere_renews_the_patience(bars: Progress) -> None:
    slow, told = arriving(*range(20), total=19)
    assert await drain([Stage("slow", slow)], bars, patience_s=0.2, pause_s=0.02)
    assert told == list(range(20))


async def test_more_than_was_expected_is_no_reason_to_wait(bars: Progress) -> None:
    more, _ = arriving(7, total=5)
    assert await drain([Stage("more", more)], bars, patience_s=0.05)
