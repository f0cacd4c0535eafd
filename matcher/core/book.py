"""One product's market: its rules and state, and its resting orders, best price first, oldest first within a price."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from matcher.core.ladder import Ladder, Level
from matcher.core.working import Account, Trader, WorkingOrder
from venue.events import StatusReason
from venue.money import BASIS_POINTS, UNITS_MAX
from venue.orders import Side
from venue.products import MarketStatus, Product

# Where those stop orders stand whose price was reached: one level, in line.
_LINE: Final = 1


class Uncrossing(msgspec.Struct, array_like=True, frozen=True):
    """An uncross that is not through: at how many ticks it trades, and what the market enters when it is, and why."""

    price: int
    status: MarketStatus
    until: int | None
    reason: StatusReason


class Book:
    """A market: its rules and state, both sides, its stop orders, and where its public sequence and trade ids stand.

    traders: all who ever were here, by account. trades: whether its state lets orders trade. until: µs, when its halt
    or auction ends (None: when somebody says so). reference: ticks, what collar, breaker and auction go by (None before
    the first trade). low, high: the ticks between which a trade may print. last_price: ticks, 0 before the first
    trade. entries, losses: stop orders by stop price, the first to wake being the best. triggered: those whose price
    was reached, in line, at one level. indicated: what the auction told last. uncrossing: what one command was too
    little for; the market is halted as long.
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
        "traders",
        "trades",
        "triggered",
        "uncrossing",
        "until",
    )

    def __init__(self, product: Product) -> None:
        self.traders: dict[str, Trader] = {}
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
        self.uncrossing: Uncrossing | None = None
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

    def is_due(self) -> bool:
        """Whether an Expire has something to do here at once, whatever the time."""
        return self.uncrossing is not None or (self.trades and bool(self.triggered.keys))

    def let_in(self, account: Account) -> Trader:
        """Know an account that comes for the first time."""
        trader = self.traders[account.name] = account.trader(self)
        return trader

    def lot_of(self, side: Side) -> int:
        """What one lot counts in the hold's asset: for a buy, in the quote asset at a price of one tick."""
        return self.lot_value if side == "buy" else self.lot_units

    def stops_of(self, order: WorkingOrder) -> Ladder:
        """Where a stop order waits for its price."""
        return self.entries if order.command.stop == "entry" else self.losses

    def wait(self, order: WorkingOrder, among: Ladder) -> None:
        """Let a stop order wait for its price, or for its turn."""
        order.waiting = among
        among.add(order, self._price_among(order, among))

    def standing(self, order: WorkingOrder) -> tuple[Ladder, Level]:
        """Where an open order stands."""
        among = order.waiting
        if among is None:
            own = self.bids if order.buy else self.asks
            return own, own.levels[order.price]
        return among, among.levels[self._price_among(order, among)]

    def _price_among(self, order: WorkingOrder, among: Ladder) -> int:
        return _LINE if among is self.triggered else order.command.stop_price or 0

    def orders(self) -> Iterator[WorkingOrder]:
        """Every open order, stop orders too, in no order that would matter."""
        for ladder in (self.bids, self.asks, self.entries, self.losses, self.triggered):
            for level in ladder:
                yield from level

    def dissolve(self) -> None:
        """Let go of all orders, for the engine is dropped: they know each other (see WorkingOrder)."""
        for ladder in (self.bids, self.asks, self.entries, self.losses, self.triggered):
            ladder.dissolve()

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
