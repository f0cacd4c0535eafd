"""Commands for tests of the matcher service."""

import random
from collections import deque
from collections.abc import Iterator
from uuid import UUID, uuid4

import msgspec

from venue.commands import AnyCommand, CancelAll, CancelOrder, Deposit, PlaceOrder
from venue.holds import hold_for
from venue.orders import Side, TimeInForce
from venue.products import Asset, Product

# As in matcher/products.toml.
BTC_USD = Product(
    id="BTC-USD",
    base=Asset(id="BTC", name="Bitcoin", scale=8),
    quote=Asset(id="USD", name="US Dollar", scale=8),
    tick_units=1_000_000,
    lot_units=10_000,
    maker_bps=10,
    taker_bps=20,
)


def limit(
    side: Side,
    price: int,
    size: int,
    *,
    account: str = "alice",
    order_id: str | None = None,
    deadline: int | None = None,
) -> PlaceOrder:
    """A limit order on BTC-USD with the hold that it needs. Price in ticks, size in lots, deadline in µs."""
    order = PlaceOrder(
        order_id=order_id or str(uuid4()),
        account=account,
        product_id=BTC_USD.id,
        side=side,
        price=price,
        size=size,
        maker_bps=BTC_USD.maker_bps,
        taker_bps=BTC_USD.taker_bps,
        deadline=deadline,
        hold=10**15,
    )
    return PlaceOrder(
        **{name: getattr(order, name) for name in order.__struct_fields__} | {"hold": hold_for(order, BTC_USD)}
    )


def flow(seed: int, count: int) -> list[PlaceOrder]:
    """Orders of eight accounts around one price, about half of which trade. The same seed gives the same orders."""
    chance = random.Random(seed)  # noqa: S311
    orders = []
    for _ in range(count):
        side: Side = chance.choice(("buy", "sell"))
        away = chance.randint(-5, 10)
        orders.append(
            limit(
                side,
                5_000_000 - away if side == "buy" else 5_000_000 + away,
                chance.randint(1, 50),
                account=f"account-{chance.randrange(8)}",
                order_id=str(_uuid(chance)),
            )
        )
    return orders


def trading(seed: int) -> Iterator[AnyCommand]:
    """A market's life without end: orders that rest, trade, or are done at once; cancels; deposits."""
    chance = random.Random(seed)  # noqa: S311
    placed: deque[PlaceOrder] = deque(maxlen=50)
    while True:
        dice = chance.random()
        account = f"account-{chance.randrange(8)}"
        if placed and dice < 0.2:
            order = chance.choice(placed)
            yield CancelOrder(order_id=order.order_id, account=order.account)
        elif dice < 0.22:
            yield CancelAll(account=account)
        elif dice < 0.25:
            amount = chance.randint(1, 10**12)
            yield Deposit(transfer_id=str(_uuid(chance)), account=account, asset="USD", amount=amount)
        else:
            side: Side = chance.choice(("buy", "sell"))
            away = chance.randint(-5, 10)
            price, size = 5_000_000 - away if side == "buy" else 5_000_000 + away, chance.randint(1, 50)
            order = limit(side, price, size, account=account, order_id=str(_uuid(chance)))
            in_force: TimeInForce = chance.choice(("GTC", "GTC", "GTC", "GTC", "IOC", "FOK"))
            order = msgspec.structs.replace(order, time_in_force=in_force)
            placed.append(order)
            yield order


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)
