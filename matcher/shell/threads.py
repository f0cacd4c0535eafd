"""Threads for calls that block: each part of the matcher has its own, so that none waits for what hangs in another.

The loop's own pool has five on a machine of one core, and the books need one of them to come up.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial


class Threads:
    """At most so many calls at once; what is beyond that waits its turn. Nothing runs before the first call."""

    def __init__(self, name: str, most: int = 1) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=name)

    async def run[**P, T](self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Give what the call gives, or raise what it raises. Who is cancelled meanwhile leaves it to its own end."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *args, **kwargs))

    def close(self) -> None:
        """Take nothing more. What runs, runs to its end, and nobody waits for it here."""
        self._pool.shutdown(wait=False, cancel_futures=True)
