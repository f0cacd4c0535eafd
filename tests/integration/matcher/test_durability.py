"""Acknowledged means committed: kills, pauses, stale epochs and lost connections."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec
import psycopg
import urllib3

from tests.cluster.database import NewDatabase
from tests.cluster.flow import flow, limit
from tests.cluster.process import MatcherProcess
from tests.integration.matcher.conftest import LEASE_S, Environment, StartMatcher
from venue.commands import ListProduct, PlaceOrder
from venue.products import Product


class Clients:
    """Eight clients that send orders one after the other until told to stop, and remember what was acknowledged."""

    def __init__(self, matcher: MatcherProcess, *, seed: int, count: int) -> None:
        self.acknowledged: list[PlaceOrder] = []
        self.unknown: list[PlaceOrder] = []
        self._matcher = matcher
        self._orders = iter(flow(seed, count))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(8)
        for _ in range(8):
            self._pool.submit(self._send)

    def _send(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                order = next(self._orders, None)
            if order is None:
                return
            try:
                answer = self._matcher.post(order)
            except urllib3.exceptions.HTTPError:
                self.unknown.append(order)
                time.sleep(0.01)
            else:
                (self.acknowledged if answer.status == 200 else self.unknown).append(order)

    def wait_for(self, count: int) -> None:
        """Wait until so many are acknowledged."""
        self._matcher.wait_until(lambda: len(self.acknowledged) >= count)

    def finish(self) -> None:
        """Stop them and wait."""
        self._stop.set()
        self._pool.shutdown()


def check_books(database: NewDatabase) -> None:
    """The journal's tables agree with each other: gapless, balanced, nothing held for nothing."""
    assert database.rows("SELECT count(*) - max(sequence) FROM batches") == [(0,)]
    assert database.rows("SELECT asset FROM postings GROUP BY asset HAVING sum(free + held) <> 0") == []
    assert (
        database.rows(
            "SELECT o.id FROM orders o LEFT JOIN postings p ON p.order_id = o.id"
            " AND p.asset = CASE o.side WHEN 'buy' THEN 'USD' ELSE 'BTC' END"
            " GROUP BY o.id HAVING coalesce(sum(p.held), 0) <> o.hold"
        )
        == []
    )
    assert (
        database.rows(
            "SELECT o.id FROM orders o LEFT JOIN trades t ON o.id IN (t.maker_order_id, t.taker_order_id)"
            " GROUP BY o.id HAVING coalesce(sum(t.size), 0) <> o.filled"
        )
        == []
    )


def journalled(database: NewDatabase) -> set[str]:
    return {str(row[0]) for row in database.rows("SELECT id FROM orders")}


def test_every_acknowledged_order_survives_kill_9(start_matcher: StartMatcher, database: NewDatabase) -> None:
    matcher = start_matcher().wait_until_ready()
    clients = Clients(matcher, seed=1, count=100_000)
    clients.wait_for(800)
    matcher.kill()
    clients.finish()
    assert clients.unknown, "the kill hit nobody"

    second = start_matcher().wait_until_ready()
    assert {order.order_id for order in clients.acknowledged} <= journalled(database)
    outcomes = [second.submit(order) for order in clients.acknowledged[::20]]
    assert all(outcome.replayed and outcome.orders for outcome in outcomes)
    # Those of unknown outcome are sent again, as a client would: each of them is there once.
    for order in clients.unknown[:50]:
        second.submit(order)
    assert {order.order_id for order in clients.unknown[:50]} <= journalled(database)
    check_books(database)


def test_a_second_recovery_gives_the_same_books(start_matcher: StartMatcher, database: NewDatabase) -> None:
    first = start_matcher().wait_until_ready()
    for order in flow(2, 300):
        first.submit(order)
    before = first.state(digest=True)
    assert first.terminate() == 0
    after = start_matcher().wait_until_ready().state(digest=True)
    assert (after["digest"], after["sequence"], after["products"]) == (
        before["digest"],
        before["sequence"],
        before["products"],
    )
    assert after["epoch"] == before["epoch"] + 1
    check_books(database)


