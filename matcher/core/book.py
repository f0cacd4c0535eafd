"""One product's resting orders: best price first, oldest first within a price.

Adding to a known level, cancelling and finding the best price take constant time. A new level costs a binary search
over the level prices and a move of the pointers behind it (8 bytes each, so some microseconds at 100,000 levels);
prices are kept worst to best, so that near the touch, where nearly all levels come and go, almost nothing moves.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

from matcher.core.working import WorkingOrder
from venue.orders import Side
from venue.products import Product


class Level:
    """The orders at one price, a linked list from the oldest to the newest. `size` is their sum in lots."""

    __slots__ = ("count", "head", "price", "size", "tail")

    def __init__(self, price: int) -> None:
        self.price = price
        self.size = 0
        self.count = 0
        self.head: WorkingOrder | None = None
        self.tail: WorkingOrder | None = None

    def __iter__(self) -> Iterator[WorkingOrder]:
        order = self.head
        while order is not None:
            yield order
            order = order.next


class Ladder:
    """One side of a book: its levels by price, none of them empty."""

    __slots__ = ("keys", "levels", "side", "sign")

    def __init__(self, side: Side) -> None:
        self.side: Side = side
        # A key is a price with the sign that makes a better price larger: the best level's key is the last.
        self.sign = 1 if side == "buy" else -1
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}

    def best(self) -> Level:
        """The level that trades next. There must be one."""
        return self.levels[self.sign * self.keys[-1]]

    def __iter__(self) -> Iterator[Level]:
        """The levels, best first."""
        for key in reversed(self.keys):
            yield self.levels[self.sign * key]

    def add(self, order: WorkingOrder, price: int) -> Level:
        """Let `order` rest at `price` behind those that are there."""
        level = self.levels.get(price)
        if level is None:
            level = self.levels[price] = Level(price)
            insort(self.keys, self.sign * price)
        tail = level.tail
        if tail is None:
            level.head = order
        else:
            tail.next = order
            order.previous = tail
        level.tail = order
        level.size += order.remaining
        level.count += 1
        return level

    def remove(self, order: WorkingOrder, level: Level) -> None:
        """Take `order` out of `level`, wherever it stands in it; an empty level goes with it."""
        before, after = order.previous, order.next
        if before is None:
            level.head = after
        else:
            before.next = after
        if after is None:
            level.tail = before
        else:
            after.previous = before
        order.previous = order.next = None
        level.size -= order.remaining
        level.count -= 1
        if not level.count:
            self._drop(level.price)

    def _drop(self, price: int) -> None:
        del self.levels[price]
        keys = self.keys
        key = self.sign * price
        if keys[-1] == key:
            keys.pop()
        else:
            del keys[bisect_left(keys, key)]

    def crosses(self, limit: int | None) -> bool:
        """Whether an incoming order of the other side with this limit (None: any price) would trade here."""
        keys = self.keys
        return bool(keys) and (limit is None or keys[-1] >= self.sign * limit)

    def holds(self, size: int, limit: int | None) -> bool:
        """Whether `size` lots rest at `limit` or better (None: at any price). Looks at no more levels than needed."""
        for level in self:
            if limit is not None and self.sign * level.price < self.sign * limit:
                return False
            size -= level.size
            if size <= 0:
                return True
        return False


class Book:
    """A market: its rules, both sides, and where its public sequence and trade ids stand."""

    __slots__ = ("asks", "bids", "lot_units", "lot_value", "product", "product_id", "sequence", "trade_id")

    def __init__(self, product: Product) -> None:
        self.bids = Ladder("buy")
        self.asks = Ladder("sell")
        self.sequence = 0
        self.trade_id = 0
        self.product_id = product.id
        # Both are fixed for the life of a market, and computed often.
        self.lot_value = product.tick_lot_value
        self.lot_units = product.lot_units
        self.product = product

    def depth(self, limit: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """Bids and asks, best first, at most `limit` levels a side: (ticks, lots, orders)."""
        return _levels(self.bids, limit), _levels(self.asks, limit)

    def resting(self, limit: int) -> tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]]:
        """Bids and asks in the order in which they would trade, at most `limit` a side: (ticks, lots, order id)."""
        return _orders(self.bids, limit), _orders(self.asks, limit)


def _levels(ladder: Ladder, limit: int) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for level in ladder:
        if len(found) >= limit:
            break
        found.append((level.price, level.size, level.count))
    return found


def _orders(ladder: Ladder, limit: int) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for level in ladder:
        for order in level:
            if len(found) >= limit:
                return found
            found.append((level.price, order.remaining, order.order_id))
    return found
