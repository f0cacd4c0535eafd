"""Orders that show a slice at a time."""

import pytest

from tests.unit.core.floor import Floor, done, kinds, levels, queue, refused, trades
from venue.events import OrderOpened


def test_only_a_slice_is_shown() -> None:
    floor = Floor()
    events = floor.sell("ice", 10, 100, display_size=3)
    (opened,) = [event for event in events if isinstance(event, OrderOpened)]
    assert (opened.remaining, opened.shown) == (10, 3)
    assert levels(events) == [("sell", 100, 3)]
    assert floor.asks == [(100, 3, 1)]


def test_a_refreshed_slice_goes_behind_the_others() -> None:
    floor = Floor()
    floor.sell("ice", 10, 100, display_size=3)
    floor.sell("plain", 2, 100, account="cat")
    events = floor.buy("b", 6, 100)
    assert trades(events) == [("ice", 3, 100), ("plain", 2, 100), ("ice", 1, 100)]
    assert [event.shown for event in events if isinstance(event, OrderOpened)] == [3]
    assert queue(floor, "sell") == [("ice", 2)]
    assert levels(events) == [("sell", 100, 2)]


def test_a_slice_that_traded_in_part_keeps_its_place() -> None:
    floor = Floor()
    floor.sell("ice", 10, 100, display_size=3)
    floor.sell("plain", 2, 100, account="cat")
    floor.buy("b", 2, 100)
    assert queue(floor, "sell") == [("ice", 1), ("plain", 2)]


def test_the_last_slice_is_what_is_left_and_fills_the_order() -> None:
    floor = Floor()
    floor.sell("ice", 7, 100, display_size=3)
    floor.buy("b", 6, 100)
    assert queue(floor, "sell") == [("ice", 1)]
    assert done(floor.buy("c", 1, 100))[0] == ("ice", "filled", 0)
    assert floor.held("bob", "sell") == 0


def test_an_incoming_iceberg_trades_with_all_of_its_size() -> None:
    floor = Floor()
    floor.sell("s", 8, 100)
    events = floor.buy("ice", 10, 100, display_size=1)
    assert trades(events) == [("s", 8, 100)]
    assert queue(floor, "buy") == [("ice", 1)]
    assert floor.order("ice").hold == 200


def test_fill_or_kill_looks_past_an_iceberg_at_the_next_price() -> None:
    floor = Floor()
    floor.sell("ice", 4, 100, display_size=2)
    floor.sell("next", 3, 101)
    assert refused(floor.buy("more", 8, 101, time_in_force="FOK")) == "fok"
    assert trades(floor.buy("all", 7, 101, time_in_force="FOK")) == [("ice", 2, 100), ("ice", 2, 100), ("next", 3, 101)]


def test_fill_or_kill_counts_what_is_hidden() -> None:
    floor = Floor()
    floor.sell("ice", 10, 100, display_size=3)
    assert trades(floor.buy("b", 10, 100, time_in_force="FOK")) == [("ice", 3, 100)] * 3 + [("ice", 1, 100)]


def test_a_fill_or_kill_does_not_count_on_a_slice_that_comes_behind_an_own_order() -> None:
    floor = Floor()
    floor.sell("ice", 6, 100, display_size=3)
    floor.sell("own", 1, 100, account="ann")
    assert refused(floor.buy("b", 4, 100, time_in_force="FOK", stp="cn")) == "fok"
    assert trades(floor.buy("c", 3, 100, time_in_force="FOK", stp="cn")) == [("ice", 3, 100)]


def test_a_cancel_takes_what_is_hidden_as_well() -> None:
    floor = Floor()
    floor.sell("ice", 10, 100, display_size=3)
    events = floor.cancel("ice", "bob")
    assert done(events) == [("ice", "canceled", 10)]
    assert floor.asks == []
    assert kinds(events) == ["done", "level"]


@pytest.mark.parametrize("display_size", [0, -1, 11])
def test_a_slice_is_between_the_smallest_size_and_the_orders(display_size: int) -> None:
    assert refused(Floor().sell("ice", 10, 100, display_size=display_size)) == "bad_display_size"


def test_an_iceberg_has_no_more_than_a_hundred_slices() -> None:
    assert refused(Floor().sell("ice", 101, 100, display_size=1)) == "bad_display_size"
    assert kinds(Floor().sell("ice", 100, 100, display_size=1)) == ["received", "open", "level"]


def test_only_what_may_rest_can_hide() -> None:
    assert refused(Floor().sell("ice", 10, 100, display_size=2, time_in_force="IOC")) == "bad_display_size"
    assert refused(Floor().sell("ice", 10, None, display_size=2, type="market")) == "bad_display_size"
