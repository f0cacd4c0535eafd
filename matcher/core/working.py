"""An order as the matcher works on it, and its account: mutable, small, and never seen outside the core."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venue.commands import PlaceOrder
from venue.events import OrderDone, Traded
from venue.holds import fee_on
from venue.money import BASIS_POINTS, UNITS_MAX
from venue.orders import DoneReason, Fill, Order, Status

if TYPE_CHECKING:
    from matcher.core.book import Level


class Account:
    """Where an account's private sequence stands, and its open orders: per product, by id, oldest first."""

    __slots__ = ("books", "name", "sequence")

    def __init__(self, name: str) -> None:
        self.name = name
        self.sequence = 0
        self.books: dict[str, dict[str, WorkingOrder]] = {}

    def next_sequence(self) -> int:
        """Take the next number."""
        self.sequence += 1
        return self.sequence

    def open_in(self, product_id: str) -> dict[str, WorkingOrder]:
        """Its open orders of one product, to be read and written."""
        orders = self.books.get(product_id)
        if orders is None:
            orders = self.books[product_id] = {}
        return orders


class WorkingOrder:
    """What became of one PlaceOrder so far.

    number: how many orders the shard had seen before it. peers: its account's open orders of its product. lot: what
    one lot counts in the hold's asset, minor units: of the base asset for a sell, of the quote asset at a price of one
    tick for a buy. price: ticks, 0 for none. size: lots; for an order by funds what it has bought. remaining: lots, 0
    for an order by funds; `hidden` of them are not shown. funds: minor units of the quote asset that an order by funds
    may spend in all. value: minor units of the quote asset traded. weighted: the sum of notional x basis points, of
    which the fees are rounded up. hold: minor units still held. level: where it stands in the book, or among the stop
    orders while it is `waiting` (None: nowhere).

    The hold: a buy by size goes back, with each fill, to exactly what `needed` says, so a surplus that the command
    brought is freed by its first fill; a sell, and a buy by funds, keep theirs until they are done.
    """

    __slots__ = (
        "account",
        "buy",
        "command",
        "done_at",
        "done_reason",
        "fees",
        "funds",
        "hidden",
        "hold",
        "level",
        "lot",
        "next",
        "number",
        "order_id",
        "peers",
        "previous",
        "price",
        "reject_reason",
        "remaining",
        "size",
        "trades",
        "value",
        "waiting",
        "weighted",
    )

    def __init__(
        self, command: PlaceOrder, account: Account, peers: dict[str, WorkingOrder], lot: int, number: int
    ) -> None:
        self.command = command
        self.order_id = command.order_id
        self.account = account
        self.peers = peers
        self.lot = lot
        self.number = number
        self.buy = command.side == "buy"
        self.price = command.price or 0
        self.size = self.remaining = command.size or 0
        self.hidden = self.value = self.weighted = self.fees = 0
        self.funds = command.funds
        self.hold = command.hold
        self.waiting = False
        self.level: Level | None = None
        self.previous: WorkingOrder | None = None
        self.next: WorkingOrder | None = None
        self.trades: list[Traded] | None = None
        self.done_at: int | None = None
        self.done_reason: DoneReason | None = None
        self.reject_reason: str | None = None

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
        rate = max(self.command.maker_bps, self.command.taker_bps, 0)
        return notional + fee_on(self.weighted + notional * rate) - self.fees

    def fill(self, size: int, value: int, bps: int) -> tuple[int, int]:
        """Trade `size` lots worth `value` at a rate of `bps`: (its fee, what its hold no longer needs)."""
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
        self.remaining -= size
        self.hold = self.needed(self.remaining, self.price)
        return fee, left - self.hold

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
        account = self.account
        self.peers.pop(self.order_id, None)
        account.sequence += 1
        released = self.hold
        self.hold = self.hidden = 0
        self.waiting = False
        self.done_at = at
        self.done_reason = reason
        command = self.command
        return OrderDone(
            at,
            sequence,
            account.sequence,
            self.order_id,
            account.name,
            command.product_id,
            command.side,
            self.price or None,
            self.remaining,
            reason,
            released,
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
            hold=self.hold,
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
        return "active" if self.waiting else "open"

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


def storable(number: int | None) -> int | None:
    """The number, or None where it fits no 63 bits: such a one cannot be kept, and is not repeated."""
    return number if number is None or -UNITS_MAX <= number <= UNITS_MAX else None
