"""Self-trade prevention, as in Coinbase Exchange: the incoming order's flag rules, and nothing trades."""

import msgspec
import pytest

from tests.unit.core.floor import ACME_USD, Floor, done, kinds, queue, refused, trades
from venue.events import OrderChanged
from venue.orders import SelfTradePrevention


def own_ask(size: int) -> Floor:
    """Ann asks 100 for `size`; cat asks 101 for 5."""
    floor = Floor()
    floor.sell("own", size, 100, account="ann")
    floor.sell("cat", 5, 101, account="cat")
    return floor


def test_without_a_flag_an_account_trades_with_itself() -> None:
    floor = own_ask(3)
    assert trades(floor.buy("b", 3, 100)) == [("own", 3, 100)]


def test_decrement_and_cancel_cancels_the_smaller_resting_order_and_shrinks_the_incoming_one() -> None:
    floor = own_ask(3)
    events = floor.buy("b", 10, 101, stp="dc")
    assert trades(events) == [("cat", 5, 101)]
    assert done(events)[0] == ("own", "canceled", 3)
    (change,) = [event for event in events if isinstance(event, OrderChanged)]
    assert (change.order_id, change.reason, change.old_size, change.size, change.remaining) == ("b", "stp", 10, 7, 7)
    assert change.released == 3 * 101
    assert queue(floor, "buy") == [("b", 2)]
    assert floor.order("b").size == 7
    assert floor.held("ann", "buy") == 2 * 101


def test_decrement_and_cancel_cancels_the_smaller_incoming_order_and_shrinks_the_resting_one() -> None:
    floor = own_ask(10)
    events = floor.buy("b", 4, 101, stp="dc")
    assert trades(events) == []
    assert done(events) == [("b", "canceled", 4)]
    assert queue(floor, "sell") == [("own", 6), ("cat", 5)]
    assert floor.held("ann", "sell") == 6
    assert floor.held("ann", "buy") == 0


def test_decrement_and_cancel_cancels_both_of_equal_size() -> None:
    floor = own_ask(4)
    assert done(floor.buy("b", 4, 101, stp="dc")) == [("own", "canceled", 4), ("b", "canceled", 4)]
    assert queue(floor, "sell") == [("cat", 5)]


def test_cancel_oldest_takes_the_resting_order_out_and_goes_on() -> None:
    floor = own_ask(3)
    events = floor.buy("b", 4, 101, stp="co")
    assert trades(events) == [("cat", 4, 101)]
    assert done(events) == [("own", "canceled", 3), ("b", "filled", 0)]


def test_cancel_newest_takes_the_incoming_order_out() -> None:
    floor = own_ask(3)
    assert done(floor.buy("b", 4, 101, stp="cn")) == [("b", "canceled", 4)]
    assert queue(floor, "sell") == [("own", 3), ("cat", 5)]


def test_cancel_both_takes_both_out() -> None:
    floor = own_ask(3)
    assert done(floor.buy("b", 4, 101, stp="cb")) == [("own", "canceled", 3), ("b", "canceled", 4)]


def test_what_traded_before_the_own_order_stays_traded() -> None:
    floor = Floor()
    floor.sell("cat", 5, 99, account="cat")
    floor.sell("own", 3, 100, account="ann")
    events = floor.buy("b", 9, 100, stp="cn")
    assert trades(events) == [("cat", 5, 99)]
    assert done(events)[-1] == ("b", "canceled", 4)


def test_funds_shrink_as_if_they_had_bought_at_the_makers_price_fee_included() -> None:
    floor = own_ask(3)
    # 3 lots at 100 and 1 % fee are 303 of 1,000; the 697 that are left buy 5 lots at 101 with their fee of 6.
    events = floor.buy("f", None, None, type="market", funds=1_000, taker_bps=100, stp="dc")
    (change,) = [event for event in events if isinstance(event, OrderChanged)]
    assert (change.order_id, change.size, change.released) == ("f", None, 303)
    assert trades(events) == [("cat", 5, 101)]
    assert floor.order("f").funds == 697
    assert floor.wallets["ann", "USD"] == [-511, 0]


def test_funds_shrink_by_the_fee_that_is_still_to_be_paid() -> None:
    floor = Floor()
    floor.sell("first", 2, 100, account="cat")
    floor.sell("own", 3, 100, account="ann")
    floor.sell("last", 9, 100, account="cat")
    # 2 lots cost 200 and 3 of fee. 3 more would have made the fee 7.5, so 8: they take 300 and 5. Of 1,000 are left
    # 695, which buy 6 lots in all, with a fee of 9.
    events = floor.buy("f", None, None, type="market", funds=1_000, taker_bps=150, stp="dc")
    (change,) = [event for event in events if isinstance(event, OrderChanged)]
    assert change.released == 305
    assert trades(events) == [("first", 2, 100), ("last", 4, 100)]
    assert floor.wallets["ann", "USD"] == [-609, 0]


def test_funds_shrink_by_what_a_lot_costs_in_this_market() -> None:
    floor = Floor(msgspec.structs.replace(ACME_USD, tick_units=7))
    floor.sell("own", 3, 100, account="ann")
    events = floor.buy("f", None, None, type="market", funds=10_000, stp="dc")
    (change,) = [event for event in events if isinstance(event, OrderChanged)]
    assert change.released == 3 * 100 * 7


def test_funds_that_buy_less_than_the_own_order_are_cancelled_and_shrink_it() -> None:
    floor = own_ask(10)
    events = floor.buy("f", None, None, type="market", funds=450, stp="dc")
    assert done(events) == [("f", "canceled", 0)]
    assert queue(floor, "sell")[0] == ("own", 6)


def test_an_iceberg_shrinks_by_what_it_hides_first() -> None:
    floor = Floor()
    floor.sell("ice", 10, 100, account="ann", display_size=4)
    floor.buy("b", 7, 100, stp="dc")
    assert queue(floor, "sell") == [("ice", 3)]
    assert floor.order("ice").size == 3


@pytest.mark.parametrize("stp", ["dc", "cn", "cb"])
def test_fill_or_kill_does_not_count_on_what_stands_behind_an_own_order(stp: SelfTradePrevention) -> None:
    floor = own_ask(3)
    assert refused(floor.buy("b", 4, 101, stp=stp, time_in_force="FOK")) == "fok"
    assert queue(floor, "sell") == [("own", 3), ("cat", 5)]


def test_fill_or_kill_that_cancels_the_oldest_fills_past_its_own_orders() -> None:
    floor = own_ask(3)
    assert trades(floor.buy("b", 5, 101, stp="co", time_in_force="FOK")) == [("cat", 5, 101)]
    assert refused(own_ask(3).buy("b", 6, 101, stp="co", time_in_force="FOK")) == "fok"


def test_a_prevented_trade_prints_nothing() -> None:
    floor = own_ask(3)
    assert "match" not in kinds(floor.buy("b", 3, 100, stp="cb"))
    book = floor.engine.book("ACME-USD")
    assert book is not None
    assert book.last_price == 0
