"""The poller with a queue and a journal that fail when told; tests/integration has the real ones."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

import msgspec
import pytest

from matcher.core.engine import Engine
from matcher.shell.batch import BATCH_COMMANDS_MAX
from matcher.shell.errors import NotOwner, Overloaded
from matcher.shell.journal import Entry
from matcher.shell.lane import AWAY_S, HOLD_S, LANE_MAX
from matcher.shell.poller import Poller
from matcher.shell.sequencer import WAITING_MAX, Sequencer
from venue import wire
from venue.commands import AnyCommand, Deposit
from venue_aws.queues import Message, QueueDown


class Queue:
    """One account's messages: given out once, and again when they are given back."""

    def __init__(self, count: int) -> None:
        self.left = [
            Message(str(n), msgspec.json.encode(_deposit(n)).decode(), f"receipt-{n}", 1) for n in range(1, count + 1)
        ]
        self.deleted: list[str] = []
        self.kept: list[tuple[int, list[str]]] = []
        self.expired = 0
        self.deletes_lost = 0
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

    def done(self, messages: Sequence[Message]) -> int:
        self.deleted += [message.id for message in messages]
        if self.deletes_lost:
            self.deletes_lost -= 1
            raise QueueDown("away")
        return self.expired

    def keep(self, messages: Sequence[Message], *, seconds: int) -> int:
        self.kept.append((seconds, [message.id for message in messages]))
        if self.failures:
            self.failures -= 1
            raise QueueDown("away")
        return 0

    def give_back(self, messages: Sequence[Message]) -> None:
        with self._lock:
            self.returned += [message.id for message in messages]
            self.left = sorted([*messages, *self.left], key=lambda message: int(message.id))


class Journal:
    """Commits `good` batches, and loses the connection at the next."""

    def __init__(self, good: int) -> None:
        self.good = good
        self.entries: list[Entry] = []
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, entry: Entry) -> None:
        await asyncio.sleep(0)
        self.asked += 1
        await self.gate.wait()
        if len(self.entries) >= self.good:
            raise ConnectionResetError
        self.entries.append(entry)


def _deposit(number: int) -> Deposit:
    return Deposit(transfer_id=f"t-{number}", account="alice", asset="USD", amount=number)


def _sequencer(journal: Journal) -> Sequencer:
    return Sequencer(Engine(), journal, sequence=0, at=0, clock=lambda: 1)


def _poller(queue: Queue, sequencer: Sequencer) -> Poller:
    """The poller of a process that has this one shard."""
    return Poller(queue, lambda _: sequencer, is_owner=lambda: sequencer.is_open)


async def _fill(sequencer: Sequencer, journal: Journal, *, room: int = 0) -> None:
    """Put in line all but `room` of the commands that it takes, behind a commit that does not come through."""
    sequencer.submit(_deposit(1000))
    await _until(lambda: journal.asked == 1)
    for number in range(BATCH_COMMANDS_MAX + WAITING_MAX - room):
        sequencer.submit(_deposit(1001 + number))
    if not room:
        with pytest.raises(Overloaded):
            sequencer.submit(_deposit(9999))


def _executed(journal: Journal) -> list[str]:
    """The queue's deposits in the journal, in order."""
    commands = [command for entry in journal.entries for command in wire.COMMANDS.decode(entry.commands)]
    return [each.transfer_id for each in commands if isinstance(each, Deposit) and each.amount < 1000]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def _poll_until(queue: Queue, sequencer: Sequencer, condition: Callable[[], bool]) -> None:
    """Let sequencer and poller run until this is so, and end both."""
    running = asyncio.create_task(sequencer.run())
    poller = _poller(queue, sequencer)
    polling = asyncio.create_task(poller.run())
    await _until(condition)
    poller.stop()
    await polling
    running.cancel()


async def test_a_queue_that_is_away_is_tried_again() -> None:
    queue, journal = Queue(3), Journal(good=100)
    queue.failures = 2
    sequencer = _sequencer(journal)
    await _poll_until(queue, sequencer, lambda: len(queue.deleted) == 3)
    assert queue.returned == []


async def test_what_was_not_committed_is_given_back_and_executed_by_the_next_owner_in_order() -> None:
    queue, failing = Queue(25), Journal(good=1)
    first = _sequencer(failing)
    running = asyncio.create_task(first.run())
    polling = asyncio.create_task(_poller(queue, first).run())
    await asyncio.wait([running])
    await _until(lambda: len(queue.deleted) + len(queue.left) == 25)
    assert isinstance(running.exception(), ConnectionResetError)
    polling.cancel()
    await asyncio.wait([polling])
    assert queue.deleted == [str(n) for n in range(1, 11)]

    healthy = Journal(good=100)
    second = _sequencer(healthy)
    running = asyncio.create_task(second.run())
    poller = _poller(queue, second)
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
    polling = asyncio.create_task(_poller(queue, sequencer).run())
    await _until(lambda: queue.polls == 1)
    polling.cancel()
    await asyncio.wait([polling])
    queue.gate.set()
    await _until(lambda: queue.returned == ["1", "2"])


