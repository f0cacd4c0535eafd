"""Several orders at once: together to the matcher, each with its own answer."""

from typing import Any

import msgspec
import pytest

from tests.venue_in_memory import ALICE, BOB, MemoryVenue
from venue.desk import Placed
from venue.errors import Malformed, NotFound, RuleBroken, Unavailable
from venue.tickets import Ticket

BUY = Ticket(product_id="ACME-USD", side="buy", price="1.000", size="10")


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


def but(**changes: Any) -> Ticket:
    return msgspec.structs.replace(BUY, **changes)


def told(answers: list[Any]) -> list[str]:
    return [answer.order.status if isinstance(answer, Placed) else answer.code for answer in answers]


def test_each_is_answered_for_itself_and_in_its_place(venue: MemoryVenue) -> None:
    venue.desk.place(but(side="sell", price="1.100"), account=BOB)
    tickets = [
        BUY,
        but(price="1.0001"),
        but(size="10000000"),
        but(price="1.100", post_only=True),
        but(price="1.100", size="4"),
    ]
    answers = venue.desk.place_all(tickets, account=ALICE)
    assert told(answers) == ["open", "malformed", "insufficient_funds", "post_only", "done"]
    assert venue.wallets.balance(ALICE, "USD").held == 10_02000000


def test_all_are_of_one_product_that_is_known(venue: MemoryVenue) -> None:
    with pytest.raises(Malformed):
        venue.desk.place_all([BUY, but(product_id="BTC-USD")], account=ALICE)
    with pytest.raises(NotFound):
        venue.desk.place_all([but(product_id="NO-USD")], account=ALICE)
    assert venue.wallets.holds == {}


def test_a_batch_sent_again_is_done_once(venue: MemoryVenue) -> None:
    oids = [f"7c9e6679-7425-40de-944b-e07fc1f90ae{n}" for n in range(3)]
    tickets = [but(client_oid=oid) for oid in oids]
    first = venue.desk.place_all(tickets, account=ALICE)
    assert venue.desk.place_all(tickets, account=ALICE) == first
    assert venue.wallets.balance(ALICE, "USD").held == 3 * 10_02000000


def test_with_nobody_serving_all_of_them_wait(venue: MemoryVenue) -> None:
    venue.matcher.url = None
    assert told(venue.desk.place_all([BUY, but(size="x"), BUY], account=ALICE)) == ["pending", "malformed", "pending"]
    assert [outcome.orders[0].status for outcome in venue.drain()] == ["open", "open"]


def test_with_no_road_open_each_may_be_sent_again(venue: MemoryVenue) -> None:
    venue.matcher.url = None
    venue.queue.down = True
    answers = venue.desk.place_all([BUY, but(price="1.0001"), BUY], account=ALICE)
    assert [type(answer) for answer in answers] == [Unavailable, Malformed, Unavailable]
    # What the queue does not take once costs the whole batch no more than that.
    assert venue.queue.tried == 1


def test_wallets_that_are_slow_leave_time_to_hand_over_what_is_held(venue: MemoryVenue) -> None:
    def slow() -> None:
        venue.clock.now += 1_000_000

    venue.wallets.slow = slow
    answers = venue.desk.place_all([BUY] * 15, account=ALICE)
    assert told(answers) == ["open"] * 2 + ["unavailable"] * 13
    assert venue.wallets.balance(ALICE, "USD").held == 2 * 10_02000000


def test_a_batch_of_nothing_but_refusals_asks_no_matcher(venue: MemoryVenue) -> None:
    (answer,) = venue.desk.place_all([but(size="10000000")], account=ALICE)
    assert isinstance(answer, RuleBroken)
    assert venue.matcher.asked == []
