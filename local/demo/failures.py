"""Why the demo may be unable to go on.

DemoStopped
  GaveUp          the venue did not take a request within a client's patience
  Refused         the venue refused what the demo needs before it can start
  NotSubscribed   a WebSocket did not open, or its subscription was not confirmed
"""

import asyncio
from collections.abc import Coroutine


class DemoStopped(Exception):
    """The demo cannot go on; the message says what the venue said."""


class GaveUp(DemoStopped):
    """The venue did not take a request within a client's patience."""


class Refused(DemoStopped):
    """The venue refused what the demo needs before it can start."""


class NotSubscribed(DemoStopped):
    """A WebSocket did not open, or its subscription was not confirmed."""


async def together(*work: Coroutine[object, object, None]) -> None:
    """Do all of it side by side; the first failure ends the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except* DemoStopped as failures:
        raise failures.exceptions[0] from None
