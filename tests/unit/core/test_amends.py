"""Another price or size for an open order."""

import msgspec
import pytest

from tests.naive.bounds import makers_max
from tests.unit.core.floor import ACME_USD, Floor, done, kinds, levels, queue, trades
from venue.commands import AmendOrder
from venue.events import AmendRefused, AnyEvent, OrderChanged, StopActivated
from venue.money import UNITS_MAX


def reason(events: list[AnyEvent]) -> str:
    (refusal,) = events
    assert isinstance(refusal, AmendRefused)
    return refusal.reason


def three_bids() -> Floor:
    """A, B and C bid 10 each at 100."""
    floor = Floor()
    for name in ("A", "B", "C"):
        floor.buy(name, 10, 100)
    return floor


def test_less_size_keeps_the_place_and_gives_its_hold_back() -> None:
    floor = three_bids()
    events = floor.amend("A", "ann", size=4)
    assert kinds(events) == ["change", "level"]
    assert queue(floor, "buy") == [("A", 4), ("B", 10), ("C", 10)]
    (change, _) = events
    assert isinstance(change, OrderChanged)
    assert (change.old_size, change.size, change.remaining, change.released) == (10, 4, 4, 600)
    assert floor.held("ann", "buy") == 24 * 100


def test_the_same_again_keeps_the_place_too() -> None:
    floor = three_bids()
    floor.amend("A", "ann", size=10, price=100)
    assert [name for name, _ in queue(floor, "buy")] == ["A", "B", "C"]


def test_more_size_goes_to_the_back_and_needs_more_hold() -> None:
    floor = three_bids()
    assert reason(floor.amend("A", "ann", size=11, hold=99)) == "insufficient_hold"
    assert floor.held("ann", "buy") == 3_000
    events = floor.amend("A", "ann", size=11, hold=150)
    assert kinds(events) == ["change", "open", "level"]
    assert [name for name, _ in queue(floor, "buy")] == ["B", "C", "A"]
    assert floor.held("ann", "buy") == 3_100


def test_another_price_goes_to_the_back_of_its_new_level() -> None:
    floor = three_bids()
    floor.buy("D", 1, 99)
    events = floor.amend("A", "ann", price=99)
    assert [name for name, _ in queue(floor, "buy")] == ["B", "C", "D", "A"]
    assert kinds(events) == ["change", "open", "level", "level"]
    assert floor.order("A").price == 99
    assert floor.order("A").hold == 990


def test_an_amend_may_trade_and_its_rest_rests() -> None:
    floor = three_bids()
    floor.sell("ask", 4, 105)
    events = floor.amend("B", "ann", price=105, hold=50)
    assert trades(events) == [("ask", 4, 105)]
    assert queue(floor, "buy")[0] == ("B", 6)
    assert floor.order("B").hold == 6 * 105


def test_an_amend_may_fill_the_order() -> None:
    floor = three_bids()
    floor.sell("ask", 40, 105)
    assert ("B", "filled", 0) in done(floor.amend("B", "ann", price=105, hold=50))
    assert floor.held("ann", "buy") == 2_000


def test_the_size_counts_what_is_filled() -> None:
    floor = three_bids()
    floor.sell("ask", 4, 100)
    assert reason(floor.amend("A", "ann", size=4)) == "size_too_small"
    floor.amend("A", "ann", size=5)
    assert queue(floor, "buy")[0] == ("A", 1)
    assert floor.order("A").filled == 4


def test_a_post_only_order_is_not_amended_into_a_trade() -> None:
    floor = Floor()
    floor.buy("post", 5, 100, post_only=True)
    floor.sell("ask", 5, 101)
    assert reason(floor.amend("post", "ann", price=101, hold=5)) == "post_only"
    assert floor.bids == [(100, 5, 1)]
    assert floor.held("ann", "buy") == 500


