"""Placing an order: the hold, the two roads to the matcher, and what a repeat is answered."""

import msgspec
import pytest

from tests.venue_in_memory import ALICE, BOB, NOON, MemoryVenue
from venue.commands import PlaceOrder
from venue.desk import DEADLINE_US
from venue.errors import Conflict, Malformed, NotFound, RuleBroken, Unavailable, VenueError
from venue.ports import Balance
from venue.tickets import Ticket

OID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
BUY = Ticket(product_id="ACME-USD", side="buy", price="1.000", size="10", client_oid=OID)
SELL = Ticket(product_id="ACME-USD", side="sell", price="1.000", size="10")
MILLION = 1_000_000 * 10**8


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


def refused(venue: MemoryVenue, ticket: Ticket, kind: type[VenueError]) -> VenueError:
    with pytest.raises(kind) as caught:
        venue.desk.place(ticket, account=ALICE)
    return caught.value


def test_a_limit_order_rests_and_holds_its_cost_with_the_fee(venue: MemoryVenue) -> None:
    placed = venue.desk.place(BUY, account=ALICE)
    assert (placed.order.status, placed.order.hold, placed.pending) == ("open", 10_02000000, False)
    assert venue.wallets.balance(ALICE, "USD") == Balance(asset="USD", free=MILLION - 10_02000000, held=10_02000000)


def test_an_order_that_meets_another_is_answered_with_its_fills(venue: MemoryVenue) -> None:
    venue.desk.place(SELL, account=BOB)
    placed = venue.desk.place(BUY, account=ALICE)
    assert (placed.order.status, placed.order.done_reason) == ("done", "filled")
    assert [(fill.size, fill.liquidity) for fill in placed.fills] == [(10, "T")]
    assert venue.wallets.balance(ALICE, "USD").held == 0


def test_the_hold_is_worth_what_the_command_says(venue: MemoryVenue) -> None:
    venue.desk.place(BUY, account=ALICE)
    ((_, command),) = venue.matcher.asked
    assert isinstance(command, PlaceOrder)
    assert (command.hold, command.maker_bps, command.taker_bps) == (10_02000000, 10, 20)
    assert command.deadline == venue.clock.now + 30_000_000


def test_too_little_free_is_refused_and_nothing_is_held(venue: MemoryVenue) -> None:
    error = refused(venue, msgspec.structs.replace(BUY, price="1000000"), RuleBroken)
    assert error.code == "insufficient_funds"
    assert venue.wallets.balance(ALICE, "USD") == Balance(asset="USD", free=MILLION, held=0)
    assert venue.matcher.asked == []


def test_a_matchers_refusal_frees_the_hold(venue: MemoryVenue) -> None:
    venue.desk.place(SELL, account=BOB)
    error = refused(venue, msgspec.structs.replace(BUY, post_only=True), RuleBroken)
    assert (error.code, error.status) == ("post_only", 422)
    assert venue.wallets.balance(ALICE, "USD") == Balance(asset="USD", free=MILLION, held=0)


def test_an_unknown_product_is_not_found(venue: MemoryVenue) -> None:
    assert refused(venue, msgspec.structs.replace(BUY, product_id="NO-USD"), NotFound).code == "unknown_product"


# Repeats.


def test_a_repeat_is_answered_with_what_the_first_became(venue: MemoryVenue) -> None:
    first = venue.desk.place(BUY, account=ALICE)
    venue.clock.now += 1_000_000
    again = venue.desk.place(BUY, account=ALICE)
    assert again == first
    assert venue.wallets.balance(ALICE, "USD").held == 10_02000000


def test_a_repeat_of_a_refused_order_is_refused_again(venue: MemoryVenue) -> None:
    venue.desk.place(SELL, account=BOB)
    post_only = msgspec.structs.replace(BUY, post_only=True)
    assert refused(venue, post_only, RuleBroken).code == "post_only"
    assert refused(venue, post_only, RuleBroken).code == "post_only"


