"""Where a rule begins and ends, to the unit: the last number that is taken and the first that is not."""

import msgspec
import pytest

from matcher.core import reasons, state
from matcher.core.admission import SLICES_MAX
from matcher.core.engine import DONE_MAX, Engine
from matcher.core.stops import AWAKE_MAX
from matcher.core.trade import MAKERS_MAX
from matcher.core.withdrawals import EXPIRED_MAX
from tests.unit.core.floor import ACME_USD, Floor, kinds, queue, refused, trades
from venue.commands import Deposit
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


def test_a_saved_trade_with_more_columns_than_named_is_not_read() -> None:
    floor = Floor()
    floor.sell("s", 1, 100)
    floor.buy("b", 1, 100)
    saved = floor.engine.state()
    longer = msgspec.structs.replace(saved, trades=[[*trade, 0] for trade in saved.trades])
    with pytest.raises(ValueError, match="longer"):
        Engine.restore(state.encode(longer))


def test_the_limits_that_a_replay_has_to_repeat_are_what_they_were() -> None:
    # Old commands must keep giving the events that they gave.
    assert (AWAKE_MAX, EXPIRED_MAX, SLICES_MAX, DONE_MAX, MAKERS_MAX) == (100, 1_000, 100, 100_000, 1_000)
