"""Random lives of two markets: what traders, operators and time do to them, every kind of command among it.

Commands name their orders themselves, so that any part of a life is a life as well: a failing one can be cut down.
"""

from collections.abc import Iterator
from random import Random

import msgspec

from venue.commands import (
    AmendOrder,
    AnyCommand,
    CancelAll,
    CancelOrder,
    CancelProduct,
    Deposit,
    Expire,
    ListProduct,
    PlaceOrder,
    SetStatus,
)
from venue.money import divide_up
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


class Flow:
    """Draws commands from `rng`; how `lively` operators are: how many of 100 commands are theirs."""

    def __init__(self, rng: Random, *, lively: int = 4) -> None:
        self.rng = rng
        self.lively = lively
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
        rng = self.rng
        self.at += rng.choice((0, 1, 1, 2))
        dice = rng.randrange(100)
        if dice < self.lively:
            return self._operate()
        if dice < 12:
            return Expire(at=self.at)
        if dice < 14:
            return CancelAll(
                at=self.at, account=rng.choice(ACCOUNTS), product_id=rng.choice((None, PRODUCT.id, "NONE"))
            )
        if dice < 30 and self.placed:
            order = self._one()
            owner = order.account if rng.randrange(4) else rng.choice(ACCOUNTS)
            return CancelOrder(at=self.at, order_id=order.order_id, account=owner)
        if dice < 45 and self.placed:
            return self._amend()
        if dice < 46 and self.placed:
            return self._one()
        return self._place()

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
        rng = self.rng
        order = PlaceOrder(
            at=self.at,
            order_id=f"o{len(self.placed)}",
            account=rng.choice(ACCOUNTS),
            product_id=rng.choice((PRODUCT.id, PRODUCT.id, PRODUCT.id, OTHER.id)),
            side=self._side(),
            price=rng.randint(95, 105),
            size=rng.randint(1, 20),
            maker_bps=rng.choice(RATES),
            taker_bps=rng.choice(RATES),
            stp=rng.choice(FLAGS),
        )
        dice = rng.randrange(100)
        if dice < 40:
            pass
        elif dice < 50:
            order = msgspec.structs.replace(order, time_in_force=rng.choice(("IOC", "FOK")))
        elif dice < 55:
            order = msgspec.structs.replace(order, post_only=True)
        elif dice < 62:
            order = msgspec.structs.replace(order, type="market", side="buy", size=None, funds=rng.randint(1, 3_000))
            order = msgspec.structs.replace(order, price=rng.choice((None, order.price)))
        elif dice < 67:
            order = msgspec.structs.replace(order, type="market")
        elif dice < 87:
            order = self._with_terms(order)
        else:
            order = self._malformed(order)
        order = msgspec.structs.replace(order, hold=max(needed(order) + rng.choice((0, 0, 0, 0, 0, 7, -1)), 0))
        self.placed.append(order)
        return order

    def _with_terms(self, order: PlaceOrder) -> PlaceOrder:
        rng = self.rng
        if rng.randrange(3) == 0:
            expire_at = self.at + rng.randint(1, 12)
            order = msgspec.structs.replace(order, time_in_force="GTT", expire_at=expire_at)
        if rng.randrange(2):
            order = msgspec.structs.replace(order, stop=rng.choice(STOPS), stop_price=rng.randint(95, 105))
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
        price = rng.choice((None, None, order.price, rng.randint(95, 105), rng.choice((0, 120, 121))))
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
