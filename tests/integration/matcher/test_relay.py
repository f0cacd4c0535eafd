"""The relay: all of the journal, in order, whatever the queue does."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import uuid4

import asyncpg
import pytest
from mypy_boto3_sqs import SQSClient

from matcher.shell.journal import Entry, connection
from matcher.shell.migrations import migrate, scripts
from matcher.shell.relay import CHUNK_MAX, KEPT_MAX, Relay
from tests.cluster.database import NewDatabase
from tests.cluster.entries import entry
from tests.cluster.flow import BTC_USD, flow
from tests.integration.matcher.conftest import Environment, NewQueue, StartMatcher
from venue import wire
from venue.events import CancelRefused
from venue.ledger import Posting, imbalance, postings
from venue.wire import Batch
from venue_aws.queues import EventsQueue, QueueDown, connect


class Queue:
    """Takes batches, and is away whenever told so."""

    def __init__(self) -> None:
        self.taken: list[Batch] = []
        self.runs = 0
        self.refused = 0
        self.away = threading.Event()
        self.away_after = 10**9

    def put(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            if self.away.is_set() or len(self.taken) >= self.away_after:
                self.refused += 1
                raise QueueDown("away")
            self.taken.append(batch)
        self.runs += 1

    def sequences(self) -> list[int]:
        return [batch.sequence for batch in self.taken]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
async def own(database: NewDatabase) -> AsyncIterator[asyncpg.Connection]:
    async with connection(database.settings) as opened:
        await migrate(opened, scripts())
        yield opened


async def add(database: NewDatabase, first: int, last: int) -> None:
    """Put batches into the journal, bare of events."""
    async with connection(database.settings) as other:
        await other.executemany(
            "INSERT INTO batches VALUES (0, $1, 1, 0, '[]', '[]')", [(n,) for n in range(first, last + 1)]
        )


def deposit(sequence: int) -> Entry:
    """One batch, as the sequencer tells of it."""
    return entry(sequence, postings=[Posting("alice", "USD", "deposit", sequence, 0)])


async def test_every_batch_goes_out_once_and_in_order(own: asyncpg.Connection, database: NewDatabase) -> None:
    queue = Queue()
    await add(database, 1, CHUNK_MAX * 2 + 7)
    running = asyncio.create_task(Relay(own, queue.put, shard=0).run())
    await until(lambda: len(queue.taken) == CHUNK_MAX * 2 + 7)
    await add(database, CHUNK_MAX * 2 + 8, CHUNK_MAX * 2 + 9)
    await until(lambda: len(queue.taken) == CHUNK_MAX * 2 + 9)
    await until(lambda: database.rows("SELECT published FROM relays") == [(CHUNK_MAX * 2 + 9,)])
    running.cancel()
    assert queue.sequences() == list(range(1, CHUNK_MAX * 2 + 10))


async def test_a_batch_that_was_heard_of_goes_as_it_was_told_without_a_reading(own: asyncpg.Connection) -> None:
    queue, told = Queue(), deposit(1)
    event = CancelRefused(at=1, account_sequence=1, order_id=str(uuid4()), account="alice", reason="unknown")
    relay = Relay(own, queue.put, shard=0)
    relay.committed(told, [event])  # the journal of this test has no such row
    running = asyncio.create_task(relay.run())
    await until(lambda: queue.taken)
    running.cancel()
    assert queue.taken == [Batch(shard=0, sequence=1, at=0, events=[event], postings=told.postings)]


async def test_what_nobody_told_of_goes_before_what_was_heard_of(
    own: asyncpg.Connection, database: NewDatabase
) -> None:
    queue = Queue()
    await add(database, 1, 3)
    relay = Relay(own, queue.put, shard=0)
    for sequence in (4, 5):
        relay.committed(deposit(sequence), [])
    running = asyncio.create_task(relay.run())
    await until(lambda: len(queue.taken) == 5)
    running.cancel()
    assert queue.sequences() == [1, 2, 3, 4, 5]


async def test_what_does_not_fit_in_memory_while_the_queue_is_away_is_read(
    own: asyncpg.Connection, database: NewDatabase
) -> None:
    queue, last = Queue(), KEPT_MAX + 30
    queue.away.set()
    relay = Relay(own, queue.put, shard=0)
    running = asyncio.create_task(relay.run())
    await add(database, 1, last)
    for sequence in range(1, last + 1):
        relay.committed(deposit(sequence), [])
    await until(lambda: queue.refused >= 1)
    queue.away.clear()
    await until(lambda: database.rows("SELECT published FROM relays") == [(last,)])
    running.cancel()
    assert queue.sequences() == list(range(1, last + 1))


async def test_what_has_piled_up_goes_together(own: asyncpg.Connection, database: NewDatabase) -> None:
    queue = Queue()
    await add(database, 1, CHUNK_MAX + 7)
    running = asyncio.create_task(Relay(own, queue.put, shard=0).run())
    await until(lambda: len(queue.taken) == CHUNK_MAX + 7)
    running.cancel()
    assert queue.runs == 2


async def test_a_queue_that_is_away_loses_nothing_and_disturbs_no_order(
    own: asyncpg.Connection, database: NewDatabase
) -> None:
    queue = Queue()
    queue.away.set()
    await add(database, 1, 20)
    running = asyncio.create_task(Relay(own, queue.put, shard=0).run())
    await until(lambda: queue.refused >= 3)
    assert queue.taken == []
    queue.away.clear()
    await until(lambda: len(queue.taken) == 20)
    running.cancel()
    assert queue.sequences() == list(range(1, 21))


async def test_a_relay_that_died_is_followed_by_one_that_leaves_no_gap(
    own: asyncpg.Connection, database: NewDatabase
) -> None:
    first, second = Queue(), Queue()
    first.away_after = CHUNK_MAX + 5
    await add(database, 1, CHUNK_MAX + 10)
    running = asyncio.create_task(Relay(own, first.put, shard=0).run())
    await until(lambda: first.refused > 0)
    running.cancel()
    await asyncio.wait([running])
    async with connection(database.settings) as other:
        running = asyncio.create_task(Relay(other, second.put, shard=0).run())
        await until(lambda: second.taken and second.taken[-1].sequence == CHUNK_MAX + 10)
        running.cancel()
    resumed = second.sequences()
    assert resumed == list(range(CHUNK_MAX + 1, CHUNK_MAX + 11))  # five of them for the second time


def _drain(sqs: SQSClient, url: str, *, until_sequence: int) -> list[Batch]:
    """Receive and delete, as a consumer would, up to the batch of this sequence; what comes again is passed over."""
    batches: list[Batch] = []
    for _ in range(200):
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            run = wire.batches(message["Body"])
            attributes = message["Attributes"]
            assert attributes["MessageGroupId"] == "shard-0"
            assert attributes["MessageDeduplicationId"] == f"0-{run[0].sequence}-{run[-1].sequence}"
            # A relay that was killed between sending and its mark is followed by one that sends the same in other runs.
            batches += [batch for batch in run if not batches or batch.sequence > batches[-1].sequence]
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if batches and batches[-1].sequence >= until_sequence:
            return batches
    raise AssertionError(f"only {[batch.sequence for batch in batches]} arrived")


def test_the_events_queue_gets_the_whole_journal_across_a_kill(
    start_matcher: StartMatcher,
    database: NewDatabase,
    sqs: SQSClient,
    new_queue: NewQueue,
    told: Environment,
) -> None:
    url = new_queue()
    environment = told | {"EVENTS_QUEUE_URL": url}
    orders = flow(7, 120)
    first = start_matcher(**environment).wait_until_ready()
    for order in orders[:60]:
        first.submit(order)
    first.kill()
    second = start_matcher(**environment).wait_until_ready()
    for order in orders[60:]:
        second.submit(order)
    last = second.state()["sequence"]
    batches = _drain(sqs, url, until_sequence=last)
    assert [batch.sequence for batch in batches] == list(range(1, last + 1))
    for batch in batches:
        assert batch.events is not None
        assert batch.postings is not None
        assert imbalance(batch.postings) == {}
        assert batch.postings == [p for event in batch.events for p in postings(event, BTC_USD)]
    assert database.rows("SELECT count(*) FROM batches") == [(last,)]


def test_a_batch_too_large_for_a_message_is_sent_without_its_content(sqs: SQSClient, new_queue: NewQueue) -> None:
    url = new_queue()
    event = CancelRefused(at=1, account_sequence=1, order_id=str(uuid4()), account="alice", reason="x" * 400)
    queue = EventsQueue(connect(), url)
    queue.put(
        [
            Batch(shard=0, sequence=1, at=5, events=[event] * 600, postings=[]),
            Batch(shard=0, sequence=2, at=6, events=[event], postings=[]),
        ]
    )
    large, small = _drain(sqs, url, until_sequence=2)
    assert (large.sequence, large.at, large.events, large.postings) == (1, 5, None, None)
    assert small.events == [event]


def test_a_run_that_does_not_fit_one_message_goes_in_several(sqs: SQSClient, new_queue: NewQueue) -> None:
    url = new_queue()
    event = CancelRefused(at=1, account_sequence=1, order_id=str(uuid4()), account="alice", reason="x" * 400)
    run = [Batch(shard=0, sequence=number, at=5, events=[event] * 150, postings=[]) for number in range(1, 8)]
    EventsQueue(connect(), url).put(run)
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert attributes == {"ApproximateNumberOfMessages": "4"}
    assert _drain(sqs, url, until_sequence=7) == run