@pytest.mark.parametrize("failures", [0, 1])
async def test_what_an_overloaded_sequencer_does_not_take_is_held_and_costs_one_delivery(failures: int) -> None:
    queue, journal = Queue(LANE_MAX + 25), Journal(good=10_000)
    sequencer = _sequencer(journal)
    journal.gate.clear()
    running = asyncio.create_task(sequencer.run())
    await _fill(sequencer, journal)
    poller = _poller(queue, sequencer)
    polling = asyncio.create_task(poller.run())
    await _until(lambda: len(queue.left) == 25)
    queue.failures = failures  # a queue that cannot be told to wait is no reason to let go
    await _until(lambda: len(queue.kept) == LANE_MAX // 10)
    assert (queue.polls, queue.returned, queue.deleted) == (LANE_MAX // 10, [], [])
    assert {seconds for seconds, _ in queue.kept} == {HOLD_S}
    assert [name for _, names in queue.kept for name in names] == [str(n) for n in range(1, LANE_MAX + 1)]
    journal.gate.set()
    await _until(lambda: len(queue.deleted) == LANE_MAX + 25)
    poller.stop()
    await polling
    running.cancel()
    assert queue.returned == []
    assert _executed(journal) == [f"t-{n}" for n in range(1, LANE_MAX + 26)]


async def test_a_poller_that_stops_while_it_holds_messages_gives_them_back() -> None:
    queue, journal = Queue(3), Journal(good=10_000)
    sequencer = _sequencer(journal)
    journal.gate.clear()
    running = asyncio.create_task(sequencer.run())
    await _fill(sequencer, journal)
    poller = _poller(queue, sequencer)
    polling = asyncio.create_task(poller.run())
    await _until(lambda: bool(queue.kept))
    poller.stop()
    await polling
    journal.gate.set()
    await sequencer.drain()
    running.cancel()
    assert queue.returned == ["1", "2", "3"]


async def test_a_step_down_costs_a_message_one_delivery() -> None:
    queue = Queue(25)
    sequencer = _sequencer(Journal(good=1))
    running = asyncio.create_task(sequencer.run())
    polling = asyncio.create_task(_poller(queue, sequencer).run())
    await asyncio.wait([running])
    await _until(lambda: len(queue.deleted) + len(queue.left) == 25)
    polls = queue.polls
    await asyncio.sleep(0.3)
    polling.cancel()
    await asyncio.wait([polling])
    assert isinstance(running.exception(), ConnectionResetError)
    # Nothing more is received for an owner that is none any more.
    assert queue.polls == polls
    assert queue.returned == [str(n) for n in range(11, 11 + len(queue.returned))]


async def test_a_message_that_was_kept_too_long_to_be_deleted_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    queue, journal = Queue(25), Journal(good=100)
    queue.expired = 1
    sequencer = _sequencer(journal)
    running = asyncio.create_task(sequencer.run())
    poller = _poller(queue, sequencer)
    polling = asyncio.create_task(poller.run())
    await _until(lambda: len(queue.deleted) == 25)
    poller.stop()
    await polling
    running.cancel()
    said = [record.message for record in caplog.records]
    assert "order_messages_come_again" in said
    assert "order_queue_away" not in said


async def test_what_cannot_be_deleted_now_is_no_reason_to_let_go_of_what_follows_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue, journal = Queue(10), Journal(good=10_000)
    queue.deletes_lost = 1
    sequencer = _sequencer(journal)
    journal.gate.clear()
    running = asyncio.create_task(sequencer.run())
    await _fill(sequencer, journal, room=3)
    poller = _poller(queue, sequencer)
    polling = asyncio.create_task(poller.run())
    await _until(lambda: not queue.left)
    journal.gate.set()
    await _until(lambda: len(queue.deleted) == 10)
    poller.stop()
    await polling
    running.cancel()
    assert "order_queue_away" in [record.message for record in caplog.records]
    assert _executed(journal) == [f"t-{n}" for n in range(1, 11)]


class Peer:
    """Owns the second shard: takes what is brought to it, or as many as it is told to at first."""

    def __init__(self, *, takes: list[int]) -> None:
        self.takes = takes
        self.taken: list[str] = []

    def submit(self, commands: Sequence[AnyCommand], *, shard: int) -> int:
        assert shard == 1
        count = self.takes.pop(0) if self.takes else len(commands)
        self.taken += [command.transfer_id for command in commands[:count] if isinstance(command, Deposit)]
        return count


def _only(sequencer: Sequencer) -> Callable[[int], Sequencer]:
    """The sequencers of a process that owns the first shard and no other."""

    def give(shard: int) -> Sequencer:
        if shard:
            raise NotOwner("another's")
        return sequencer

    return give


async def test_what_another_process_owns_is_brought_there_in_order_and_what_is_left_over_again() -> None:
    queue, journal, peer = Queue(20), Journal(good=100), Peer(takes=[3, 0])
    _dealt(queue)
    sequencer = _sequencer(journal)
    running = asyncio.create_task(sequencer.run())
    poller = Poller(queue, _only(sequencer), is_owner=lambda: True, shards=2, peers=peer)
    polling = asyncio.create_task(poller.run())
    await _until(lambda: len(queue.deleted) == 20)
    poller.stop()
    await polling
    running.cancel()
    assert _executed(journal) == [f"t-{n}" for n in range(1, 21, 2)]
    assert peer.taken == [f"t-{n}" for n in range(2, 21, 2)]
    assert queue.returned == []


async def test_a_shard_that_nobody_owns_is_put_away_and_holds_up_no_other() -> None:
    queue, journal, peer = Queue(40), Journal(good=100), Peer(takes=[0] * 1000)
    later = _dealt(queue)[-2:]
    queue.left = queue.left[:-2]
    sequencer = _sequencer(journal)
    running = asyncio.create_task(sequencer.run())
    poller = Poller(queue, _only(sequencer), is_owner=lambda: True, shards=2, peers=peer, patience_s=0.2)
    polling = asyncio.create_task(poller.run())
    await _until(lambda: len(queue.deleted) == 19 and len(_away(queue)) == 19)
    # It is waited for once, and not again and again.
    asked = len(peer.takes)
    queue.left = later
    await _until(lambda: len(queue.deleted) == 20 and len(_away(queue)) == 20)
    assert len(peer.takes) == asked - 1
    poller.stop()
    await polling
    running.cancel()
    assert _executed(journal) == [f"t-{n}" for n in range(1, 41, 2)]
    assert _away(queue) == [str(n) for n in range(2, 41, 2)]
    assert queue.returned == []


async def test_a_shard_that_is_full_holds_up_no_other_and_holds_no_more_than_its_lane() -> None:
    queue, stuck, free = Queue(6 * LANE_MAX), Journal(good=10_000), Journal(good=10_000)
    _dealt(queue)
    stuck.gate.clear()
    sequencers = [_sequencer(free), _sequencer(stuck)]
    running = [asyncio.create_task(each.run()) for each in sequencers]
    await _fill(sequencers[1], stuck)
    poller = Poller(queue, lambda shard: sequencers[shard], is_owner=lambda: True, shards=2)
    polling = asyncio.create_task(poller.run())
    await _until(lambda: len(queue.deleted) == 3 * LANE_MAX)
    assert _executed(free) == [f"t-{n}" for n in range(1, 6 * LANE_MAX, 2)]
    # What has no room comes again later; that of the same account behind it waits for it in the queue.
    held = [str(n) for n in range(2, 6 * LANE_MAX + 1, 2)]
    await _until(lambda: len(_away(queue)) == len(held) - LANE_MAX + 5)
    assert _away(queue) == held[LANE_MAX - 5 :]
    stuck.gate.set()
    await _until(lambda: len(queue.deleted) == 4 * LANE_MAX - 5)
    poller.stop()
    await polling
    for each in running:
        each.cancel()
    assert _executed(stuck) == [f"t-{n}" for n in held[: LANE_MAX - 5]]


async def test_a_message_for_a_shard_that_there_is_not_is_left_to_the_dead_letters(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue, journal = Queue(4), Journal(good=100)
    queue.left[1] = msgspec.structs.replace(queue.left[1], group="7:alice")
    sequencer = _sequencer(journal)
    await _poll_until(queue, sequencer, lambda: len(queue.deleted) == 3)
    assert queue.deleted == ["1", "3", "4"]
    assert "order_message_unreadable" in [record.message for record in caplog.records]


def _dealt(queue: Queue) -> list[Message]:
    """Every second message is the second shard's."""
    queue.left = [
        msgspec.structs.replace(message, group=f"{number % 2}:alice") for number, message in enumerate(queue.left)
    ]
    return queue.left


def _away(queue: Queue) -> list[str]:
    return [name for seconds, names in queue.kept if seconds == int(AWAY_S) for name in names]
