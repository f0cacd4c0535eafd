"""Where a rule begins and ends, to the unit: the last number that is taken and the first that is not."""

import msgspec
import pytest

from matcher.core import reasons, state
from matcher.core.admission import SLICES_MAX
from matcher.core.engine import DONE_MAX, Engine
from matcher.core.stops import AWAKE_MAX
from matcher.core.trade import MAKERS_MAX
from matcher.core.withdrawals import EXPIRED_MAX
from tests.unit.core.floor import ACME_USD, Floor, done, kinds, queue, refused, trades
from venue.commands import CancelAll, CancelAllAfter, Deposit, ListProduct, SetStatus
from venue.events import AmendRefused, AnyEvent, AuctionIndicated, Deposited, OrderRefused, StatusChanged
from venue.money import UNITS_MAX

RESTS = ["received", "open", "level"]
LARGE = msgspec.structs.replace(ACME_USD, size_max=UNITS_MAX, price_max=UNITS_MAX)


def refused_amend(events: list[AnyEvent]) -> str:
    (refusal,) = events
    assert isinstance(refusal, AmendRefused)
    return refusal.reason


def test_a_hold_may_be_as_large_as_an_amount_can_be_and_no_larger() -> None:
    floor = Floor(LARGE)
    assert refused(floor.sell("short", UNITS_MAX, 1, hold=UNITS_MAX - 1)) == reasons.INSUFFICIENT_HOLD
    assert kinds(floor.sell("most", UNITS_MAX, 1)) == RESTS
    assert kinds(floor.buy("surplus", 1, 1, account="cat", stop="entry", stop_price=9, hold=UNITS_MAX)) == ["stop"]
    assert refused(floor.buy("more", 2, UNITS_MAX // 2 + 1, hold=UNITS_MAX)) == reasons.TOO_LARGE


def test_an_amend_may_need_as_much_as_an_amount_can_be_and_no_more() -> None:
    floor = Floor(LARGE)
    floor.buy("b", 1, 1)
    assert refused_amend(floor.amend("b", "ann", price=2, hold=UNITS_MAX + 1)) == reasons.TOO_LARGE
    assert kinds(floor.amend("b", "ann", price=2, hold=UNITS_MAX))[0] == "change"
    assert kinds(floor.amend("b", "ann", price=UNITS_MAX, hold=UNITS_MAX))[0] == "change"
    assert refused_amend(floor.amend("b", "ann", size=2, hold=UNITS_MAX)) == reasons.TOO_LARGE


def test_a_price_below_zero_is_none_for_a_stop_and_for_an_amend() -> None:
    floor = Floor()
    assert refused(floor.buy("stop", 1, 100, stop="loss", stop_price=-5)) == reasons.BAD_STOP
    floor.buy("b", 1, 100)
    assert refused_amend(floor.amend("b", "ann", price=-5)) == reasons.BAD_PRICE


def test_a_price_of_one_tick_is_a_price() -> None:
    floor = Floor()
    assert kinds(floor.buy("b", 1, 1)) == RESTS
    floor.buy("c", 1, 2)
    assert kinds(floor.amend("c", "ann", price=1))[0] == "change"
    assert kinds(floor.buy("stop", 1, 1, stop="loss", stop_price=1)) == ["stop"]


def test_an_iceberg_may_grow_to_a_hundred_times_what_it_shows() -> None:
    floor = Floor()
    floor.sell("ice", 10, 100, display_size=5)
    assert kinds(floor.amend("ice", "bob", size=500, hold=490))[0] == "change"
    assert refused_amend(floor.amend("ice", "bob", size=501, hold=1)) == reasons.BAD_DISPLAY


@pytest.mark.parametrize(("amount", "taken"), [(1, True), (UNITS_MAX, True), (UNITS_MAX + 1, False)])
def test_a_deposit_is_of_one_unit_at_least_and_of_63_bits_at_most(amount: int, *, taken: bool) -> None:
    (event,) = Floor().apply(Deposit(transfer_id="t", account="ann", asset="USD", amount=amount))
    assert isinstance(event, Deposited) == taken


@pytest.mark.parametrize("number", [UNITS_MAX, -UNITS_MAX])
def test_a_refusal_repeats_the_largest_numbers_that_a_journal_can_hold(number: int) -> None:
    floor = Floor()
    (event,) = floor.sell("s", number, number)
    assert isinstance(event, OrderRefused)
    assert (event.size, event.price) == (number, number)


def test_a_hold_below_zero_is_refused_and_gives_nothing_back() -> None:
    (event,) = Floor().sell("s", 1, 100, hold=-5)
    assert isinstance(event, OrderRefused)
    assert (event.reason, event.hold) == (reasons.INSUFFICIENT_HOLD, 0)


def test_the_breakers_edges_are_whole_ticks_however_high_the_price() -> None:
    # A float would be off by hundreds of ticks at such a price.
    reference = 2**60 + 1
    width = reference // 10_000
    for price, prints in ((reference + width, True), (reference + width + 1, False)):
        floor = Floor(msgspec.structs.replace(LARGE, breaker_bps=1))
        floor.status("trading", reference=reference)
        floor.sell("s", 1, price)
        events = floor.buy("b", 1, price)
        assert (trades(events) == [("s", 1, price)]) == prints
        assert any(isinstance(event, StatusChanged) for event in events) != prints


def test_the_middle_between_two_prices_is_a_tick() -> None:
    floor = Floor()
    floor.status("auction")
    floor.buy("b", 10, 105)
    floor.sell("s", 10, 100)
    (told,) = floor.expire(floor.at + 1)
    assert isinstance(told, AuctionIndicated)
    assert (told.price, type(told.price)) == (102, int)


def test_as_many_levels_and_orders_are_told_as_were_asked_for() -> None:
    floor = Floor()
    for number in range(3):
        floor.buy(f"b{number}", 1, 100 - number)
    assert queue(floor, "buy") == [("b0", 1), ("b1", 1), ("b2", 1)]
    for limit in (0, 2):
        assert [len(side) for side in floor.engine.depth("ACME-USD", limit)] == [limit, 0]
        assert [len(side) for side in floor.engine.resting("ACME-USD", limit)] == [limit, 0]


def test_a_saved_row_with_more_columns_than_named_is_not_read() -> None:
    floor = Floor()
    floor.sell("s", 1, 100)
    floor.buy("b", 1, 100)
    saved = floor.engine.state()
    orders = [msgspec.structs.replace(order, command=[*order.command, 0]) for order in saved.orders]
    longer = {"trades": [[*trade, 0] for trade in saved.trades], "orders": orders}
    for name, rows in longer.items():
        with pytest.raises(ValueError, match="longer"):
            Engine.restore(state.encode(msgspec.structs.replace(saved, **{name: rows})))


def test_a_sell_at_one_tick_is_a_sell() -> None:
    floor = Floor()
    floor.sell("s", 1, 1)
    assert (floor.bids, floor.asks) == ([], [(1, 1, 1)])
    floor.buy("m", 1, 1, type="market")
    assert trades(floor.events) == [("s", 1, 1)]


@pytest.mark.parametrize("display_size", [None, 1])
def test_a_deadline_may_be_as_far_as_a_time_can_be(display_size: int | None) -> None:
    floor = Floor()
    assert kinds(floor.buy("b", 2, 100, display_size=display_size, deadline=UNITS_MAX)) == RESTS
    late = floor.buy("c", 2, 100, display_size=display_size, deadline=UNITS_MAX + 1)
    assert refused(late) == reasons.DEADLINE


def test_an_order_is_refused_where_an_account_has_more_than_it_may_by_now() -> None:
    floor = Floor()
    for number in range(3):
        floor.buy(f"b{number}", 1, 100)
    floor.apply(ListProduct(product=msgspec.structs.replace(ACME_USD, orders_max=2)))
    assert refused(floor.buy("more", 1, 100)) == reasons.TOO_MANY_ORDERS


def test_an_amend_to_less_than_what_is_filled_is_refused() -> None:
    floor = Floor()
    floor.buy("b", 5, 100)
    floor.sell("s", 3, 100)
    assert [refused_amend(floor.amend("b", "ann", size=size)) for size in (2, 3)] == [reasons.SIZE_TOO_SMALL] * 2


def test_two_rebates_lower_no_hold() -> None:
    floor = Floor()
    events = floor.buy("b", 1, 100_000, hold=99_999, maker_bps=-5_000, taker_bps=-5_000)
    assert refused(events) == reasons.INSUFFICIENT_HOLD


def test_a_rate_of_one_basis_point_is_held() -> None:
    floor = Floor()
    floor.buy("b", 2, 100_000, maker_bps=1, taker_bps=1)
    floor.sell("s", 1, 100_000)
    assert floor.held("ann", "buy") == 100_000 + 10


def test_funds_that_buy_nothing_in_an_empty_book_are_not_filled() -> None:
    floor = Floor()
    events = floor.buy("f", None, None, type="market", funds=1, hold=1, taker_bps=10_000)
    assert done(events) == [("f", "canceled", 0)]


def test_fill_or_kill_counts_an_icebergs_lots_once() -> None:
    floor = Floor()
    floor.sell("ice", 10, 100, display_size=4)
    assert refused(floor.buy("b", 11, 100, time_in_force="FOK")) == reasons.FOK
    assert done(floor.buy("c", 10, 100, time_in_force="FOK"))[-1] == ("c", "filled", 0)


def test_no_order_is_cancelled_where_none_may_be() -> None:
    floor = Floor()
    floor.buy("b", 1, 100)
    assert floor.apply(CancelAll(account="ann", limit=0)) == floor.apply(CancelAll(account="ann", limit=-1)) == []


@pytest.mark.parametrize(("amount", "kept"), [(UNITS_MAX, True), (-UNITS_MAX, True), (-UNITS_MAX - 1, False)])
def test_a_refusal_repeats_no_number_beyond_63_bits(amount: int, kept: bool) -> None:  # noqa: FBT001
    (event,) = Floor(LARGE).buy("b", 1, amount, hold=0)
    assert isinstance(event, OrderRefused)
    assert event.order.price == (amount if kept else None)


def test_stop_orders_in_line_are_due_only_where_the_market_trades() -> None:
    floor = Floor()
    floor.sell("s", 1, 100)
    floor.buy("b", 1, 100)
    floor.status("auction")
    floor.buy("stop", 1, 100, stop="entry", stop_price=100, account="cat")
    assert (floor.engine.due, floor.order("stop").status) == (None, "active")
    floor.status("trading")
    assert (floor.engine.due, floor.order("stop").status) == (None, "open")


def test_the_earliest_of_all_is_due_also_in_a_restored_engine() -> None:
    floor = Floor()
    floor.buy("timed", 1, 100, time_in_force="GTT", expire_at=70)
    floor.status("halted", until=80)
    assert floor.engine.due == 70
    floor.apply(SetStatus(product_id=ACME_USD.id, status="halted", until=60))
    assert floor.engine.due == 60
    floor.apply(CancelAllAfter(account="ann", timeout=20))
    assert floor.engine.due == floor.at + 20
    floor.status("halted", until=60)
    floor.apply(CancelAllAfter(account="ann", timeout=10_000))
    assert (floor.engine.due, Engine.restore(floor.engine.save()).due) == (60, 60)
    floor.status("trading")
    assert floor.engine.due == 70
    floor.cancel("timed", "ann")
    floor.buy("late", 1, 100, time_in_force="GTT", expire_at=10**9)
    assert floor.engine.due == floor.engine.state().switches[0][1]


def test_the_limits_that_a_replay_has_to_repeat_are_what_they_were() -> None:
    # Old commands must keep giving the events that they gave.
    assert (AWAKE_MAX, EXPIRED_MAX, SLICES_MAX, DONE_MAX, MAKERS_MAX) == (100, 1_000, 100, 100_000, 1_000)
