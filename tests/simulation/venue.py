"""One run: the venue put together from a plan, driven to its end, and judged."""

import asyncio
import gc
import logging
import random
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from random import Random
from typing import Any

import msgspec

from matcher.shell import poller, share, timer
from matcher.shell.errors import JournalBroken
from matcher.shell.follower import Follower
from tests.simulation.auditor import Auditor, Violation
from tests.simulation.cache import Redis
from tests.simulation.callers import Callers
from tests.simulation.database import Database
from tests.simulation.fleet import Fleet, Member
from tests.simulation.loop import Loop
from tests.simulation.plan import LENGTH_S, PRODUCTS, Fault, Plan
from tests.simulation.process import Process
from tests.simulation.queue import Fifo
from tests.simulation.reckoning import reckon, stale_markets
from tests.simulation.settler import VISIBLE_S, Settler
from tests.simulation.trouble import LASTING, ONCE, Trouble
from tests.simulation.wallets import Table
from venue.wire import TapeRecord
from venue_aws.cache import Owner

# A venue that has not come to rest so long after the last fault never will.
REST_S = 240.0
JUMP_S_MAX = 60.0


class Result(msgspec.Struct, kw_only=True):
    """What came of a run. digest: of all that happened, in its order."""

    digest: str
    violation: Violation | None
    fired: Counter[str]
    batches: int
    acknowledged: int
    steps: int
    virtual_s: float


