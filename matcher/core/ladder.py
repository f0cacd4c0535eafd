"""One side of a book: its price levels, best first, and in each the orders that rest there, oldest first.

Adding to a known level, cancelling and finding the best price take constant time. Opening and closing a level is a
binary search over level prices. They are kept in blocks of a few hundred, worst to best: the best block, where nearly
all levels come and go, in plain reach, and those behind it, if there are any, in `far`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import chain
from typing import Final

import msgspec

from matcher.core.working import WorkingOrder
from venue.orders import Side

# How many level prices a block holds before it is halved.
BLOCK_MAX: Final = 512


class Level(msgspec.Struct, eq=False, gc=False):
    """The orders at one price, a linked list from the oldest to the newest.

    size: the sum of what they show, in lots; hidden: the sum of what they do not. An empty level has no head and no
    size; it stands on no ladder any more. gc: see WorkingOrder.
    """

    price: int
    size: int
    head: WorkingOrder | None
    tail: WorkingOrder | None
    count: int = 1
    hidden: int = 0

    def __iter__(self) -> Iterator[WorkingOrder]:
        order = self.head
        while order is not None:
            yield order
            order = order.next

    def renew(self, order: WorkingOrder, display_size: int) -> None:
        """Show the next slice of an iceberg whose last one is gone: it goes behind the others."""
        slice_ = min(display_size, order.hidden)
        order.hidden -= slice_
        self.hidden -= slice_
        self.size += slice_
        # It stood first, for it traded.
        after, last = order.next, self.tail
        if after is not None and last is not None:
            self.head = after
            after.previous = order.next = None
            order.previous = last
            last.next = self.tail = order

    def cut(self, order: WorkingOrder, size: int) -> None:
        """Take `size` of an order's lots out, those first that it hides; it keeps its place."""
        hidden = min(order.hidden, size)
        order.hidden -= hidden
        self.hidden -= hidden
        self.size -= size - hidden


class Ladder:
    """One side of a book: its levels by price, none of them empty."""

    __slots__ = ("far", "keys", "levels", "side", "sign")

    def __init__(self, side: Side) -> None:
        self.side: Side = side
        # A key is a price with the sign that makes a better price larger: the best level's key is the last.
        self.sign = 1 if side == "buy" else -1
        # The best block, empty only when there are no levels at all.
        self.keys: list[int] = []
        # The other blocks, worst to best, none of them empty.
        self.far: list[list[int]] = []
        self.levels: dict[int, Level] = {}

    def best(self) -> Level:
        """The level that trades next. There must be one."""
        return self.levels[self.sign * self.keys[-1]]

    def __iter__(self) -> Iterator[Level]:
        """The levels, best first."""
        blocks = chain((self.keys,), reversed(self.far))
        for key in chain.from_iterable(map(reversed, blocks)):
            yield self.levels[self.sign * key]

    def add(self, order: WorkingOrder, price: int) -> Level:
        """Let `order` rest at `price` behind those that are there. Gives the level."""
        level = self.levels.get(price)
        if level is None:
            # Most orders open a level, and most levels close with the order that opened them.
            hidden = order.hidden
            if hidden:
                level = Level(price, order.remaining - hidden, order, order, 1, hidden)
            else:
                level = Level(price, order.remaining, order, order)
            self.levels[price] = level
            keys, key = self.keys, self.sign * price
            if self.far or len(keys) == BLOCK_MAX:
                self._open(key)
            elif keys and keys[-1] < key:
                keys.append(key)
            else:
                insort(keys, key)
            return level
        tail = level.tail
        assert tail is not None
        tail.next = order
        order.previous = tail
        level.tail = order
        level.size += order.remaining - order.hidden
        if order.hidden:
            level.hidden += order.hidden
        level.count += 1
        return level

    def remove(self, order: WorkingOrder, level: Level) -> None:
        """Take `order` out of `level`, wherever it stands in it; an empty level goes with it."""
        if level.count == 1:
            self.close(level.price)
            level.size = 0
            level.head = None
            return
        before, after = order.previous, order.next
        if before is None:
            level.head = after
        else:
            before.next = after
            order.previous = None
        if after is None:
            level.tail = before
        else:
            after.previous = before
            order.next = None
        level.size -= order.remaining - order.hidden
        if order.hidden:
            level.hidden -= order.hidden
        level.count -= 1

    def close(self, price: int) -> None:
        """Take out the level at `price`, whose last order goes."""
        del self.levels[price]
        keys = self.keys
        key = self.sign * price
        if self.far:
            self._close(key)
        elif keys[-1] == key:
            keys.pop()
        else:
            del keys[bisect_left(keys, key)]

    def _open(self, key: int) -> None:
        """Put in a key where there are several blocks, or will be."""
        far, keys = self.far, self.keys
        if not far or keys[0] < key:
            insort(keys, key)
            if len(keys) > BLOCK_MAX:
                far.append(keys[: BLOCK_MAX // 2])
                del keys[: BLOCK_MAX // 2]
            return
        # Lists compare by what stands first in them.
        at = max(bisect_left(far, [key]) - 1, 0)
        block = far[at]
        insort(block, key)
        if len(block) > BLOCK_MAX:
            far.insert(at + 1, block[BLOCK_MAX // 2 :])
            del block[BLOCK_MAX // 2 :]

    def _close(self, key: int) -> None:
        """Take out a key where there are several blocks."""
        far, keys = self.far, self.keys
        if keys[0] <= key:
            del keys[bisect_left(keys, key)]
            if not keys:
                self.keys = far.pop()
            return
        at = bisect_left(far, [key + 1]) - 1
        block = far[at]
        del block[bisect_left(block, key)]
        if not block:
            del far[at]

    def crosses(self, limit: int | None) -> bool:
        """Whether an incoming order of the other side with this limit (None: any price) would trade here."""
        keys = self.keys
        return bool(keys) and (limit is None or keys[-1] >= self.sign * limit)

    def reach(self, limit: int | None) -> Iterator[Level]:
        """The levels at `limit` (None: any price) or better, best first."""
        for level in self:
            if limit is not None and self.sign * level.price < self.sign * limit:
                return
            yield level

    def dissolve(self) -> None:
        """Let no level and no order know any other, nor a trader its orders, so that none outlives the ladder."""
        for level in self.levels.values():
            order, level.head, level.tail = level.head, None, None
            while order is not None:
                order.waiting = order.previous = None
                order.trader.orders.clear()
                after, order.next = order.next, None
                order = after
