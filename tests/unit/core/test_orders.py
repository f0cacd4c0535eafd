"""Which orders are taken on, and how each kind of them trades."""

import msgspec
import pytest

from matcher.core import reasons
from tests.unit.core.floor import ACME_USD, Floor, Terms, done, kinds, levels, refused, trades
from venue.events import OrderDone, OrderOpened, OrderReceived, OrderRefused, Traded
from venue.money import UNITS_MAX
from venue.orders import Side


def test_better_prices_trade_first_and_older_orders_within_a_price() -> None:
    floor = Floor()
    for order_id, price in (("late-best", 99), ("first", 100), ("second", 100)):
        floor.sell(order_id, 1, price)
    assert trades(floor.buy("b", 3, 100)) == [("late-best", 1, 99), ("first", 1, 100), ("second", 1, 100)]
    for order_id, price in (("low", 98), ("high", 99), ("high-2", 99)):
        floor.buy(order_id, 1, price)
    assert trades(floor.sell("s", 3, 98)) == [("high", 1, 99), ("high-2", 1, 99), ("low", 1, 98)]


def test_a_partly_filled_maker_keeps_its_place() -> None:
    floor = Floor()
    floor.sell("A", 10, 100)
    floor.sell("B", 10, 100)
    floor.buy("x", 4, 100)
    assert floor.engine.resting("ACME-USD", 10)[1] == [(100, 6, "A"), (100, 10, "B")]
    assert trades(floor.buy("y", 7, 100)) == [("A", 6, 100), ("B", 1, 100)]


def test_the_events_of_one_order_come_in_the_order_of_what_happened() -> None:
    floor = Floor()
    floor.sell("A", 1, 100)
    floor.sell("B", 1, 101)
    events = floor.buy("taker", 5, 101)
    assert kinds(events) == ["received", "match", "done", "match", "done", "open", "level", "level", "level"]
    assert levels(events) == [("sell", 100, 0), ("sell", 101, 0), ("buy", 101, 3)]


def test_a_level_change_tells_the_absolute_size_once_for_many_fills() -> None:
    floor = Floor()
    for number in range(3):
        floor.sell(f"s{number}", 10, 100)
    assert levels(floor.buy("b", 25, 100)) == [("sell", 100, 5)]


def test_sequences_count_received_open_match_and_done_without_a_gap() -> None:
    floor = Floor()
    floor.sell("A", 1, 100)
    floor.buy("bad", 0, 100)
    floor.buy("B", 1, 100)
    floor.cancel("nothing", "ann")
    public = (OrderReceived, OrderOpened, Traded, OrderDone)
    numbers = [event.sequence for event in floor.events if isinstance(event, public)]
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert floor.engine.sequence("ACME-USD") == 6


def test_an_account_that_trades_with_itself_takes_two_numbers() -> None:
    floor = Floor()
    floor.sell("A", 1, 100, account="cat")
    events = floor.buy("B", 1, 100, account="cat")
    (trade,) = [event for event in events if isinstance(event, Traded)]
    assert trade.maker_account_sequence + 1 == trade.taker_account_sequence
    assert floor.wallets["cat", "USD"] == [0, 0]
    assert floor.wallets["cat", "ACME"] == [0, 0]


def test_a_fok_that_can_fill_sweeps_levels_up_to_its_price() -> None:
    floor = Floor()
    for order_id, price in (("A", 100), ("B", 101), ("C", 102)):
        floor.sell(order_id, 10, price)
    assert refused(floor.buy("too-deep", 21, 101, time_in_force="FOK")) == reasons.FOK
    assert trades(floor.buy("fits", 20, 101, time_in_force="FOK")) == [("A", 10, 100), ("B", 10, 101)]


def test_a_market_sell_needs_no_price_and_never_rests() -> None:
    floor = Floor()
    floor.buy("bid", 3, 100)
    floor.buy("low", 3, 1)
    events = floor.sell("m", 10, None, type="market")
    assert trades(events) == [("bid", 3, 100), ("low", 3, 1)]
    assert done(events)[-1] == ("m", "canceled", 4)
    assert floor.held("bob", "sell") == 0


def test_a_market_order_stops_at_its_worst_price() -> None:
    floor = Floor()
    floor.sell("A", 1, 100)
    floor.sell("B", 1, 200)
    assert trades(floor.buy("m", 2, 199, type="market")) == [("A", 1, 100)]
    assert floor.bids == []
    assert floor.asks == [(200, 1, 1)]


def test_a_market_order_into_an_empty_book_is_received_and_cancelled() -> None:
    floor = Floor()
    events = floor.buy("m", 2, 199, type="market")
    assert kinds(events) == ["received", "done"]
    assert done(events) == [("m", "canceled", 2)]


