"""Several shards: in one process and in two, by HTTP and by the queue."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from mypy_boto3_sqs import SQSClient

from tests.cluster.database import NewDatabase
from tests.cluster.flow import limit
from tests.cluster.process import ROOT, MatcherProcess
from tests.cluster.redis import RedisServer
from tests.integration.matcher.conftest import Environment, NewQueue, StartMatcher
from venue.commands import CancelOrder, PlaceOrder
from venue_aws.queues import OrderQueue, connect

TOLD = {"SHARDS": "2"}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def catalogue(tmp_path: Path) -> dict[str, str]:
    """The venue's own catalogue, with its second product in a second shard."""
    text = (ROOT / "matcher" / "products.toml").read_text()
    file = tmp_path / "products.toml"
    file.write_text(text.replace("[products.BTC-USD]", "[products.BTC-USD]\nshard = 1"))
    return TOLD | {"CATALOGUE": str(file)}


def other(price: int = 100) -> PlaceOrder:
    """An order of the first shard."""
    return replace(limit("buy", price, 1), product_id="ETH-USD", hold=10**15)


def start_with_all(start_matcher: StartMatcher, catalogue: dict[str, str]) -> MatcherProcess:
    """A matcher that owns both shards."""
    matcher = start_matcher(**catalogue)
    matcher.wait_until(lambda: owners(matcher) == [[0, 1]])
    return matcher


def wait_until_standing_by(matcher: MatcherProcess) -> None:
    """Until it follows both shards."""
    matcher.wait_until(lambda: sum(line["event"] == "standing_by" for line in matcher.events()) == 2)


def owners(*matchers: MatcherProcess) -> list[list[int]]:
    return [[shard for shard in (0, 1) if matcher.serves(shard)] for matcher in matchers]


def test_one_process_owns_all_shards_and_each_has_a_journal_of_its_own(
    start_matcher: StartMatcher, database: NewDatabase, catalogue: dict[str, str]
) -> None:
    matcher = start_with_all(start_matcher, catalogue)
    assert owners(matcher) == [[0, 1]]
    assert matcher.submit(limit("buy", 100, 1), shard=1).refused is None
    assert matcher.submit(other(), shard=0).refused is None
    assert matcher.submit(limit("buy", 100, 1), shard=0).refused == "unknown_product"
    assert sorted(matcher.state(shard=0)["products"]) == ["ACME-USD", "ETH-USD"]
    assert sorted(matcher.state(shard=1)["products"]) == ["BTC-USD"]
    assert database.rows("SELECT shard, count(*) - max(sequence) FROM batches GROUP BY 1 ORDER BY 1") == [
        (0, 0),
        (1, 0),
    ]
    assert matcher.terminate() == 0


def test_a_process_takes_no_more_shards_than_it_may_and_its_peer_takes_the_rest(
    start_matcher: StartMatcher, catalogue: dict[str, str]
) -> None:
    first = start_matcher(**catalogue, SHARDS_MAX="1")
    first.wait_until(lambda: owners(first) in ([[0]], [[1]]))
    assert not first.is_ready()  # nobody owns the other shard
    second = start_matcher(**catalogue, SHARDS_MAX="1").wait_until_ready()
    first.wait_until(first.is_ready)
    assert sorted(owners(first, second)) == [[0], [1]]
    here, there = owners(first, second)
    assert first.post(other() if there == [0] else limit("buy", 100, 1), shard=there[0]).data["code"] == "not_owner"
    assert first.is_ready()
    assert here != there


def test_the_shards_of_a_process_that_dies_go_to_its_peer(
    start_matcher: StartMatcher, catalogue: dict[str, str]
) -> None:
    first = start_with_all(start_matcher, catalogue)
    second = start_matcher(**catalogue)
    wait_until_standing_by(second)
    order = limit("buy", 100, 1)
    first.submit(order, shard=1)
    first.kill()
    second.wait_until(lambda: owners(second) == [[0, 1]])
    assert second.submit(order, shard=1).replayed
    second.submit(other(), shard=0)


def test_two_processes_that_wait_for_two_shards_get_one_each(
    start_matcher: StartMatcher, catalogue: dict[str, str]
) -> None:
    first = start_with_all(start_matcher, catalogue)
    peers = [start_matcher(**catalogue), start_matcher(**catalogue)]
    for peer in peers:
        wait_until_standing_by(peer)
    assert first.terminate() == 0
    until(lambda: sorted(shard for each in owners(*peers) for shard in each) == [0, 1])
    assert sorted(owners(*peers)) == [[0], [1]]


