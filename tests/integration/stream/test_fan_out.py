"""Journal batches on their way through settlement to the tape, on real DynamoDB, Kinesis and PostgreSQL protocols."""

import json
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from itertools import count
from typing import Any
from uuid import UUID

import boto3
import msgspec
import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from functions.fan_out import app
from local.state import State
from tests.integration.stream.conftest import (
    CONTEXT,
    Journal,
    TapeStream,
    WalletsTable,
    batch_of,
    database_secret,
    secret,
)
from tests.unit.stream import tape as example
from venue import wire
from venue.events import AnyEvent
from venue.ledger import WORLD
from venue.wire import Batch, TapeRecord
from venue_aws.clearing import MISSING_MAX, Clearing, Lost
from venue_aws.database import Database
from venue_aws.journal import Journal as JournalReader
from venue_aws.logins import DatabaseLogin
from venue_aws.rules import Rules
from venue_aws.settlement import Settlement
from venue_aws.tape import Tape, TapeDown

USD_100 = 10_000_000_000
_numbers = count(1)


def deposit(n: int, account: str = "alice") -> AnyEvent:
    return example.deposited(at=example.AT + n, transfer_id=f"t-{n}", account=account, amount=n * USD_100)


def batch(sequence: int, *events: AnyEvent) -> Batch:
    return batch_of(sequence, *(events or (deposit(sequence),)), product=example.BTC_USD)


def claim_check(of: Batch) -> bytes:
    return wire.encode(Batch(shard=of.shard, sequence=of.sequence, at=of.at, events=None, postings=None))


class FailingTape:
    """The real tape, which takes nothing the first so many times."""

    def __init__(self, tape: Tape, failures: int) -> None:
        self._tape = tape
        self._failures = failures

    def put(self, records: Sequence[TapeRecord]) -> None:
        if self._failures:
            self._failures -= 1
            raise TapeDown("not now")
        self._tape.put(records)


class Venue:
    """All that fan_out needs, with any number of consumers on it."""

    def __init__(self, wallets: WalletsTable, tape: TapeStream, journal: Journal, state: State) -> None:
        self.wallets, self.tape, self.journal = wallets, tape, journal
        self._login = DatabaseLogin(
            host="127.0.0.1",
            port=state.ports.postgres,
            username="postgres",
            password=state.database_password,
            dbname=journal.name,
        )
        self._databases: list[Database] = []

    def clearing(self, *, tape_failures: int = 0) -> Clearing:
        """A consumer of its own, as another Lambda would be."""
        database = Database(lambda: self._login)
        self._databases.append(database)
        return Clearing(
            settlement=Settlement(self.wallets.client, self.wallets.name),
            journal=JournalReader(database),
            tape=FailingTape(Tape(self.tape.client, self.tape.name), tape_failures),
            rules=Rules(lambda: [example.BTC_USD, example.ACME_USD]),
        )

    def parts(self) -> list[tuple[int, int]]:
        """The events' records on the tape, by batch and part."""
        return [(record.batch, record.part) for record in self.tape.records() if record.events]

    def close(self) -> None:
        """Close what the consumers opened."""
        for database in self._databases:
            database.close()


@pytest.fixture
def venue(wallets_table: WalletsTable, tape_stream: TapeStream, journal: Journal, state: State) -> Iterator[Venue]:
    with closing(Venue(wallets_table, tape_stream, journal, state)) as made:
        yield made


def clear(clearing: Clearing, *batches: Batch) -> Any:
    return clearing.clear(clearing.read(wire.encode(batches)))


def test_a_batch_is_settled_and_its_events_and_wallets_are_on_the_tape(venue: Venue) -> None:
    listed, order = example.listed(), example.received(hold=USD_100)
    done = clear(venue.clearing(), batch(1, listed, deposit(1)), batch(2, order))
    assert (done.batches, done.wallets, done.skipped, done.fetched) == (2, 2, 0, 0)
    assert venue.wallets.balances() == {("alice", "USD"): (USD_100, 0), (WORLD, "USD"): (-USD_100, 0)}
    records = sorted(venue.tape.records(), key=lambda record: (record.batch, record.part))
    assert [event for record in records for event in record.events] == [listed, deposit(1), order]
    (told,) = [record for record in records if record.wallets]
    assert (told.batch, told.part, told.assets) == (2, 1, [example.USD])
    assert {(each.account, each.free, each.sequence) for each in told.wallets} == {
        ("alice", USD_100, 2),
        (WORLD, -USD_100, 1),
    }


def test_a_batch_that_was_cleared_is_skipped_even_by_another_consumer(venue: Venue) -> None:
    clear(venue.clearing(), batch(1), batch(2))
    before = venue.tape.records()
    again = clear(venue.clearing(), batch(1), batch(2))
    assert (again.batches, again.skipped) == (0, 2)
    assert venue.tape.records() == before


