"""Stop orders: unseen until a trade prints at their price."""

from collections.abc import Iterable

import pytest

from matcher.core.engine import Engine
from matcher.core.stops import AWAKE_MAX
from tests.unit.core.floor import Floor, done, kinds, queue, refused, trades
from venue.commands import Expire
from venue.events import OrderReceived, StopActivated
from venue.orders import Side, Stop


def print_at(floor: Floor, price: int) -> None:
    """A trade of one lot between others."""
    floor.at += 1
    floor.sell(f"print-s{floor.at}", 1, price, account="x")
    floor.buy(f"print-b{floor.at}", 1, price, account="y")


def woken(events: Iterable[object]) -> list[str]:
    return [event.order_id for event in events if isinstance(event, StopActivated)]


def test_a_stop_order_waits_unseen_with_its_hold() -> None:
    floor = Floor()
    events = floor.sell("stop", 5, 90, stop="loss", stop_price=95)
    assert kinds(events) == ["stop"]
    assert floor.asks == []
    assert floor.engine.sequence("ACME-USD") == 0
    assert (floor.order("stop").status, floor.held("bob", "sell")) == ("active", 5)


@pytest.mark.parametrize(
    ("stop", "price", "wakes"),
    [("loss", 96, False), ("loss", 95, True), ("loss", 94, True), ("entry", 94, False), ("entry", 95, True)],
)
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_loss_wakes_at_or_below_and_an_entry_at_or_above_its_price(
    side: Side,
    stop: Stop,
    price: int,
    wakes: bool,  # noqa: FBT001
) -> None:
    floor = Floor()
    place = floor.buy if side == "buy" else floor.sell
    place("stop", 5, 80 if side == "buy" else 120, stop=stop, stop_price=95)
    print_at(floor, price)
    assert (floor.order("stop").status == "open") == wakes


def test_a_woken_order_is_told_and_trades_like_any_other() -> None:
    floor = Floor()
    floor.buy("bid", 9, 90)
    floor.sell("stop", 5, None, type="market", stop="loss", stop_price=95)
    floor.sell("ask", 1, 95, account="x")
    events = floor.buy("b", 1, 95, account="y")
    after = kinds(events)[kinds(events).index("activate") :]
    assert after == ["activate", "received", "match", "done", "level", "level"]
    received = [event for event in events if isinstance(event, OrderReceived)][-1]
    assert (received.order_id, received.hold) == ("stop", 0)
    assert floor.bids == [(90, 4, 1)]
    assert floor.held("bob", "sell") == 0


def test_a_stop_whose_price_was_reached_already_wakes_at_once() -> None:
    floor = Floor()
    print_at(floor, 95)
    assert kinds(floor.sell("stop", 5, 90, stop="loss", stop_price=95)) == [
        "stop",
        "activate",
        "received",
        "open",
        "level",
    ]


def test_those_of_one_sweep_wake_in_the_order_of_their_age_whatever_their_price() -> None:
    floor = Floor()
    floor.buy("late price", 1, 80, stop="entry", stop_price=102)
    floor.buy("early price", 1, 80, stop="entry", stop_price=101)
    floor.sell("a", 1, 101)
    floor.sell("b", 1, 102)
    assert woken(floor.buy("sweep", 2, 102)) == ["late price", "early price"]


def test_a_cascade_wakes_the_next_only_when_the_one_before_is_done() -> None:
    floor = Floor()
    for price in (100, 99, 98):
        floor.buy(f"bid{price}", 1, price)
    floor.sell("one", 1, None, type="market", stop="loss", stop_price=100)
    floor.sell("two", 1, None, type="market", stop="loss", stop_price=99)
    events = floor.sell("trigger", 1, 100)
    assert trades(events) == [("bid100", 1, 100), ("bid99", 1, 99), ("bid98", 1, 98)]
    assert woken(events) == ["one", "two"]


def test_one_command_wakes_so_many_and_an_expire_the_others() -> None:
    floor = Floor()
    for number in range(AWAKE_MAX + 5):
        floor.buy(f"s{number}", 1, 50, stop="entry", stop_price=100)
    floor.sell("ask", 1, 100)
    assert len(woken(floor.buy("b", 1, 100))) == AWAKE_MAX
    assert floor.engine.due == 0
    assert woken(floor.apply(Expire())) == [f"s{number}" for number in range(AWAKE_MAX, AWAKE_MAX + 5)]
    assert floor.engine.due is None


def test_any_order_that_comes_wakes_those_that_were_left_in_line() -> None:
    floor = Floor()
    for number in range(AWAKE_MAX + 5):
        floor.buy(f"s{number}", 1, 50, stop="entry", stop_price=100)
    floor.sell("ask", 1, 100)
    floor.buy("b", 1, 100)
    events = floor.buy("rests", 1, 40)
    assert kinds(events)[:2] == ["received", "open"]
    assert woken(events) == [f"s{number}" for number in range(AWAKE_MAX, AWAKE_MAX + 5)]


def test_those_left_in_line_keep_their_place_when_the_state_is_restored() -> None:
    floor = Floor()
    for number in range(AWAKE_MAX + 2):
        floor.buy(f"s{number}", 1, 50, stop="entry", stop_price=100)
    floor.sell("ask", 1, 100)
    floor.buy("b", 1, 100)
    floor.engine = Engine.restore(floor.engine.save())
    events = floor.buy("late", 1, 50, stop="entry", stop_price=90)
    assert woken(events) == [f"s{AWAKE_MAX}", f"s{AWAKE_MAX + 1}", "late"]


def test_a_waiting_stop_can_be_cancelled_alone_and_with_all() -> None:
    floor = Floor()
    floor.sell("one", 5, 90, stop="loss", stop_price=95)
    floor.sell("two", 5, 90, stop="loss", stop_price=95)
    assert done(floor.cancel("one", "bob")) == [("one", "canceled", 5)]
    assert done(floor.cancel_all("bob")) == [("two", "canceled", 5)]
    assert floor.held("bob", "sell") == 0
    print_at(floor, 95)
    assert queue(floor, "sell") == []


def test_what_trades_within_one_sweep_counts_and_not_only_its_last_price() -> None:
    floor = Floor()
    floor.sell("cheap", 1, 95)
    floor.sell("dear", 1, 105)
    floor.sell("stop", 1, 200, stop="loss", stop_price=96)
    assert woken(floor.buy("sweep", 2, 105)) == ["stop"]


@pytest.mark.parametrize(
    "terms",
    [
        {"stop": "loss"},
        {"stop_price": 95},
        {"stop": "loss", "stop_price": 0},
        {"stop": "loss", "stop_price": 1_000_001},
        {"stop": "loss", "stop_price": 95, "post_only": True},
        {"stop": "loss", "stop_price": 95, "time_in_force": "FOK"},
    ],
)
def test_a_stop_that_is_not_well_formed_is_refused(terms: dict[str, object]) -> None:
    assert refused(Floor().sell("stop", 5, 90, **terms)) == "bad_stop"  # type: ignore[arg-type]