def test_a_repeated_amend_changes_nothing() -> None:
    floor = three_bids()
    command = AmendOrder(
        amend_id="once", order_id="A", account="ann", product_id="ACME-USD", side="buy", size=11, hold=100
    )
    floor.apply(command)
    digest = floor.engine.digest()
    assert floor.apply(command) == []
    assert floor.engine.digest() == digest


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("not_found", {"order_id": "none"}),
        ("not_found", {"account": "eve"}),
        ("not_found", {"side": "sell"}),
        ("not_found", {"product_id": "NONE"}),
        ("bad_amend", {"size": None}),
        ("bad_price", {"price": 0}),
        ("bad_price", {"price": 1_000_001}),
        ("size_too_small", {"size": 0}),
        ("size_too_large", {"size": 1_000_001}),
        ("too_large", {"hold": UNITS_MAX + 1}),
        ("insufficient_hold", {"hold": -1}),
        ("deadline", {"deadline": 1}),
    ],
)
def test_a_refused_amend_changes_nothing_and_gives_its_hold_back(expected: str, change: dict[str, object]) -> None:
    floor = three_bids()
    before = floor.bids, floor.held("ann", "buy"), floor.wallets["ann", "USD"][0]
    command = AmendOrder(amend_id="a", order_id="A", account="ann", product_id="ACME-USD", side="buy", size=5, hold=7)
    assert reason(floor.apply(msgspec.structs.replace(command, **change))) == expected
    assert (floor.bids, floor.held("ann", "buy"), floor.wallets["ann", "USD"][0]) == before


def test_an_amend_to_more_than_63_bits_is_refused() -> None:
    floor = Floor(msgspec.structs.replace(ACME_USD, lot_units=10**8))
    floor.buy("b", 1, 1_000_000)
    assert reason(floor.amend("b", "ann", size=1_000_000, hold=UNITS_MAX)) == "too_large"
    assert reason(floor.amend("b", "ann", size=2, hold=10**14 - 1)) == "insufficient_hold"
    assert kinds(floor.amend("b", "ann", size=2, hold=10**14)) == ["change", "open", "level"]


def test_an_order_that_is_done_cannot_be_amended() -> None:
    floor = three_bids()
    floor.cancel("A", "ann")
    assert reason(floor.amend("A", "ann", size=5)) == "order_done"


def test_only_limit_orders_are_amended() -> None:
    floor = Floor()
    floor.sell("stop", 5, None, type="market", stop="loss", stop_price=90)
    assert reason(floor.amend("stop", "bob", size=4)) == "bad_amend"


def test_an_iceberg_keeps_what_it_shows_as_long_as_it_can() -> None:
    floor = Floor()
    floor.buy("ice", 10, 100, display_size=4)
    floor.buy("next", 1, 100)
    floor.amend("ice", "ann", size=6)
    assert queue(floor, "buy") == [("ice", 4), ("next", 1)]
    floor.amend("ice", "ann", size=3)
    assert queue(floor, "buy") == [("ice", 3), ("next", 1)]
    assert reason(floor.amend("ice", "ann", size=401, hold=100_000)) == "bad_display_size"


def test_a_waiting_stop_order_is_amended_unseen_and_keeps_its_time() -> None:
    floor = Floor()
    floor.buy("first", 5, 110, stop="entry", stop_price=105)
    floor.buy("second", 5, 110, stop="entry", stop_price=105)
    (event,) = floor.amend("first", "ann", size=8, price=111, hold=1_000)
    assert isinstance(event, OrderChanged)
    assert event.sequence is None
    assert (floor.order("first").status, floor.order("first").hold) == ("active", 888)
    floor.sell("ask", 1, 105)
    floor.sell("more", 20, 111)
    activated = [event.order_id for event in floor.buy("t", 1, 105) if isinstance(event, StopActivated)]
    assert activated == ["first", "second"]


def test_a_level_is_told_once_where_an_amend_cuts_it_and_wakes_who_trades_there() -> None:
    floor = three_bids()
    floor.sell("stop", 2, None, type="market", stop="loss", stop_price=100)
    with makers_max(1):
        floor.sell("print", 1, 100)
    events = floor.amend("A", "ann", size=5)
    assert trades(events) == [("A", 2, 100)]
    assert levels(events) == [("buy", 100, 22)]


def test_rules_of_the_product_hold_for_amends_as_well() -> None:
    floor = Floor(msgspec.structs.replace(ACME_USD, notional_min=500, collar_bps=1_000))
    floor.sell("s", 1, 1_000)
    floor.buy("t", 1, 1_000)
    floor.buy("b", 1, 950)
    assert reason(floor.amend("b", "ann", price=899)) == "price_collar"
    floor.buy("c", 5, 950)
    assert reason(floor.amend("c", "ann", price=101)) == "price_collar"
    cheap = Floor(msgspec.structs.replace(ACME_USD, notional_min=500))
    cheap.buy("b", 5, 100)
    assert reason(cheap.amend("b", "ann", size=4)) == "notional_too_small"