def test_wallets_that_were_settled_before_the_tape_failed_are_still_told(venue: Venue) -> None:
    failing = venue.clearing(tape_failures=1)
    with pytest.raises(TapeDown):
        clear(failing, batch(1))
    settled = venue.wallets.balances()
    assert venue.tape.records() == []
    clear(failing, batch(1))
    assert venue.wallets.balances() == settled
    told = [change for record in venue.tape.records() for change in record.wallets]
    assert {(each.account, each.free) for each in told} == {("alice", USD_100), (WORLD, -USD_100)}
    assert venue.parts() == [(1, 0)]


def test_what_is_cleared_late_together_with_newer_batches_is_cleared_once(venue: Venue) -> None:
    clear(venue.clearing(), batch(1), batch(2))
    done = clear(venue.clearing(), batch(2), batch(1), batch(3))
    assert (done.batches, done.skipped) == (1, 2)
    assert venue.wallets.balances()["alice", "USD"] == (6 * USD_100, 0)
    assert venue.parts() == [(1, 0), (2, 0), (3, 0)]


def test_a_claim_check_is_exchanged_for_what_the_journal_has(venue: Venue) -> None:
    large = batch(1, example.listed(), deposit(1), example.done(order_id=str(UUID(int=1))))
    venue.journal.commit(large)
    clearing = venue.clearing()
    (taken,) = clearing.read(claim_check(large))
    assert taken.batch == large
    clearing.clear([taken])
    assert venue.wallets.balances()["alice", "USD"] == (USD_100 + 5, -5)


def test_a_message_carries_a_run_of_batches_each_settled_and_taped_by_itself(venue: Venue) -> None:
    clearing = venue.clearing()
    done = clearing.clear(clearing.read(wire.array(wire.encode(batch(number)) for number in (1, 2, 3))))
    assert (done.batches, done.skipped, done.fetched) == (3, 0, 0)
    assert venue.wallets.balances()["alice", "USD"] == (6 * USD_100, 0)
    assert venue.parts() == [(1, 0), (2, 0), (3, 0)]


def test_a_claim_check_for_what_the_journal_has_not_is_not_passed_over(venue: Venue) -> None:
    with pytest.raises(Lost):
        venue.clearing().read(claim_check(batch(1)))


def test_a_batch_whose_message_died_is_brought_back_by_the_next(venue: Venue) -> None:
    for sequence in range(1, 6):
        venue.journal.commit(batch(sequence))
    clear(venue.clearing(), batch(1))
    done = clear(venue.clearing(), batch(4))
    assert (done.batches, done.fetched) == (3, 2)
    assert venue.wallets.balances()["alice", "USD"] == (10 * USD_100, 0)
    assert venue.parts() == [(1, 0), (2, 0), (3, 0), (4, 0)]
    # And when the dead ones are sent again after all, nothing moves.
    assert clear(venue.clearing(), batch(2), batch(3)).batches == 0


def test_a_batch_that_is_nowhere_stops_its_shard(venue: Venue) -> None:
    clear(venue.clearing(), batch(1))
    with pytest.raises(Lost):
        clear(venue.clearing(), batch(3))
    assert venue.wallets.balances()["alice", "USD"] == (USD_100, 0)
    assert venue.parts() == [(1, 0)]


def test_many_lost_batches_are_brought_back_bit_by_bit(venue: Venue) -> None:
    last = 2 * MISSING_MAX + 2
    venue.journal.commit(*(batch(sequence) for sequence in range(1, last)))
    clearing = venue.clearing()
    for settled in (MISSING_MAX, 2 * MISSING_MAX):
        with pytest.raises(Lost):
            clear(clearing, batch(last))
        total = settled * (settled + 1) // 2
        assert venue.wallets.balances()["alice", "USD"] == (total * USD_100, 0)
    clear(clearing, batch(last))
    assert venue.parts() == [(sequence, 0) for sequence in range(1, last + 1)]


@pytest.mark.parametrize("seed", range(2))
def test_concurrent_consumers_clear_everything_once(venue: Venue, seed: int) -> None:
    batches = [batch(n, deposit(n, account=f"a{n % 3}"), deposit(n + 100)) for n in range(1, 21)]

    def consume(consumer: int) -> None:
        chance, clearing, rest = random.Random(seed * 10 + consumer), venue.clearing(), batches  # noqa: S311
        while rest:
            size = chance.randint(1, 4)
            clear(clearing, *rest[:size])
            rest = rest[size:]

    with ThreadPoolExecutor(3) as consumers:
        list(consumers.map(consume, range(3)))
    paid = sum(n * USD_100 for n in range(1, 21))
    balances = venue.wallets.balances()
    assert sum(balances[f"a{n}", "USD"][0] for n in range(3)) == paid
    assert balances["alice", "USD"][0] == paid + 20 * 100 * USD_100
    assert sum(free + held for free, held in balances.values()) == 0
    # On the tape a batch may come twice, but never later than its successor for the first time.
    first_seen = list(dict.fromkeys(venue.parts()))
    assert first_seen == [(n, 0) for n in range(1, 21)]


