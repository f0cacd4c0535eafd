"""What was seen before, and what the engine remembers."""

import msgspec
import pytest

from matcher.core.engine import Engine
from tests.unit.core.floor import ACME_USD, Floor, kinds
from venue.commands import Deposit, ListProduct
from venue.events import DepositRefused, ListingRefused
from venue.money import UNITS_MAX
from venue.orders import Fill


def test_a_repeated_order_changes_nothing_and_can_be_asked_for() -> None:
    floor = Floor()
    floor.sell("s", 5, 100)
    floor.buy("b", 2, 100)
    digest = floor.engine.digest()
    assert floor.buy("b", 2, 100) == []
    assert floor.sell("s", 99, 1, account="eve") == []
    assert floor.engine.digest() == digest
    assert floor.order("b").filled == 2
    assert floor.order("s").account == "bob"


def test_a_refused_order_id_is_taken_as_well() -> None:
    floor = Floor()
    floor.buy("b", 0, 100)
    assert floor.buy("b", 1, 100) == []
    assert floor.order("b").reject_reason == "size_too_small"


# Whichever of the two ids comes first in the alphabet.
@pytest.mark.parametrize(("maker", "taker"), [("s", "b"), ("b", "s")])
def test_an_orders_fills_are_its_own_side_of_each_trade(maker: str, taker: str) -> None:
    floor = Floor()
    floor.sell(maker, 5, 100, maker_bps=100)
    floor.buy(taker, 2, 100, taker_bps=200)
    common = {"trade_id": 1, "product_id": "ACME-USD", "price": 100, "size": 2, "at": floor.at}
    made = {"order_id": maker, "account": "bob", "side": "sell", "liquidity": "M", "fee": 2}
    took = {"order_id": taker, "account": "ann", "side": "buy", "liquidity": "T", "fee": 4}
    assert floor.engine.fills(maker) == [msgspec.convert({**made, **common}, Fill)]
    assert floor.engine.fills(taker) == [msgspec.convert({**took, **common}, Fill)]
    assert floor.engine.fills("none") == []


def test_orders_done_long_ago_are_known_by_id_only() -> None:
    floor = Floor(done_max=2)
    for order_id in ("a", "b", "c"):
        floor.buy(order_id, 1, 100)
    for order_id in ("b", "a", "c"):
        floor.cancel(order_id, "ann")
    assert floor.engine.order("b") is None
    assert floor.engine.fills("b") == []
    assert floor.order("a").status == floor.order("c").status == "done"
    assert floor.buy("b", 1, 100) == []
    assert kinds(floor.cancel("b", "ann")) == ["cancel_refused"]


def test_orders_that_are_done_as_soon_as_they_come_are_known_as_long() -> None:
    floor = Floor(done_max=2)
    for order_id in ("a", "b", "c"):
        floor.buy(order_id, 1, 100, time_in_force="IOC")
    assert floor.engine.order("a") is None
    assert floor.order("b").status == floor.order("c").status == "done"


def test_a_resting_order_is_known_however_many_are_done_since() -> None:
    floor = Floor(done_max=1)
    floor.buy("old", 1, 50)
    for number in range(5):
        floor.buy(f"b{number}", 1, 100, time_in_force="IOC")
    assert floor.order("old").status == "open"


def test_a_deposit_counts_once() -> None:
    floor = Floor()
    deposit = Deposit(transfer_id="t", account="ann", asset="USD", amount=5)
    assert kinds(floor.apply(deposit)) == ["deposited"]
    assert floor.apply(deposit) == []
    assert floor.apply(msgspec.structs.replace(deposit, account="eve", amount=7)) == []
    assert floor.wallets["ann", "USD"] == [5, 0]


@pytest.mark.parametrize("amount", [0, -1, UNITS_MAX + 1])
def test_a_deposit_of_no_amount_is_refused_and_its_id_stays_free(amount: int) -> None:
    floor = Floor()
    deposit = Deposit(transfer_id="t", account="ann", asset="USD", amount=amount)
    (refusal,) = floor.apply(deposit)
    assert isinstance(refusal, DepositRefused)
    assert refusal.reason == "bad_amount"
    assert kinds(floor.apply(msgspec.structs.replace(deposit, amount=1))) == ["deposited"]


def test_a_product_is_listed_once_and_changes_only_by_new_rules() -> None:
    floor = Floor()
    assert floor.apply(ListProduct(product=ACME_USD)) == []
    wider = msgspec.structs.replace(ACME_USD, size_max=2_000_000, taker_bps=30)
    assert kinds(floor.apply(ListProduct(product=wider))) == ["listed"]
    assert floor.engine.product("ACME-USD") == wider
    assert dict(floor.engine.products) == {"ACME-USD": wider}
    assert kinds(floor.buy("b", 1_500_000, 100)) == ["received", "open", "level"]


@pytest.mark.parametrize("change", [{"tick_units": 2}, {"lot_units": 2}, {"quote": ACME_USD.base}])
def test_a_listed_product_keeps_its_grid(change: dict[str, object]) -> None:
    floor = Floor()
    (refusal,) = floor.apply(ListProduct(product=msgspec.structs.replace(ACME_USD, **change)))
    assert isinstance(refusal, ListingRefused)
    assert refusal.reason == "grid_changed"
    assert floor.engine.product("ACME-USD") == ACME_USD


def test_a_product_of_another_shard_is_refused() -> None:
    (refusal,) = Engine(shard=1).apply(ListProduct(product=ACME_USD))
    assert isinstance(refusal, ListingRefused)
    assert refusal.reason == "wrong_shard"


def test_questions_about_an_unknown_product_have_empty_answers() -> None:
    engine = Engine()
    assert engine.product("NONE") is None
    assert engine.sequence("NONE") == 0
    assert engine.depth("NONE", 5) == ([], [])
    assert engine.resting("NONE", 5) == ([], [])


def test_an_order_view_tells_all_that_the_command_said() -> None:
    floor = Floor()
    floor.buy("b", 7, 100, post_only=True, client_oid="mine", maker_bps=5)
    order = floor.order("b")
    said = (order.type, order.time_in_force, order.post_only, order.client_oid, order.price, order.size)
    assert said == ("limit", "GTC", True, "mine", 100, 7)
    assert (order.status, order.created_at, order.done_at, order.hold) == ("open", floor.at, None, 701)


def test_what_comes_in_of_an_asset_fits_63_bits_in_all() -> None:
    floor = Floor()

    def deposited(transfer_id: str, asset: str, amount: int) -> bool:
        deposit = Deposit(transfer_id=transfer_id, account=transfer_id, asset=asset, amount=amount)
        return kinds(floor.apply(deposit)) == ["deposited"]

    assert deposited("1", "USD", UNITS_MAX - 1)
    floor.engine = Engine.restore(floor.engine.save())
    assert not deposited("2", "USD", 2)
    assert deposited("2", "USD", 1)
    assert deposited("3", "EUR", UNITS_MAX)
