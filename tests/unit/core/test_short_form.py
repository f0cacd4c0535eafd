"""What nearly always happens is told in one event (docs/adr/0018), up to the edges of what is allowed."""

import msgspec
import pytest

from tests.unit.core.floor import ACME_USD, Floor
from venue.commands import CancelOrder, PlaceOrder
from venue.events import OrderDone, OrderRested
from venue.money import UNITS_MAX
from venue.products import Product

RULED = msgspec.structs.replace(ACME_USD, notional_min=500, orders_max=1, collar_bps=1_000)
ORDER = PlaceOrder(at=7, order_id="o", account="ann", product_id="ACME-USD", side="buy", price=100, size=5, hold=500)


@pytest.mark.parametrize("product", [ACME_USD, RULED])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"post_only": True},
        {"hold": UNITS_MAX},
        {"size": ACME_USD.size_max, "hold": 100 * ACME_USD.size_max},
        {"deadline": 7},
        {"deadline": 8},
        {"deadline": UNITS_MAX},
        {"maker_bps": 10, "taker_bps": 20, "hold": 501},
        {"maker_bps": -10},
        {"side": "sell", "price": 101, "hold": 5},
    ],
)
def test_an_order_that_rests_at_once_is_told_in_one_event(product: Product, change: dict[str, object]) -> None:
    floor = Floor(product)
    floor.status("trading", reference=100)
    floor.buy("bid", 5, 100, account="bob")
    floor.sell("ask", 5, 101, account="cat")
    order = msgspec.structs.replace(ORDER, **change)
    (rested,) = floor.engine.apply(order)
    assert isinstance(rested, OrderRested)
    assert rested.order == order


@pytest.mark.parametrize("change", [{"price": 1, "size": 1, "hold": 1}, {"price": ACME_USD.price_max, "hold": 10**7}])
def test_so_are_the_lowest_and_the_highest_price(change: dict[str, object]) -> None:
    (rested,) = Floor().engine.apply(msgspec.structs.replace(ORDER, **change))
    assert isinstance(rested, OrderRested)


def test_a_cancel_is_told_in_one_event_be_it_of_the_last_order_of_its_level_or_not() -> None:
    floor = Floor()
    for name in ("a", "b"):
        floor.buy(name, 5, 100)
    for name, left in (("a", 5), ("b", 0)):
        (done,) = floor.engine.apply(CancelOrder(order_id=name, account="ann"))
        assert isinstance(done, OrderDone)
        assert done.level_size == left
