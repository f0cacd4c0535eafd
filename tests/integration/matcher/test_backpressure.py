"""What is slow, stuck or full: each row of docs/backpressure.md, with a server that really hangs."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import boto3
import psycopg
import pytest
from mypy_boto3_sqs import SQSClient

from local.state import State
from matcher.shell.batch import BATCH_COMMANDS_MAX
from matcher.shell.request import COMMANDS_MAX
from matcher.shell.sequencer import WAITING_MAX
from tests.cluster.database import NewDatabase
from tests.cluster.flow import BTC_USD, flow, limit
from tests.cluster.proxy import Proxy
from tests.cluster.redis import RedisServer
from tests.integration.matcher.conftest import Environment, NewQueue, StartMatcher
from tests.venue_in_memory import MemoryMarkets
from venue import wire
from venue.errors import Unavailable
from venue.handover import HandOver
from venue.ports import Market
from venue_aws import patience
from venue_aws.cache import Cache, CacheDown
from venue_aws.database import Database
from venue_aws.logins import DatabaseLogin
from venue_aws.markets import Markets
from venue_aws.matcher import MatcherClient
from venue_aws.queues import OrderQueue, QueueRoad
from venue_aws.records import Records

# Long enough that no lock of these tests ends an owner's term.
LONG_LEASE = {"LEASE_SECONDS": "30"}


@contextmanager
def slow_journal(database: NewDatabase) -> Iterator[None]:
    """Nobody can write an order until this ends, as with a database that hangs."""
    with psycopg.connect(database.url) as other:
        other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def journalled(database: NewDatabase) -> set[str]:
    return {str(row[0]) for row in database.rows("SELECT id::text FROM orders")}


def by_proxy(url: str, proxy: Proxy) -> str:
    """The same address, by way of the proxy."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.hostname}:{proxy.port}").geturl()


