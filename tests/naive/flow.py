"""Random lives of two markets: what traders, operators and time do to them, every kind of command among it.

Commands name their orders themselves, so that any part of a life is a life as well: a failing one can be cut down.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import msgspec

from venue.commands import (
    AmendOrder,
    AnyCommand,
    CancelAll,
    CancelAllAfter,
    CancelOrder,
    CancelProduct,
    Deposit,
    Expire,
    ListProduct,
    PlaceOrder,
    SetStatus,
)
from venue.money import UNITS_MAX, divide_up
from venue.orders import SelfTradePrevention, Side, Stop
from venue.products import Asset, MarketStatus, Product

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
OTHER = msgspec.structs.replace(PRODUCT, id="BOLT-USD", breaker_bps=300, halt_us=4, auction_us=6, collar_bps=900)
ACCOUNTS = ("ann", "bob", "cat")
RATES = (0, 0, 10, 20, 137, 10_000, -5, -50)
FLAGS: tuple[SelfTradePrevention | None, ...] = (None, None, "dc", "dc", "co", "cn", "cb")
STOPS: tuple[Stop, ...] = ("loss", "entry")
STATES: tuple[MarketStatus, ...] = ("trading", "post_only", "limit_only", "cancel_only", "halted", "auction")


class Regime(NamedTuple):
    """What life is like: how often who does what, where prices are, and what kinds of orders come.

    commands: weights of an operator, time, a cancel of all, a cancel, an amend, an order sent again, a new order.
    orders: weights of a plain one, IOC or FOK, post-only, by funds, at the market, with terms, and a malformed one.
    """

    name: str
    commands: tuple[int, int, int, int, int, int, int] = (4, 8, 2, 16, 15, 1, 54)
    orders: tuple[int, int, int, int, int, int, int] = (40, 10, 5, 7, 5, 20, 13)
    low: int = 95
    high: int = 105


USUAL = Regime("usual")
REGIMES = (
    USUAL,
    Regime("no operators", commands=(0, 12, 2, 16, 15, 1, 54)),
    Regime("busy operators", commands=(12, 2, 0, 16, 15, 1, 54)),
    # Long queues: who came first decides.
    Regime("crowded prices", orders=(60, 10, 2, 5, 5, 15, 3), low=99, high=101),
    # One wakes the next, and slices come again.
    Regime("stops and icebergs", commands=(2, 6, 1, 8, 12, 1, 70), orders=(15, 5, 2, 4, 6, 65, 3)),
    # Levels come and go, and hardly anything trades.
    Regime("quotes", commands=(1, 2, 3, 40, 30, 1, 23), orders=(55, 2, 30, 2, 1, 5, 5), low=80, high=120),
)


class Flow:
    """Draws commands from `rng`, as the regime has them."""

    def __init__(self, rng: Random, regime: Regime = USUAL) -> None:
        self.rng = rng
        self.regime = regime
        self.at = 0
        self.placed: list[PlaceOrder] = []
        self.amends = 0

    def commands(self, count: int) -> Iterator[AnyCommand]:
        """The markets open; `count` commands follow."""
        yield ListProduct(product=PRODUCT)
        yield ListProduct(product=OTHER)
        for _ in range(count):
            yield self.command()

    def command(self) -> AnyCommand:
        self.at += self.rng.choice((0, 1, 1, 2))
        if not self.placed:
            return self._place()
        does = (self._operate, self._expire, self._cancel_all, self._cancel, self._amend, self._one, self._place)
        return self.rng.choices(does, self.regime.commands)[0]()

    def _expire(self) -> Expire:
        return Expire(at=self.at)

    def _cancel_all(self) -> CancelAll | CancelAllAfter:
        if not self.rng.randrange(3):
            timeout = self.rng.choice((0, -1, 1, 3, 9, 40, UNITS_MAX))
            return CancelAllAfter(at=self.at, account=self.rng.choice(ACCOUNTS), timeout=timeout)
        product_id = self.rng.choice((None, PRODUCT.id, "NONE"))
        account, limit = self.rng.choice(ACCOUNTS), self.rng.choice((1, 2, 1_000))
        return CancelAll(at=self.at, account=account, product_id=product_id, limit=limit)

    def _cancel(self) -> CancelOrder:
        order = self._one()
        owner = order.account if self.rng.randrange(4) else self.rng.choice(ACCOUNTS)
        return CancelOrder(at=self.at, order_id=order.order_id, account=owner)

    def _operate(self) -> AnyCommand:
        rng = self.rng
        product = rng.choice((PRODUCT, PRODUCT, OTHER))
        dice = rng.randrange(10)
        if dice < 6:
            status = rng.choice((*STATES, "trading", "trading", "auction"))
            until = self.at + rng.randrange(8) if rng.randrange(3) == 0 else None
            reference = rng.choice((None, None, None, 100, 97, 0, 121))
            return SetStatus(at=self.at, product_id=product.id, status=status, until=until, reference=reference)
        if dice < 7:
            return CancelProduct(at=self.at, product_id=rng.choice((product.id, "NONE")), limit=rng.choice((0, 2, 99)))
        if dice < 8:
            return Deposit(
                at=self.at,
                transfer_id=str(rng.randrange(9)),
                account=rng.choice(ACCOUNTS),
                asset="USD",
                amount=rng.choice((0, 5)),
            )
        rules: dict[str, int] = {
            "collar_bps": rng.choice((0, 400)),
            "breaker_bps": rng.choice((0, 200)),
            "halt_us": rng.choice((0, 3)),
            "auction_us": rng.choice((0, 5)),
            "notional_min": rng.choice((0, 0, 900)),
            "orders_max": rng.choice((0, 0, 3)),
            "lot_units": rng.choice((10, 10, 10, 20)),
            "shard": rng.choice((0, 0, 0, 1)),
        }
        return ListProduct(at=self.at, product=msgspec.structs.replace(product, **rules))

    def _place(self) -> PlaceOrder:
        rng, replace = self.rng, msgspec.structs.replace
        order = PlaceOrder(
            at=self.at,
            order_id=f"o{len(self.placed)}",
            account=rng.choice(ACCOUNTS),
            product_id=rng.choice((PRODUCT.id, PRODUCT.id, PRODUCT.id, OTHER.id)),
            side=self._side(),
            price=self._price(),
            size=rng.randint(1, 20),
            maker_bps=rng.choice(RATES),
            taker_bps=rng.choice(RATES),
            stp=rng.choice(FLAGS),
        )
        match rng.choices(range(7), self.regime.orders)[0]:
            case 1:
                order = replace(order, time_in_force=rng.choice(("IOC", "FOK")))
            case 2:
                order = replace(order, post_only=True)
            case 3:
                worst = rng.choice((None, order.price))
                order = replace(order, type="market", side="buy", size=None, funds=rng.randint(1, 3_000), price=worst)
            case 4:
                order = replace(order, type="market")
            case 5:
                order = self._with_terms(order)
            case 6:
                order = self._malformed(order)
        order = replace(order, hold=max(needed(order) + rng.choice((0, 0, 0, 0, 0, 7, -1)), 0))
        self.placed.append(order)
        return order

    def _with_terms(self, order: PlaceOrder) -> PlaceOrder:
        rng = self.rng
        if rng.randrange(3) == 0:
            expire_at = self.at + rng.randint(1, 12)
            order = msgspec.structs.replace(order, time_in_force="GTT", expire_at=expire_at)
        if rng.randrange(2):
            order = msgspec.structs.replace(order, stop=rng.choice(STOPS), stop_price=self._price())
            if rng.randrange(4) == 0:
                order = msgspec.structs.replace(order, type="market")
        elif rng.randrange(4):
            size = rng.randint(4, 40)
            order = msgspec.structs.replace(order, size=size, display_size=rng.randint(1, 6))
        return order

    def _malformed(self, order: PlaceOrder) -> PlaceOrder:
        rng = self.rng
        replace = msgspec.structs.replace
        for _ in range(rng.randint(1, 3)):
            match rng.randrange(12):
                case 0:
                    order = replace(order, price=rng.choice((None, 0, 1, 120, 121)))
                case 1:
                    order = replace(order, size=rng.choice((None, 0, 60, 61)))
                case 2:
                    order = replace(order, funds=rng.randint(0, 2_000))
                case 3:
                    order = replace(order, product_id="NONE")
                case 4:
                    order = replace(order, deadline=self.at + rng.choice((-1, 0, 1)))
                case 5:
                    order = replace(order, expire_at=self.at + rng.choice((0, 1)))
                case 6:
                    order = replace(order, stop=rng.choice(STOPS))
                case 7:
                    order = replace(order, stop_price=rng.choice((0, 100, 120, 121)))
                case 8:
                    order = replace(order, display_size=rng.choice((0, 1, 20, 61)))
                case 9:
                    order = replace(order, time_in_force=rng.choice(("GTT", "IOC", "FOK")))
                case 10:
                    order = replace(order, post_only=True)
                case _:
                    order = replace(order, maker_bps=rng.choice((-10_000, -10_001, 10_001)), type="market")
        return order

    def _amend(self) -> AmendOrder:
        rng = self.rng
        order = self._one()
        if rng.randrange(8) == 0:
            order = msgspec.structs.replace(
                order, product_id=rng.choice((PRODUCT.id, OTHER.id, "NONE")), side=self._side()
            )
        self.amends += 1
        price = rng.choice((None, None, order.price, self._price(), rng.choice((0, 120, 121))))
        size = rng.choice((None, order.size, rng.randint(1, 25), rng.randint(1, 25), rng.choice((0, 61))))
        return AmendOrder(
            at=self.at,
            amend_id=f"a{self.amends if rng.randrange(9) else rng.randint(1, self.amends)}",
            order_id=order.order_id,
            account=order.account if rng.randrange(9) else rng.choice(ACCOUNTS),
            product_id=order.product_id,
            side=order.side,
            price=price,
            size=size,
            hold=rng.choice((0, 0, 60, 400, 5_000, -1)),
            deadline=rng.choice((None, None, None, self.at + 1, self.at, self.at - 1)),
        )

    def _one(self) -> PlaceOrder:
        """One of the orders so far, mostly a late one."""
        rng = self.rng
        return rng.choice(self.placed[-12:] if rng.randrange(4) else self.placed)

    def _price(self) -> int:
        return self.rng.randint(self.regime.low, self.regime.high)

    def _side(self) -> Side:
        return "buy" if self.rng.randrange(2) else "sell"


def needed(order: PlaceOrder) -> int:
    """What `order` must hold, worked out once more and on its own; 0 where it is not even well formed."""
    if order.side == "sell":
        return max(order.size or 0, 0) * PRODUCT.lot_units
    if order.funds is not None:
        return max(order.funds, 0)
    cost = (order.size or 0) * max(order.price or 0, 0) * 3
    return cost + divide_up(cost * max(order.maker_bps, order.taker_bps, 0), 10_000)
