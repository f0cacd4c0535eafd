"""Auctions: orders gather, and trade at one price. The examples are worked by hand."""

import pytest

from tests.unit.core.floor import Floor, done, kinds, levels, queue, refused, trades
from venue.events import AuctionIndicated, StatusChanged, Traded


def gathering(bids: list[tuple[str, int, int]], asks: list[tuple[str, int, int]], reference: int | None) -> Floor:
    """An auction with these orders: (name, lots, ticks)."""
    floor = Floor()
    floor.status("auction", reference=reference)
    for name, size, price in bids:
        floor.buy(name, size, price)
    for name, size, price in asks:
        floor.sell(name, size, price)
    return floor


def indicated(floor: Floor) -> tuple[int | None, int, int]:
    (event,) = floor.expire(floor.at + 1)
    assert isinstance(event, AuctionIndicated)
    return event.price, event.volume, event.surplus


def test_the_price_is_the_one_at_which_most_trades() -> None:
    # At 100: bids of 10 + 5 meet asks of 8 + 6 = 14. At 101: 10 meet 14. At 99: 15 meet 8.
    floor = gathering([("A", 10, 101), ("B", 5, 100)], [("C", 8, 99), ("D", 6, 100)], 50)
    assert indicated(floor) == (100, 14, 1)
    events = floor.status("trading")
    # Best price first, then age: A is served before B, C before D.
    assert trades(events) == [("A", 8, 100), ("A", 2, 100), ("B", 4, 100)]
    assert {event.price for event in events if isinstance(event, Traded)} == {100}
    assert queue(floor, "buy") == [("B", 1)]
    assert queue(floor, "sell") == []


def test_of_equal_volumes_the_least_surplus_wins() -> None:
    # 10 trade anywhere from 100 to 102. Surplus: 4 at 100 and 101 (14 bid), 0 at 102 (10 bid).
    floor = gathering([("A", 10, 102), ("B", 4, 101)], [("C", 10, 100)], 100)
    assert indicated(floor) == (102, 10, 0)


@pytest.mark.parametrize(("reference", "price"), [(90, 95), (95, 95), (100, 100), (104, 104), (200, 105)])
def test_of_equal_surplus_the_nearest_to_the_reference_wins_be_it_no_orders_price(reference: int, price: int) -> None:
    floor = gathering([("A", 10, 105)], [("B", 10, 95)], reference)
    assert indicated(floor) == (price, 10, 0)


def test_a_price_between_two_orders_prices_stays_between_them() -> None:
    # 10 meet 10 at 100, 101 and 102. At 103 five more are offered, so the price comes no nearer to the reference.
    assert indicated(gathering([("A", 10, 105)], [("B", 10, 100), ("C", 5, 103)], 200)) == (102, 10, 0)
    # And from above: five more are bid for at 102.
    assert indicated(gathering([("A", 10, 105), ("C", 5, 102)], [("B", 10, 100)], 50)) == (103, 10, 0)


def test_without_a_reference_price_the_middle_is_the_reference() -> None:
    assert indicated(gathering([("A", 10, 110)], [("B", 10, 90)], None)) == (100, 10, 0)


def test_time_decides_at_the_margin() -> None:
    floor = gathering([("A", 4, 100), ("B", 4, 100)], [("C", 5, 100)], 100)
    assert trades(floor.status("trading")) == [("A", 4, 100), ("B", 1, 100)]
    assert queue(floor, "buy") == [("B", 3)]


def test_nothing_trades_while_orders_gather_and_the_book_may_be_crossed() -> None:
    floor = gathering([("A", 4, 105)], [("B", 4, 95)], None)
    assert floor.bids == [(105, 4, 1)]
    assert floor.asks == [(95, 4, 1)]
    assert "match" not in kinds(floor.events)


def test_both_sides_get_the_difference_to_their_limit() -> None:
    floor = gathering([("A", 10, 105)], [("B", 10, 95)], 100)
    floor.status("trading")
    assert floor.wallets["ann", "USD"] == [-1_000, 0]
    assert floor.wallets["bob", "USD"] == [1_000, 0]
    assert floor.held("bob", "sell") == 0


def test_the_older_order_is_the_maker() -> None:
    floor = Floor()
    floor.status("auction", reference=100)
    floor.sell("older", 1, 100, maker_bps=100, taker_bps=200)
    floor.buy("newer", 1, 100, maker_bps=100, taker_bps=200)
    (trade,) = [event for event in floor.status("trading") if isinstance(event, Traded)]
    assert (trade.maker_order_id, trade.side, trade.maker_fee, trade.taker_fee) == ("older", "sell", 1, 2)


def test_icebergs_trade_what_they_hide_slice_by_slice() -> None:
    floor = Floor()
    floor.status("auction", reference=100)
    floor.buy("ice", 10, 100, display_size=4)
    floor.buy("plain", 3, 100, account="cat")
    floor.sell("s", 12, 100)
    assert trades(floor.status("trading")) == [("ice", 4, 100), ("plain", 3, 100), ("ice", 4, 100), ("ice", 1, 100)]


def test_an_indication_is_told_when_it_has_changed() -> None:
    floor = gathering([("A", 4, 100)], [], 100)
    assert indicated(floor) == (None, 0, 0)
    assert floor.expire(floor.at + 1) == []
    floor.sell("B", 1, 100)
    assert indicated(floor) == (100, 1, 3)


def test_an_auction_ends_by_itself_and_its_price_is_the_reference() -> None:
    floor = Floor()
    floor.status("auction", until=100)
    floor.buy("A", 1, 105)
    floor.sell("B", 1, 105)
    assert floor.engine.due == 100
    events = floor.expire(100)
    assert trades(events) == [("A", 1, 105)]
    (change,) = [event for event in events if isinstance(event, StatusChanged)]
    assert (change.status, change.reason, change.until, change.reference) == ("trading", "time", None, 105)


def test_stops_wake_after_an_uncross_at_its_price() -> None:
    floor = Floor()
    floor.buy("stop", 1, 90, stop="entry", stop_price=100, account="cat")
    floor.status("auction", reference=100)
    floor.buy("A", 1, 100)
    floor.sell("B", 1, 100)
    events = floor.status("trading")
    assert kinds(events).index("status") < kinds(events).index("activate")
    assert floor.order("stop").status == "open"


def test_orders_that_cannot_gather_are_refused() -> None:
    floor = gathering([], [], 100)
    for terms in ({"time_in_force": "IOC"}, {"time_in_force": "FOK"}, {"post_only": True}, {"type": "market"}):
        assert refused(floor.buy(f"b{terms}", 1, 100, **terms)) == "auction"


def test_orders_can_be_amended_and_cancelled_while_they_gather() -> None:
    floor = gathering([("A", 4, 100)], [("B", 4, 100)], 100)
    assert kinds(floor.amend("A", "ann", price=101, hold=4)) == ["change", "open", "level", "level"]
    assert done(floor.cancel("B", "bob")) == [("B", "canceled", 4)]


def test_an_uncross_prevents_no_self_trade() -> None:
    floor = Floor()
    floor.status("auction", reference=100)
    floor.buy("A", 1, 100, stp="cb")
    floor.sell("B", 1, 100, account="ann", stp="cb")
    assert trades(floor.status("trading")) == [("A", 1, 100)]


def test_levels_are_told_once_after_an_uncross() -> None:
    floor = gathering([("A", 10, 101), ("B", 5, 100)], [("C", 8, 99)], 100)
    assert levels(floor.status("trading")) == [("buy", 101, 2), ("sell", 99, 0)]