def test_while_the_journal_is_slow_nobody_is_answered_and_then_everybody(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    matcher = start_matcher(**LONG_LEASE).wait_until_ready()
    orders = flow(21, 40)
    with ThreadPoolExecutor(len(orders)) as pool:
        with slow_journal(database):
            asked = [pool.submit(matcher.post, order) for order in orders]
            time.sleep(0.5)
            assert not any(each.done() for each in asked)
            assert matcher.is_ready()
        assert {each.result().status for each in asked} == {200}
    assert journalled(database) == {order.order_id for order in orders}


def test_what_the_matcher_cannot_keep_waiting_is_refused_with_when_to_come_again(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    matcher = start_matcher(**LONG_LEASE).wait_until_ready()
    arrays = 2 * BATCH_COMMANDS_MAX // COMMANDS_MAX + WAITING_MAX // COMMANDS_MAX + 8
    bodies = [wire.encode(flow(number, COMMANDS_MAX)) for number in range(arrays)]

    def post(body: bytes) -> tuple[int, object, str | None]:
        answer = matcher.request("POST", "/shards/0/commands", body)
        return answer.status, answer.data["code"] if answer.status != 200 else None, answer.headers.get("retry-after")

    with ThreadPoolExecutor(arrays) as pool:
        with slow_journal(database):
            asked = [pool.submit(post, body) for body in bodies]
            until(lambda: [each for each in asked if each.done()])
        answers = [each.result() for each in asked]
    assert set(answers) == {(200, None, None), (503, "busy", "1")}
    taken = sum(status == 200 for status, _, _ in answers)
    assert len(journalled(database)) == taken * COMMANDS_MAX
    assert taken * COMMANDS_MAX >= WAITING_MAX


def test_an_owner_that_does_not_answer_leaves_the_order_to_the_queue_and_it_is_done_once(
    start_matcher: StartMatcher, database: NewDatabase, new_queue: NewQueue, told: Environment
) -> None:
    url = new_queue()
    matcher = start_matcher(**told, ORDER_QUEUE_URL=url).wait_until_ready()
    order = limit("buy", 100, 5)
    with Proxy(matcher.port) as proxy:
        markets = OneMarket(f"http://127.0.0.1:{proxy.port}/shards/0")
        queue = QueueRoad(lambda: OrderQueue(boto3.client("sqs"), url))
        road = HandOver(markets=markets, matcher=MatcherClient(patience_s=0.5), queue=queue)
        proxy.block()
        assert road.deliver(order, shard=0) is None  # 202, pending
        until(lambda: journalled(database))
        proxy.unblock()  # and now it comes by the other road as well
        outcome = road.deliver(order, shard=0)
    assert outcome is not None
    assert outcome.replayed
    assert database.rows("SELECT count(*), sum(hold) FROM orders") == [(1, order.hold)]


class OneMarket:
    """One market, whose shard has one owner."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    def market(self, product_id: str) -> Market:
        assert product_id == BTC_USD.id
        return Market(product=BTC_USD, owner=self.owner)

    def owners(self) -> dict[int, str]:
        return {0: self.owner}

    def shards(self) -> frozenset[int]:
        return frozenset({0})

    assets = MemoryMarkets.assets


def test_a_redis_that_hangs_holds_up_no_order_and_is_written_when_it_answers_again(
    start_matcher: StartMatcher, redis_server: RedisServer
) -> None:
    environment = redis_server.environment()
    with Proxy(int(environment["REDIS_PORT"])) as proxy:
        matcher = start_matcher(**environment | {"REDIS_PORT": str(proxy.port)}).wait_until_ready()
        cache = redis_server.cache()
        until(lambda: cache.glance("BTC-USD").top is not None)
        proxy.block()
        for price in range(100, 120):
            assert matcher.submit(limit("buy", price, 1)).refused is None
        until(lambda: matcher.has_logged("cache_away"))
        assert matcher.is_ready()
        proxy.unblock()
        until(lambda: (top := cache.glance("BTC-USD").top) is not None and top.bid == 119)


def test_who_reads_a_redis_that_hangs_takes_the_rules_from_the_journal(
    start_matcher: StartMatcher, redis_server: RedisServer, database: NewDatabase
) -> None:
    environment = redis_server.environment()
    start_matcher(**environment).wait_until_ready()
    settings = database.settings
    login = DatabaseLogin(
        host=settings.host,
        port=settings.port,
        username=settings.user,
        password=settings.password or "",
        dbname=settings.name,
    )
    with Proxy(int(environment["REDIS_PORT"])) as proxy, closing(Database(lambda: login)) as journal:
        cache = Cache.connect(
            host="127.0.0.1",
            port=proxy.port,
            password=environment["REDIS_PASSWORD"],
            timeout_ms=patience.REDIS_MS,
        )
        markets = Markets(cache=cache, records=lambda: Records(journal))
        until(lambda: _owner(markets) is not None)
        proxy.block()
        with pytest.raises(CacheDown):
            cache.glance("BTC-USD")
        found = markets.market("BTC-USD")
        assert (found.product.id, found.top, found.owner) == (BTC_USD.id, None, None)
        with pytest.raises(Unavailable) as refusal:
            markets.book("BTC-USD")
        assert refusal.value.retry_after_s
        proxy.unblock()
        until(lambda: _owner(markets) is not None)
        cache.close()


def _owner(markets: Markets) -> str | None:
    return markets.market("BTC-USD").owner


def test_an_events_queue_that_takes_nothing_stops_no_order_and_gets_everything_in_the_end(
    start_matcher: StartMatcher,
    database: NewDatabase,
    sqs: SQSClient,
    state: State,
    new_queue: NewQueue,
    told: Environment,
) -> None:
    url = new_queue()
    with Proxy(state.ports.aws) as proxy:
        environment = told | {
            "AWS_ENDPOINT_URL": by_proxy(told["AWS_ENDPOINT_URL"], proxy),
            "EVENTS_QUEUE_URL": by_proxy(url, proxy),
        }
        matcher = start_matcher(**environment).wait_until_ready()
        proxy.block()
        orders = flow(22, 60)
        for order in orders:
            assert matcher.submit(order).refused is None
        until(lambda: matcher.has_logged("relay_waits"))
        assert matcher.is_ready()
        assert journalled(database) == {order.order_id for order in orders}
        proxy.unblock()
        last = matcher.state()["sequence"]
        until(lambda: database.rows("SELECT published FROM relays") == [(last,)])
    assert _sequences(sqs, url) == list(range(1, last + 1))


def _sequences(sqs: SQSClient, url: str) -> list[int]:
    """Every batch in the queue, each once, in the order of its first arrival."""
    found: list[int] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            found += [batch.sequence for batch in wire.batches(message["Body"])]
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return list(dict.fromkeys(found))


def test_an_order_queue_that_hangs_is_told_to_the_caller_in_time(
    state: State, sqs: SQSClient, new_queue: NewQueue
) -> None:
    url = new_queue()
    order = limit("buy", 100, 5)
    with Proxy(state.ports.aws) as proxy:
        client = boto3.client(
            "sqs",
            endpoint_url=f"http://127.0.0.1:{proxy.port}",
            config=patience.once(read_s=patience.QUEUE_READ_S),
        )
        road = QueueRoad(lambda: OrderQueue(client, by_proxy(url, proxy)))
        proxy.block()
        with pytest.raises(Unavailable) as refusal:
            road.put(order, shard=0)
        assert (refusal.value.code, refusal.value.retry_after_s) == ("unavailable", 1)
        proxy.unblock()
        road.put(order, shard=0)  # the same once more: whichever arrived, there is one message
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
    assert [message["Body"] for message in received["Messages"]] == [wire.encode(order).decode()]
