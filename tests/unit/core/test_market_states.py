"""What a market accepts, and its circuit breaker."""

import msgspec
import pytest

from tests.unit.core.floor import ACME_USD, Floor, done, kinds, refused, trades
from venue.commands import CancelProduct, SetStatus
from venue.events import AnyEvent, CancelRefused, StatusChanged, StatusRefused
from venue.products import MarketStatus


def change_of(events: list[AnyEvent]) -> StatusChanged:
    (change,) = [event for event in events if isinstance(event, StatusChanged)]
    return change


@pytest.mark.parametrize(
    ("status", "reason"),
    [("post_only", "post_only_mode"), ("cancel_only", "cancel_only"), ("halted", "halted"), ("limit_only", None)],
)
def test_a_plain_limit_order_in_each_state(status: MarketStatus, reason: str | None) -> None:
    floor = Floor()
    floor.status(status)
    events = floor.buy("b", 1, 100)
    assert kinds(events) == ["received", "open", "level"] if reason is None else refused(events) == reason


def test_post_only_takes_post_only_orders_and_amends_that_do_not_trade() -> None:
    floor = Floor()
    floor.sell("s", 1, 101)
    floor.buy("b", 1, 99)
    floor.status("post_only")
    assert kinds(floor.buy("p", 1, 100, post_only=True)) == ["received", "open", "level"]
    assert refused(floor.buy("q", 1, 101, post_only=True)) == "post_only"
    assert kinds(floor.amend("b", "ann", price=101, hold=2)) == ["amend_refused"]
    assert kinds(floor.amend("b", "ann", price=100, hold=1)) == ["change", "open", "level", "level"]


def test_limit_only_takes_no_market_orders_and_trades() -> None:
    floor = Floor()
    floor.status("limit_only")
    floor.sell("s", 1, 100)
    assert refused(floor.buy("m", 1, 100, type="market")) == "limit_only"
    assert trades(floor.buy("b", 1, 100)) == [("s", 1, 100)]


def test_an_amend_trades_in_limit_only() -> None:
    floor = Floor()
    floor.sell("s", 1, 101)
    floor.buy("b", 1, 99)
    floor.status("limit_only")
    assert trades(floor.amend("b", "ann", price=101, hold=2)) == [("s", 1, 101)]


def test_a_post_only_order_may_be_amended_into_a_crossed_book_while_orders_gather() -> None:
    floor = Floor()
    floor.sell("s", 1, 101)
    floor.buy("b", 1, 99, post_only=True)
    floor.status("auction")
    assert kinds(floor.amend("b", "ann", price=102, hold=3)) == ["change", "open", "level", "level"]


def test_cancels_pass_but_in_a_halt() -> None:
    floor = Floor()
    floor.buy("a", 1, 100)
    floor.buy("b", 1, 100)
    floor.status("cancel_only")
    assert kinds(floor.amend("b", "ann", price=99)) == ["amend_refused"]
    assert done(floor.cancel("a", "ann")) == [("a", "canceled", 1)]
    floor.status("halted")
    (refusal,) = floor.cancel("b", "ann")
    assert isinstance(refusal, CancelRefused)
    assert refusal.reason == "halted"
    assert kinds(floor.amend("b", "ann", price=99)) == ["amend_refused"]
    assert floor.cancel_all("ann") == []
    assert floor.order("b").status == "open"


def test_orders_expire_and_operators_cancel_in_a_halt() -> None:
    floor = Floor()
    floor.buy("b", 1, 100, time_in_force="GTT", expire_at=50)
    floor.buy("c", 1, 100)
    floor.status("halted")
    assert done(floor.expire(50)) == [("b", "expired", 1)]
    assert done(floor.apply(CancelProduct(product_id="ACME-USD"))) == [("c", "canceled", 1)]


def test_all_of_a_product_is_cancelled_oldest_first_so_many_at_a_time() -> None:
    floor = Floor()
    floor.buy("b", 1, 99)
    floor.sell("s", 1, 101)
    floor.sell("stop", 1, 90, stop="loss", stop_price=95)
    assert [name for name, _, _ in done(floor.apply(CancelProduct(product_id="ACME-USD", limit=2)))] == ["b", "s"]
    assert [name for name, _, _ in done(floor.apply(CancelProduct(product_id="ACME-USD", limit=2)))] == ["stop"]
    assert floor.apply(CancelProduct(product_id="ACME-USD")) == []
    assert floor.apply(CancelProduct(product_id="NONE")) == []


