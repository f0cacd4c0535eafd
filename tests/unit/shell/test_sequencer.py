"""The sequencer: batches, answers after the commit, and what happens when a commit fails. The journal is a fake."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
import msgspec
import pytest

from matcher.core.engine import Engine
from matcher.shell.batch import BATCH_COMMANDS_MAX
from matcher.shell.errors import LeaseLost, NotOwner, OutcomeUnknown, Overloaded
from matcher.shell.intake import application
from matcher.shell.journal import Entry
from matcher.shell.sequencer import WAITING_MAX, Sequencer
from venue import wire
from venue.commands import AnyCommand, CancelAll, ListProduct, PlaceOrder
from venue.events import AnyEvent
from venue.products import Asset, Product

PRODUCT = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme", scale=0),
    quote=Asset(id="USD", name="US Dollar", scale=8),
    tick_units=500_000,
    lot_units=1,
)


def order(number: int, *, account: str = "alice") -> PlaceOrder:
    return PlaceOrder(
        order_id=str(UUID(int=number)), account=account, product_id=PRODUCT.id, side="buy", price=1, size=1, hold=10**9
    )


class HeldJournal:
    """Keeps what it is given; commits when told, or fails when told."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    async def append(self, entry: Entry) -> None:
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.entries.append(entry)

    def commands(self) -> list[list[AnyCommand]]:
        return [wire.COMMANDS.decode(entry.commands) for entry in self.entries]


class Clock:
    """Gives the times it is told to."""

    def __init__(self) -> None:
        self.now = 1000

    def __call__(self) -> int:
        return self.now


class Bench:
    """A sequencer over a held journal, with one product listed."""

    def __init__(self) -> None:
        self.journal = HeldJournal()
        self.clock = Clock()
        self.engine = Engine()
        self.sequencer = Sequencer(self.engine, self.journal, sequence=0, at=0, clock=self.clock)


@asynccontextmanager
async def running() -> AsyncIterator[Bench]:
    bench = Bench()
    task = asyncio.create_task(bench.sequencer.run())
    await bench.sequencer.submit(ListProduct(product=PRODUCT))
    yield bench
    task.cancel()
    await asyncio.wait([task])


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_nobody_is_answered_before_the_commit() -> None:
    async with running() as bench:
        bench.journal.gate.clear()
        waiting = [bench.sequencer.submit(order(n)) for n in range(1, 4)]
        await settle()
        assert not any(future.done() for future in waiting)
        bench.journal.gate.set()
        outcomes = [wire.OUTCOME.decode(await future) for future in waiting]
        assert [outcome.orders[0].order_id for outcome in outcomes] == [order(n).order_id for n in range(1, 4)]


async def test_what_arrives_during_a_commit_is_the_next_batch() -> None:
    async with running() as bench:
        bench.journal.gate.clear()
        first = bench.sequencer.submit(order(1))
        await settle()
        rest = [bench.sequencer.submit(order(n)) for n in range(2, 12)]
        bench.journal.gate.set()
        await asyncio.gather(first, *rest)
        assert [len(commands) for commands in bench.journal.commands()] == [1, 1, 10]
        assert [entry.sequence for entry in bench.journal.entries] == [1, 2, 3]


async def test_a_batch_has_a_bound_and_what_is_left_waits_its_turn() -> None:
    async with running() as bench:
        waiting = [bench.sequencer.submit(order(n)) for n in range(1, 2 * BATCH_COMMANDS_MAX + 11)]
        await asyncio.gather(*waiting)
        sizes = [len(commands) for commands in bench.journal.commands()]
        assert sizes == [1, BATCH_COMMANDS_MAX, BATCH_COMMANDS_MAX, 10]
        placed = [command for commands in bench.journal.commands() for command in commands][1:]
        ids = [command.order_id for command in placed if isinstance(command, PlaceOrder)]
        assert ids == [order(n).order_id for n in range(1, 2 * BATCH_COMMANDS_MAX + 11)]


