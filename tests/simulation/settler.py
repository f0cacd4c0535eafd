"""fan_out as AWS runs it: it reads the events queue, settles with the real clearing, and is killed now and then."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.simulation.database import Database
from tests.simulation.dynamodb import DynamoDb
from tests.simulation.loop import Loop, blocking, pause
from tests.simulation.process import Gone, Process
from tests.simulation.queue import Fifo, Sqs, Stored
from tests.simulation.stream import Kinesis
from tests.simulation.trouble import Trouble
from tests.simulation.wallets import Table
from venue.errors import Unavailable
from venue.products import Product
from venue.wire import EVENTS, Batch, TapeRecord
from venue_aws.clearing import Clearing, Cut, Lost
from venue_aws.queues import EventsQueue, Message, QueueDown
from venue_aws.rules import Rules, RulesUnknown
from venue_aws.settlement import Settlement, WalletBusy
from venue_aws.tape import Tape, TapeDown

# How long a message stays out of sight; a killed function's come back after it.
VISIBLE_S = 6.0
RECEIVE_MAX = 10


# What the function fails by and tries again; anything else is a defect, and ends the run.
EXPECTED = (Lost, TapeDown, WalletBusy, RulesUnknown, Unavailable, ClientError, BotoCoreError)


class Done(Future[Any]):
    """A job that is over; without the lock of a Future."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._error: Exception | None = None
        try:
            self._given = function(*arguments)
        except Exception as error:
            self._error = error

    def result(self, timeout: float | None = None) -> Any:
        """See concurrent.futures."""
        del timeout
        if self._error is not None:
            raise self._error
        return self._given


class Inline(Executor):
    """A pool of writers that write one after the other."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Done:
        """Do it at once."""
        assert not named
        return Done(function, arguments)


class JournalReads:
    """venue_aws.journal.Journal and the rules in venue_aws.records.Records, as one process has them."""

    def __init__(self, process: Process, database: Database, trouble: Trouble) -> None:
        self._process = process
        self._database = database
        self._trouble = trouble

    def batch(self, shard: int, sequence: int) -> Batch | None:
        """See venue_aws.journal."""
        self.ask()
        for row in self._database.tables.batches.get(shard, ()):
            if row.sequence == sequence:
                events = EVENTS.decode(row.events)
                return Batch(shard=shard, sequence=sequence, at=row.at, events=events, postings=row.postings)
        return None

    def products(self) -> list[Product]:
        """See venue_aws.records."""
        self.ask()
        return list(self._database.tables.products.values())

    def ask(self) -> None:
        """One round trip. Raises Unavailable while the database is away."""
        self._process.check()
        pause(2 * self._trouble.way())
        self._process.check()
        if self._trouble.lasts("database_away"):
            raise Unavailable("the journal does not answer")


class Settler:
    """One instance of the function, warm until it is killed: then the next one comes."""

    def __init__(
        self,
        loop: Loop,
        database: Database,
        table: Table,
        events: Fifo,
        tape: list[tuple[str, TapeRecord]],
        trouble: Trouble,
    ) -> None:
        self._loop = loop
        self._database = database
        self._table = table
        self._events = events
        self._tape = tape
        self._trouble = trouble
        self._count = 0
        self._warm()

    def _warm(self) -> None:
        self._count += 1
        process = self._process = Process(f"settler-{self._count}", self._loop.time)
        dynamodb: Any = DynamoDb(process, self._table, self._trouble)
        kinesis: Any = Kinesis(process, self._tape, self._trouble)
        sqs: Any = Sqs(process, [self._events], self._trouble)
        journal = JournalReads(process, self._database, self._trouble)
        self._queue = EventsQueue(sqs, self._events.name)
        self._clearing = Clearing(
            settlement=Settlement(dynamodb, "wallets", writers=Inline(), sleep=_sleep),
            journal=journal,
            tape=Tape(kinesis, "tape", sleep=_sleep),
            rules=Rules(journal.products, clock=self._loop.time),
        )

    async def run(self) -> None:
        """Read and settle, for ever."""
        while True:
            given = self._events.receive(self._loop.now, most=RECEIVE_MAX)
            if given:
                await self._deliver(given)
            else:
                await self._events.news(self._loop.now + 20)

    async def _deliver(self, given: list[Stored]) -> None:
        if self._trouble.takes("events_to_dead_letters"):
            for message in given:
                self._events.give_up(message.number)
            return
        if self._events.deleted and self._trouble.takes("events_redelivered"):
            old = self._trouble.rng.choice(self._events.deleted)
            self._loop.create_task(Settler._alone(self, old))
        receipts = [message.receipt for message in given]
        failed = await self._call(given)
        for message, receipt in zip(given, receipts, strict=True):
            if message not in failed:
                self._events.delete(receipt, self._loop.now)

    async def _alone(self, old: Stored) -> None:
        """Let another instance settle an old message, whoever settles meanwhile."""
        other = Settler(self._loop, self._database, self._table, self._events, self._tape, self._trouble)
        await other._call([old])

    async def _call(self, given: list[Stored]) -> list[Stored]:
        """One call of the function in its process; gives the messages that come again."""
        await asyncio.sleep(self._trouble.way())
        task = self._loop.create_task(blocking(self._fan_out, given), context=self._process.context)
        try:
            return list(await task)
        except (asyncio.CancelledError, Gone):
            if self._process.alive:
                raise
            self._warm()
            return given

    def _fan_out(self, given: Sequence[Stored]) -> Sequence[Stored]:
        """What functions/fan_out does around the clearing: a message that fails, and those behind it, come again."""
        try:
            cuts: list[Cut] = []
            for message in given:
                cuts += self._clearing.read(message.body)
            self._clearing.clear(cuts)
        except EXPECTED:
            self._retry(given)
            return given
        return []

    def _retry(self, given: Sequence[Stored]) -> None:
        messages = [
            Message(str(message.number), message.body, message.receipt, message.deliveries, message.group)
            for message in given
        ]
        try:
            self._queue.retry(messages)
        except (QueueDown, BotoCoreError):
            return


def _sleep(seconds: float) -> None:
    pause(seconds)
