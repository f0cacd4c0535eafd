"""What listeners are told of stops, icebergs, amends, market states and auctions."""

from typing import Any

import pytest

from tests.unit.stream import tape
from tests.unit.stream.tape import record
from tests.unit.stream.test_feed import TIME, heard, told
from venue import wire
from venue.events import AnyEvent
from venue_aws.rules import Rules
from venue_aws.tape import cut

FULL = "full#BTC-USD"
OWN = "user#alice#BTC-USD"


@pytest.mark.parametrize(
    "event",
    [tape.stopped(), tape.woken(), tape.changed(None), tape.amend_refused(), tape.refused()],
    ids=lambda event: type(event).__name__,
)
def test_what_has_no_sequence_is_told_to_its_owner_alone(event: AnyEvent) -> None:
    ((topics, message),) = told(record(event))
    assert topics == (OWN,)
    assert message["user_sequence"] > 0
    assert "sequence" not in message


def test_a_stop_order_is_told_with_its_terms_when_it_is_taken_and_again_when_it_wakes() -> None:
    taken, woken = heard(OWN, record(tape.stopped(), tape.woken()))
    assert taken == {
        "type": "activate",
        "time": TIME,
        "product_id": "BTC-USD",
        "order_id": "order-3",
        "side": "sell",
        "order_type": "limit",
        "stop_type": "loss",
        "stop_price": "39500.00",
        "price": "39000.00",
        "size": "1.5000",
        "client-oid": "mine-3",
        "user_sequence": 13,
    }
    assert (woken["type"], woken["stop_price"], woken["user_sequence"]) == ("triggered", "39500.00", 14)


def test_a_stop_orders_worst_price_is_the_venues_own_affair() -> None:
    (taken,) = heard(OWN, record(tape.stopped(type="market", time_in_force="IOC")))
    assert "price" not in taken


def test_of_an_iceberg_everyone_else_sees_what_it_shows() -> None:
    iceberg = record(
        tape.received(size=15_000, display_size=5_000),
        tape.opened(remaining=12_000, shown=2_000),
        tape.changed(3, size=15_000, old_size=18_000, remaining=9_000, shown=1_000),
    )
    received, opened, changed = heard(FULL, iceberg)
    assert (received["size"], opened["remaining_size"], changed["remaining_size"]) == ("0.5000", "0.2000", "0.1000")
    secret = {"display_size", "shown_size", "old_size", "new_size", "amend_id", "client-oid", "user_sequence"}
    assert all(secret.isdisjoint(message) for message in (received, opened, changed))
    received, opened, changed = heard(OWN, iceberg)
    assert (received["size"], received["display_size"]) == ("1.5000", "0.5000")
    assert (opened["remaining_size"], opened["shown_size"]) == ("1.2000", "0.2000")
    assert (changed["new_size"], changed["remaining_size"], changed["shown_size"]) == ("1.5000", "0.9000", "0.1000")


def test_an_amended_order_is_told_to_everyone_with_what_changed() -> None:
    (public,), (private,) = (heard(topic, record(tape.changed())) for topic in (FULL, OWN))
    assert public == {
        "type": "change",
        "time": TIME,
        "product_id": "BTC-USD",
        "sequence": 5,
        "order_id": "order-1",
        "side": "buy",
        "reason": "modify_order",
        "old_price": "40000.00",
        "new_price": "40001.00",
        "old_size": "1.5000",
        "new_size": "2.0000",
        "remaining_size": "1.0000",
    }
    assert private == {**public, "amend_id": "amend-1", "user_sequence": 15}


def test_a_change_leaves_no_hole_in_the_levels() -> None:
    level = record(tape.received(4), tape.changed(5), tape.level(5, 4_000_100, 9))
    (update,) = heard("level2#BTC-USD", level)
    assert (update["first_sequence"], update["sequence"]) == (4, 5)
    (update,) = heard("level2#BTC-USD", record(tape.changed(6)))
    assert (update["first_sequence"], update["sequence"], update["changes"]) == (6, 6, [])


def test_a_markets_state_and_its_auction_are_told_on_the_status_channel() -> None:
    state, auction, nothing = heard(
        "status", record(tape.status(), tape.indicated(), tape.indicated(price=None, volume=0, surplus=0))
    )
    assert state == {
        "type": "market_state",
        "time": TIME,
        "product_id": "BTC-USD",
        "status": "halted",
        "reason": "breaker",
        "until": TIME.replace(":20.", ":21."),
        "reference_price": "40000.00",
    }
    assert auction == {
        "type": "auction",
        "time": TIME,
        "product_id": "BTC-USD",
        "indicative_open_price": "40000.00",
        "indicative_open_size": "1.0000",
        "surplus": "0.5000",
        "surplus_side": "sell",
    }
    assert (nothing["indicative_open_size"], "indicative_open_price" in nothing) == ("0.0000", False)


def test_a_dead_man_switch_is_told_to_its_account() -> None:
    (set_, fallen) = heard("user#alice", record(tape.switched(), tape.switched(deadline=None, fell=True), product=None))
    assert (set_["type"], set_["deadline"], set_["user_sequence"]) == (
        "cancel_all_after",
        TIME.replace(":20.", ":21."),
        17,
    )
    assert (fallen["fell"], "deadline" in fallen) == (True, False)


def test_what_was_refused_for_an_unknown_product_holds_up_no_tape() -> None:
    events: list[Any] = [tape.amend_refused(product_id="XXX-USD"), tape.status_refused()]
    batch = wire.Batch(shard=0, sequence=1, at=tape.AT, events=events, postings=[])
    (written,) = cut(batch, Rules(list))
    ((topics, message),) = told(written)
    assert (topics, message["type"]) == (("user#alice",), "amend_rejected")