def test_a_fok_market_order_is_all_or_nothing() -> None:
    floor = Floor()
    floor.buy("bid", 3, 100)
    assert refused(floor.sell("m4", 4, None, type="market", time_in_force="FOK")) == reasons.FOK
    assert trades(floor.sell("m3", 3, None, type="market", time_in_force="FOK")) == [("bid", 3, 100)]


def test_funds_buy_as_many_lots_as_they_pay_with_the_fee() -> None:
    floor = Floor()
    floor.sell("A", 10, 100)
    # Nine lots cost 900 and 1% of it; ten would cost 1,010.
    events = floor.buy("f", None, None, type="market", funds=1_009, taker_bps=100)
    assert trades(events) == [("A", 9, 100)]
    order = floor.order("f")
    assert (order.filled, order.executed_value, order.fees, order.done_reason) == (9, 900, 9, "filled")
    assert floor.wallets["ann", "USD"] == [-909, 0]


def test_funds_that_end_exactly_are_spent_to_the_last_unit() -> None:
    floor = Floor()
    floor.sell("A", 10, 100)
    events = floor.buy("f", None, None, type="market", funds=1_010, taker_bps=100)
    assert trades(events) == [("A", 10, 100)]
    assert done(events)[-1] == ("f", "filled", 0)
    assert floor.wallets["ann", "USD"] == [-1_010, 0]


def test_funds_sweep_levels_and_stop_at_the_worst_price() -> None:
    floor = Floor()
    for order_id, price in (("A", 100), ("B", 101), ("C", 150)):
        floor.sell(order_id, 1, price)
    events = floor.buy("f", None, 120, type="market", funds=1_000)
    assert trades(events) == [("A", 1, 100), ("B", 1, 101)]
    assert done(events)[-1] == ("f", "canceled", 0)


def test_funds_that_buy_not_even_one_lot_are_cancelled_and_given_back() -> None:
    floor = Floor()
    floor.sell("A", 1, 100)
    events = floor.buy("f", None, None, type="market", funds=99)
    assert kinds(events) == ["received", "done"]
    assert floor.order("f").done_reason == "canceled"
    assert floor.wallets["ann", "USD"] == [0, 0]


def test_funds_that_run_out_between_two_levels_count_as_filled() -> None:
    floor = Floor()
    floor.sell("A", 1, 100)
    floor.sell("B", 1, 500)
    events = floor.buy("f", None, None, type="market", funds=300)
    assert trades(events) == [("A", 1, 100)]
    assert done(events)[-1] == ("f", "filled", 0)


REFUSED: list[tuple[str, Side, int | None, int | None, Terms]] = [
    (reasons.UNKNOWN_PRODUCT, "buy", 1, 100, {"product_id": "NONE"}),
    (reasons.DEADLINE, "buy", 1, 100, {"deadline": 1}),
    (reasons.BAD_PRICE, "buy", 1, None, {}),
    (reasons.BAD_PRICE, "sell", 1, 0, {}),
    (reasons.BAD_PRICE, "sell", 1, -5, {}),
    (reasons.BAD_PRICE, "sell", 1, 1_000_001, {}),
    (reasons.BAD_PRICE, "sell", 1, 10**40, {}),
    (reasons.BAD_PRICE, "sell", 1, 0, {"type": "market"}),
    (reasons.BAD_PRICE, "sell", 1, -5, {"type": "market"}),
    (reasons.BAD_SIZE, "sell", None, 100, {}),
    (reasons.BAD_SIZE, "sell", None, None, {"type": "market"}),
    (reasons.SIZE_TOO_SMALL, "sell", 0, 100, {}),
    (reasons.SIZE_TOO_SMALL, "sell", -1, 100, {}),
    (reasons.SIZE_TOO_LARGE, "sell", 1_000_001, 100, {}),
    (reasons.SIZE_TOO_LARGE, "sell", 10**40, 100, {}),
    (reasons.BAD_FUNDS, "buy", 1, 100, {"funds": 100}),
    (reasons.BAD_FUNDS, "buy", 1, 100, {"funds": 100, "type": "market"}),
    (reasons.BAD_FUNDS, "buy", None, None, {"funds": 0, "type": "market"}),
    (reasons.BAD_FUNDS, "buy", None, None, {"funds": -1, "type": "market"}),
    (reasons.BAD_FUNDS, "sell", None, None, {"funds": 100, "type": "market"}),
    (reasons.UNBOUNDED, "buy", 1, None, {"type": "market", "hold": 1_000}),
    (reasons.BAD_TIME_IN_FORCE, "buy", 1, 100, {"post_only": True, "time_in_force": "IOC"}),
    (reasons.BAD_TIME_IN_FORCE, "buy", 1, 100, {"post_only": True, "type": "market"}),
    (reasons.BAD_TIME_IN_FORCE, "buy", None, None, {"funds": 100, "type": "market", "time_in_force": "FOK"}),
    (reasons.BAD_RATE, "buy", 1, 100, {"taker_bps": 10_001}),
    (reasons.BAD_RATE, "buy", 1, 100, {"maker_bps": -10_000}),
    (reasons.BAD_RATE, "buy", 1, 100, {"maker_bps": -20_000}),
    (reasons.BAD_RATE, "sell", 1, 100, {"taker_bps": -20_000}),
    (reasons.BAD_RATE, "sell", 1, None, {"type": "market", "maker_bps": -20_000}),
    (reasons.BAD_RATE, "sell", 1, None, {"type": "market", "taker_bps": -20_000}),
    (reasons.BAD_RATE, "buy", None, None, {"funds": 100, "type": "market", "taker_bps": -10_000}),
    (reasons.INSUFFICIENT_HOLD, "buy", 1, 100, {"hold": 99}),
    (reasons.INSUFFICIENT_HOLD, "buy", 1, 100, {"hold": 100, "maker_bps": 1}),
    (reasons.INSUFFICIENT_HOLD, "buy", None, None, {"funds": 100, "type": "market", "hold": 99}),
    (reasons.INSUFFICIENT_HOLD, "sell", 5, 100, {"hold": 4}),
    (reasons.INSUFFICIENT_HOLD, "sell", 5, 100, {"hold": -5}),
    (reasons.TOO_LARGE, "sell", 5, 100, {"hold": UNITS_MAX + 1}),
    (reasons.TOO_LARGE, "buy", None, None, {"funds": UNITS_MAX + 1, "type": "market"}),
]


