"""An order of the naive market: plain numbers, and the sums worked out anew each time they are needed."""

from dataclasses import dataclass, field
from typing import Literal

from matcher.core.state import SavedOrder, row
from venue.commands import PlaceOrder
from venue.events import Traded
from venue.orders import DoneReason, Side

Where = Literal["nowhere", "book", "stops", "line"]

OTHER: dict[Side, Side] = {"buy": "sell", "sell": "buy"}


def up(numerator: int) -> int:
    """A ten-thousandth, rounded up."""
    whole, rest = divmod(numerator, 10_000)
    return whole + (1 if rest else 0)


@dataclass
class NaiveOrder:
    """number: how many came before. arrival: its place in the queue at its price. shown: what others see of it."""

    command: PlaceOrder
    number: int
    price: int
    size: int
    remaining: int
    hold: int
    funds: int | None
    tick_lot: int  # minor units of the quote asset for one tick on one lot
    lot_units: int
    shown: int = 0
    arrival: int = 0
    where: Where = "nowhere"
    paid: list[tuple[int, int]] = field(default_factory=list)  # (notional, rate) of each trade
    trades: list[Traded] = field(default_factory=list)
    done_at: int | None = None
    done_reason: DoneReason | None = None
    reject_reason: str | None = None

    @property
    def value(self) -> int:
        return sum(notional for notional, _ in self.paid)

    @property
    def weighted(self) -> int:
        return sum(notional * rate for notional, rate in self.paid)

    @property
    def slice(self) -> int:
        """How much it shows afresh."""
        most = self.command.display_size
        return self.remaining if most is None else min(most, self.remaining)

    def reaches(self, price: int) -> bool:
        if not self.price:
            return True
        return price <= self.price if self.command.side == "buy" else price >= self.price

    def is_reached(self, price: int) -> bool:
        """Whether a trade at this price wakes it."""
        stop_price = self.command.stop_price or 0
        return price >= stop_price if self.command.stop == "entry" else price <= stop_price

    def cost(self, size: int, price: int) -> int:
        """What that many lots more take out of its funds, fee included."""
        notional = size * price * self.tick_lot
        return notional + up(self.weighted + notional * self.command.taker_bps) - up(self.weighted)

    def wants(self, price: int) -> int:
        if self.funds is None:
            return self.remaining
        left = self.funds - self.value - up(self.weighted)
        size = 0
        while self.cost(size + 1, price) <= left:
            size += 1
        return size

    def needs(self, price: int, remaining: int) -> int:
        """What it has to hold."""
        if self.command.side == "sell":
            return remaining * self.lot_units
        notional = remaining * price * self.tick_lot
        dearer = max(self.command.maker_bps, self.command.taker_bps, 0)
        return notional + up(self.weighted + notional * dearer) - up(self.weighted)

    def trade(self, price: int, size: int, rate: int) -> tuple[int, int]:
        """Trade that many lots: (its fee at this rate, what its hold no longer needs)."""
        notional = price * size * self.tick_lot
        fees_before = up(self.weighted)
        self.paid.append((notional, rate))
        fee = up(self.weighted) - fees_before
        if self.funds is None:
            self.remaining -= size
        else:
            self.size += size
        if self.command.side == "sell":
            self.hold -= size * self.lot_units
            return fee, 0
        left = self.hold - notional - fee
        self.hold = self.needs(self.price, self.remaining) if self.funds is None else left
        return fee, left - self.hold

    def give_up(self, size: int, price: int) -> int:
        """Want that many lots less, or what they cost at this price: what its hold no longer needs."""
        old_hold = self.hold
        if self.funds is not None:
            self.hold -= self.cost(size, price)
            self.funds -= old_hold - self.hold
        else:
            self.size -= size
            self.remaining -= size
            self.shown = min(self.shown, self.remaining)
            is_buy = self.command.side == "buy"
            self.hold = self.needs(self.price, self.remaining) if is_buy else self.hold - size * self.lot_units
        return old_hold - self.hold

    def saved(self, trades: list[int]) -> SavedOrder:
        """Its state, as the engine would save it; `trades` are the places of its trades among all."""
        return SavedOrder(
            number=self.number,
            command=row(self.command),
            price=self.price,
            size=self.size,
            remaining=self.remaining,
            hidden=0 if self.where == "nowhere" else self.remaining - self.shown,
            funds=self.funds,
            hold=self.hold,
            value=str(self.value),
            weighted=str(self.weighted),
            waiting=self.where in ("stops", "line"),
            done_at=self.done_at,
            done_reason=self.done_reason,
            reject_reason=self.reject_reason,
            trades=trades,
        )