def test_queued_commands_reach_their_shard_wherever_they_are_received(
    start_matcher: StartMatcher,
    database: NewDatabase,
    catalogue: dict[str, str],
    redis_server: RedisServer,
    sqs: SQSClient,
    new_queue: NewQueue,
    told: Environment,
) -> None:
    url = new_queue()
    environment = catalogue | told | redis_server.environment() | {"ORDER_QUEUE_URL": url, "SHARDS_MAX": "1"}
    first, second = start_matcher(**environment), start_matcher(**environment)
    first.wait_until_ready()
    second.wait_until_ready()
    until(lambda: len(redis_server.cache().owners()) == 2)
    queue = OrderQueue(connect(), url)
    for price in range(100, 130):
        for order, shard in ((limit("buy", price, 1), 1), (other(price), 0)):
            queue.put(order, shard=shard)
            queue.put(CancelOrder(order_id=order.order_id, account="alice"), shard=shard)

    def waiting() -> int:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])

    until(lambda: waiting() == 0)
    # A cancel that overtook its order would have been refused, and the order would be open.
    assert database.rows("SELECT status, count(*) FROM orders GROUP BY 1") == [("done", 60)]
    assert not first.has_logged("order_messages_put_away")
    assert not second.has_logged("order_messages_put_away")


def test_a_product_does_not_move_to_another_shard(
    start_matcher: StartMatcher, database: NewDatabase, catalogue: dict[str, str]
) -> None:
    assert start_matcher(SHARDS="1").wait_until_ready().terminate() == 0
    matcher = start_with_all(start_matcher, catalogue)
    assert matcher.has_logged("product_stays")
    assert sorted(matcher.state(shard=0)["products"]) == ["ACME-USD", "BTC-USD", "ETH-USD"]
    assert matcher.state(shard=1)["products"] == {}
    assert database.rows("SELECT rules ->> 'shard' FROM products WHERE id = 'BTC-USD'") == [("0",)]


def test_products_without_a_shard_are_dealt_in_turn(start_matcher: StartMatcher, database: NewDatabase) -> None:
    matcher = start_with_all(start_matcher, TOLD)
    assert sorted(matcher.state(shard=0)["products"]) == ["ACME-USD", "ETH-USD"]
    assert sorted(matcher.state(shard=1)["products"]) == ["BTC-USD"]
    assert database.rows("SELECT id, rules ->> 'shard' FROM products ORDER BY id") == [
        ("ACME-USD", "0"),
        ("BTC-USD", "1"),
        ("ETH-USD", "0"),
    ]


def test_a_product_that_was_dealt_to_another_shard_keeps_its_rules(
    start_matcher: StartMatcher, database: NewDatabase, tmp_path: Path
) -> None:
    assert start_matcher(SHARDS="1").wait_until_ready().terminate() == 0
    file = tmp_path / "products.toml"
    file.write_text((ROOT / "matcher" / "products.toml").read_text().replace("taker_bps = 20", "taker_bps = 25"))
    matcher = start_with_all(start_matcher, TOLD | {"CATALOGUE": str(file)})
    assert matcher.has_logged("catalogue_differs")
    assert database.rows("SELECT rules ->> 'shard', rules ->> 'taker_bps' FROM products WHERE id = 'BTC-USD'") == [
        ("0", "20")
    ]


def test_a_broken_journal_stops_its_shard_and_no_other(
    start_matcher: StartMatcher, database: NewDatabase, catalogue: dict[str, str]
) -> None:
    matcher = start_with_all(start_matcher, catalogue)
    matcher.submit(limit("buy", 100, 1), shard=1)
    assert matcher.terminate() == 0
    database.run("UPDATE batches SET at = at + 1 WHERE shard = 1 AND sequence = 1")
    second = start_matcher(**catalogue)
    second.wait_until(lambda: second.serves(0))
    second.wait_until(lambda: second.has_logged("must_not_serve"))
    assert second.submit(other(), shard=0).refused is None
    answer = second.post(limit("buy", 100, 1), shard=1)
    assert (answer.status, answer.data["code"]) == (503, "journal_broken")
    assert not second.is_ready()
    # A deployment of a program that does not believe the journal ends here, and the old tasks stay.
    assert second.request("GET", "/warm").data["code"] == "journal_broken"
    assert second.terminate() == 1