@pytest.mark.parametrize(
    "other",
    [
        {"price": "1.005"},
        {"size": "11"},
        {"post_only": True},
        {"time_in_force": "IOC"},
        {"side": "sell"},
        {"product_id": "BTC-USD"},
        {"type": "market", "price": None},
    ],
)
def test_the_same_client_oid_with_other_content_is_a_conflict(venue: MemoryVenue, other: dict[str, object]) -> None:
    venue.desk.place(SELL, account=BOB)
    venue.desk.place(msgspec.structs.replace(BUY, price="0.500"), account=ALICE)
    held = venue.wallets.balance(ALICE, "USD").held
    refused(venue, msgspec.structs.replace(BUY, **{"price": "0.500"} | other), Conflict)
    assert venue.wallets.balance(ALICE, "USD").held == held


def test_other_content_is_a_conflict_even_when_the_first_never_reached_the_matcher(venue: MemoryVenue) -> None:
    venue.matcher.url = None
    venue.queue.down = True
    refused(venue, BUY, Unavailable)
    venue.matcher.url = "http://owner"
    # A larger order under the smaller one's hold would be paid by nobody.
    refused(venue, msgspec.structs.replace(BUY, size="1000"), Conflict)
    assert venue.desk.place(BUY, account=ALICE).order.status == "open"
    assert venue.wallets.balance(ALICE, "USD").held == 10_02000000


def test_two_accounts_may_use_the_same_client_oid(venue: MemoryVenue) -> None:
    mine = venue.desk.place(BUY, account=ALICE)
    theirs = venue.desk.place(BUY, account=BOB)
    assert mine.order.order_id != theirs.order.order_id


def test_orders_without_a_client_oid_are_each_their_own(venue: MemoryVenue) -> None:
    ticket = msgspec.structs.replace(BUY, client_oid=None)
    first, second = venue.desk.place(ticket, account=ALICE), venue.desk.place(ticket, account=ALICE)
    assert first.order.order_id != second.order.order_id


def test_a_repeat_of_an_order_that_the_matcher_forgot_is_answered_from_the_journal(venue: MemoryVenue) -> None:
    venue.desk.place(SELL, account=BOB)
    first = venue.desk.place(BUY, account=ALICE)
    venue.matcher.forgets = True
    assert venue.desk.place(BUY, account=ALICE) == first


# The roads.


def test_with_nobody_at_the_owners_address_the_order_waits_in_the_queue(venue: MemoryVenue) -> None:
    venue.matcher.url = None
    placed = venue.desk.place(BUY, account=ALICE)
    assert (placed.pending, placed.order.status) == (True, "pending")
    (outcome,) = venue.drain()
    assert outcome.orders[0].status == "open"
    assert outcome.orders[0].order_id == placed.order.order_id


def test_a_new_owner_is_found_by_looking_once_more(venue: MemoryVenue) -> None:
    venue.matcher.url = "http://new-owner"
    venue.markets.new_owner = "http://new-owner"
    assert venue.desk.place(BUY, account=ALICE).order.status == "open"
    assert [url for url, _ in venue.matcher.asked] == ["http://owner", "http://new-owner"]


def test_the_same_dead_address_is_not_asked_twice(venue: MemoryVenue) -> None:
    venue.matcher.url = None
    venue.desk.place(BUY, account=ALICE)
    assert len(venue.matcher.asked) == 1


def test_a_lost_answer_leads_to_the_queue_and_the_order_is_done_once(venue: MemoryVenue) -> None:
    venue.matcher.answers_lost = 1
    placed = venue.desk.place(BUY, account=ALICE)
    assert placed.pending
    (outcome,) = venue.drain()
    assert outcome.replayed
    assert venue.wallets.balance(ALICE, "USD").held == 10_02000000


