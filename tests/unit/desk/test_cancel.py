"""Cancelling: one order, all orders, and orders that are still on their way."""

import pytest

from tests.venue_in_memory import ALICE, BOB, OWNER, MemoryVenue
from venue.commands import CancelAll
from venue.desk import Cancelled
from venue.errors import NotFound, RuleBroken, Unavailable
from venue.tickets import Ticket

BUY = Ticket(product_id="ACME-USD", side="buy", price="1.000", size="10")
SELL = Ticket(product_id="ACME-USD", side="sell", price="1.000", size="10")
NOBODYS = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


def test_a_cancel_frees_the_hold(venue: MemoryVenue) -> None:
    order_id = venue.desk.place(BUY, account=ALICE).order.order_id
    assert venue.desk.cancel(order_id, account=ALICE) == Cancelled(order_ids=[order_id])
    assert venue.wallets.balance(ALICE, "USD").held == 0


def test_a_cancel_may_name_the_product(venue: MemoryVenue) -> None:
    order_id = venue.desk.place(BUY, account=ALICE).order.order_id
    assert venue.desk.cancel(order_id, account=ALICE, product_id="ACME-USD").order_ids == [order_id]


def test_an_unknown_order_is_not_found(venue: MemoryVenue) -> None:
    with pytest.raises(NotFound):
        venue.desk.cancel(NOBODYS, account=ALICE)


def test_another_accounts_order_is_not_found(venue: MemoryVenue) -> None:
    order_id = venue.desk.place(BUY, account=ALICE).order.order_id
    with pytest.raises(NotFound):
        venue.desk.cancel(order_id, account=BOB)
    assert venue.desk.cancel(order_id, account=ALICE).order_ids == [order_id]


def test_a_cancel_of_a_filled_order_is_refused(venue: MemoryVenue) -> None:
    venue.desk.place(SELL, account=BOB)
    order_id = venue.desk.place(BUY, account=ALICE).order.order_id
    with pytest.raises(RuleBroken) as caught:
        venue.desk.cancel(order_id, account=ALICE)
    assert caught.value.code == "order_done"


def test_a_cancel_follows_its_order_into_the_queue(venue: MemoryVenue) -> None:
    placed = venue.desk.place(BUY, account=ALICE, wait=False)
    assert venue.desk.cancel(placed.order.order_id, account=ALICE) == Cancelled(pending=True)
    opened, cancelled = venue.drain()
    assert opened.orders[0].status == "open"
    assert cancelled.orders[0].done_reason == "canceled"


def test_a_cancel_that_came_before_its_order_is_delivered_again(venue: MemoryVenue) -> None:
    order_id = venue.desk.place(BUY, account=ALICE).order.order_id
    venue.matcher.cancels_early = 1
    assert venue.desk.cancel(order_id, account=ALICE) == Cancelled(order_ids=[order_id])
    assert venue.wallets.balance(ALICE, "USD").held == 0


def test_a_cancel_that_keeps_missing_its_order_may_be_sent_again(venue: MemoryVenue) -> None:
    order_id = venue.desk.place(BUY, account=ALICE).order.order_id
    venue.matcher.cancels_early = 2
    with pytest.raises(Unavailable):
        venue.desk.cancel(order_id, account=ALICE)
    assert venue.desk.cancel(order_id, account=ALICE).order_ids == [order_id]


def test_a_cancel_of_an_order_that_was_done_before_the_matcher_can_remember_is_refused(venue: MemoryVenue) -> None:
    order_id = venue.desk.place(BUY, account=ALICE).order.order_id
    venue.desk.cancel(order_id, account=ALICE)
    venue.matcher.cancels_early = 1
    with pytest.raises(RuleBroken) as caught:
        venue.desk.cancel(order_id, account=ALICE)
    assert caught.value.code == "order_done"


def test_another_accounts_order_on_its_way_is_not_found_either(venue: MemoryVenue) -> None:
    placed = venue.desk.place(BUY, account=ALICE, wait=False)
    with pytest.raises(NotFound):
        venue.desk.cancel(placed.order.order_id, account=BOB)


def test_with_nobody_at_the_owners_address_a_cancel_waits_in_the_queue(venue: MemoryVenue) -> None:
    order_id = venue.desk.place(BUY, account=ALICE).order.order_id
    venue.matcher.url = None
    assert venue.desk.cancel(order_id, account=ALICE).pending
    (outcome,) = venue.drain()
    assert outcome.orders[0].done_reason == "canceled"


def test_without_redis_a_cancel_goes_to_the_fallback_address() -> None:
    venue = MemoryVenue(fallback_url="http://any")
    order_id = venue.desk.place(BUY, account=ALICE).order.order_id
    venue.matcher.url = "http://any/shards/0"
    venue.markets.away = True
    assert venue.desk.cancel(order_id, account=ALICE).order_ids == [order_id]


