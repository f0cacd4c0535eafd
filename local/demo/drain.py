"""Waits until everything that was committed has arrived everywhere, or until nothing moves any more."""

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec
from rich.progress import Progress

# How long nothing may move before the wait is over; the audit then says what is missing.
PATIENCE_S = 45.0
PAUSE_S = 0.25


class Stage(msgspec.Struct, frozen=True):
    """One part of the road: `state` gives how much has arrived, and how much shall."""

    title: str
    state: Callable[[], tuple[int, int]]


async def drain(
    stages: Sequence[Stage], bars: Progress, *, patience_s: float = PATIENCE_S, pause_s: float = PAUSE_S
) -> bool:
    """Wait until every stage is through; False when nothing has moved for `patience_s`."""
    shown = [bars.add_task(stage.title, total=None) for stage in stages]
    states: list[tuple[int, int]] = []
    moved = time.monotonic()
    while True:
        latest = [await asyncio.to_thread(stage.state) for stage in stages]
        for task, (arrived, total) in zip(shown, latest, strict=True):
            bars.update(task, completed=min(arrived, total), total=total)
        if all(arrived >= total for arrived, total in latest):
            return True
        if latest != states:
            states, moved = latest, time.monotonic()
        elif time.monotonic() - moved > patience_s:
            return False
        await asyncio.sleep(pause_s)