async def test_a_full_batch_is_on_its_way_before_those_who_waited_are_matched_and_then_they_are() -> None:
    async with running() as bench:
        last = order(BATCH_COMMANDS_MAX + 2)
        matched: list[bool] = []
        append = bench.journal.append

        async def look_and_append(entry: Entry) -> None:
            matched.append(bench.engine.order(last.order_id) is not None)
            await append(entry)
            if len(matched) == 1:
                bench.journal.gate.clear()

        bench.journal.append = look_and_append  # type: ignore[method-assign]
        bench.journal.gate.clear()
        waiting = [bench.sequencer.submit(order(1))]
        await settle()
        waiting += [bench.sequencer.submit(order(n)) for n in range(2, BATCH_COMMANDS_MAX + 3)]
        bench.journal.gate.set()
        await settle()
        assert matched == [False, False]
        assert bench.engine.order(last.order_id) is not None
        assert waiting[0].done()
        assert not waiting[1].done()
        bench.journal.gate.set()
        await asyncio.gather(*waiting)


async def test_beyond_the_queue_s_bound_the_caller_is_told() -> None:
    async with running() as bench:
        bench.journal.gate.clear()
        waiting = [bench.sequencer.submit(order(n)) for n in range(1, BATCH_COMMANDS_MAX + WAITING_MAX + 1)]
        with pytest.raises(Overloaded):
            bench.sequencer.submit(order(10**6))
        bench.journal.gate.set()
        await asyncio.gather(*waiting)
        assert bench.engine.order(order(10**6).order_id) is None


async def test_a_batch_of_mere_repeats_is_not_journalled_and_answered_after_the_original() -> None:
    async with running() as bench:
        bench.journal.gate.clear()
        first = bench.sequencer.submit(order(1))
        await settle()
        again = bench.sequencer.submit(order(1))
        nothing = bench.sequencer.submit(CancelAll(account="nobody"))
        await settle()
        assert not again.done()
        bench.journal.gate.set()
        assert not wire.OUTCOME.decode(await first).replayed
        assert wire.OUTCOME.decode(await again).replayed
        assert wire.OUTCOME.decode(await nothing).orders == []
        assert len(bench.journal.entries) == 2


async def test_what_changes_nothing_is_not_answered_once_another_may_own_the_shard() -> None:
    async def check() -> None:
        if lost:
            raise LeaseLost("it has run out")

    lost: list[bool] = []
    sequencer = Sequencer(Engine(), HeldJournal(), sequence=0, at=0, clock=Clock(), still_mine=check)
    task = asyncio.create_task(sequencer.run())
    assert wire.OUTCOME.decode(await sequencer.submit(CancelAll(account="alice"))).orders == []
    lost.append(True)
    with pytest.raises(OutcomeUnknown):
        await sequencer.submit(CancelAll(account="alice"))
    with pytest.raises(LeaseLost):
        await task
    assert not sequencer.is_open


async def test_time_never_runs_backwards() -> None:
    async with running() as bench:
        for now in (2000, 1500, 1999, 2001):
            bench.clock.now = now
            await bench.sequencer.submit(order(now))
        assert [entry.at for entry in bench.journal.entries] == [1000, 2000, 2000, 2000, 2001]


async def test_a_time_in_the_command_is_not_believed() -> None:
    async with running() as bench:
        await bench.sequencer.submit(msgspec.structs.replace(order(1), at=10**18))
        assert bench.journal.entries[-1].at == 1000


async def test_a_stale_epoch_ends_it_and_nothing_was_done() -> None:
    async with running() as bench:
        bench.journal.gate.clear()
        bench.journal.failure = NotOwner("stale")
        sent = bench.sequencer.submit(order(1))
        await settle()
        later = bench.sequencer.submit(order(2))
        bench.journal.gate.set()
        for future in (sent, later):
            with pytest.raises(NotOwner):
                await future
        with pytest.raises(NotOwner):
            bench.sequencer.submit(order(3))
        assert not bench.sequencer.is_open


async def test_a_lost_connection_leaves_the_outcome_of_one_batch_unknown_and_ends_it() -> None:
    async with running() as bench:
        bench.journal.gate.clear()
        bench.journal.failure = ConnectionResetError("gone")
        sent = bench.sequencer.submit(order(1))
        await settle()
        later = bench.sequencer.submit(order(2))
        bench.journal.gate.set()
        with pytest.raises(OutcomeUnknown):
            await sent
        with pytest.raises(NotOwner):
            await later
        with pytest.raises(NotOwner):
            await bench.sequencer.look(lambda engine, _: engine.digest())