@pytest.mark.parametrize("wait", [True, False])
def test_a_cancel_goes_to_the_shard_of_its_order_alone(venue: MemoryVenue, *, wait: bool) -> None:
    order_id = venue.desk.place(BUY, account=ALICE).order.order_id
    venue.matcher.asked.clear()
    # Shard 7 is the first to be asked, and nobody answers at its owner's address.
    venue.markets.others = {7: "http://gone"}
    cancelled = venue.desk.cancel(order_id, account=ALICE, wait=wait)
    assert cancelled == (Cancelled(order_ids=[order_id]) if wait else Cancelled(pending=True))
    assert [url for url, _ in venue.matcher.asked] == ([OWNER] if wait else [])
    assert venue.queue.shards == ([] if wait else [0])


def test_with_several_shards_an_order_without_a_hold_is_found_in_the_journal(venue: MemoryVenue) -> None:
    order_id = venue.desk.place(BUY, account=ALICE).order.order_id
    venue.markets.others = {7: "http://gone"}
    venue.wallets.holds.clear()
    with pytest.raises(NotFound):
        venue.desk.cancel(order_id, account=BOB)
    assert venue.desk.cancel(order_id, account=ALICE).order_ids == [order_id]
    assert venue.queue.waiting == []


def test_cancel_all_takes_the_accounts_own_orders_of_one_product(venue: MemoryVenue) -> None:
    mine = [venue.desk.place(BUY, account=ALICE).order.order_id for _ in range(3)]
    venue.desk.place(BUY, account=BOB)
    other = Ticket(product_id="BTC-USD", side="buy", price="1.00", size="1")
    elsewhere = venue.desk.place(other, account=ALICE).order.order_id
    assert sorted(venue.desk.cancel_all(account=ALICE, product_id="ACME-USD").order_ids) == sorted(mine)
    assert venue.desk.cancel_all(account=ALICE) == Cancelled(order_ids=[elsewhere])
    assert venue.wallets.balance(ALICE, "USD").held == 0
    assert venue.wallets.balance(BOB, "USD").held > 0


def test_cancel_all_asks_again_while_there_are_more(venue: MemoryVenue) -> None:
    mine = [venue.desk.place(BUY, account=ALICE).order.order_id for _ in range(1_001)]
    assert venue.desk.cancel_all(account=ALICE).order_ids == mine
    assert [command for _, command in venue.matcher.asked].count(CancelAll(account=ALICE)) == 2


def test_cancel_all_of_an_unknown_product_is_not_found(venue: MemoryVenue) -> None:
    with pytest.raises(NotFound):
        venue.desk.cancel_all(account=ALICE, product_id="NO-USD")


def test_a_cancel_all_that_does_not_wait_takes_the_orders_queued_before_it_too(venue: MemoryVenue) -> None:
    resting = venue.desk.place(BUY, account=ALICE).order.order_id
    queued = venue.desk.place(BUY, account=ALICE, wait=False).order.order_id
    assert venue.desk.cancel_all(account=ALICE, wait=False) == Cancelled(pending=True)
    cancelled = venue.drain()[-1]
    assert {order.order_id for order in cancelled.orders} == {resting, queued}


def test_cancel_all_reaches_the_shards_whose_owner_nobody_knows(venue: MemoryVenue) -> None:
    mine = venue.desk.place(BUY, account=ALICE).order.order_id
    venue.markets.ownerless = {3, 5}
    assert venue.desk.cancel_all(account=ALICE) == Cancelled(order_ids=[mine], pending=True)
    assert len(venue.queue.waiting) == 2
    venue.markets.away = True
    assert venue.desk.cancel_all(account=ALICE).pending
    assert len(venue.queue.waiting) == 5  # now no address is known at all


def test_cancel_all_asks_every_shard_although_one_takes_it_on_neither_road(venue: MemoryVenue) -> None:
    venue.desk.place(BUY, account=ALICE)
    # Shard -1 is asked first, nobody answers there, and the queue takes nothing.
    venue.markets.others = {-1: "http://gone"}
    venue.queue.down = True
    with pytest.raises(Unavailable):
        venue.desk.cancel_all(account=ALICE)
    assert venue.wallets.balance(ALICE, "USD").held == 0


def test_cancel_all_waits_in_the_queue_when_nobody_answers(venue: MemoryVenue) -> None:
    venue.matcher.url = None
    assert venue.desk.cancel_all(account=ALICE) == Cancelled(pending=True)


# The dead-man switch.


def test_a_dead_mans_switch_falls_unless_it_is_set_again(venue: MemoryVenue) -> None:
    venue.desk.place(BUY, account=ALICE)
    armed = venue.desk.cancel_all_after(30, account=ALICE)
    assert (armed.at, armed.timeout_s) == (venue.clock.now, 30)
    venue.clock.now += 29_000_000
    venue.desk.cancel_all_after(30, account=ALICE)
    venue.clock.now += 29_000_000
    venue.desk.cancel_all(account=BOB)
    assert venue.wallets.balance(ALICE, "USD").held > 0
    venue.clock.now += 1_000_000
    venue.desk.cancel_all(account=BOB)
    assert venue.wallets.balance(ALICE, "USD").held == 0


def test_with_nobody_serving_the_switch_is_not_left_for_later(venue: MemoryVenue) -> None:
    venue.matcher.url = None
    with pytest.raises(Unavailable):
        venue.desk.cancel_all_after(30, account=ALICE)
    assert venue.queue.waiting == []
