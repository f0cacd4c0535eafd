"""The journal, its fence, the lease and the migrations, against a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from matcher.core.engine import Engine
from matcher.shell.errors import JournalBroken, LeaseLost, NotOwner
from matcher.shell.follower import Follower
from matcher.shell.journal import PostgresJournal, connection
from matcher.shell.lease import Lease
from matcher.shell.migrations import MigrationChanged, migrate, scripts
from matcher.shell.sequencer import Sequencer
from tests.cluster.database import NewDatabase
from tests.cluster.flow import BTC_USD, flow
from tests.cluster.proxy import Proxy
from venue.commands import ListProduct

TABLES = ("batches", "orders", "trades", "postings", "products")


@pytest.fixture
async def own(database: NewDatabase) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database with the schema."""
    async with connection(database.settings) as opened:
        await migrate(opened, scripts())
        yield opened


async def take(own: asyncpg.Connection, owner: str, *, length_s: float = 60) -> Lease | None:
    return await Lease.take(own, shard=0, owner=owner, address="http://here", length_s=length_s)


async def recovered(own: asyncpg.Connection) -> Follower:
    """From the newest checkpoint and the journal back to the books."""
    follower = await Follower.load(own, 0)
    await follower.catch_up(own)
    return follower


async def write(own: asyncpg.Connection, epoch: int, *, seed: int = 1, count: int = 50) -> Engine:
    """Let a sequencer write a few batches; gives its engine."""
    follower = await recovered(own)
    sequencer = Sequencer(
        follower.engine,
        await PostgresJournal.open(own, shard=0, epoch=epoch, lease_s=60, timeout_s=10),
        sequence=follower.sequence,
        at=follower.at,
        chain=follower.chain,
        commands=follower.commands,
        clock=lambda: 1_700_000_000_000_000,
    )
    running = asyncio.create_task(sequencer.run())
    try:
        await sequencer.submit(ListProduct(product=BTC_USD))
        await asyncio.gather(*(sequencer.submit(order) for order in flow(seed, count)))
    finally:
        running.cancel()
        await asyncio.wait([running])
    return follower.engine


async def counts(own: asyncpg.Connection) -> dict[str, int]:
    return {table: await own.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}  # noqa: S608


async def test_a_stale_epoch_writes_nothing_at_all(own: asyncpg.Connection) -> None:
    lease = await take(own, "first")
    assert lease is not None
    await write(own, lease.epoch)
    before = await counts(own)
    await own.execute("UPDATE leases SET epoch = epoch + 1")
    with pytest.raises(NotOwner):
        await write(own, lease.epoch, seed=2)
    assert await counts(own) == before


async def test_an_epoch_that_rises_while_a_batch_is_on_its_way_shuts_it_out(
    own: asyncpg.Connection, database: NewDatabase
) -> None:
    lease = await take(own, "first")
    assert lease is not None
    async with connection(database.settings) as other:
        change = other.transaction()
        await change.start()
        await other.execute("UPDATE leases SET epoch = epoch + 1")
        writing = asyncio.create_task(write(own, lease.epoch))
        await asyncio.sleep(0.2)
        assert not writing.done()  # it waits at the fence
        await change.commit()
    with pytest.raises(NotOwner):
        await writing
    assert (await counts(own))["batches"] == 0


async def test_a_lease_has_one_holder_and_rises_with_each(own: asyncpg.Connection) -> None:
    first = await take(own, "first", length_s=0.3)
    assert first is not None
    assert await take(own, "second") is None
    again = await take(own, "first", length_s=0.3)
    assert again is not None
    assert again.epoch == first.epoch + 1
    await asyncio.sleep(0.4)
    second = await take(own, "second")
    assert second is not None
    assert second.epoch == first.epoch + 2
    await second.release()
    third = await take(own, "third")
    assert third is not None
    assert third.epoch == first.epoch + 3


async def test_a_lease_is_kept_until_another_takes_it(own: asyncpg.Connection, database: NewDatabase) -> None:
    lease = await take(own, "first", length_s=0.6)
    assert lease is not None
    async with connection(database.settings) as other:
        keeping = asyncio.create_task(lease.keep())
        await asyncio.sleep(1.0)
        assert await take(other, "second") is None
        await other.execute("UPDATE leases SET epoch = epoch + 1, owner = 'second'")
        with pytest.raises(NotOwner):
            await keeping


async def test_an_append_renews_the_lease(own: asyncpg.Connection, database: NewDatabase) -> None:
    lease = await take(own, "first", length_s=0.2)
    assert lease is not None
    await write(own, lease.epoch)  # which renews it for sixty seconds
    await asyncio.sleep(0.3)
    async with connection(database.settings) as other:
        assert not await Lease.is_free(other, shard=0, owner="second")
        assert await take(other, "second") is None


