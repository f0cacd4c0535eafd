"""One run: the venue put together from a plan, driven to its end, and judged."""

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Coroutine
from itertools import count
from random import Random
from typing import Any, Final

import msgspec

from tests.simulation.auditor import Auditor, Violation
from tests.simulation.breaker import Breaker
from tests.simulation.cache import Redis
from tests.simulation.callers import Callers
from tests.simulation.database import Answered, Database
from tests.simulation.fleet import Fleet
from tests.simulation.loop import Loop
from tests.simulation.plan import LENGTH_S, Fault, Plan, Reconcile
from tests.simulation.queue import Fifo
from tests.simulation.reckoning import reckon
from tests.simulation.reconciler import Reconciler
from tests.simulation.recovery import Recovery
from tests.simulation.rest import Rest
from tests.simulation.settler import VISIBLE_S, Settler
from tests.simulation.surroundings import heard, hurried, told
from tests.simulation.trouble import Trouble
from tests.simulation.wallets import Table
from venue.wire import TapeRecord


class Result(msgspec.Struct, kw_only=True):
    """What came of a run. digest: of all that happened, in its order. told: how many events of each kind."""

    digest: str
    violation: Violation | None
    fired: Counter[str]
    told: Counter[str]
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
        self.auditor = Auditor(plan.shards, loop.time, self._failed)
        self.database = Database(loop, self.trouble)
        self.database.committed = self.auditor.committed
        self.table = Table()
        self.table.changed, self.table.freed = self.auditor.changed, self.auditor.freed
        self.redis = Redis()
        self.orders = Fifo("order_queue", self.trouble, visible_s=5.0, receives_max=6)
        self.orders.taken, self.orders.given_up = self.auditor.roads.taken, self.auditor.roads.given_up
        self.events = Fifo("events_queue", self.trouble, visible_s=VISIBLE_S, receives_max=20)
        self.tape: list[tuple[str, TapeRecord]] = []
        self.fleet = Fleet(
            loop,
            self.database,
            self.redis,
            [self.orders, self.events],
            plan.products(),
            self.trouble,
            wanted=plan.matchers,
            shards=plan.shards,
            shards_max=plan.shards_max,
            gave_up=self._gave_up,
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
        self.reconciler = Reconciler(self.callers)
        self.recovery = Recovery(self)
        self._breaker = Breaker(self)
        self._rest = Rest(self)

    def _failed(self, violation: Violation) -> None:
        if not self.failure.done():
            self.failure.set_result(violation)

    def _gave_up(self, error: BaseException) -> None:
        self.auditor.fail("a matcher may always serve", told(error))

    async def run(self) -> Violation | None:
        """Play the plan, let the faults cease, wait for rest, and reckon. Gives the first violation."""
        for _ in range(self.plan.matchers):
            self.fleet.start()
        whole = self.loop.create_task(self._play())
        background = [self.start(work) for work in (self.fleet.keep_whole(), self.settler.run(), self.recovery.watch())]
        await asyncio.wait([whole, self.failure, *background], return_when=asyncio.FIRST_COMPLETED)
        for task in (*background, whole):
            if task.done() and not self.failure.done() and (error := task.exception()) is not None:
                raise error
        return self.failure.result() if self.failure.done() else None

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let something happen beside everything else."""
        task: asyncio.Task[None] = self.loop.create_task(work)
        return task

    async def _play(self) -> None:
        tasks = []
        for step in self.plan.steps:
            await asyncio.sleep(step.at - self.loop.now)
            match step:
                case Fault():
                    self._breaker.do(step)
                case Reconcile():
                    tasks.append(self.start(self.reconciler.act()))
                case _:
                    tasks.append(self.start(self.callers.act(step)))
        await asyncio.sleep(LENGTH_S + 1 - self.loop.now)
        self._breaker.mend()
        for task in tasks:
            await task
        await self._rest.come()
        reckon(self)


# What a run leaves behind is old by then, and the collector, switched off during runs, never comes round to the old.
_SWEPT_EVERY: Final = 50
_played = count(1)


def play(plan: Plan, *, answered: Answered | None = None) -> Result:
    """Play one plan from beginning to end. The same plan gives the same result.

    answered: is told what the database answers, see Database.
    """
    random.seed(plan.seed)
    loop = Loop()
    # Not by disable: a checkpoint that is loaded enables it again.
    thresholds = gc.get_threshold()
    gc.set_threshold(0)
    asyncio.set_event_loop(loop)
    try:
        venue = Venue(plan, loop)
        if answered is not None:
            venue.database.answered = answered
        with heard(venue.auditor), hurried():
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
        gc.set_threshold(*thresholds)


def _result(venue: Venue, violation: Violation | None) -> Result:
    venue.auditor.note("fired", sorted(venue.trouble.fired.items()), venue.loop.steps)
    return Result(
        digest=venue.auditor.digest,
        violation=violation,
        fired=venue.trouble.fired,
        told=venue.auditor.told,
        batches=venue.auditor.batches,
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
    for task in loop.tasks:
        task.cancel()
    loop.run_until_complete(asyncio.sleep(30))
    loop.tasks.clear()
    loop.close()
