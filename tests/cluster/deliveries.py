"""Journal batches on a real queue, delivered to the real fan_out as badly as SQS and Lambda may ever do it."""

import io
import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import ClientError

from functions.fan_out import app
from local.redrive import redrive
from matcher.core.engine import Engine
from tests.cluster.flow import BTC_USD, flow
from venue import wire
from venue.commands import ListProduct
from venue.ledger import postings
from venue.wire import Batch, TapeRecord
from venue_aws import observed
from venue_aws.clearing import Clearing, Cut
from venue_aws.journal import Journal
from venue_aws.queues import EventsQueue, Message
from venue_aws.rules import Rules
from venue_aws.settlement import PROGRESS_ASSET, Settlement
from venue_aws.tape import Tape, TapeDown

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

type Balances = dict[tuple[str, str], tuple[int, int]]

SHARDS: Final = 3
DELIVERIES_MAX: Final = 5
# After so many deliveries a message is dead.
RECEIVE_COUNT_MAX: Final = 3
# What may happen to a delivery. Every fate comes once before any comes again.
FATES: Final = ("clean", "repeated", "late", "at_once", "cut_off", "partly", "forgotten")
# What may happen to a message before it is delivered at all.
BEFORE: Final = ("dead", "lost", "claim_check")
FAULTS: Final = (*FATES[1:], *BEFORE)


