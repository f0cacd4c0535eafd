"""Commands for tests of the matcher service."""

import random
from uuid import UUID, uuid4

from venue.commands import PlaceOrder
from venue.holds import hold_for
from venue.orders import Side
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
                order_id=str(UUID(int=chance.getrandbits(128), version=4)),
            )
        )
    return orders
