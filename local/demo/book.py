"""The book as a client rebuilds it from level 2: one snapshot, then absolute sizes."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from venue.orders import Side

# Decimal strings as the venue writes them: one price has one spelling per product.
Levels = dict[str, str]


class Change(msgspec.Struct, frozen=True):
    """One level's new absolute size, as heard: `at` in seconds since 1970."""

    at: float
    side: Side
    price: float
    size: float


class Book:
    """Both sides by price. `sequence` is the product sequence that it stands at."""

    def __init__(self) -> None:
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.sequence = -1

    def restart(self, snapshot: Mapping[str, Any]) -> None:
        """Begin again from a `snapshot` message, or from the book by REST."""
        self.bids = {level[0]: level[1] for level in snapshot["bids"]}
        self.asks = {level[0]: level[1] for level in snapshot["asks"]}
        self.sequence = int(snapshot["sequence"])

    def update(self, changes: Iterable[tuple[Side, str, str]], *, sequence: int) -> bool:
        """Apply an `l2update` unless the book already stands beyond it; tell whether it was applied."""
        if sequence <= self.sequence:
            return False
        for side, price, size in changes:
            levels = self.bids if side == "buy" else self.asks
            if float(size) == 0:
                levels.pop(price, None)
            else:
                levels[price] = size
        self.sequence = sequence
        return True