@pytest.mark.parametrize(("reason", "side", "size", "price", "terms"), REFUSED)
def test_a_refused_order_changes_nothing_but_its_own_record(
    reason: str, side: Side, size: int | None, price: int | None, terms: Terms
) -> None:
    floor = Floor()
    floor.sell("ask", 5, 120, account="cat")
    before = floor.bids, floor.asks, floor.engine.sequence("ACME-USD"), floor.balances()
    place = floor.buy if side == "buy" else floor.sell
    assert refused(place("bad", size, price, **terms)) == reason
    assert (floor.bids, floor.asks, floor.engine.sequence("ACME-USD"), floor.balances()) == before
    order = floor.order("bad")
    assert (order.status, order.reject_reason, order.hold, order.filled) == ("rejected", reason, 0, 0)


def test_a_deadline_that_is_just_met_is_met() -> None:
    floor = Floor()
    assert kinds(floor.buy("b", 1, 100, deadline=floor.at + 1)) == ["received", "open", "level"]


def test_an_order_whose_value_does_not_fit_63_bits_is_refused() -> None:
    floor = Floor()
    events = floor.buy("b", 1_000_000, 1_000_000, hold=UNITS_MAX)
    assert kinds(events) == ["received", "open", "level"]
    large = Floor(msgspec.structs.replace(ACME_USD, lot_units=10**8))
    assert refused(large.buy("b", 1_000_000, 1_000_000, hold=UNITS_MAX)) == reasons.TOO_LARGE


def test_a_hold_is_checked_to_the_last_unit_however_large() -> None:
    # 10^17 at 1 bps: a float would not tell these holds apart.
    product = msgspec.structs.replace(ACME_USD, lot_units=10**5)
    notional, fee = 999_999 * 999_999 * 10**5, 9_999_980_000_010
    for short, kind in ((1, "refused"), (0, "received")):
        floor = Floor(product)
        assert kinds(floor.buy("b", 999_999, 999_999, taker_bps=1, hold=notional + fee - short))[0] == kind


def test_a_deadline_that_is_still_to_come_is_met() -> None:
    floor = Floor()
    assert kinds(floor.buy("b", 1, 100, deadline=floor.at + 100)) == ["received", "open", "level"]


def test_one_unit_is_enough_for_funds() -> None:
    assert kinds(Floor().buy("f", None, None, type="market", funds=1)) == ["received", "done"]


def test_a_refused_order_tells_what_it_asked_for() -> None:
    floor = Floor()
    floor.sell("s", 7, 1_000_001)
    order = floor.order("s")
    assert (order.size, order.price, order.funds, order.filled) == (7, 1_000_001, None, 0)


def test_a_refusal_does_not_repeat_numbers_that_no_journal_can_hold() -> None:
    floor = Floor()
    (event,) = floor.sell("b", 10**40, 10**40, hold=10**40)
    assert isinstance(event, OrderRefused)
    assert (event.size, event.price, event.hold) == (None, None, 0)
    assert floor.order("b").size is None
    (event,) = floor.sell("c", -(10**40), -(10**40))
    assert isinstance(event, OrderRefused)
    assert (event.size, event.price) == (None, None)


def test_every_reason_has_its_meaning() -> None:
    stated = {text for name, text in vars(reasons).items() if name.isupper() and isinstance(text, str)}
    assert stated == set(reasons.MEANING)