class Function:
    """The handler, called as Lambda does."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue

    def __call__(self, *bodies: bytes, receipts: Sequence[str] = ()) -> list[str]:
        """Deliver messages m1, m2, ...; give those that it gives back."""
        messages = [
            {
                "messageId": f"m{n}",
                "receiptHandle": receipt,
                "body": body.decode(),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "MessageGroupId": f"shard-{json.loads(body or b'{}').get('shard', 0)}",
                },
                "eventSource": "aws:sqs",
            }
            for n, (body, receipt) in enumerate(zip(bodies, receipts or ["over"] * len(bodies), strict=True), 1)
        ]
        answer = app.handler({"Records": messages}, CONTEXT)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.fixture
def events_queue(aws: str) -> str:
    """A queue that shows a failed message again after an hour, unless it is told otherwise."""
    attributes: Any = {"FifoQueue": "true", "VisibilityTimeout": "3600"}
    name = f"events-{next(_numbers)}.fifo"
    return boto3.client("sqs", endpoint_url=aws).create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


@pytest.fixture
def fan_out(venue: Venue, aws: str, state: State, environment: pytest.MonkeyPatch, events_queue: str) -> Function:
    environment.setenv("WALLETS_TABLE", venue.wallets.name)
    environment.setenv("TAPE_STREAM", venue.tape.name)
    environment.setenv("EVENTS_QUEUE_URL", events_queue)
    # Nobody listens there: the rules have to come from the journal.
    environment.setenv("REDIS_SECRET_ARN", secret(aws, "redis", {"host": "127.0.0.1", "port": 1, "password": ""}))
    environment.setenv("DATABASE_SECRET_ARN", database_secret(aws, venue.journal, state))
    venue.journal.list_product(example.BTC_USD)
    return Function(venue)


def test_the_function_clears_what_it_is_given(
    fan_out: Function, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert fan_out(*(wire.encode(batch(n)) for n in (1, 2, 3))) == []
    assert fan_out.venue.wallets.balances()["alice", "USD"] == (6 * USD_100, 0)
    assert fan_out.venue.parts() == [(1, 0), (2, 0), (3, 0)]
    (line,) = [vars(record) for record in caplog.records if record.getMessage() == "called"]
    assert (line["batches"], line["wallets"], line["unread"]) == (3, 2, 0)
    (metrics,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert metrics["BatchesSettled"] == [3.0]
    assert metrics["SettlementLag"][0] > 0


def test_a_message_that_cannot_be_read_goes_back_with_all_that_follow_in_its_group(fan_out: Function) -> None:
    other = msgspec.structs.replace(batch(1, deposit(9, account="bob")), shard=1)
    bad = b'{"shard": 0, "sequence": 2, "nonsense": true}'
    given_back = fan_out(wire.encode(batch(1)), bad, wire.encode(batch(3)), wire.encode(other))
    assert given_back == ["m2", "m3"]
    assert fan_out.venue.wallets.balances()["alice", "USD"] == (USD_100, 0)
    assert fan_out.venue.wallets.balances()["bob", "USD"] == (9 * USD_100, 0)
    # When the bad one has died at last, the journal knows what it should have been.
    fan_out.venue.journal.commit(batch(2))
    assert fan_out(wire.encode(batch(3))) == []
    assert fan_out.venue.wallets.balances()["alice", "USD"] == (6 * USD_100, 0)


def test_rules_come_from_the_journal_where_redis_is_away(fan_out: Function) -> None:
    assert fan_out(wire.encode(batch(1, example.received(hold=5)))) == []
    (record,) = [record for record in fan_out.venue.tape.records() if record.events]
    assert record.product == example.BTC_USD


@pytest.mark.parametrize("before", [1, 0])
def test_what_fails_comes_again_within_seconds_and_the_queue_still_counts_it(
    fan_out: Function, aws: str, events_queue: str, before: int
) -> None:
    """With a good batch before it, the message is given back; alone, it fails the whole call."""
    sqs = boto3.client("sqs", endpoint_url=aws)
    bodies = [wire.encode(batch(1))] * before
    bodies.append(claim_check(batch(2)))  # which the journal does not have yet
    for number, body in enumerate(bodies):
        sqs.send_message(
            QueueUrl=events_queue,
            MessageBody=body.decode(),
            MessageGroupId=f"shard-{number}",
            MessageDeduplicationId=f"{number}",
        )
    received = sqs.receive_message(QueueUrl=events_queue, MaxNumberOfMessages=10)["Messages"]
    receipts = {message["Body"].encode(): message["ReceiptHandle"] for message in received}
    with nullcontext() if before else pytest.raises(BatchProcessingError):
        assert fan_out(*bodies, receipts=[receipts[body] for body in bodies]) == ["m2"]
    (again,) = sqs.receive_message(
        QueueUrl=events_queue, WaitTimeSeconds=20, MessageSystemAttributeNames=["ApproximateReceiveCount"]
    )["Messages"]
    assert again["Body"].encode() == bodies[-1]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
