"""Orders with terms: stops, icebergs, orders with an end, self-trade prevention; what each holds and becomes."""

import msgspec
import pytest

from tests.venue_in_memory import ALICE, BOB, NOON, MemoryVenue
from venue.commands import PlaceOrder
from venue.errors import Conflict, Malformed, RuleBroken
from venue.tickets import Ticket

OID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
BUY = Ticket(product_id="ACME-USD", side="buy", price="1.000", size="10", client_oid=OID)
SELL = Ticket(product_id="ACME-USD", side="sell", price="1.000", size="10")
MINUTE = 60_000_000


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


def but(ticket: Ticket, **changes: object) -> Ticket:
    return msgspec.structs.replace(ticket, **changes)


def asked(venue: MemoryVenue) -> PlaceOrder:
    command = venue.matcher.asked[-1][1]
    assert isinstance(command, PlaceOrder)
    return command


# Stops.


def test_a_stop_order_waits_with_its_hold_until_a_trade_prints_at_its_price(venue: MemoryVenue) -> None:
    stop = venue.desk.place(but(BUY, price="1.100", stop="entry", stop_price="1.050"), account=ALICE)
    assert (stop.order.status, stop.order.hold) == ("active", 11_02200000)
    venue.desk.place(but(SELL, price="1.050", size="1"), account=BOB)
    assert venue.matcher.engine.order(stop.order.order_id) == stop.order
    venue.desk.place(but(BUY, price="1.050", size="1", client_oid=None), account=ALICE)
    woken = venue.matcher.engine.order(stop.order.order_id)
    assert woken is not None
    assert woken.status == "open"


def test_a_stop_order_by_market_is_bounded_from_its_stop_price_and_not_from_the_book(venue: MemoryVenue) -> None:
    ticket = but(BUY, type="market", price=None, stop="entry", stop_price="2.000")
    placed = venue.desk.place(ticket, account=ALICE)
    assert asked(venue).price == 420  # ticks of 0.005: 2.000 and five per cent, although there is no ask
    assert (placed.order.status, placed.order.hold) == ("active", 21_04200000)
    sell = but(SELL, type="market", price=None, stop="loss", stop_price="2.000")
    assert venue.desk.place(sell, account=BOB).order.hold == 10
    assert asked(venue).price == 380


def test_a_stop_order_can_be_cancelled_while_it_waits(venue: MemoryVenue) -> None:
    stop = venue.desk.place(but(BUY, stop="entry", stop_price="1.050"), account=ALICE)
    assert venue.desk.cancel(stop.order.order_id, account=ALICE).order_ids == [stop.order.order_id]
    assert venue.wallets.balance(ALICE, "USD").held == 0


# Orders with an end.


@pytest.mark.parametrize(("length", "micros"), [("min", MINUTE), ("hour", 60 * MINUTE), ("day", 24 * 60 * MINUTE)])
def test_a_length_of_time_counts_from_now(venue: MemoryVenue, length: str, micros: int) -> None:
    placed = venue.desk.place(but(BUY, time_in_force="GTT", cancel_after=length), account=ALICE)
    assert placed.order.expire_at == NOON + micros


def test_an_order_that_has_expired_does_not_trade_and_gives_its_hold_back(venue: MemoryVenue) -> None:
    placed = venue.desk.place(but(BUY, time_in_force="GTT", cancel_after="min"), account=ALICE)
    venue.clock.now += MINUTE
    assert venue.desk.place(SELL, account=BOB).order.status == "open"
    ended = venue.matcher.engine.order(placed.order.order_id)
    assert ended is not None
    assert ended.done_reason == "expired"
    assert venue.wallets.balance(ALICE, "USD").held == 0


def test_a_repeat_of_an_order_with_an_end_is_the_same_order(venue: MemoryVenue) -> None:
    for cancel_after in ("hour", NOON + MINUTE):
        ticket = but(BUY, client_oid=None, time_in_force="GTT", cancel_after=cancel_after)
        ticket = but(ticket, client_oid=OID if cancel_after == "hour" else OID.replace("7", "8"))
        first = venue.desk.place(ticket, account=ALICE)
        venue.clock.now += 1_000_000
        assert venue.desk.place(ticket, account=ALICE) == first


def test_another_end_under_the_same_client_oid_is_a_conflict(venue: MemoryVenue) -> None:
    venue.desk.place(but(BUY, time_in_force="GTT", cancel_after=NOON + MINUTE), account=ALICE)
    with pytest.raises(Conflict):
        venue.desk.place(but(BUY, time_in_force="GTT", cancel_after=NOON + 2 * MINUTE), account=ALICE)
    with pytest.raises(Conflict):
        venue.desk.place(BUY, account=ALICE)


def test_an_end_that_is_over_is_refused_and_nothing_stays_held(venue: MemoryVenue) -> None:
    with pytest.raises(RuleBroken) as caught:
        venue.desk.place(but(BUY, time_in_force="GTT", cancel_after=NOON), account=ALICE)
    assert caught.value.code == "bad_expiry"
    assert venue.wallets.balance(ALICE, "USD").held == 0


# Icebergs and self-trades.


def test_an_iceberg_holds_for_all_of_it_and_shows_a_part(venue: MemoryVenue) -> None:
    placed = venue.desk.place(but(BUY, display_size="3"), account=ALICE)
    assert (placed.order.display_size, placed.order.hold) == (3, 10_02000000)
    assert venue.matcher.engine.depth("ACME-USD", 1)[0] == [(200, 3, 1)]


def test_an_order_does_not_trade_with_its_own_account_unless_it_says_how(venue: MemoryVenue) -> None:
    venue.desk.place(but(SELL, size="4"), account=ALICE)
    placed = venue.desk.place(BUY, account=ALICE)
    assert (placed.order.stp, placed.order.size, placed.fills) == ("dc", 6, [])
    assert venue.wallets.balance(ALICE, "ACME").held == 0


def test_a_repeat_finds_its_order_although_it_is_smaller_now(venue: MemoryVenue) -> None:
    venue.desk.place(but(SELL, size="4"), account=ALICE)
    first = venue.desk.place(BUY, account=ALICE)
    assert venue.desk.place(BUY, account=ALICE) == first


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"stop": "loss"}, "stop_price"),
        ({"stop_price": "1.000"}, "stop_price"),
        ({"stop": "loss", "stop_price": "1.000", "post_only": True}, "stop"),
        ({"time_in_force": "GTT"}, "cancel_after"),
        ({"cancel_after": "hour"}, "cancel_after"),
        ({"type": "market", "price": None, "time_in_force": "GTT", "cancel_after": "hour"}, "time_in_force"),
        ({"type": "market", "price": None, "display_size": "1"}, "display_size"),
        ({"type": "market", "price": None, "size": None, "funds": "5", "time_in_force": "FOK"}, "time_in_force"),
    ],
    ids=str,
)
def test_terms_that_do_not_go_together_are_refused_before_anything_is_held(
    venue: MemoryVenue, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(Malformed) as caught:
        venue.desk.place(but(BUY, **changes), account=ALICE)
    assert caught.value.field == field
    assert venue.wallets.holds == {}
