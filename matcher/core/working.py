"""An order as the matcher works on it, and its account: mutable, small, and never seen outside the core."""

from typing import Self

from venue.commands import PlaceOrder
from venue.events import OrderDone, OrderRefused, Traded
from venue.holds import fee_on
from venue.money import BASIS_POINTS, UNITS_MAX
from venue.orders import DoneReason, Fill, Order, Status


class Account:
    """Where an account's private sequence stands, and its resting orders, oldest first."""

    __slots__ = ("name", "orders", "sequence")

    def __init__(self, name: str) -> None:
        self.name = name
        self.sequence = 0
        self.orders: dict[str, WorkingOrder] = {}

    def next_sequence(self) -> int:
        """Take the next number."""
        self.sequence += 1
        return self.sequence


class WorkingOrder:
    """What became of one PlaceOrder so far.

    lot: what one lot counts in the hold's asset, minor units: of the base asset for a sell, of the quote asset at a
    price of one tick for a buy. price: ticks, 0 for none. size: lots; for an order by funds what it has bought.
    remaining: lots, 0 for an order by funds. value: minor units of the quote asset traded. weighted: the sum of
    notional x basis points, of which the fee is rounded up. hold: minor units still held.

    The hold: a buy by size goes back, with each fill, to exactly what `needed` says, so a surplus that the command
    brought is freed by its first fill; a sell, and a buy by funds, keep theirs until they are done.
    """

    __slots__ = (
        "account",
        "buy",
        "command",
        "done_at",
        "done_reason",
        "hold",
        "lot",
        "next",
        "order_id",
        "previous",
        "price",
        "reject_reason",
        "remaining",
        "size",
        "trades",
        "value",
        "weighted",
    )

    def __init__(self, command: PlaceOrder, account: Account, lot: int) -> None:
        self.command = command
        self.order_id = command.order_id
        self.account = account
        self.lot = lot
        self.buy = command.side == "buy"
        self.price = command.price or 0
        self.size = self.remaining = command.size or 0
        self.hold = command.hold
        self.value = 0
        self.weighted = 0
        self.previous: Self | None = None
        self.next: Self | None = None
        self.trades: list[Traded] | None = None
        self.done_at: int | None = None
        self.done_reason: DoneReason | None = None
        self.reject_reason: str | None = None

    def wants(self, price: int) -> int:
        """How many lots it would still trade at `price`: for an order by funds, what the rest of them buys with fee."""
        funds = self.command.funds
        if funds is None:
            return self.remaining
        # The largest value for which value + fee, the fee rounded up on the running total, stays within the funds.
        rate = BASIS_POINTS + self.command.taker_bps
        return ((funds - self.value) * BASIS_POINTS - self.weighted) // rate // (price * self.lot)

    def needed(self) -> int:
        """What a buy by size must still hold: all that remains, at its limit, at the dearer of its two rates."""
        notional = self.remaining * self.price * self.lot
        rate = max(self.command.maker_bps, self.command.taker_bps, 0)
        return notional + fee_on(self.weighted + notional * rate) - fee_on(self.weighted)

    def fill(self, size: int, value: int, bps: int) -> tuple[int, int]:
        """Trade `size` lots worth `value` at a rate of `bps`: (its fee, what its hold no longer needs)."""
        weighted = self.weighted + value * bps
        fee = fee_on(weighted) - fee_on(self.weighted)
        self.weighted = weighted
        self.value += value
        if not self.buy:
            self.remaining -= size
            self.hold -= size * self.lot
            return fee, 0
        left = self.hold - value - fee
        if self.command.funds is not None:
            self.size += size
            self.hold = left
            return fee, 0
        self.remaining -= size
        self.hold = self.needed()
        return fee, left - self.hold

    def keep(self, trade: Traded) -> None:
        """Remember the trade for `fills`."""
        if self.trades is None:
            self.trades = [trade]
        else:
            self.trades.append(trade)

    def close(self, reason: DoneReason, at: int, sequence: int) -> OrderDone:
        """End it as event number `sequence` of its product: what is left of its hold goes back."""
        account = self.account
        account.orders.pop(self.order_id, None)
        account.sequence += 1
        released = self.hold
        self.hold = 0
        self.done_at = at
        self.done_reason = reason
        command = self.command
        return OrderDone(
            at=at,
            sequence=sequence,
            account_sequence=account.sequence,
            order_id=self.order_id,
            account=account.name,
            product_id=command.product_id,
            side=command.side,
            price=command.price,
            remaining=self.remaining,
            reason=reason,
            released=released,
        )

    def refuse(self, reason: str) -> OrderRefused:
        """End it before it began. Numbers that fit no 63 bits cannot have been held; they are not repeated."""
        command = self.command
        self.hold = 0
        self.done_at = command.at
        self.reject_reason = reason
        return OrderRefused(
            at=command.at,
            account_sequence=self.account.next_sequence(),
            order_id=command.order_id,
            account=command.account,
            product_id=command.product_id,
            side=command.side,
            type=command.type,
            time_in_force=command.time_in_force,
            post_only=command.post_only,
            client_oid=command.client_oid,
            price=_storable(command.price),
            size=_storable(command.size),
            funds=_storable(command.funds),
            hold=_storable(command.hold) or 0,
            reason=reason,
        )

    def view(self) -> Order:
        """The order as everyone else sees it."""
        command = self.command
        refused = self.reject_reason is not None
        status: Status = "rejected" if refused else "open" if self.done_at is None else "done"
        return Order(
            order_id=self.order_id,
            account=command.account,
            product_id=command.product_id,
            side=command.side,
            type=command.type,
            time_in_force=command.time_in_force,
            post_only=command.post_only,
            client_oid=command.client_oid,
            price=_storable(command.price),
            size=_storable(command.size),
            funds=_storable(command.funds),
            status=status,
            created_at=command.at,
            filled=0 if refused else self.size - self.remaining,
            executed_value=self.value,
            fees=fee_on(self.weighted),
            hold=self.hold,
            done_at=self.done_at,
            done_reason=self.done_reason,
            reject_reason=self.reject_reason,
        )

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


def _storable(number: int | None) -> int | None:
    return number if number is None or -UNITS_MAX <= number <= UNITS_MAX else None
