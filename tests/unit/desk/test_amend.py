"""Amending an order: what is held beyond its hold, what goes back, and what a repeat is answered."""

import msgspec
import pytest

from tests.venue_in_memory import ALICE, BOB, MemoryVenue
from venue.amends import Amended, Change
from venue.commands import AmendOrder
from venue.errors import Conflict, Malformed, NotFound, RuleBroken, Unavailable, VenueError
from venue.orders import Order
from venue.tickets import Ticket

OID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
AMEND = "9a0e6679-7425-40de-944b-e07fc1f90ae7"
BUY = Ticket(product_id="ACME-USD", side="buy", price="1.000", size="10", client_oid=OID)
SELL = Ticket(product_id="ACME-USD", side="sell", price="1.000", size="10")


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


@pytest.fixture
def order(venue: MemoryVenue) -> Order:
    return venue.desk.place(BUY, account=ALICE).order


def amended(venue: MemoryVenue, order: Order, account: str = ALICE, **change: str) -> Amended:
    return venue.amends.amend(Change(**change), order_id=order.order_id, account=account)


def refused(venue: MemoryVenue, order: Order, kind: type[VenueError], **change: str) -> VenueError:
    held = venue.wallets.balance(ALICE, "USD").held
    with pytest.raises(kind) as caught:
        amended(venue, order, **change)
    assert venue.wallets.balance(ALICE, "USD").held == held
    return caught.value


def held(venue: MemoryVenue) -> int:
    return venue.wallets.balance(ALICE, "USD").held


def test_a_larger_order_holds_the_difference_and_no_more(venue: MemoryVenue, order: Order) -> None:
    became = amended(venue, order, size="15")
    assert (became.order.size, became.order.hold, held(venue)) == (15, 15_03000000, 15_03000000)
    command = venue.matcher.asked[-1][1]
    assert isinstance(command, AmendOrder)
    assert command.hold == 5_01000000


def test_a_smaller_one_gives_the_difference_back(venue: MemoryVenue, order: Order) -> None:
    assert amended(venue, order, size="4").order.hold == 4_00800000
    assert held(venue) == 4_00800000


def test_another_price_may_trade_at_once(venue: MemoryVenue, order: Order) -> None:
    venue.desk.place(msgspec.structs.replace(SELL, price="1.100", size="3"), account=BOB)
    became = amended(venue, order, price="1.100", size="12")
    assert (became.order.filled, [fill.size for fill in became.fills]) == (3, [3])
    assert held(venue) == became.order.hold == 9_91980000


def test_only_what_is_left_of_a_filled_order_is_held_for(venue: MemoryVenue, order: Order) -> None:
    venue.desk.place(msgspec.structs.replace(SELL, size="4"), account=BOB)
    became = amended(venue, order, size="12", price="2.000")
    # Eight left at 2.000, and the fee at the dearer rate; what was paid for the four stays paid.
    assert (became.order.filled, became.order.hold, held(venue)) == (4, 16_03200000, 16_03200000)


def test_too_little_free_leaves_the_order_as_it_was(venue: MemoryVenue, order: Order) -> None:
    assert refused(venue, order, RuleBroken, size="100000000").code == "insufficient_funds"
    assert venue.matcher.engine.order(order.order_id) == order


@pytest.mark.parametrize(
    ("change", "code"),
    [({"size": "3"}, "size_too_small"), ({"price": "1.000", "size": "1000000000"}, "insufficient_funds")],
    ids=str,
)
def test_what_a_rule_refuses_holds_nothing(venue: MemoryVenue, order: Order, change: dict[str, str], code: str) -> None:
    venue.desk.place(msgspec.structs.replace(SELL, size="4"), account=BOB)
    assert refused(venue, order, RuleBroken, **change).code == code


def test_a_post_only_order_is_not_amended_into_a_trade(venue: MemoryVenue) -> None:
    order = venue.desk.place(msgspec.structs.replace(BUY, post_only=True), account=ALICE).order
    venue.desk.place(msgspec.structs.replace(SELL, price="1.100"), account=BOB)
    assert refused(venue, order, RuleBroken, price="1.100").code == "post_only"


