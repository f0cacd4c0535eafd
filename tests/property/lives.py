"""Random lives of a market: what its traders try, one after the other."""

from typing import NamedTuple

import msgspec
from hypothesis import strategies as st

from venue.commands import AnyCommand, CancelAll, CancelOrder, PlaceOrder
from venue.money import divide_up
from venue.orders import OrderType, Side, TimeInForce
from venue.products import Asset, Product

# One tick on one lot is 3 minor units of USD and one lot is 10 of ACME: a factor left out shows.
PRODUCT = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme", scale=1),
    quote=Asset(id="USD", name="US dollar", scale=0),
    tick_units=3,
    lot_units=10,
    size_max=60,
    price_max=120,
)
ACCOUNTS = ("ann", "bob", "cat")

accounts = st.sampled_from(ACCOUNTS)
sides: st.SearchStrategy[Side] = st.sampled_from(("buy", "sell"))
types: st.SearchStrategy[OrderType] = st.sampled_from(("limit", "limit", "limit", "market"))
times_in_force: st.SearchStrategy[TimeInForce] = st.sampled_from(("GTC", "GTC", "GTC", "IOC", "FOK"))
# A narrow band, so that orders meet, and now and then a price that is not one.
prices = st.one_of(st.integers(95, 105), st.integers(95, 105), st.sampled_from((None, 0, 1, 120, 121)))
sizes = st.one_of(st.integers(1, 20), st.integers(1, 20), st.sampled_from((None, 0, 60, 61)))
budgets = st.one_of(st.none(), st.none(), st.none(), st.integers(0, 3_000))
rates = st.sampled_from((0, 0, 10, 20, 137, 10_000, -5))


class Placing(NamedTuple):
    """An order to place, with `surplus` minor units more (or less) than what it must hold."""

    order: PlaceOrder
    surplus: int


class Cancelling(NamedTuple):
    """A cancel of the order that was placed as number `which`, counted round and round; by its owner or by another."""

    which: int
    by_owner: bool


class Repeating(NamedTuple):
    """The order that was placed as number `which` is sent once more."""

    which: int


class CancellingAll(NamedTuple):
    """A cancel of all orders of an account."""

    account: str
    product_id: str | None


type Step = Placing | Cancelling | Repeating | CancellingAll

placings = st.builds(
    Placing,
    st.builds(
        PlaceOrder,
        order_id=st.just(""),
        account=accounts,
        product_id=st.just(PRODUCT.id),
        side=sides,
        type=types,
        price=prices,
        size=sizes,
        funds=budgets,
        time_in_force=times_in_force,
        post_only=st.sampled_from((False, False, False, True)),
        maker_bps=rates,
        taker_bps=rates,
        deadline=st.sampled_from((None, None, None, 40)),
    ),
    st.sampled_from((0, 0, 0, 0, 7, -1)),
)


def _limit(order: PlaceOrder, terms: tuple[TimeInForce, bool]) -> Placing:
    time_in_force, post_only = terms
    return Placing(msgspec.structs.replace(order, time_in_force=time_in_force, post_only=post_only), 0)


# Well-formed limit orders: most of a market's life.
limits = st.builds(
    _limit,
    st.builds(
        PlaceOrder,
        order_id=st.just(""),
        account=accounts,
        product_id=st.just(PRODUCT.id),
        side=sides,
        price=st.integers(95, 105),
        size=st.integers(1, 20),
        maker_bps=rates,
        taker_bps=rates,
    ),
    st.sampled_from((("GTC", False),) * 5 + (("GTC", True), ("IOC", False), ("FOK", False))),
)
budget_orders = st.builds(
    Placing,
    st.builds(
        PlaceOrder,
        order_id=st.just(""),
        account=accounts,
        product_id=st.just(PRODUCT.id),
        side=st.just("buy"),
        type=st.just("market"),
        price=st.one_of(st.none(), st.integers(95, 105)),
        funds=st.integers(1, 3_000),
        taker_bps=rates,
    ),
    st.just(0),
)
numbers = st.integers(0, 60)
steps: st.SearchStrategy[Step] = st.one_of(
    limits,
    limits,
    limits,
    placings,
    budget_orders,
    st.builds(Cancelling, numbers, st.sampled_from((True, True, True, False))),
    st.builds(Repeating, numbers),
    st.builds(CancellingAll, accounts, st.sampled_from((None, PRODUCT.id, "NONE"))),
)
# Mostly long enough for a book to fill and empty again; short ones for a failure that needs no more.
lives = st.one_of(st.lists(steps, max_size=10), st.lists(steps, min_size=30, max_size=80))


def needed(order: PlaceOrder) -> int:
    """What `order` must hold, worked out once more and on its own; 0 where it is not even well formed."""
    if order.side == "sell":
        return max(order.size or 0, 0) * PRODUCT.lot_units
    if order.funds is not None:
        return max(order.funds, 0)
    cost = (order.size or 0) * max(order.price or 0, 0) * 3
    return cost + divide_up(cost * max(order.maker_bps, order.taker_bps, 0), 10_000)


class Traders:
    """Turns steps into commands, numbering orders and stamping times."""

    def __init__(self) -> None:
        self.at = 0
        self.placed: list[PlaceOrder] = []

    def command(self, step: Step) -> AnyCommand | None:
        """The command of one step; None where it speaks of an order and there is none yet."""
        self.at += 1
        match step:
            case Placing(order, surplus):
                return self._place(order, surplus)
            case CancellingAll(account, product_id):
                return CancelAll(at=self.at, account=account, product_id=product_id)
            case _ if not self.placed:
                return None
            case Repeating(which):
                return self.placed[which % len(self.placed)]
            case Cancelling(which, by_owner):
                order = self.placed[which % len(self.placed)]
                account = order.account if by_owner else next(name for name in ACCOUNTS if name != order.account)
                return CancelOrder(at=self.at, order_id=order.order_id, account=account)

    def _place(self, order: PlaceOrder, surplus: int) -> PlaceOrder:
        hold = max(needed(order) + surplus, 0)
        numbered = f"order-{len(self.placed)}"
        order = msgspec.structs.replace(order, order_id=numbered, at=self.at, hold=hold)
        self.placed.append(order)
        return order
