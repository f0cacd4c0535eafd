"""A market so simple that it can be seen to be right: one list of orders, sorted anew for every order that arrives."""

from dataclasses import dataclass

from tests.property.lives import PRODUCT
from venue.commands import PlaceOrder
from venue.money import divide_up
from venue.orders import Side

type Trade = tuple[str, int, int]  # maker order, ticks, lots


@dataclass
class Resting:
    """An order that waits."""

    order_id: str
    account: str
    side: Side
    price: int
    remaining: int


class NaiveBook:
    """Price-time priority, spelled out. It is told only of orders that are well formed and hold enough."""

    def __init__(self) -> None:
        self.resting: list[Resting] = []

    def place(self, order: PlaceOrder) -> list[Trade] | None:
        """The trades that it makes; None when it is refused for what the book holds."""
        makers = [maker for maker in self.resting if maker.side != order.side and _reaches(order, maker.price)]
        makers.sort(key=lambda maker: maker.price if order.side == "buy" else -maker.price)
        if order.post_only and makers:
            return None
        if order.time_in_force == "FOK" and sum(maker.remaining for maker in makers) < (order.size or 0):
            return None
        trades: list[Trade] = []
        remaining = order.size or 0
        for maker in makers:
            size = 0
            while size < maker.remaining and _wants_one_more(order, trades, maker.price, size):
                size += 1
            if not size:
                break
            trades.append((maker.order_id, maker.price, size))
            maker.remaining -= size
            remaining -= size
        self.resting = [maker for maker in self.resting if maker.remaining]
        if remaining > 0 and order.type == "limit" and order.time_in_force == "GTC" and order.price is not None:
            self.resting.append(Resting(order.order_id, order.account, order.side, order.price, remaining))
        return trades

    def cancel(self, order_id: str, account: str) -> None:
        """Take one order out, if it is the account's."""
        self.resting = [one for one in self.resting if (one.order_id, one.account) != (order_id, account)]

    def cancel_all(self, account: str) -> None:
        """Take all orders of the account out."""
        self.resting = [one for one in self.resting if one.account != account]

    def side(self, side: Side) -> list[tuple[int, int, str]]:
        """(ticks, lots, order id) in the order in which they trade."""
        mine = [(one.price, one.remaining, one.order_id) for one in self.resting if one.side == side]
        return sorted(mine, key=lambda one: -one[0] if side == "buy" else one[0])


def _reaches(order: PlaceOrder, price: int) -> bool:
    if order.price is None:
        return True
    return price <= order.price if order.side == "buy" else price >= order.price


def _wants_one_more(order: PlaceOrder, trades: list[Trade], price: int, size: int) -> bool:
    if order.funds is None:
        return sum(traded for _, _, traded in trades) + size < (order.size or 0)
    value = (sum(at * traded for _, at, traded in trades) + price * (size + 1)) * 3
    return value + divide_up(value * order.taker_bps, 10_000) <= order.funds


assert PRODUCT.tick_lot_value == 3, "the 3 above"