async def test_a_lease_that_ran_out_behind_a_slow_commit_is_passed_over_until_it_is_through(
    own: asyncpg.Connection, database: NewDatabase
) -> None:
    lease = await take(own, "first", length_s=0.1)
    assert lease is not None
    async with connection(database.settings) as journal, connection(database.settings) as standby:
        commit = journal.transaction()
        await commit.start()
        await journal.execute("UPDATE leases SET head = 0")
        await asyncio.sleep(0.2)
        assert await Lease.is_free(standby, shard=0, owner="second")
        assert await asyncio.wait_for(take(standby, "second"), 5) is None
        await commit.commit()
        await lease.check()  # nobody took it, so it is renewed
        assert await take(standby, "second", length_s=0.1) is None
        await asyncio.sleep(0.2)
        assert await take(standby, "second") is not None
        with pytest.raises(NotOwner):
            await lease.check()


async def test_a_machine_that_is_gone_without_a_word_leaves_no_lock_behind(own: asyncpg.Connection) -> None:
    waits_s = [int(await own.fetchval(f"SHOW tcp_keepalives_{name}")) for name in ("idle", "interval", "count")]
    assert 0 < waits_s[0] + waits_s[1] * waits_s[2] <= 15


async def test_a_lease_that_cannot_be_renewed_in_time_is_lost(own: asyncpg.Connection, database: NewDatabase) -> None:
    lease = await take(own, "first", length_s=0.6)
    assert lease is not None
    async with connection(database.settings) as other, other.transaction():
        await other.execute("SELECT 1 FROM leases FOR UPDATE")
        with pytest.raises(LeaseLost):
            await lease.keep()


async def test_a_database_that_is_gone_without_a_word_is_not_waited_for_for_ever(
    own: asyncpg.Connection, database: NewDatabase
) -> None:
    assert await take(own, "first") is not None
    with Proxy(database.settings.port) as proxy:
        settings = msgspec.structs.replace(database.settings, port=proxy.port)
        async with connection(settings, answer_s=0.5) as standby:
            follower = Follower(0)
            assert await follower.catch_up(standby) == 0
            proxy.block()
            with pytest.raises(TimeoutError):
                await follower.catch_up(standby)


async def test_many_processes_migrate_at_once_and_each_file_runs_once(database: NewDatabase) -> None:
    async def start() -> list[str]:
        async with connection(database.settings) as one:
            return await migrate(one, scripts())

    ran = await asyncio.gather(*(start() for _ in range(5)))
    assert sorted(name for names in ran for name in names) == sorted(scripts())


async def test_a_migration_that_fails_leaves_nothing_behind(own: asyncpg.Connection) -> None:
    whole = {"0998_whole.sql": "CREATE TABLE whole (id int)"}
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(own, scripts() | whole | {"0999_half.sql": "CREATE TABLE half (id int); SELECT 1/0"})
    assert await own.fetchval("SELECT to_regclass('half')") is None
    # The one before it was committed by itself, and holds no lock that an append could meet.
    assert await own.fetchval("SELECT to_regclass('whole')") == "whole"
    assert await migrate(own, scripts() | whole) == []
    assert await migrate(own, scripts()) == []


async def test_a_migration_that_has_run_must_not_change(own: asyncpg.Connection) -> None:
    name = next(iter(scripts()))
    with pytest.raises(MigrationChanged, match=name):
        await migrate(own, scripts() | {name: "SELECT 1"})


async def test_the_journal_gives_back_the_books_and_the_last_trades(own: asyncpg.Connection) -> None:
    lease = await take(own, "first")
    assert lease is not None
    engine = await write(own, lease.epoch, count=400)
    follower = await recovered(own)
    assert follower.engine.digest() == engine.digest()
    last = await own.fetchval("SELECT max(trade_id) FROM trades")
    assert [trade.trade_id for trade in follower.trades()] == list(range(last - 99, last + 1))


async def test_a_batch_with_other_events_stops_the_recovery(own: asyncpg.Connection) -> None:
    lease = await take(own, "first")
    assert lease is not None
    await write(own, lease.epoch)
    await own.execute("UPDATE batches SET events = $1 WHERE sequence = 1", b"[]")
    with pytest.raises(JournalBroken, match="batch 1"):
        await recovered(own)


async def test_the_journals_tables_hold_what_the_engine_says(own: asyncpg.Connection) -> None:
    lease = await take(own, "first")
    assert lease is not None
    engine = await write(own, lease.epoch, count=300)
    for row in await own.fetch("SELECT id::text, status, filled, hold, fees, executed_value, done_reason FROM orders"):
        order = engine.order(row["id"])
        assert order is not None
        assert tuple(row)[1:] == (
            order.status,
            order.filled,
            order.hold,
            order.fees,
            order.executed_value,
            order.done_reason,
        )
    assert await own.fetch("SELECT asset FROM postings GROUP BY asset HAVING sum(free + held) <> 0") == []
