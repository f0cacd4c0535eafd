"""The poller with a queue and a journal that fail when told; tests/integration has the real ones."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from matcher.core.engine import Engine
from matcher.shell.journal import Entry
from matcher.shell.poller import Poller
from matcher.shell.sequencer import Sequencer
from venue import wire
from venue.commands import Deposit
from venue_aws.queues import Message, QueueDown


class Queue:
    """One account's messages: given out once, and again when they are given back."""

    def __init__(self, count: int) -> None:
        self.left = [
            Message(str(n), msgspec.json.encode(_deposit(n)).decode(), f"receipt-{n}", 1) for n in range(1, count + 1)
        ]
        self.deleted: list[str] = []
        self.returned: list[str] = []
        self.failures = 0
        self.polls = 0
        self.gate = threading.Event()
        self.gate.set()
        self._lock = threading.Lock()

    def take(self, *, wait_s: int) -> list[Message]:
        del wait_s
        self.polls += 1
        self.gate.wait()
        with self._lock:
            if self.failures:
                self.failures -= 1
                raise QueueDown("away")
            if not self.left:
                time.sleep(0.01)
            taken, self.left = self.left[:10], self.left[10:]
            return taken

    def done(self, messages: Sequence[Message]) -> None:
        self.deleted += [message.id for message in messages]

    def give_back(self, messages: Sequence[Message]) -> None:
        with self._lock:
            self.returned += [message.id for message in messages]
            self.left = [*messages, *self.left]


class Journal:
    """Commits `good` batches, and loses the connection at the next."""

    def __init__(self, good: int) -> None:
        self.good = good
        self.entries: list[Entry] = []

    async def append(self, entry: Entry) -> None:
        await asyncio.sleep(0)
        if len(self.entries) >= self.good:
            raise ConnectionResetError
        self.entries.append(entry)


def _deposit(number: int) -> Deposit:
    return Deposit(transfer_id=f"t-{number}", account="alice", asset="USD", amount=number)


def _sequencer(journal: Journal) -> Sequencer:
    return Sequencer(Engine(), journal, sequence=0, at=0, clock=lambda: 1)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_queue_that_is_away_is_tried_again() -> None:
    queue, journal = Queue(3), Journal(good=100)
    queue.failures = 2
    sequencer = _sequencer(journal)
    running = asyncio.create_task(sequencer.run())
    poller = Poller(queue, sequencer)
    polling = asyncio.create_task(poller.run())
    await _until(lambda: len(queue.deleted) == 3)
    poller.stop()
    await polling
    running.cancel()
    assert queue.returned == []


async def test_what_was_not_committed_is_given_back_and_executed_by_the_next_owner_in_order() -> None:
    queue, failing = Queue(25), Journal(good=1)
    first = _sequencer(failing)
    running = asyncio.create_task(first.run())
    polling = asyncio.create_task(Poller(queue, first).run())
    await _until(lambda: bool(queue.returned))
    assert isinstance(await asyncio.gather(running, return_exceptions=True), list)
    polling.cancel()
    await asyncio.wait([polling])
    assert queue.deleted == [str(n) for n in range(1, 11)]

    healthy = Journal(good=100)
    second = _sequencer(healthy)
    running = asyncio.create_task(second.run())
    poller = Poller(queue, second)
    polling = asyncio.create_task(poller.run())
    await _until(lambda: len(queue.deleted) == 25)
    poller.stop()
    await polling
    running.cancel()
    commands = [command for entry in healthy.entries for command in wire.COMMANDS.decode(entry.commands)]
    assert [command.transfer_id for command in commands if isinstance(command, Deposit)] == [
        f"t-{n}" for n in range(11, 26)
    ]


async def test_a_poll_that_outlives_its_poller_gives_back_what_it_took() -> None:
    queue = Queue(2)
    queue.gate.clear()
    sequencer = _sequencer(Journal(good=1))
    polling = asyncio.create_task(Poller(queue, sequencer).run())
    await _until(lambda: queue.polls == 1)
    polling.cancel()
    await asyncio.wait([polling])
    queue.gate.set()
    await _until(lambda: queue.returned == ["1", "2"])
