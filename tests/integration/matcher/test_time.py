"""Time passes in a real matcher: what is due happens although nobody sends anything, and is in the journal."""

import time
from uuid import uuid4

from msgspec.structs import replace

from tests.cluster.database import NewDatabase
from tests.cluster.flow import BTC_USD, limit
from tests.integration.matcher.conftest import StartMatcher
from tests.integration.matcher.test_durability import check_books
from venue.commands import AmendOrder, CancelAllAfter, PlaceOrder, SetStatus


def lasting(order: PlaceOrder, *, seconds: float) -> PlaceOrder:
    return replace(order, time_in_force="GTT", expire_at=time.time_ns() // 1000 + int(seconds * 1e6))


def kinds(database: NewDatabase) -> list[object]:
    rows = database.rows(
        "SELECT e ->> 'kind' FROM batches, jsonb_array_elements(convert_from(events, 'UTF8')::jsonb)"
        " WITH ORDINALITY AS t (e, n) ORDER BY sequence, n"
    )
    return [kind for (kind,) in rows]


def test_an_order_expires_by_itself_and_its_hold_is_free(start_matcher: StartMatcher, database: NewDatabase) -> None:
    matcher = start_matcher().wait_until_ready()
    order = lasting(limit("buy", 100, 5), seconds=0.5)
    assert matcher.submit(order).orders[0].status == "open"
    matcher.wait_until(lambda: database.rows("SELECT done_reason, hold FROM orders") == [("expired", 0)])
    check_books(database)


def test_an_order_whose_time_comes_while_nobody_serves_expires_before_anything_else_happens(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    matcher = start_matcher().wait_until_ready()
    order = lasting(limit("buy", 100, 5), seconds=1)
    assert matcher.submit(order).orders[0].status == "open"
    matcher.kill()
    time.sleep(1)
    outcome = start_matcher().wait_until_ready().submit(limit("sell", 100, 5, account="bob"))
    assert (outcome.orders[0].status, outcome.fills) == ("open", [])
    assert database.rows("SELECT done_reason FROM orders WHERE account = 'alice'") == [("expired",)]
    check_books(database)


def test_an_auction_tells_how_it_stands_and_ends_by_itself(start_matcher: StartMatcher, database: NewDatabase) -> None:
    matcher = start_matcher().wait_until_ready()
    ends = time.time_ns() // 1000 + 2_500_000
    assert matcher.submit(SetStatus(product_id=BTC_USD.id, status="auction", until=ends)).refused is None
    bid = limit("buy", 120, 5)
    matcher.submit_all(bid, limit("sell", 100, 5, account="bob"))
    matcher.wait_until(lambda: database.rows("SELECT status FROM orders WHERE account = 'alice'") == [("done",)])
    told = kinds(database)
    assert told.index("indicative") < told.index("match") < told.index("status", told.index("match"))
    assert database.rows("SELECT count(*), min(size) FROM trades") == [(1, 5)]
    check_books(database)


def test_an_amend_changes_an_order_once_and_moves_its_hold(start_matcher: StartMatcher, database: NewDatabase) -> None:
    matcher = start_matcher().wait_until_ready()
    order = limit("buy", 100, 5)
    matcher.submit(order)
    more = limit("buy", 100, 8).hold - order.hold
    amend = AmendOrder(
        amend_id=str(uuid4()),
        order_id=order.order_id,
        account="alice",
        product_id=BTC_USD.id,
        side="buy",
        size=8,
        hold=more,
    )
    first, again = matcher.submit(amend), matcher.submit(amend)
    assert (first.refused, first.replayed, again.replayed) == (None, False, True)
    assert [(each.size, each.hold) for each in first.orders] == [(8, order.hold + more)]
    assert first.orders == again.orders
    other = matcher.submit(replace(amend, amend_id=str(uuid4()), account="mallory"))
    assert (other.orders, other.refused) == ([], "not_found")
    assert database.rows("SELECT size, hold FROM orders") == [(8, order.hold + more)]


def test_a_dead_mans_switch_survives_its_matcher(start_matcher: StartMatcher, database: NewDatabase) -> None:
    matcher = start_matcher().wait_until_ready()
    matcher.submit_all(limit("buy", 100, 5), limit("buy", 101, 5), limit("buy", 102, 5, account="bob"))
    matcher.submit(CancelAllAfter(account="alice", timeout=1_500_000))
    matcher.kill()
    start_matcher().wait_until_ready().wait_until(
        lambda: database.rows("SELECT count(*) FROM orders WHERE done_reason = 'canceled'") == [(2,)]
    )
    assert database.rows("SELECT status FROM orders WHERE account = 'bob'") == [("open",)]
    check_books(database)