class BrokenEngine(Engine):
    """Fails on the orders of one account."""

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        if isinstance(command, PlaceOrder) and command.account == "mallory":
            raise ZeroDivisionError
        return super().apply(command)


async def test_an_engine_that_fails_ends_it_and_nothing_of_its_batch_is_journalled() -> None:
    journal = HeldJournal()
    sequencer = Sequencer(BrokenEngine(), journal, sequence=0, at=0, clock=Clock())
    task = asyncio.create_task(sequencer.run())
    await sequencer.submit(ListProduct(product=PRODUCT))
    journal.gate.clear()
    sent = sequencer.submit(order(1))
    await settle()
    beside, bad = sequencer.submit(order(2)), sequencer.submit(order(3, account="mallory"))
    journal.gate.set()
    assert wire.OUTCOME.decode(await sent).refused is None
    for future in (beside, bad):
        with pytest.raises(NotOwner):
            await future
    with pytest.raises(ZeroDivisionError):
        await task
    assert len(journal.entries) == 2


async def test_a_look_sees_only_what_is_durable() -> None:
    async with running() as bench:
        bench.journal.gate.clear()
        first = bench.sequencer.submit(order(1))
        await settle()
        bench.sequencer.submit(order(2))
        looking = asyncio.create_task(
            bench.sequencer.look(lambda engine, sequence: (sequence, engine.sequence(PRODUCT.id)))
        )
        await settle()
        assert not looking.done()
        bench.journal.gate.set()
        await first
        assert await looking == (3, 4)  # received and open of two orders, in batches 2 and 3
        assert len(bench.journal.entries) == 3


async def test_draining_finishes_what_was_taken_and_takes_nothing_more() -> None:
    async with running() as bench:
        bench.journal.gate.clear()
        waiting = [bench.sequencer.submit(order(n)) for n in range(1, BATCH_COMMANDS_MAX + 50)]
        draining = asyncio.create_task(bench.sequencer.drain())
        await settle()
        with pytest.raises(NotOwner):
            bench.sequencer.submit(order(10**6))
        assert not draining.done()
        bench.journal.gate.set()
        await draining
        assert all(future.done() and future.exception() is None for future in waiting)


class Serving:
    """A service whose sequencer is the bench's."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer

    def sequencer(self, shard: int) -> Sequencer:
        del shard
        return self._sequencer

    def check(self) -> None:
        pass

    def warm(self) -> None:
        pass

    async def state(self, shard: int, *, digest: bool = False) -> dict[str, object]:
        del digest
        return {"shard": shard}


async def test_an_owner_that_steps_down_while_it_is_asked_where_it_stands_is_none_any_more() -> None:
    class SteppingDown(Serving):
        async def state(self, shard: int, *, digest: bool = False) -> dict[str, object]:
            del shard, digest
            return await self._sequencer.look(lambda engine, _: {"digest": engine.digest()})

    async with running() as bench:
        bench.journal.gate.clear()
        under_way = bench.sequencer.submit(order(1))
        await settle()
        transport = httpx.ASGITransport(application(SteppingDown(bench.sequencer)))
        async with httpx.AsyncClient(transport=transport, base_url="http://matcher") as client:
            asked = asyncio.create_task(client.get("/shards/0/state?digest=1"))
            await settle()
            bench.journal.failure = ConnectionResetError()
            bench.journal.gate.set()
            answer = await asked
        assert isinstance(under_way.exception(), OutcomeUnknown)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "not_owner", "1")


async def test_a_full_queue_is_answered_with_503_and_when_to_come_again() -> None:
    async with running() as bench:
        bench.journal.gate.clear()
        waiting = [bench.sequencer.submit(order(n)) for n in range(1, BATCH_COMMANDS_MAX + WAITING_MAX + 1)]
        transport = httpx.ASGITransport(application(Serving(bench.sequencer)))
        async with httpx.AsyncClient(transport=transport, base_url="http://matcher") as client:
            answer = await client.post("/shards/0/commands", content=wire.encode(order(10**6)))
            assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "1")
            array = await client.post("/shards/0/commands", content=wire.encode([order(10**6), order(10**6 + 1)]))
            assert (array.status_code, array.json()["code"]) == (503, "busy")
        bench.journal.gate.set()
        await asyncio.gather(*waiting)
        assert bench.engine.order(order(10**6).order_id) is None
