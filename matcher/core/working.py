"""An order as the matcher works on it, and its account: mutable, small, and never seen outside the core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from venue.commands import PlaceOrder
from venue.events import OrderDone, Traded
from venue.holds import fee_on
from venue.money import BASIS_POINTS, UNITS_MAX
from venue.orders import DoneReason, Fill, Order, Status

if TYPE_CHECKING:
    from matcher.core.book import Book
    from matcher.core.ladder import Ladder


class Account:
    """Where an account's private sequence stands, and what it does in each market where it ever was."""

    __slots__ = ("name", "sequence", "traders")

    def __init__(self, name: str) -> None:
        self.name = name
        self.sequence = 0
        self.traders: dict[str, Trader] = {}

    def next_sequence(self) -> int:
        """Take the next number."""
        self.sequence += 1
        return self.sequence

    def trader(self, book: Book) -> Trader:
        """Itself in one market."""
        trader = self.traders.get(book.product_id)
        if trader is None:
            trader = self.traders[book.product_id] = Trader(self, book)
        return trader


class Trader:
    """An account in one market: its open orders there, by id, oldest first. book: None where no such market is."""

    __slots__ = ("account", "book", "orders")

    def __init__(self, account: Account, book: Book | None) -> None:
        self.account = account
        self.book = book
        self.orders: dict[str, WorkingOrder] = {}