def test_a_standby_takes_over_from_a_killed_owner(start_matcher: StartMatcher) -> None:
    owner = start_matcher().wait_until_ready()
    standby = start_matcher()
    standby.wait_until(lambda: standby.has_logged("standing_by"))
    refused = standby.post(limit("buy", 100, 1))
    assert (refused.status, refused.data["code"]) == (503, "not_owner")
    order = limit("buy", 100, 1)
    owner.submit(order)
    owner.kill()
    standby.wait_until_ready()
    assert standby.submit(order).replayed


def test_a_standby_takes_over_from_a_stopped_owner_without_waiting_for_the_lease(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    owner = start_matcher(LEASE_SECONDS="60").wait_until_ready()
    standby = start_matcher()
    standby.wait_until(lambda: standby.has_logged("standing_by"))
    clients = Clients(owner, seed=3, count=100_000)
    clients.wait_for(200)
    assert owner.terminate() == 0
    clients.finish()
    standby.wait_until_ready()
    assert {order.order_id for order in clients.acknowledged} <= journalled(database)
    check_books(database)


def test_a_paused_owner_that_wakes_up_cannot_write(start_matcher: StartMatcher, database: NewDatabase) -> None:
    sleeper = start_matcher().wait_until_ready()
    sleeper.submit(limit("buy", 100, 1))
    sleeper.pause()
    time.sleep(LEASE_S)
    successor = start_matcher().wait_until_ready()
    mine = successor.submit(limit("buy", 101, 1)).orders[0]
    with ThreadPoolExecutor(1) as pool:
        late = limit("buy", 102, 1)
        asked = pool.submit(sleeper.post, late)
        time.sleep(0.1)
        sleeper.resume()
        answer = asked.result()
    assert answer.status == 503
    assert late.order_id not in journalled(database)
    assert mine.order_id in journalled(database)
    sleeper.wait_until(lambda: sleeper.has_logged("standing_by"))
    assert successor.is_ready()
    assert database.rows("SELECT count(DISTINCT epoch), count(*) - max(sequence) FROM batches") == [(2, 0)]


def test_a_matcher_that_loses_its_database_connections_recovers_under_a_new_epoch(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    matcher = start_matcher().wait_until_ready()
    clients = Clients(matcher, seed=4, count=100_000)
    for count in (200, 400, 600):
        clients.wait_for(count)
        database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'matcher'")
        matcher.wait_until_ready()
    clients.wait_for(len(clients.acknowledged) + 200)
    clients.finish()
    assert matcher.has_logged("stepped_down")
    assert matcher.state()["epoch"] >= 4
    assert {order.order_id for order in clients.acknowledged} <= journalled(database)
    check_books(database)


def test_a_commit_that_hangs_is_of_unknown_outcome_and_done_once_in_the_end(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    matcher = start_matcher().wait_until_ready()
    order = limit("buy", 100, 1)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database.url) as other:
        other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        asked = pool.submit(matcher.post, order)
        answer = asked.result()
        assert (answer.status, answer.data["code"]) == (503, "outcome_unknown")
        other.rollback()
    matcher.wait_until_ready()
    matcher.submit(order)
    assert journalled(database) == {order.order_id}
    check_books(database)


# Half as long again as the lease; twice its length is what a commit may take.
SLOW_COMMITS = f"""
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep({1.5 * LEASE_S}); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON batches DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION dawdle()
"""


def test_a_commit_that_outlasts_the_lease_ends_no_term(start_matcher: StartMatcher, database: NewDatabase) -> None:
    owner = start_matcher().wait_until_ready()
    standby = start_matcher()
    standby.wait_until(lambda: standby.has_logged("standing_by"))
    database.run(SLOW_COMMITS)
    orders = [limit("buy", price, 1) for price in range(100, 104)]
    assert [owner.post(order).status for order in orders] == [200] * 4
    # What changes nothing is answered as well, right behind a commit like that.
    assert owner.submit(orders[0]).replayed
    assert not owner.has_logged("stepped_down")
    assert not standby.has_logged("stepped_down")
    assert database.rows("SELECT DISTINCT epoch FROM batches") == [(1,)]
    database.run("DROP FUNCTION dawdle CASCADE")
    check_books(database)


def test_a_commit_that_waits_for_longer_than_the_lease_ends_no_term(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    owner = start_matcher().wait_until_ready()
    standby = start_matcher()
    standby.wait_until(lambda: standby.has_logged("standing_by"))
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database.url) as other:
        other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        asked = pool.submit(owner.post, limit("buy", 100, 1))
        time.sleep(1.5 * LEASE_S)
        other.rollback()
        assert asked.result().status == 200
    assert database.rows("SELECT DISTINCT epoch FROM batches") == [(1,)]
    assert not owner.has_logged("stepped_down")


def test_an_owner_that_fails_as_soon_as_it_serves_comes_again_ever_more_seldom(
    start_matcher: StartMatcher, database: NewDatabase, told: Environment
) -> None:
    # There is a relay, and it finds no table: the term ends right after its beginning, again and again.
    matcher = start_matcher(**told, EVENTS_QUEUE_URL="http://127.0.0.1:1/nobody")
    matcher.wait_until_ready()
    database.run("ALTER TABLE relays RENAME TO away")
    database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'matcher'")

    def waits() -> list[float]:
        return [line["within_s"] for line in matcher.events() if line["event"] == "comes_again"]

    matcher.wait_until(lambda: len(waits()) >= 7)
    assert max(waits()) >= 0.8
    assert sum(line["event"] == "serving" for line in matcher.events()) > 3
    database.run("ALTER TABLE away RENAME TO relays")
    matcher.wait_until_ready()


def test_a_journal_that_this_program_would_have_written_otherwise_is_not_served(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    matcher = start_matcher().wait_until_ready()
    matcher.submit(limit("buy", 100, 7))
    assert matcher.terminate() == 0
    database.run(
        "UPDATE batches SET events = convert_to(replace(convert_from(events, 'UTF8'), '\"level_size\":7',"
        " '\"level_size\":8'), 'UTF8')"
    )
    second = start_matcher()
    assert second.wait() == 1
    assert second.has_logged("must_not_serve")
    assert "JournalBroken" in second.log.read_text()


def test_a_gap_in_the_journal_is_not_served(start_matcher: StartMatcher, database: NewDatabase) -> None:
    matcher = start_matcher().wait_until_ready()
    for price in (100, 101, 102):
        matcher.submit(limit("buy", price, 1))
    assert matcher.terminate() == 0
    database.run("DELETE FROM batches WHERE sequence = 5")
    assert start_matcher().wait() == 1


def test_what_operators_change_in_a_market_outlasts_a_take_over(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    first = start_matcher().wait_until_ready()
    (rules,) = database.rows("SELECT rules FROM products WHERE id = 'BTC-USD'")[0]
    listed = msgspec.convert(rules, Product)
    changed = msgspec.structs.replace(listed, taker_bps=listed.taker_bps + 1)
    assert first.submit(ListProduct(product=changed)).refused is None
    assert first.terminate() == 0
    second = start_matcher().wait_until_ready()
    (rules,) = database.rows("SELECT rules FROM products WHERE id = 'BTC-USD'")[0]
    assert msgspec.convert(rules, Product) == changed
    assert second.has_logged("catalogue_differs")
    assert second.state()["sequence"] == 4  # three products and the change


def test_products_are_listed_once(start_matcher: StartMatcher, database: NewDatabase) -> None:
    start_matcher().wait_until_ready().terminate()
    start_matcher().wait_until_ready().terminate()
    assert database.rows("SELECT count(*) FROM batches") == [(3,)]
    assert database.rows("SELECT id FROM products ORDER BY id") == [("ACME-USD",), ("BTC-USD",), ("ETH-USD",)]