class Places:
    """Where a round happens: queues, table, tape and journal. `journal` gives each consumer a reader of its own."""

    def __init__(
        self,
        *,
        sqs: "SQSClient",
        queue: str,
        dead: str,
        dynamodb: "DynamoDBClient",
        table: str,
        tape: Tape,
        journal: Callable[[], Journal],
        commit: Callable[..., None],
    ) -> None:
        self.sqs, self.queue, self.dead = sqs, queue, dead
        self.dynamodb, self.table = dynamodb, table
        self.tape, self.journal, self.commit = tape, journal, commit

    def balances(self) -> Balances:
        """Free and held of every wallet."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        items = [item for page in pages for item in page["Items"]]
        return {
            (item["account"]["S"], item["asset"]["S"]): (int(item["free"]["N"]), int(item["held"]["N"]))
            for item in items
            if item["asset"]["S"] != PROGRESS_ASSET
        }


class Round:
    """A few batches of each shard, from the journal to the wallets. The same seed makes the same batches and fates."""

    def __init__(self, places: Places, *, seed: int, batches: int, first_shard: int = 0) -> None:
        self.faults: Counter[str] = Counter()
        self.steps: list[str] = []
        self._places = places
        self._chance = random.Random(seed)  # noqa: S311
        self._fates: list[str] = []
        self._shards = {
            first_shard + n: history(seed * SHARDS + n, first_shard + n, -(-batches // SHARDS)) for n in range(SHARDS)
        }
        self._doomed: set[str] = set()
        self._late: list[list[dict[str, Any]]] = []
        self._writers = ThreadPoolExecutor(8, thread_name_prefix="settle")
        self._wallets = _Breaking(places.dynamodb)
        self._tape = _BreakingTape(places.tape)
        self._handler = app.build(lambda: self._cursed, lambda: _Soon(places.sqs, places.queue))
        self._cursed: Any = _Cursed(self._clearing(self._wallets, self._tape), self._doomed)

    @property
    def batches(self) -> int:
        """How many there are."""
        return sum(map(len, self._shards.values()))

    def once_only(self) -> Balances:
        """What the wallets are when every batch is settled once: plain sums."""
        sums: Balances = {}
        for batch in (batch for run in self._shards.values() for batch in run):
            for posting in batch.postings or ():
                free, held = sums.get((posting.account, posting.asset), (0, 0))
                moves = posting.kind != "hold"
                sums[posting.account, posting.asset] = (free + posting.free * moves, held + posting.held * moves)
        return sums

    def play(self) -> None:
        """Deliver all of it, until nothing is left anywhere."""
        level = observed.logger.log_level
        observed.logger.setLevel(logging.CRITICAL)
        try:
            self._send()
            while self._deliver_some() or self._revive():
                pass
            self._chance.shuffle(self._late)
            for records in self._late:
                self._call(records)
        finally:
            observed.logger.setLevel(level)
            self._writers.shutdown()

    def _send(self) -> None:
        """Commit everything, and put it on the queue: some as claim checks, some doomed, some not at all."""
        queue = EventsQueue(self._places.sqs, self._places.queue)
        runs = []
        for batches in self._shards.values():
            self._places.commit(*batches)
            cut = list(_cut(batches, self._chance))
            # The last of a shard arrives, or nobody would ever hear that something is missing.
            fates = dict(zip(self._chance.sample(range(len(cut) - 1), len(BEFORE)), BEFORE, strict=True))
            runs.append([(run, fates.get(number)) for number, run in enumerate(cut)])
        for sent in (each for turn in zip_all(runs) for each in turn):
            run, fate = sent
            self.faults.update([fate] if fate in {"lost", "claim_check"} else [])
            if fate == "lost":
                continue
            if fate == "claim_check":
                run = [msgspec.structs.replace(batch, events=None, postings=None) for batch in run]
            if fate == "dead":
                self._doomed.add(wire.array(map(wire.encode, run)).decode())
            queue.put(run)

    def _deliver_some(self) -> bool:
        """Receive a few messages and deliver them as fate has it; False when there are none."""
        answer = self._places.sqs.receive_message(
            QueueUrl=self._places.queue,
            MaxNumberOfMessages=self._chance.randint(1, 4),
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        if not messages:
            return False
        records = [_record(message) for message in messages]
        fate = self._fate()
        self.steps.append(f"{fate:<9} {', '.join(_names(records))}")
        failed = self._happens(fate, records)
        if fate == "forgotten":
            # The function was done, and the news of it got lost.
            failed = {record["messageId"] for record in records}
            _Soon(self._places.sqs, self._places.queue).show(record["receiptHandle"] for record in records)
        for record in records:
            if record["messageId"] not in failed:
                self._places.sqs.delete_message(QueueUrl=self._places.queue, ReceiptHandle=record["receiptHandle"])
        return True

    def _happens(self, fate: str, records: list[dict[str, Any]]) -> set[str]:
        """Give the ids of the messages that the last delivery gave back."""
        self.faults.update([fate] if fate != "clean" else [])
        match fate:
            case "cut_off":
                self._tape.failures = 1
            case "partly":
                self._wallets.fail_after = self._chance.randint(0, 5)
            case "late":
                self._late.append(records)
            case "repeated":
                for _ in range(self._chance.randint(1, DELIVERIES_MAX - 1)):
                    self._call(records)
            case "at_once":
                twin = self._clearing(self._places.dynamodb, self._places.tape)
                thread = threading.Thread(target=_clear, args=(twin, self._doomed, records))
                thread.start()
                failed = self._call(records)
                thread.join()
                return failed
        failed = self._call(records)
        self._tape.failures, self._wallets.fail_after = 0, None
        return failed

    def _call(self, records: list[dict[str, Any]]) -> set[str]:
        """Call the function as Lambda does; give the ids of what it gives back."""
        with redirect_stdout(io.StringIO()):  # its metrics
            try:
                answer = self._handler({"Records": records}, _CONTEXT)
            except Exception:
                return {record["messageId"] for record in records}
        return {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}

    def _revive(self) -> bool:
        """Send the dead again, now that they can be read; False when there are none."""
        self._doomed.clear()
        moved = redrive(self._places.sqs, dead=self._places.dead, alive=self._places.queue)
        self.faults["dead"] += moved
        if moved:
            self.steps.append(f"redriven  {moved}")
        return moved > 0

    def _fate(self) -> str:
        if not self._fates:
            self._fates = self._chance.sample(FATES, len(FATES))
        return self._fates.pop()

    def _clearing(self, dynamodb: Any, tape: Any) -> Clearing:
        return Clearing(
            settlement=Settlement(dynamodb, self._places.table, writers=self._writers),
            journal=self._places.journal(),
            tape=tape,
            rules=Rules(lambda: [BTC_USD]),
        )


def history(seed: int, shard: int, batches: int) -> list[Batch]:
    """Batches of a real market: the engine's events, a few orders each."""
    engine, chance = Engine(), random.Random(seed)  # noqa: S311
    engine.apply(ListProduct(product=BTC_USD))
    orders = flow(seed, batches * 4)
    made = []
    for sequence in range(1, batches + 1):
        commands = [orders.pop() for _ in range(chance.randint(1, 4))]
        at = 1_800_000_000_000_000 + sequence
        events = [event for each in commands for event in engine.apply(msgspec.structs.replace(each, at=at))]
        moved = [posting for event in events for posting in postings(event, BTC_USD)]
        made.append(Batch(shard=shard, sequence=sequence, at=at, events=events, postings=moved))
    return made


