"""What an event loop will do: asyncio's handle, without what nobody asks of it here."""

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any


class Due:
    """One callback. at: when, in the loop's time; 0 for at once."""

    __slots__ = ("args", "at", "callback", "context", "is_cancelled")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> None:
        self.callback = callback
        self.args = args
        self.context = copy_context() if context is None else context
        self.is_cancelled = False
        self.at = 0.0

    def cancel(self) -> None:
        """It is left out when its time comes."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """See asyncio."""
        return self.is_cancelled

    def when(self) -> float:
        """See asyncio."""
        return self.at
