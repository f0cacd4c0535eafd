"""The matchers: the real service in simulated processes, and the HTTP that leads to them."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
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
from tests.simulation.http import Http
from tests.simulation.loop import Loop
from tests.simulation.process import Process
from tests.simulation.queue import Fifo, Sqs
from tests.simulation.rows import Held
from tests.simulation.trouble import Trouble
from venue.products import Product
from venue_aws.queues import EventsQueue, OrderQueue

LEASE_S = 3.0
# So many commands may be journalled before a checkpoint is due; a standby is due earlier.
CHECKPOINT_COMMANDS = 24


class Member:
    """One matcher in a process of its own."""

    def __init__(self, process: Process, matcher: Matcher, address: str) -> None:
        self.process = process
        self.matcher = matcher
        self.address = address
        self.intake = Intake(matcher.sequencer)
        self.task: asyncio.Task[None] | None = None

    def serves(self, shard: int) -> bool:
        """Whether it believes that it owns the shard."""
        try:
            return self.matcher.sequencer(shard).is_open
        except MatcherError:
            return False

    def url(self, shard: int) -> str:
        """Where others reach a shard in it."""
        return f"{self.address}/shards/{shard}"

    def owns(self, shard: int, held: Held | None) -> bool:
        """Whether this is the lease under which it serves the shard."""
        return held is not None and held.address == self.url(shard) and self.serves(shard)

    @property
    def runs(self) -> bool:
        """Whether it is still there."""
        return self.process.alive and self.task is not None and not self.task.done()


class Fleet:
    """So many matchers as are `wanted`, or more while one makes room for the next; whoever dies is replaced.

    shards: that there are. shards_max: that one owns, at most. gave_up: told of one that found that it must not serve,
    or that failed in a way that nobody thought of. requests: so many are on their way to a matcher, or with one.
    """

    def __init__(
        self,
        loop: Loop,
        database: Database,
        redis: Redis,
        queues: Sequence[Fifo],
        products: list[Product],
        trouble: Trouble,
        *,
        wanted: int,
        shards: int,
        shards_max: int,
        gave_up: Callable[[BaseException], None],
    ) -> None:
        self._loop = loop
        self._gave_up = gave_up
        self._database = database
        self._redis = redis
        self._queues = queues
        self._products = products
        self._trouble = trouble
        self._wanted = wanted
        self._shards = shards
        self._shards_max = shards_max
        self.outside = database.outside
        self.members: dict[str, Member] = {}
        self.requests = 0

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
        matcher = Matcher(
            parts, connect, address=address, lease_s=LEASE_S, shards=self._shards, shards_max=self._shards_max
        )
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
        """Those that are there, the owners (as far as they know) first: of most shards before others."""
        there = [member for member in self.members.values() if member.runs]
        return sorted(there, key=lambda member: -sum(map(member.serves, range(self._shards))))

    def owner(self, shard: int) -> Member | None:
        """Who owns a shard, and serves it."""
        held = self._database.tables.leases.get(shard)
        return next((member for member in self.running() if member.owns(shard, held)), None)

    async def keep_whole(self) -> None:
        """Replace whoever died, a second later; for ever."""
        while True:
            await asyncio.sleep(1.0)
            for member in self.members.values():
                task = member.task
                if task is not None and task.done() and not task.cancelled():
                    error = task.exception()
                    if error is not None:
                        self._gave_up(error)
            while len(self.running()) < self._wanted:
                self.start()


def _nothing() -> None:
    """The garbage collector has to do with no run."""