class _Cursed:
    """The real clearing, which cannot read the messages that are doomed."""

    def __init__(self, clearing: Clearing, doomed: set[str]) -> None:
        self._clearing, self._doomed = clearing, doomed

    def read(self, body: str) -> list[Cut]:
        if body in self._doomed:
            raise ValueError("doomed")
        return self._clearing.read(body)

    def clear(self, taken: Iterable[Cut]) -> Any:
        return self._clearing.clear(taken)


class _Soon(EventsQueue):
    """The real queue, which shows a failed message again at once: a campaign has no time to wait."""

    def retry(self, messages: Sequence[Message]) -> None:
        self.show(message.receipt for message in messages)

    def show(self, receipts: Iterable[str]) -> None:
        for receipt in receipts:
            try:
                self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=0)
            except ClientError:
                continue  # a late copy's receipt is over


class _BreakingTape:
    """The real tape, which fails the next so many times: the wallets are settled then, and nobody knows."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.failures = 0

    def put(self, records: Sequence[TapeRecord]) -> None:
        if self.failures:
            self.failures -= 1
            raise TapeDown("cut off")
        self._tape.put(records)


class _Breaking:
    """The real DynamoDB, which after so many updates takes none any more: some wallets are settled then."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._lock = threading.Lock()
        self.fail_after: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **asked: Any) -> Any:
        with self._lock:
            if self.fail_after is not None:
                if self.fail_after == 0:
                    raise ClientError({"Error": {"Code": "InternalServerError", "Message": "cut off"}}, "UpdateItem")
                self.fail_after -= 1
        return self._client.update_item(**asked)


class _Context:
    function_name = "fan_out"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:fan_out"
    aws_request_id = "request-1"


_CONTEXT: Any = _Context()


def _clear(clearing: Clearing, doomed: set[str], records: list[dict[str, Any]]) -> None:
    """Another consumer of the same messages, at the same time."""
    bodies = [record["body"] for record in records if record["body"] not in doomed]
    clearing.clear(cut for body in bodies for cut in clearing.read(body))


def _cut(batches: Sequence[Batch], chance: random.Random) -> Iterable[list[Batch]]:
    start = 0
    while start < len(batches):
        end = start + chance.randint(1, 4)
        yield list(batches[start:end])
        start = end


def zip_all[Item](rows: Sequence[Sequence[Item]]) -> Iterable[list[Item]]:
    """Give the first of every row, then the second of every row that has one, and so on."""
    for number in range(max(map(len, rows))):
        yield [row[number] for row in rows if number < len(row)]


def _record(message: Any) -> dict[str, Any]:
    """A received message as Lambda's event has it."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {name: str(value) for name, value in message["Attributes"].items()},
        "eventSource": "aws:sqs",
    }


def _names(records: Iterable[dict[str, Any]]) -> Iterable[str]:
    for record in records:
        run = wire.batches(record["body"])
        yield f"{run[0].shard}:{run[0].sequence}-{run[-1].sequence}"
