"""One product's resting orders: best price first, oldest first within a price.

Adding to a known level, cancelling and finding the best price take constant time. A new level costs a binary search
over the level prices and a move of the pointers behind it (8 bytes each, so some microseconds at 100,000 levels);
prices are kept worst to best, so that near the touch, where nearly all levels come and go, almost nothing moves.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from matcher.core.working import WorkingOrder
from venue.money import BASIS_POINTS, UNITS_MAX
from venue.orders import Side
from venue.products import MarketStatus, Product


class Level:
    """The orders at one price, a linked list from the oldest to the newest.

    size: the sum of what they show, in lots; hidden: the sum of what they do not.
    """

    __slots__ = ("count", "head", "hidden", "ladder", "price", "size", "tail")

    def __init__(self, ladder: Ladder, price: int, order: WorkingOrder) -> None:
        self.ladder = ladder
        self.price = price
        self.hidden = hidden = order.hidden
        self.size = order.remaining - hidden
        self.count = 1
        self.head: WorkingOrder | None = order
        self.tail: WorkingOrder | None = order

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
        """Let `order` rest at `price` behind those that are there. Gives the level."""
        level = self.levels.get(price)
        if level is None:
            # Most orders open a level, and most levels close with the order that opened them.
            level = order.level = self.levels[price] = Level(self, price, order)
            insort(self.keys, self.sign * price)
            return level
        tail = level.tail
        assert tail is not None
        tail.next = order
        order.previous = tail
        level.tail = order
        order.level = level
        level.size += order.remaining - order.hidden
        level.hidden += order.hidden
        level.count += 1
        return level

    def remove(self, order: WorkingOrder, level: Level) -> None:
        """Take `order` out of `level`, wherever it stands in it; an empty level goes with it."""
        order.level = None
        if level.count == 1:
            level.size = level.hidden = level.count = 0
            level.head = level.tail = None
            price = level.price
            del self.levels[price]
            keys = self.keys
            key = self.sign * price
            if keys[-1] == key:
                keys.pop()
            else:
                del keys[bisect_left(keys, key)]
            return
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
        level.size -= order.remaining - order.hidden
        level.hidden -= order.hidden
        level.count -= 1

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


class Book:
    """A market: its rules and state, both sides, its stop orders, and where its public sequence and trade ids stand.

    trades: whether its state lets orders trade. until: µs, when its halt or auction ends (None: when somebody says
    so). reference: ticks, what collar, breaker and auction go by (None before the first trade). low, high: the ticks
    between which a trade may print. last_price: ticks, 0 before the first trade. entries, losses: stop orders by stop
    price, the first to wake being the best. triggered: those whose price was reached, in line, at one level.
    indicated: what the auction told last.
    """

    __slots__ = (
        "asks",
        "bids",
        "entries",
        "high",
        "indicated",
        "last_price",
        "losses",
        "lot_units",
        "lot_value",
        "low",
        "product",
        "product_id",
        "reference",
        "ruled",
        "sequence",
        "status",
        "trade_id",
        "trades",
        "triggered",
        "until",
    )

    def __init__(self, product: Product) -> None:
        self.bids = Ladder("buy")
        self.asks = Ladder("sell")
        self.entries = Ladder("sell")
        self.losses = Ladder("buy")
        self.triggered = Ladder("sell")
        self.sequence = 0
        self.trade_id = 0
        self.status: MarketStatus = "trading"
        self.trades = True
        self.until: int | None = None
        self.reference: int | None = None
        self.last_price = 0
        self.indicated: tuple[int | None, int, int] | None = None
        self.product_id = product.id
        # Both are fixed for the life of a market, and computed often.
        self.lot_value = product.tick_lot_value
        self.lot_units = product.lot_units
        self.rule(product)

    def rule(self, product: Product) -> None:
        """Go by these rules from now on."""
        self.product = product
        self.ruled = bool(product.notional_min or product.orders_max or product.collar_bps)
        self.refer_to(self.reference)

    def refer_to(self, reference: int | None) -> None:
        """Set the reference price, and with it the prices at which the circuit breaker holds."""
        self.reference = reference
        bps = self.product.breaker_bps
        if bps and reference is not None:
            width = reference * bps // BASIS_POINTS
            self.low, self.high = reference - width, reference + width
        else:
            self.low, self.high = 0, UNITS_MAX

    def enter(self, status: MarketStatus, until: int | None) -> None:
        """Be in another state until then."""
        self.status = status
        self.trades = status in {"trading", "limit_only"}
        self.until = until

    def lot_of(self, side: Side) -> int:
        """What one lot counts in the hold's asset: for a buy, in the quote asset at a price of one tick."""
        return self.lot_value if side == "buy" else self.lot_units

    def orders(self) -> Iterator[WorkingOrder]:
        """Every open order, stop orders too, in no order that would matter."""
        for ladder in (self.bids, self.asks, self.entries, self.losses, self.triggered):
            for level in ladder:
                yield from level

    def is_crossed(self) -> bool:
        """Whether bids and asks would trade: only while they may not."""
        return bool(self.bids.keys) and self.asks.crosses(self.bids.keys[-1])

    def depth(self, limit: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """Bids and asks, best first, at most `limit` levels a side: (ticks, lots shown, orders)."""
        return _levels(self.bids, limit), _levels(self.asks, limit)

    def resting(self, limit: int) -> tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]]:
        """Bids and asks in the order in which they trade, at most `limit` a side: (ticks, lots shown, order id)."""
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
            found.append((level.price, order.remaining - order.hidden, order.order_id))
    return found