def test_a_state_that_is_so_already_says_nothing() -> None:
    floor = Floor()
    assert floor.status("trading") == []
    assert change_of(floor.status("halted")).reason == "command"
    assert floor.status("halted") == []
    assert change_of(floor.status("halted", reference=7)).reference == 7


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (SetStatus(product_id="NONE", status="halted"), "unknown_product"),
        (SetStatus(product_id="ACME-USD", status="trading", until=50), "bad_until"),
        (SetStatus(product_id="ACME-USD", status="halted", until=1), "bad_until"),
        (SetStatus(product_id="ACME-USD", status="halted", until=2), "bad_until"),
        (SetStatus(product_id="ACME-USD", status="halted", reference=-5), "bad_reference"),
        (SetStatus(product_id="ACME-USD", status="halted", reference=0), "bad_reference"),
        (SetStatus(product_id="ACME-USD", status="halted", reference=1_000_001), "bad_reference"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(command: SetStatus, reason: str) -> None:
    (refusal,) = Floor().apply(command)
    assert isinstance(refusal, StatusRefused)
    assert refusal.reason == reason


@pytest.mark.parametrize("price", [1, 1_000_000])
def test_any_price_that_an_order_may_have_can_be_the_reference(price: int) -> None:
    assert change_of(Floor().status("halted", reference=price)).reference == price


def guarded(**rules: int) -> Floor:
    """Reference price 1,000; trades print from 950 to 1,050."""
    floor = Floor(msgspec.structs.replace(ACME_USD, breaker_bps=500, **rules))
    floor.status("trading", reference=1_000)
    for price in (1_000, 1_050, 1_051):
        floor.sell(f"s{price}", 1, price)
    return floor


def test_a_trade_too_far_from_the_reference_halts_the_market_and_cancels_the_rest() -> None:
    floor = guarded(halt_us=100, auction_us=50)
    events = floor.buy("b", 3, 1_100)
    assert trades(events) == [("s1000", 1, 1_000), ("s1050", 1, 1_050)]
    assert done(events)[-1] == ("b", "canceled", 1)
    change = change_of(events)
    assert (change.status, change.reason, change.until) == ("halted", "breaker", floor.at + 100)
    assert floor.held("ann", "buy") == 0
    assert refused(floor.buy("c", 1, 100)) == "halted"


def test_a_halt_turns_into_an_auction_and_that_into_trading_with_a_new_reference() -> None:
    floor = guarded(halt_us=100, auction_us=50)
    floor.buy("b", 3, 1_100)
    halted_at = floor.at
    assert change_of(floor.expire(halted_at + 100)).status == "auction"
    floor.buy("high", 1, 1_051)
    assert change_of(floor.expire(halted_at + 150)).reference == 1_051
    assert floor.asks == []
    assert floor.engine.due is None


def test_without_a_halt_the_breaker_calls_the_auction_at_once_until_somebody_ends_it() -> None:
    floor = guarded()
    change = change_of(floor.buy("b", 3, 1_100))
    assert (change.status, change.until) == ("auction", None)
    assert change_of(floor.status("trading")).reason == "command"


def test_the_breaker_holds_below_the_reference_too() -> None:
    floor = guarded()
    floor.buy("b950", 1, 950)
    floor.buy("b949", 1, 949)
    assert trades(floor.sell("t", 1, 900)) == [("b950", 1, 950)]
    assert change_of(floor.sell("u", 1, 900)).reason == "breaker"


def test_fill_or_kill_and_the_breaker() -> None:
    floor = guarded()
    assert refused(floor.buy("b", 3, 1_100, time_in_force="FOK")) == "fok"
    assert trades(floor.buy("c", 2, 1_100, time_in_force="FOK")) == [("s1000", 1, 1_000), ("s1050", 1, 1_050)]


def test_fill_or_kill_down_to_the_breakers_edge() -> None:
    floor = guarded()
    floor.buy("b950", 1, 950)
    floor.buy("b949", 1, 949)
    assert refused(floor.sell("t", 2, 900, time_in_force="FOK")) == "fok"
    assert trades(floor.sell("u", 1, 900, time_in_force="FOK")) == [("b950", 1, 950)]


def test_the_first_trade_gives_the_reference_price() -> None:
    floor = Floor(msgspec.structs.replace(ACME_USD, breaker_bps=500))
    floor.sell("far", 1, 5_000)
    floor.buy("b", 1, 5_000)
    floor.sell("near", 1, 5_300)
    assert change_of(floor.buy("c", 1, 5_300)).reason == "breaker"


def test_a_limit_beyond_the_collar_is_refused_on_both_sides() -> None:
    floor = Floor(msgspec.structs.replace(ACME_USD, collar_bps=1_000))
    floor.buy("before", 1, 1)
    floor.status("trading", reference=1_000)
    for price, is_refused in ((899, True), (900, False), (1_100, False), (1_101, True)):
        events = floor.buy(f"b{price}", 1, price, post_only=True)
        assert (kinds(events) == ["refused"]) == is_refused


def test_an_order_is_for_at_least_the_least_notional() -> None:
    floor = Floor(msgspec.structs.replace(ACME_USD, notional_min=500))
    assert refused(floor.buy("b", 4, 124)) == "notional_too_small"
    assert kinds(floor.buy("c", 4, 125)) == ["received", "open", "level"]
    assert refused(floor.buy("f", None, None, type="market", funds=499)) == "notional_too_small"
    assert kinds(floor.buy("g", None, None, type="market", funds=500)) == ["received", "done"]


def test_an_account_has_so_many_open_orders_of_a_product_stops_among_them() -> None:
    floor = Floor(msgspec.structs.replace(ACME_USD, orders_max=2))
    floor.buy("a", 1, 100)
    floor.buy("stop", 1, 100, stop="entry", stop_price=200)
    assert refused(floor.buy("b", 1, 100)) == "too_many_orders"
    assert kinds(floor.buy("c", 1, 100, account="cat")) == ["received", "open", "level"]
    floor.cancel("a", "ann")
    assert kinds(floor.buy("d", 1, 100)) == ["received", "open", "level"]