def test_without_redis_an_order_goes_to_the_matchers_fallback_address() -> None:
    venue = MemoryVenue(fallback_url="http://any")
    venue.matcher.url = "http://any/shards/0"
    venue.markets.away = True
    assert venue.desk.place(BUY, account=ALICE).order.status == "open"


def test_without_redis_and_without_a_fallback_an_order_waits_in_the_queue(venue: MemoryVenue) -> None:
    venue.markets.away = True
    assert venue.desk.place(BUY, account=ALICE).pending


def test_who_does_not_want_to_wait_is_answered_from_the_queue(venue: MemoryVenue) -> None:
    assert venue.desk.place(BUY, account=ALICE, wait=False).pending
    assert venue.matcher.asked == []


def test_with_both_roads_closed_the_same_order_may_be_sent_again(venue: MemoryVenue) -> None:
    venue.matcher.url = None
    venue.queue.down = True
    assert refused(venue, BUY, Unavailable).retryable
    assert venue.wallets.balance(ALICE, "USD").held == 10_02000000
    venue.queue.down = False
    assert venue.desk.place(BUY, account=ALICE).pending
    assert venue.wallets.balance(ALICE, "USD").held == 10_02000000


def test_an_order_carries_its_deadline_on_either_road_and_a_repeat_a_new_one(venue: MemoryVenue) -> None:
    venue.desk.place(BUY, account=ALICE)
    venue.desk.place(BUY, account=ALICE, wait=False)
    sent = [command for _, command in venue.matcher.asked] + venue.queue.waiting
    assert [getattr(command, "deadline", None) for command in sent] == [NOON + DEADLINE_US] * 2
    named = msgspec.structs.replace(BUY, client_oid="again")
    venue.desk.place(named, account=ALICE, wait=False)
    venue.clock.now += 1
    venue.desk.place(named, account=ALICE, wait=False)
    assert [getattr(command, "deadline", None) for command in venue.queue.waiting[1:]] == [
        NOON + DEADLINE_US,
        NOON + 1 + DEADLINE_US,
    ]


def test_a_queued_order_read_too_late_is_refused_and_its_hold_freed(venue: MemoryVenue) -> None:
    venue.desk.place(BUY, account=ALICE, wait=False)
    venue.clock.now += 30_000_001
    (outcome,) = venue.drain()
    assert outcome.refused == "deadline"
    assert venue.wallets.balance(ALICE, "USD") == Balance(asset="USD", free=MILLION, held=0)
    assert refused(venue, BUY, RuleBroken).code == "deadline"


# Market orders.


def test_a_market_buy_by_size_is_bounded_five_percent_above_the_best_ask(venue: MemoryVenue) -> None:
    venue.desk.place(msgspec.structs.replace(SELL, price="1.005"), account=BOB)
    venue.desk.place(Ticket(product_id="ACME-USD", side="buy", type="market", size="1"), account=ALICE)
    command = venue.matcher.asked[-1][1]
    assert isinstance(command, PlaceOrder)
    # 201 ticks and five percent, rounded up: 212
    assert (command.price, command.time_in_force) == (212, "IOC")


def test_a_market_sell_is_bounded_five_percent_below_the_best_bid(venue: MemoryVenue) -> None:
    venue.desk.place(msgspec.structs.replace(BUY, price="1.005"), account=BOB)
    venue.desk.place(Ticket(product_id="ACME-USD", side="sell", type="market", size="1"), account=ALICE)
    command = venue.matcher.asked[-1][1]
    assert isinstance(command, PlaceOrder)
    assert command.price == 190


def test_a_market_buy_by_size_without_an_ask_is_refused(venue: MemoryVenue) -> None:
    market = Ticket(product_id="ACME-USD", side="buy", type="market", size="1")
    assert refused(venue, market, RuleBroken).code == "no_liquidity"
    assert venue.wallets.balance(ALICE, "USD").held == 0


