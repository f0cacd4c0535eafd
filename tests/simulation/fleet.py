"""The matchers: the real service in simulated processes, and the HTTP that leads to them."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import asyncpg

from matcher.shell.checkpointer import CheckpointFailed
from matcher.shell.errors import MatcherError
from matcher.shell.follower import Follower
from matcher.shell.intake import Intake
from matcher.shell.service import Matcher
from matcher.shell.tenure import Parts
from tests.simulation.cache import Redis, SharedCache
from tests.simulation.database import Database
from tests.simulation.loop import Loop, wait
from tests.simulation.process import Process
from tests.simulation.queue import Fifo, Sqs
from tests.simulation.trouble import Trouble
from venue import wire
from venue.commands import AnyCommand
from venue.ports import NotServed
from venue.products import Product
from venue.wire import Outcome
from venue_aws.patience import MATCHER_S
from venue_aws.queues import EventsQueue, OrderQueue

LEASE_S = 3.0
SHARD = 0
# So many commands may be journalled before a checkpoint is due; a standby is due earlier.
CHECKPOINT_COMMANDS = 24
# How late a late request arrives.
_LATE_S = (0.5, 6.0)


class Member:
    """One matcher in a process of its own."""

    def __init__(self, process: Process, matcher: Matcher, address: str) -> None:
        self.process = process
        self.matcher = matcher
        self.address = address
        self.intake = Intake(matcher.sequencer)
        self.task: asyncio.Task[None] | None = None

    @property
    def serves(self) -> bool:
        """Whether it believes that it owns the shard."""
        try:
            return self.matcher.sequencer(SHARD).is_open
        except MatcherError:
            return False

    @property
    def runs(self) -> bool:
        """Whether it is still there."""
        return self.process.alive and self.task is not None and not self.task.done()


class Fleet:
    """Two matchers, or more while one makes room for the next; whoever dies is replaced.

    gave_up: told of one that found that it must not serve, or that failed in a way that nobody thought of.
    """

    def __init__(
        self,
        loop: Loop,
        database: Database,
        redis: Redis,
        queues: Sequence[Fifo],
        products: list[Product],
        trouble: Trouble,
        gave_up: Callable[[BaseException], None],
    ) -> None:
        self._loop = loop
        self._gave_up = gave_up
        self._database = database
        self._redis = redis
        self._queues = queues
        self._products = products
        self._trouble = trouble
        self.members: dict[str, Member] = {}

    def start(self) -> Member:
        """Start one more."""
        name = f"matcher-{len(self.members)}"
        process = Process(name, self._loop.time)
        sqs: Any = Sqs(process, self._queues, self._trouble)
        parts = Parts(
            products=self._products,
            orders=OrderQueue(sqs, "order_queue"),
            put_batch=EventsQueue(sqs, "events_queue").put,
            cache=SharedCache(process, self._redis, self._trouble),
            clock=process.clock,
            write_checkpoint=partial(self._write_checkpoint, name),
            checkpoint_commands=CHECKPOINT_COMMANDS,
            matchers=Http(process, self, self._loop, self._trouble),
            tidy=_nothing,
        )
        connect: Any = partial(self._database.connect, process)
        address = f"http://{name}"
        matcher = Matcher(parts, connect, address=address, lease_s=LEASE_S)
        address = f"{address}/shards/{SHARD}"
        member = self.members[address] = Member(process, matcher, address)
        member.task = self._loop.create_task(matcher.run(), context=process.context)
        return member

    async def _write_checkpoint(self, parent: str, shard: int) -> None:
        """What `python -m matcher.checkpoint` does, in a process of its own."""
        try:
            async with self._database.connect(Process(f"{parent}-checkpoint", self._loop.time)) as opened:
                connection: Any = opened
                follower = await Follower.load(connection, shard)
                await follower.catch_up(connection)
                await follower.save(connection)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise CheckpointFailed(repr(error)) from error

    def running(self) -> list[Member]:
        """Those that are there, the owner (as far as it knows) first."""
        there = [member for member in self.members.values() if member.runs]
        return sorted(there, key=lambda member: not member.serves)

    async def keep_two(self) -> None:
        """Replace whoever died, a second later; for ever."""
        while True:
            await asyncio.sleep(1.0)
            for member in self.members.values():
                task = member.task
                if task is not None and task.done() and not task.cancelled():
                    error = task.exception()
                    if error is not None:
                        self._gave_up(error)
            while len(self.running()) < 2:
                self.start()


class Http:
    """The way to the matchers, as one caller has it: venue.ports.Matcher. Blocking: it runs by `blocking`.

    It does what venue_aws.matcher.MatcherClient does: one wait for the answer, NotServed for anything but a success.
    """

    def __init__(self, process: Process, fleet: Fleet, loop: Loop, trouble: Trouble) -> None:
        self._process = process
        self._fleet = fleet
        self._loop = loop
        self._trouble = trouble

    def submit(self, command: AnyCommand, *, url: str) -> Outcome:
        """See venue.ports.Matcher."""
        self._process.check()
        body = wire.encode(command)
        try:
            status, answer = wait(self._patiently(url, body))
        except (TimeoutError, OSError) as error:
            raise NotServed(f"{url}: {error}") from error
        self._process.check()
        if status != HTTPStatus.OK:
            raise NotServed(f"{url}: {status}")
        return wire.OUTCOME.decode(answer)

    def submit_all(self, commands: Sequence[AnyCommand], *, url: str) -> list[Outcome]:
        """See venue.ports.Matcher. Here each takes a way of its own."""
        return [self.submit(command, url=url) for command in commands]

    async def _patiently(self, url: str, body: bytes) -> tuple[int, bytes]:
        async with asyncio.timeout(MATCHER_S):
            return await self._post(url, body)

    async def _post(self, url: str, body: bytes) -> tuple[int, bytes]:
        trouble, loop = self._trouble, self._loop
        answer: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        delay_s = trouble.way()
        if trouble.takes("http_request_late"):
            delay_s = trouble.between(*_LATE_S)
        if not trouble.takes("http_request_lost"):
            outside = self._fleet._database.outside
            loop.call_later(delay_s, self._arrive, url, body, answer, context=outside)
            if trouble.takes("http_request_doubled"):
                again: asyncio.Future[tuple[int, bytes]] = loop.create_future()
                loop.call_later(delay_s + trouble.way(), self._arrive, url, body, again, context=outside)
        return await answer

    def _arrive(self, url: str, body: bytes, answer: asyncio.Future[tuple[int, bytes]]) -> None:
        member = self._fleet.members.get(url)
        if member is None or not member.runs:
            _settle(answer, ConnectionRefusedError(url))
            return
        task = self._loop.create_task(_asked(member.intake, body), context=member.process.context)
        task.add_done_callback(partial(self._answered, member, answer), context=self._fleet._database.outside)

    def _answered(
        self, member: Member, answer: asyncio.Future[tuple[int, bytes]], task: asyncio.Task[tuple[int, bytes]]
    ) -> None:
        if not member.process.alive or task.cancelled():
            _settle(answer, ConnectionResetError(member.address))
        elif (error := task.exception()) is not None:
            _settle(answer, ConnectionResetError(f"{member.address}: {error!r}"))
        elif not self._trouble.takes("http_answer_lost"):
            outside = self._fleet._database.outside
            self._loop.call_later(self._trouble.way(), _settle, answer, task.result(), context=outside)


def _nothing() -> None:
    """The garbage collector has to do with no run."""


async def _asked(intake: Intake, body: bytes) -> tuple[int, bytes]:
    """One request to a matcher's own intake."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await intake({"path_params": {"shard": SHARD}}, receive, send)
    return sent[0]["status"], sent[1]["body"]


def _settle(answer: asyncio.Future[tuple[int, bytes]], result: tuple[int, bytes] | Exception) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
