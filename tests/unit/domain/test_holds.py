"""How much an order must hold before it is sent."""

import pytest

from venue.commands import PlaceOrder
from venue.holds import fee_on, hold_for
from venue.products import Asset, Product

PRODUCT = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme", scale=2),
    quote=Asset(id="USD", name="US dollar", scale=4),
    tick_units=50,
    lot_units=10,
)


def test_a_sell_holds_its_size() -> None:
    order = PlaceOrder(order_id="o", account="a", product_id="ACME-USD", side="sell", price=3, size=4, taker_bps=20)
    assert hold_for(order, PRODUCT) == 40


def test_a_sell_without_a_size_holds_nothing() -> None:
    # The core refuses it; what is asked first is how much it would hold.
    order = PlaceOrder(order_id="o", account="a", product_id="ACME-USD", side="sell", type="market")
    assert hold_for(order, PRODUCT) == 0


def test_a_buy_holds_its_cost_and_the_dearer_fee_rounded_up() -> None:
    # 4 lots at 3 ticks of 5 minor units: 60, and 0.12 of fee
    order = PlaceOrder(
        order_id="o", account="a", product_id="ACME-USD", side="buy", price=3, size=4, maker_bps=10, taker_bps=20
    )
    assert hold_for(order, PRODUCT) == 61


def test_a_makers_rebate_does_not_make_a_hold_smaller() -> None:
    order = PlaceOrder(order_id="o", account="a", product_id="ACME-USD", side="buy", price=3, size=4, maker_bps=-10)
    assert hold_for(order, PRODUCT) == 60


def test_two_rebates_do_not_make_a_hold_smaller() -> None:
    # 100,000 lots at 3 ticks of 5 minor units: one basis point of 1,500,000 is 150.
    order = PlaceOrder(
        order_id="o", account="a", product_id="ACME-USD", side="buy", price=3, size=100_000, maker_bps=-1, taker_bps=-1
    )
    assert hold_for(order, PRODUCT) == 1_500_000


def test_a_buy_by_funds_holds_the_funds() -> None:
    order = PlaceOrder(
        order_id="o", account="a", product_id="ACME-USD", side="buy", type="market", funds=999, taker_bps=20
    )
    assert hold_for(order, PRODUCT) == 999


def test_a_buy_by_size_without_a_price_has_no_bound() -> None:
    order = PlaceOrder(order_id="o", account="a", product_id="ACME-USD", side="buy", type="market", size=4)
    with pytest.raises(ValueError, match="needs a price"):
        hold_for(order, PRODUCT)


@pytest.mark.parametrize(("weighted", "fee"), [(0, 0), (1, 1), (10_000, 1), (10_001, 2), (-1, 0), (-10_000, -1)])
def test_a_fee_is_rounded_up_against_its_payer(weighted: int, fee: int) -> None:
    assert fee_on(weighted) == fee
