"""Waiting with a bound: for the next try, or for an event."""

import asyncio
import random


class Backoff:
    """From 50 ms to 5 s, each wait half fixed and half chance, so that many waiters do not come back as one."""

    def __init__(self, *, first_s: float = 0.05, most_s: float = 5.0) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._next_s = first_s

    @property
    def next_s(self) -> float:
        """How long the next wait is at most."""
        return self._next_s

    async def wait(self) -> None:
        """Wait, and longer the next time."""
        wait_s = self._next_s * (0.5 + random.random() / 2)  # noqa: S311
        self._next_s = min(self._next_s * 2, self._most_s)
        await asyncio.sleep(wait_s)

    def reset(self) -> None:
        """It went well: the next wait is short again."""
        self._next_s = self._first_s


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Wait for `event`, at most so many seconds; whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
