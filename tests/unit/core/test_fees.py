"""Fees and holds: who pays what, and what a hold gives back when."""

import pytest

from tests.unit.core.floor import Floor
from venue.events import AnyEvent, OrderDone, Traded
from venue.holds import fee_on
from venue.ledger import FEES


def the_trade(events: list[AnyEvent]) -> Traded:
    (trade,) = [event for event in events if isinstance(event, Traded)]
    return trade


def released(events: list[AnyEvent], order_id: str) -> int:
    (done,) = [event for event in events if isinstance(event, OrderDone) and event.order_id == order_id]
    return done.released


def test_maker_and_taker_pay_their_own_rates_in_the_quote_asset() -> None:
    floor = Floor()
    floor.sell("s", 10, 1_000, maker_bps=10, taker_bps=20)
    trade = the_trade(floor.buy("b", 10, 1_000, maker_bps=10, taker_bps=20))
    assert (trade.maker_fee, trade.taker_fee) == (10, 20)
    assert floor.balances() == {
        ("ann", "USD"): (-10_020, 0),
        ("ann", "ACME"): (10, 0),
        ("bob", "USD"): (9_990, 0),
        ("bob", "ACME"): (-10, 0),
        (FEES, "USD"): (30, 0),
    }


def test_a_buyer_that_trades_at_a_better_price_gets_the_difference_back_at_once() -> None:
    floor = Floor()
    floor.sell("s", 4, 90)
    trade = the_trade(floor.buy("b", 10, 100, taker_bps=100))
    # Held 1,000 + 10. Paid 360 + 4. What remains needs 600 at its limit, and 1% of 360 + 600 less the 4 paid.
    assert trade.taker_fee == 4
    assert floor.order("b").hold == floor.held("ann", "buy") == 600 + 10 - 4
    assert trade.taker_released == 1_010 - 364 - 606


def test_a_buyer_that_turns_out_a_maker_gets_the_dearer_rate_back() -> None:
    floor = Floor()
    floor.buy("b", 10, 1_000, maker_bps=10, taker_bps=20)
    assert floor.order("b").hold == 10_020
    trade = the_trade(floor.sell("s", 10, 1_000))
    assert (trade.maker_fee, trade.maker_released) == (10, 10)
    assert floor.held("ann", "buy") == 0


def test_many_small_fills_cost_no_more_than_one_large_one() -> None:
    floor = Floor()
    floor.buy("b", 100, 3, maker_bps=7, taker_bps=7)
    for number in range(100):
        floor.sell(f"s{number}", 1, 3)
    order = floor.order("b")
    assert (order.filled, order.executed_value, order.hold) == (100, 300, 0)
    assert order.fees == fee_on(300 * 7) == 1
    assert floor.wallets["ann", "USD"] == [-301, 0]


def test_a_hold_is_exactly_what_the_remainder_needs_after_every_fill() -> None:
    floor = Floor()
    floor.buy("b", 50, 101, maker_bps=13, taker_bps=37)
    weighted = 0
    for number, size in enumerate((1, 7, 3, 20)):
        floor.sell(f"s{number}", size, 50)
        weighted += size * 101 * 13
        order = floor.order("b")
        remaining = (50 - order.filled) * 101
        assert order.hold == remaining + fee_on(weighted + remaining * 37) - fee_on(weighted)
        assert order.hold == floor.held("ann", "buy")


def test_a_surplus_in_a_buys_hold_goes_back_with_its_first_fill() -> None:
    floor = Floor()
    floor.buy("b", 10, 100, hold=1_500)
    assert floor.order("b").hold == 1_500
    assert the_trade(floor.sell("s", 1, 100)).maker_released == 500
    assert floor.order("b").hold == 900


def test_a_surplus_in_a_sells_hold_goes_back_when_it_is_done() -> None:
    floor = Floor()
    floor.sell("s", 10, 100, hold=15)
    assert the_trade(floor.buy("b", 4, 100)).maker_released == 0
    assert floor.order("s").hold == 11
    assert released(floor.buy("c", 6, 100), "s") == 5
    assert floor.held("bob", "sell") == 0


def test_a_surplus_of_an_order_without_fills_goes_back_with_its_cancel() -> None:
    floor = Floor()
    floor.buy("b", 10, 100, hold=1_500)
    assert released(floor.cancel("b", "ann"), "b") == 1_500


def test_the_rest_of_an_ioc_gives_its_hold_back() -> None:
    floor = Floor()
    floor.sell("s", 4, 100)
    events = floor.buy("b", 10, 100, time_in_force="IOC", taker_bps=50)
    # Of the 1,000 + 5 held, 400 + 2 were paid.
    assert released(events, "b") == 603
    assert floor.held("ann", "buy") == 0


def test_a_buy_by_funds_keeps_the_rest_until_it_is_done() -> None:
    floor = Floor()
    floor.sell("s", 3, 100)
    events = floor.buy("f", None, None, type="market", funds=350, hold=400, taker_bps=10)
    assert the_trade(events).taker_released == 0
    assert released(events, "f") == 400 - 300 - 1
    assert floor.held("ann", "buy") == 0


def test_a_sellers_fee_comes_out_of_what_it_is_paid() -> None:
    floor = Floor()
    floor.buy("b", 1, 1)
    floor.sell("s", 1, 1, taker_bps=1)
    # One unit paid, one unit of fee: rounded up against the payer, and never below nothing.
    assert floor.wallets["bob", "USD"] == [0, 0]


def test_a_makers_rebate_is_paid_by_the_venue() -> None:
    floor = Floor()
    floor.buy("b", 10, 1_000, maker_bps=-10, taker_bps=20)
    trade = the_trade(floor.sell("s", 10, 1_000, taker_bps=20))
    assert (trade.maker_fee, trade.taker_fee) == (-10, 20)
    assert floor.wallets["ann", "USD"] == [-9_990, 0]
    assert floor.wallets[FEES, "USD"] == [10, 0]


@pytest.mark.parametrize("funds", range(1, 400))
def test_funds_are_never_overspent_and_never_leave_a_lot_unbought(funds: int) -> None:
    floor = Floor()
    floor.sell("s", 1_000, 3)
    floor.buy("f", None, None, type="market", funds=funds, taker_bps=137)
    order = floor.order("f")
    assert order.executed_value + order.fees <= funds
    one_more = order.executed_value + 3
    assert one_more + fee_on(one_more * 137) > funds
