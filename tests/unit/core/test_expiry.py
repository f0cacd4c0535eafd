"""Orders that are good until a time."""

import msgspec
import pytest

from matcher.core.withdrawals import EXPIRED_MAX
from tests.unit.core.floor import ACME_USD, Floor, done, levels, refused, trades
from venue.commands import Expire, ListProduct
from venue.money import UNITS_MAX


def gtt(floor: Floor, name: str, expire_at: int, price: int = 100) -> None:
    floor.buy(name, 1, price, time_in_force="GTT", expire_at=expire_at)


def test_an_order_expires_when_its_time_has_come_and_not_before() -> None:
    floor = Floor()
    gtt(floor, "b", 50)
    assert floor.engine.due == 50
    assert floor.expire(49) == []
    events = floor.expire(50)
    assert done(events) == [("b", "expired", 1)]
    assert levels(events) == [("buy", 100, 0)]
    assert floor.order("b").done_reason == "expired"
    assert floor.held("ann", "buy") == 0
    assert floor.engine.due is None


def test_the_earliest_expire_first_and_of_one_time_the_oldest() -> None:
    floor = Floor()
    for name, expire_at in (("a", 60), ("b", 50), ("c", 60), ("d", 90)):
        gtt(floor, name, expire_at)
    assert [name for name, _, _ in done(floor.expire(60))] == ["b", "a", "c"]


def test_an_order_is_good_until_an_expire_says_otherwise() -> None:
    floor = Floor()
    gtt(floor, "b", 50)
    floor.at = 70
    assert trades(floor.sell("s", 1, 100)) == [("b", 1, 100)]


def test_a_waiting_stop_order_expires_too() -> None:
    floor = Floor()
    floor.buy("b", 1, 100, time_in_force="GTT", expire_at=50, stop="entry", stop_price=90)
    assert done(floor.expire(50)) == [("b", "expired", 1)]


def test_orders_that_are_done_do_not_expire() -> None:
    floor = Floor()
    gtt(floor, "cancelled", 50)
    gtt(floor, "filled", 50, price=101)
    floor.cancel("cancelled", "ann")
    floor.sell("s", 1, 101)
    assert floor.engine.due is None
    assert floor.expire(50) == []


def test_many_cancelled_orders_leave_nothing_behind() -> None:
    floor = Floor()
    gtt(floor, "stays", 10**9)
    for number in range(500):
        gtt(floor, f"b{number}", 10**8)
        floor.cancel(f"b{number}", "ann")
    assert floor.engine.due == 10**9
    assert done(floor.expire(10**9)) == [("stays", "expired", 1)]


def test_what_is_remembered_of_times_does_not_grow_with_the_orders_that_are_done() -> None:
    floor = Floor()
    for number in range(100):
        floor.buy(f"stays{number}", 1, 100, account="cat", time_in_force="GTT", expire_at=10**7)
    for number in range(201):
        gtt(floor, f"first{number}", 10**8)
    floor.cancel_all("ann")
    remembered = []
    for number in range(200):
        gtt(floor, f"one{number}", 10**8)
        floor.cancel(f"one{number}", "ann")
        gtt(floor, f"other{number}", 10**8)
        floor.cancel_all("ann")
        remembered.append(len(floor.engine._register._timed))
    assert max(remembered) < 3 * 100


def test_one_expire_takes_so_many_and_the_next_the_others() -> None:
    floor = Floor()
    for number in range(EXPIRED_MAX + 1):
        gtt(floor, f"b{number}", 10_000)
    assert len(done(floor.expire(10_000))) == EXPIRED_MAX
    assert floor.engine.due == 10_000
    assert len(done(floor.expire(10_000))) == 1


def test_orders_of_several_products_expire_in_one_command() -> None:
    floor = Floor()
    floor.apply(ListProduct(product=msgspec.structs.replace(ACME_USD, id="ZINC-USD")))
    floor.buy("z", 1, 100, product_id="ZINC-USD", time_in_force="GTT", expire_at=50)
    gtt(floor, "a", 51)
    events = floor.expire(51)
    assert done(events) == [("z", "expired", 1), ("a", "expired", 1)]
    assert [event.product_id for event in events[2:]] == ["ZINC-USD", "ACME-USD"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "terms",
    [
        {"time_in_force": "GTT"},
        {"expire_at": 50},
        {"time_in_force": "IOC", "expire_at": 50},
        {"time_in_force": "GTT", "expire_at": 1},
        {"time_in_force": "GTT", "expire_at": 2},
        {"time_in_force": "GTT", "expire_at": 10**20},
    ],
)
def test_a_time_that_is_past_missing_or_out_of_place_is_refused(terms: dict[str, object]) -> None:
    assert refused(Floor().buy("b", 1, 100, **terms)) == "bad_expiry"  # type: ignore[arg-type]


def test_a_time_may_be_as_far_away_as_a_number_can_tell() -> None:
    floor = Floor()
    gtt(floor, "b", UNITS_MAX)
    assert floor.engine.due == UNITS_MAX


def test_a_post_only_order_may_have_a_time() -> None:
    floor = Floor()
    floor.buy("b", 1, 100, post_only=True, time_in_force="GTT", expire_at=50)
    assert floor.order("b").expire_at == 50
    assert floor.apply(Expire()) == []
