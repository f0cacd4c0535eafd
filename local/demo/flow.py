"""The order flow: recorded messages of one market, dealt to accounts, handed out so that no order overtakes itself."""

import csv
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid5

import msgspec

from venue.orders import Side

FLOW = Path(__file__).with_name("flow.csv")

Kind = Literal["new", "cancel", "modify"]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the recording. Price in ticks, quantity in lots; a cancel has neither, nor a side."""

    kind: Kind
    seq: int
    order_id: int
    side: Side | None = None
    ioc: bool = False
    quantity: int | None = None
    price: int | None = None


def read(path: Path = FLOW, *, limit: int | None = None) -> list[Message]:
    """Give the first `limit` messages of the recording, in its order. Raises msgspec.ValidationError on a bad line."""
    with path.open(newline="") as file:
        return list(_parsed(csv.DictReader(file), limit))


def _parsed(rows: Iterator[dict[str, str]], limit: int | None) -> Iterator[Message]:
    for number, row in enumerate(rows):
        if limit is not None and number >= limit:
            return
        fields = {"price" if name == "price_ticks" else name: text for name, text in row.items() if text != ""}
        yield msgspec.convert(fields | {"ioc": row["ioc"] == "1"}, Message, strict=False)


def account_number(order_id: int, accounts: int) -> int:
    """Deal an order of the recording to one of `accounts` (0, 1 ...): always the same one, evenly spread."""
    return zlib.crc32(str(order_id).encode()) % accounts


def client_oid(run: UUID, order_id: int, version: int) -> str:
    """Name an order of one run; `version` counts its replacements, for a modify is a cancel and a new order."""
    return str(uuid5(run, f"{order_id}:{version}"))


class Schedule:
    """Hands out the messages to concurrent clients, as near to the recorded order as concurrency allows.

    Two messages about one order are never out at the same time, and leave in the recorded order. No message leaves
    while one that is `window` or more places ahead of it is unfinished: nobody runs away from the flow.
    """

    def __init__(self, messages: Sequence[Message], *, window: int) -> None:
        if window < 1:
            raise ValueError("the window must let at least one message through")
        self._messages = messages
        self._window = window
        self._waiting = list(range(len(messages)))
        self._out: dict[int, Message] = {}

    @property
    def finished(self) -> bool:
        """True when every message has been handed out and reported done."""
        return not self._waiting and not self._out

    def take(self) -> tuple[int, Message] | None:
        """Give the earliest message that may leave now with its place in the flow; None when none may."""
        busy = {message.order_id for message in self._out.values()}
        oldest = min([*self._out, *self._waiting[:1]], default=0)
        for at, place in enumerate(self._waiting):
            if place >= oldest + self._window:
                return None
            message = self._messages[place]
            if message.order_id not in busy:
                del self._waiting[at]
                self._out[place] = message
                return place, message
            busy.add(message.order_id)
        return None

    def done(self, place: int) -> None:
        """Report that the message at `place` has had its answer."""
        del self._out[place]
