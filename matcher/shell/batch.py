"""The open batch: commands that will be committed together, what came of them, and who waits for that."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec

from matcher.core.engine import Engine
from matcher.shell.errors import MatcherError
from venue.commands import AnyCommand
from venue.events import AnyEvent, CancelRefused, LevelChanged, OrderDone, OrderRested, ProductListed, Traded
from venue.ledger import Posting, postings
from venue.products import Product

BATCH_COMMANDS_MAX: Final = 256
BATCH_EVENTS_MAX: Final = 4096


class Look(msgspec.Struct):
    """A question to the engine, asked at a batch boundary and answered when that state is durable."""

    ask: Callable[[Engine, int], Any]
    answer: asyncio.Future[Any]
    found: Any = None


class Outcomes:
    """One answer for several commands, as an array: what each comes to is told in turn, as a future is told it."""

    __slots__ = ("_found", "_missing", "future")

    def __init__(self, commands: int) -> None:
        self.future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._found: list[bytes] = []
        self._missing = commands

    def done(self) -> bool:
        return self.future.done()

    def set_result(self, outcome: bytes) -> None:
        self._found.append(outcome)
        self._missing -= 1
        if not self._missing:
            self.future.set_result(b"[" + b",".join(self._found) + b"]")

    def set_exception(self, error: MatcherError) -> None:
        self.future.set_exception(error)


# Who waits for what a command comes to.
type Waiting = asyncio.Future[bytes] | Outcomes


class Batch:
    """Commands that will be committed together, and the answers that wait for it."""

    __slots__ = ("answers", "at", "commands", "events", "looks", "postings", "products", "touched", "trades")

    def __init__(self) -> None:
        self.at = 0
        self.commands: list[AnyCommand] = []
        self.events: list[AnyEvent] = []
        self.trades: list[Traded] = []
        self.postings: list[Posting] = []
        self.products: list[Product] = []
        self.touched: set[str] = set()
        self.answers: list[tuple[Waiting, bytes]] = []
        self.looks: list[Look] = []

    def is_full(self) -> bool:
        return len(self.answers) >= BATCH_COMMANDS_MAX or len(self.events) >= BATCH_EVENTS_MAX

    def is_empty(self) -> bool:
        return not (self.answers or self.commands or self.looks)

    def add(self, command: AnyCommand, events: list[AnyEvent], engine: Engine) -> None:
        """Take on a command that made something happen."""
        self.at = command.at
        self.commands.append(command)
        self.events += events
        for event in events:
            if isinstance(event, OrderRested | OrderDone):
                self.touched.add(event.order_id)
                self.postings += postings(event, engine.product(event.product_id))
                continue
            if isinstance(event, LevelChanged | CancelRefused):
                continue
            product_id = getattr(event, "product_id", None)
            self.postings += postings(event, engine.product(product_id) if product_id is not None else None)
            if isinstance(event, Traded):
                self.trades.append(event)
                self.touched.add(event.maker_order_id)
                self.touched.add(event.taker_order_id)
            elif isinstance(event, ProductListed):
                self.products.append(event.product)
            elif (order_id := getattr(event, "order_id", None)) is not None:
                self.touched.add(order_id)