@pytest.mark.parametrize("change", [{}, {"price": "1.001"}, {"size": "0.5"}, {"price": "x"}], ids=str)
def test_what_cannot_be_read_is_malformed(venue: MemoryVenue, order: Order, change: dict[str, str]) -> None:
    refused(venue, order, Malformed, **change)
    assert venue.wallets.amends == {}


def test_an_unknown_order_and_anothers_are_not_found(venue: MemoryVenue, order: Order) -> None:
    with pytest.raises(NotFound):
        amended(venue, order, account=BOB, size="5")
    refused(venue, msgspec.structs.replace(order, order_id=AMEND), NotFound, size="5")


def test_an_order_that_is_over_is_refused(venue: MemoryVenue, order: Order) -> None:
    venue.desk.cancel(order.order_id, account=ALICE)
    assert refused(venue, order, RuleBroken, size="5").code == "order_done"


def test_a_repeat_does_nothing_again(venue: MemoryVenue, order: Order) -> None:
    first = amended(venue, order, size="15", amend_id=AMEND)
    venue.clock.now += 1_000_000
    assert amended(venue, order, size="15", amend_id=AMEND) == first
    assert held(venue) == 15_03000000


def test_a_repeat_after_a_lost_answer_finds_what_was_done(venue: MemoryVenue, order: Order) -> None:
    venue.matcher.answers_lost = 1
    venue.queue.down = True
    with pytest.raises(Unavailable):
        amended(venue, order, size="15", amend_id=AMEND)
    assert amended(venue, order, size="15", amend_id=AMEND).order.size == 15
    assert held(venue) == 15_03000000


def test_a_repeat_is_answered_when_the_order_is_over_meanwhile(venue: MemoryVenue, order: Order) -> None:
    amended(venue, order, size="15", amend_id=AMEND)
    venue.desk.cancel(order.order_id, account=ALICE)
    assert amended(venue, order, size="15", amend_id=AMEND).order.done_reason == "canceled"


def test_the_same_amend_id_with_other_content_is_a_conflict(venue: MemoryVenue, order: Order) -> None:
    amended(venue, order, size="15", amend_id=AMEND)
    refused(venue, order, Conflict, size="16", amend_id=AMEND)


def test_two_accounts_may_use_the_same_amend_id(venue: MemoryVenue, order: Order) -> None:
    theirs = venue.desk.place(msgspec.structs.replace(BUY, price="0.500"), account=BOB).order
    amended(venue, order, size="15", amend_id=AMEND)
    assert amended(venue, theirs, account=BOB, size="20", amend_id=AMEND).order.size == 20


def test_with_nobody_serving_the_amend_waits_in_the_queue_with_its_hold(venue: MemoryVenue, order: Order) -> None:
    venue.matcher.url = None
    waiting = amended(venue, order, size="15")
    assert (waiting.pending, waiting.order) == (True, order)
    assert held(venue) == 15_03000000
    venue.drain()
    assert venue.matcher.engine.order(order.order_id) != order
    assert held(venue) == 15_03000000


def test_the_amend_of_an_order_that_waits_in_the_queue_goes_behind_it(venue: MemoryVenue) -> None:
    order = venue.desk.place(BUY, account=ALICE, wait=False).order
    assert amended(venue, order, size="15").pending
    placed, became = venue.drain()
    assert (placed.refused, became.orders[0].size, held(venue)) == (None, 15, 15_03000000)


def test_a_stop_order_is_amended_while_it_waits(venue: MemoryVenue) -> None:
    stop = msgspec.structs.replace(BUY, stop="entry", stop_price="1.050")
    order = venue.desk.place(stop, account=ALICE).order
    became = amended(venue, order, size="20")
    assert (became.order.status, became.order.hold) == ("active", 20_04000000)