def test_a_market_buy_by_size_needs_to_see_the_book(venue: MemoryVenue) -> None:
    venue.markets.away = True
    refused(venue, Ticket(product_id="ACME-USD", side="buy", type="market", size="1"), Unavailable)


def test_a_repeated_market_buy_is_answered_although_the_book_is_empty_now(venue: MemoryVenue) -> None:
    venue.desk.place(SELL, account=BOB)
    market = Ticket(product_id="ACME-USD", side="buy", type="market", size="10", client_oid=OID)
    first = venue.desk.place(market, account=ALICE)
    assert first.order.status == "done"
    assert venue.desk.place(market, account=ALICE) == first
    refused(venue, msgspec.structs.replace(market, size="9"), Conflict)


def test_a_repeated_market_buy_goes_under_its_first_bound_and_hold(venue: MemoryVenue) -> None:
    venue.desk.place(SELL, account=BOB)
    venue.matcher.url = None
    venue.queue.down = True
    market = Ticket(product_id="ACME-USD", side="buy", type="market", size="5", client_oid=OID)
    refused(venue, market, Unavailable)
    held = venue.wallets.balance(ALICE, "USD").held
    venue.matcher.url = "http://owner"
    venue.desk.place(msgspec.structs.replace(SELL, price="0.500"), account=BOB)
    assert venue.desk.place(market, account=ALICE).order.status == "done"
    command = venue.matcher.asked[-1][1]
    assert isinstance(command, PlaceOrder)
    assert command.hold == held


def test_a_market_buy_by_funds_spends_no_more_than_its_funds(venue: MemoryVenue) -> None:
    venue.desk.place(SELL, account=BOB)
    market = Ticket(product_id="ACME-USD", side="buy", type="market", funds="5.00")
    placed = venue.desk.place(market, account=ALICE)
    assert 0 < placed.order.executed_value + placed.order.fees <= 5 * 10**8
    assert venue.wallets.balance(ALICE, "USD").held == 0


# What cannot be read.


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price": None}, "price"),
        ({"size": None}, "size"),
        ({"price": "1.001"}, "price"),
        ({"price": "0"}, "price"),
        ({"price": "NaN"}, "price"),
        ({"price": "1e3"}, "price"),
        ({"price": "-1"}, "price"),
        ({"price": "9" * 30}, "price"),
        ({"size": "0.5"}, "size"),
        ({"size": "0"}, "size"),
        ({"size": "9999999999999"}, "size"),
        ({"funds": "1"}, "funds"),
        ({"post_only": True, "time_in_force": "IOC"}, "post_only"),
        ({"type": "market"}, "price"),
        ({"type": "market", "price": None, "post_only": True}, "post_only"),
        ({"type": "market", "price": None, "time_in_force": "GTC"}, "time_in_force"),
        ({"type": "market", "price": None, "size": None}, "size"),
        ({"type": "market", "price": None, "funds": "1"}, "funds"),
        ({"type": "market", "price": None, "size": None, "funds": "1", "side": "sell"}, "funds"),
        ({"type": "market", "price": None, "size": None, "funds": "0"}, "funds"),
        ({"type": "market", "price": None, "size": None, "funds": "0.000000001"}, "funds"),
    ],
)
def test_a_ticket_that_cannot_be_read_names_the_field(
    venue: MemoryVenue, change: dict[str, object], field: str
) -> None:
    error = refused(venue, msgspec.structs.replace(BUY, **change), Malformed)
    assert isinstance(error, Malformed)
    assert (error.field, error.message.split(":")[0]) == (field, field)
    assert venue.wallets.holds == {}


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_an_order_worth_more_than_a_wallet_can_hold_is_refused(venue: MemoryVenue, side: str) -> None:
    huge = msgspec.structs.replace(BUY, side=side, price="1000000000", size="1000000000")
    assert refused(venue, huge, RuleBroken).code == "too_large"
    assert venue.wallets.holds == {}