class Venue:
    """All parts of one run."""

    def __init__(self, plan: Plan, loop: Loop) -> None:
        self.plan = plan
        self.loop = loop
        self.failure: asyncio.Future[Violation] = loop.create_future()
        self.trouble = Trouble(Random(plan.seed ^ 0x5EED), loop.time)
        self.auditor = Auditor(loop.time, self._failed)
        self.database = Database(loop, self.trouble)
        self.database.committed = self.auditor.committed
        self.table = Table()
        self.table.changed = self.auditor.changed
        self.redis = Redis()
        self.orders = Fifo("order_queue", self.trouble, visible_s=5.0, receives_max=6)
        self.events = Fifo("events_queue", self.trouble, visible_s=VISIBLE_S, receives_max=20)
        self.tape: list[tuple[str, TapeRecord]] = []
        self.fleet = Fleet(
            loop, self.database, self.redis, [self.orders, self.events], PRODUCTS, self.trouble, self._gave_up
        )
        self.settler = Settler(loop, self.database, self.table, self.events, self.tape, self.trouble)
        self.callers = Callers(
            loop,
            database=self.database,
            redis=self.redis,
            table=self.table,
            orders=self.orders,
            fleet=self.fleet,
            trouble=self.trouble,
            auditor=self.auditor,
        )
        self._recovered: set[tuple[str, int]] = set()
        self._busy: dict[asyncio.Task[None], None] = {}

    def _failed(self, violation: Violation) -> None:
        if not self.failure.done():
            self.failure.set_result(violation)

    def _gave_up(self, error: BaseException) -> None:
        self.auditor.fail("a matcher may always serve", _told(error))

    async def run(self) -> Violation | None:
        """Play the plan, let the faults cease, wait for rest, and reckon. Gives the first violation."""
        self.fleet.start()
        self.fleet.start()
        whole = self.loop.create_task(self._play())
        background = [
            self._start(work) for work in (self.fleet.keep_two(), self.settler.run(), self._watch_recoveries())
        ]
        await asyncio.wait([whole, self.failure, *background], return_when=asyncio.FIRST_COMPLETED)
        for task in (*background, whole):
            if task.done() and not self.failure.done() and (error := task.exception()) is not None:
                raise error
        return self.failure.result() if self.failure.done() else None

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self.loop.create_task(work)
        return task

    async def _play(self) -> None:
        tasks = []
        for step in self.plan.steps:
            await asyncio.sleep(step.at - self.loop.now)
            if isinstance(step, Fault):
                self._break(step)
            else:
                tasks.append(self._start(self.callers.act(step)))
        await asyncio.sleep(LENGTH_S + 1 - self.loop.now)
        self.trouble.cease()
        self._mend()
        for task in tasks:
            await task
        await self._rest()
        if self.orders.dead or self.events.dead:
            self._redrive()
            await self._rest()
        await self._check_recovery()
        reckon(self)

    def _redrive(self) -> None:
        """An operator brings the dead letters back, but for those that nobody can read."""
        self.orders.dead = [message for message in self.orders.dead if not message.body.startswith("poison")]
        self.orders.redrive()
        self.events.redrive()

    # Faults.

    def _break(self, fault: Fault) -> None:
        kind, trouble = fault.kind, self.trouble
        if kind == "queue_poison":
            trouble.fired[kind] += 1
            self.orders.send(
                "poison {",
                group=trouble.rng.choice(("0:ann", "0:bob")),
                deduplication=f"poison {fault.at}",
                now=self.loop.now,
            )
        elif kind in ONCE:
            trouble.arm(kind)
        elif kind in LASTING:
            trouble.last(kind, fault.seconds)
            if kind == "database_away":
                self.database.crash()
        elif kind == "redis_emptied":
            trouble.fired[kind] += 1
            self.redis.empty()
        elif kind == "stale_owner":
            self._name_another_owner()
        else:
            self._hit(fault)

    def _name_another_owner(self) -> None:
        former = [(shard, owner) for shard, owner in self.redis.former if self.redis.owners.get(shard) != owner]
        if former:
            shard, owner = self.trouble.rng.choice(former)
        else:
            shard, owner = 0, Owner(epoch=0, url="http://matcher-1/shards/0")
        self.trouble.fired["stale_owner"] += 1
        self.redis.owners[shard] = owner

    def _hit(self, fault: Fault) -> None:
        """Something happens to one matcher's process."""
        running = [member for member in self.fleet.running() if not member.process.paused]
        if not running:
            return
        member = running[0 if fault.owner else -1]
        self.trouble.fired[fault.kind] += 1
        match fault.kind:
            case "kill":
                member.process.kill()
            case "stop":
                self.fleet.start()
                member.process.context.run(member.matcher.stop)
            case "pause":
                member.process.paused = True
                self._start(self._wake(member, fault.seconds))
            case "clock_forward":
                member.process.skew_s += min(fault.seconds * 5, JUMP_S_MAX)
            case "clock_back":
                member.process.skew_s -= min(fault.seconds * 5, JUMP_S_MAX)

    async def _wake(self, member: Member, after_s: float) -> None:
        """Let it go on. Sometimes callers ask it just before, and wait: Redis has come back older than it was."""
        early_s = min(after_s, 0.8)
        await asyncio.sleep(after_s - early_s)
        former = [(shard, owner) for shard, owner in self.redis.former if owner.url == member.address]
        if former and self.trouble.rng.randrange(4):
            self.trouble.fired["stale_owner"] += 1
            self.redis.owners.update(former[-1:])
        await asyncio.sleep(early_s)
        self._go_on(member)

    def _mend(self) -> None:
        for member in self.fleet.members.values():
            self._go_on(member)

    def _go_on(self, member: Member) -> None:
        if not member.process.paused:
            return
        held = self.database.leases.get(0)
        if member.process.alive and member.serves and held is not None and held.address != member.address:
            self.trouble.fired["zombie"] += 1
        self.loop.go_on(member.process)

    # Rest.

    async def _rest(self) -> None:
        """Wait until nobody has anything to do any more."""
        until = self.loop.now + REST_S
        while not self._at_rest():
            if self.loop.now > until:
                self.auditor.fail("the venue comes to rest", self._unrest())
                return
            await asyncio.sleep(0.5)

    def _at_rest(self) -> bool:
        held = self.database.leases.get(0)
        last = self.auditor.sequence
        return (
            not self.orders.messages
            and self.auditor.engine.due is None
            and not self.events.messages
            and self.database.published.get(0, 0) == last
            and held is not None
            and any(member.serves and member.address == held.address for member in self.fleet.running())
            and self.redis.owners.get(0) == Owner(epoch=held.epoch, url=held.address)
            and not stale_markets(self)
        )

    def _unrest(self) -> str:
        return (
            f"orders {len(self.orders.messages)}, events {len(self.events.messages)},"
            f" relayed {self.database.published.get(0, 0)} of {self.auditor.sequence},"
            f" lease {self.database.leases.get(0)}, Redis {self.redis.owners.get(0)},"
            f" market data behind {stale_markets(self)},"
            f" serving {[member.address for member in self.fleet.running() if member.serves]}"
        )

    # Recovery.

    async def _watch_recoveries(self) -> None:
        """Ask each new owner for the digest of its books."""
        while True:
            await asyncio.sleep(0.5)
            for member in self.fleet.running():
                if (
                    member.serves
                    and not member.process.paused
                    and (member.address, self.database.leases[0].epoch) not in self._recovered
                ):
                    await self._compare(member)

    async def _compare(self, member: Member) -> None:
        asked = self.loop.create_task(member.matcher.state(0, digest=True), context=member.process.context)
        done, _ = await asyncio.wait([asked], timeout=2.0)
        if not done or asked.cancelled() or asked.exception() is not None:
            return
        state = asked.result()
        if state["serving"] and state["sequence"] == self.auditor.sequence:
            self._recovered.add((member.address, state["epoch"]))
            if state["digest"] != self.auditor.engine.digest():
                self.auditor.fail("what is recovered is what was", f"{member.address}, batch {state['sequence']}")

    async def _check_recovery(self) -> None:
        """Recover once more, from the first row and from the newest checkpoint, and ask the owner."""
        process = Process("auditor", self.loop.time)
        async with self.database.connect(process) as opened:
            connection: Any = opened
            try:
                for follower in (Follower(0), await Follower.load(connection, 0)):
                    after = follower.sequence
                    await follower.catch_up(connection)
                    if follower.engine.digest() != self.auditor.engine.digest():
                        self.auditor.fail("what is recovered is what was", f"after batch {after}")
            except JournalBroken as error:
                self.auditor.fail("what is recovered is what was", str(error))
                return
        self._recovered.clear()
        until = self.loop.now + REST_S
        while not self._recovered:
            if self.loop.now > until:
                self.auditor.fail("the venue comes to rest", "the owner does not say where it stands")
                return
            await asyncio.sleep(0.5)
            for member in self.fleet.running():
                if member.serves and member.address == self.database.leases[0].address:
                    await self._compare(member)