class WorkingOrder(msgspec.Struct, eq=False, gc=False):
    """What became of one PlaceOrder so far.

    number: how many orders the shard had seen before it. lot: what one lot counts in the hold's asset, minor units: of
    the base asset for a sell, of the quote asset at a price of one tick for a buy. price: ticks, 0 for none. size:
    lots; for an order by funds what it has bought. remaining: lots, 0 for an order by funds; `hidden` of them are not
    shown. hold: minor units still held. funds: minor units of the quote asset that an order by funds may spend in all.
    value: minor units of the quote asset traded. weighted: the sum of notional x basis points, of which the fees are
    rounded up. waiting: the ladder of stop orders in which it stands (None: it does not). ended: how, once it is
    done; what it still held then is no longer held.

    The hold: a buy by size goes back, with each fill, to exactly what `needed` says, so a surplus that the command
    brought is freed by its first fill; a sell, and a buy by funds, keep theirs until they are done.

    What a cancel reads and writes stands first, in two or three lines of the processor's cache.

    A struct, as its many defaults cost nothing to set, and one that the collector does not follow (`gc`): it would look
    at each of 100,000 orders time and again, and find none to collect. An order is part of a cycle only while it stands
    somewhere; Book.dissolve ends those.
    """

    trader: Trader
    buy: bool
    price: int
    remaining: int
    hold: int
    size: int
    lot: int
    number: int
    command: PlaceOrder
    hidden: int = 0
    previous: WorkingOrder | None = None
    next: WorkingOrder | None = None
    waiting: Ladder | None = None
    done_at: int | None = None
    funds: int | None = None
    value: int = 0
    weighted: int = 0
    fees: int = 0
    trades: list[Traded] | None = None
    ended: DoneReason = "canceled"
    reject_reason: str | None = None

    @property
    def order_id(self) -> str:
        """Its id."""
        return self.command.order_id

    @property
    def account(self) -> Account:
        """Whose it is."""
        return self.trader.account

    @property
    def done_reason(self) -> DoneReason | None:
        """How it ended; None while it is open, and where it was refused."""
        return None if self.done_at is None or self.reject_reason is not None else self.ended

    @property
    def held(self) -> int:
        """What it holds now."""
        return self.hold if self.done_at is None else 0

    def wants(self, price: int) -> int:
        """How many lots it would still trade at `price`: for an order by funds, what the rest of them buys with fee."""
        funds = self.funds
        if funds is None:
            return self.remaining
        # The largest value for which value + fee, the fee rounded up on the running total, stays within the funds.
        rate = BASIS_POINTS + self.command.taker_bps
        return ((funds - self.value) * BASIS_POINTS - self.weighted) // rate // (price * self.lot)

    def needed(self, remaining: int, price: int) -> int:
        """What it must hold for `remaining` lots: a buy what they cost at `price`, at the dearer of its two rates."""
        if not self.buy:
            return remaining * self.lot
        notional = remaining * price * self.lot
        maker_bps, taker_bps = self.command.maker_bps, self.command.taker_bps
        rate = maker_bps if maker_bps > taker_bps else taker_bps
        return notional + fee_on(self.weighted + notional * rate) - self.fees if rate > 0 else notional

    def fill(self, size: int, value: int, bps: int) -> tuple[int, int]:
        """Trade `size` lots worth `value` at a rate of `bps`: (its fee, what its hold no longer needs)."""
        fee = 0
        if bps:
            self.weighted += value * bps
            fees = fee_on(self.weighted)
            fee = fees - self.fees
            self.fees = fees
        self.value += value
        if not self.buy:
            self.remaining -= size
            self.hold -= size * self.lot
            return fee, 0
        left = self.hold - value - fee
        if self.funds is not None:
            self.size += size
            self.hold = left
            return fee, 0
        self.remaining = remaining = self.remaining - size
        self.hold = needed = self.needed(remaining, self.price) if remaining else 0
        return fee, left - needed

    def shrink(self, size: int, value: int) -> int:
        """Give up `size` lots, or what they cost with fee where it has funds: what its hold no longer needs."""
        if self.funds is not None:
            released = value + fee_on(self.weighted + value * self.command.taker_bps) - self.fees
            self.funds -= released
        else:
            self.size -= size
            self.remaining -= size
            released = self.hold - self.needed(self.remaining, self.price) if self.buy else size * self.lot
        self.hold -= released
        return released

    def keep(self, trade: Traded) -> None:
        """Remember the trade for `fills`."""
        if self.trades is None:
            self.trades = [trade]
        else:
            self.trades.append(trade)

    def close(self, reason: DoneReason, at: int, sequence: int) -> OrderDone:
        """End it as event number `sequence` of its product: what is left of its hold goes back."""
        command = self.command
        trader = self.trader
        account = trader.account
        trader.orders.pop(command.order_id, None)
        account.sequence = account_sequence = account.sequence + 1
        self.done_at = at
        # Each of these writes takes as long as ten reads.
        if reason != "canceled":
            self.ended = reason
        if self.waiting is not None:
            self.waiting = None
        return OrderDone(
            at,
            sequence,
            account_sequence,
            command.order_id,
            account.name,
            command.product_id,
            command.side,
            self.price or None,
            self.remaining,
            reason,
            self.hold,
        )

    def view(self) -> Order:
        """The order as everyone else sees it."""
        command = self.command
        refused = self.reject_reason is not None
        return Order(
            order_id=self.order_id,
            account=command.account,
            product_id=command.product_id,
            side=command.side,
            type=command.type,
            time_in_force=command.time_in_force,
            post_only=command.post_only,
            client_oid=command.client_oid,
            price=command.price if refused else self.price or None,
            size=command.size if refused or command.size is None else self.size,
            funds=command.funds if refused else self.funds,
            status=self.status(),
            created_at=command.at,
            filled=0 if refused else self.size - self.remaining,
            executed_value=self.value,
            fees=self.fees,
            hold=self.held,
            done_at=self.done_at,
            done_reason=self.done_reason,
            reject_reason=self.reject_reason,
            stp=command.stp,
            expire_at=command.expire_at,
            stop=command.stop,
            stop_price=command.stop_price,
            display_size=command.display_size,
        )

    def status(self) -> Status:
        """Where it stands in its life."""
        if self.reject_reason is not None:
            return "rejected"
        if self.done_at is not None:
            return "done"
        return "open" if self.waiting is None else "active"

    def fills(self) -> list[Fill]:
        """Its side of each trade it took part in, oldest first."""
        return [self._fill(trade) for trade in self.trades or ()]

    def _fill(self, trade: Traded) -> Fill:
        making = trade.maker_order_id == self.order_id
        return Fill(
            trade_id=trade.trade_id,
            product_id=trade.product_id,
            order_id=self.order_id,
            account=self.command.account,
            side=self.command.side,
            liquidity="M" if making else "T",
            price=trade.price,
            size=trade.size,
            fee=trade.maker_fee if making else trade.taker_fee,
            at=trade.at,
        )


def working(command: PlaceOrder, trader: Trader, lot: int, number: int) -> WorkingOrder:
    """An order as it begins."""
    size = command.size or 0
    return WorkingOrder(
        trader,
        command.side == "buy",
        command.price or 0,
        size,
        command.hold,
        size,
        lot,
        number,
        command,
        funds=command.funds,
    )


def storable(number: int | None) -> int | None:
    """The number, or None where it fits no 63 bits: such a one cannot be kept, and is not repeated."""
    return number if number is None or -UNITS_MAX <= number <= UNITS_MAX else None
