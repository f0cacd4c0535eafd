"""The shell is tested on the event loop that the matcher runs on."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give the only one."""
    return {"uvloop": uvloop.new_event_loop}