class Defects(logging.Handler):
    """Hears what a matcher did not expect: it steps down and goes on, but here it ends the run."""

    def __init__(self, auditor: Auditor) -> None:
        super().__init__(logging.ERROR)
        self._auditor = auditor

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of an exception that is no part of life."""
        if record.exc_info is not None and record.exc_info[1] is not None:
            self._auditor.fail("a matcher knows what may happen", f"{record.msg}: {_told(record.exc_info[1])}")


def _told(error: BaseException) -> str:
    return ", ".join(map(_told, error.exceptions)) if isinstance(error, BaseExceptionGroup) else repr(error)


@contextmanager
def heard(auditor: Auditor) -> Iterator[None]:
    """Let the auditor hear what matchers log, and nobody else."""
    log = logging.getLogger("matcher")
    before = log.level, log.propagate, log.handlers
    log.setLevel(logging.ERROR)
    log.propagate, log.handlers = False, [Defects(auditor)]
    try:
        yield
    finally:
        level, log.propagate, log.handlers = before
        log.setLevel(level)


# How often matchers look, where they do it only to be quick: here it costs time and finds nothing.
_LOOKS = ((share, "POLL_S", 0.6), (timer, "TICK_S", 0.3), (poller, "_IDLE_S", 0.5))


@contextmanager
def unhurried() -> Iterator[None]:
    """Let matchers look less often."""
    before = [getattr(module, name) for module, name, _ in _LOOKS]
    for module, name, seconds in _LOOKS:
        setattr(module, name, seconds)
    try:
        yield
    finally:
        for (module, name, _), seconds in zip(_LOOKS, before, strict=True):
            setattr(module, name, seconds)


# What a run leaves behind is old by then, and the collector, switched off during runs, never comes round to the old.
_SWEPT_EVERY = 20
_played = count(1)


def play(plan: Plan) -> Result:
    """Play one plan from beginning to end. The same plan gives the same result."""
    random.seed(plan.seed)
    loop = Loop()
    enabled = gc.isenabled()
    gc.disable()
    asyncio.set_event_loop(loop)
    try:
        venue = Venue(plan, loop)
        with heard(venue.auditor), unhurried():
            try:
                return _result(venue, loop.run_until_complete(venue.run()))
            finally:
                _clear(loop, venue)
    finally:
        asyncio.set_event_loop(None)
        # A matcher keeps what it recovered from the collector; here it would stay for ever.
        gc.unfreeze()
        if next(_played) % _SWEPT_EVERY == 0:
            gc.collect()
        if enabled:
            gc.enable()


def _result(venue: Venue, violation: Violation | None) -> Result:
    venue.auditor.note("fired", sorted(venue.trouble.fired.items()), venue.loop.steps)
    return Result(
        digest=venue.auditor.digest,
        violation=violation,
        fired=venue.trouble.fired,
        batches=venue.auditor.sequence,
        acknowledged=venue.auditor.acknowledged,
        steps=venue.loop.steps,
        virtual_s=round(venue.loop.now, 1),
    )


def _clear(loop: Loop, venue: Venue) -> None:
    """End what still runs; nobody hears of it."""
    for member in venue.fleet.members.values():
        if member.process.paused:
            loop.go_on(member.process)
        member.process.kill()
    for task in sorted(asyncio.all_tasks(loop), key=hash):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(30))
    loop.close()
