"""Checkpoints and the follower, on a real PostgreSQL: what is saved is found again, and what is damaged is seen."""

import asyncio
import sys
from asyncio.subprocess import PIPE

import asyncpg
import msgspec
import pytest

from local.processes import clean_environment
from matcher.core.engine import Engine
from matcher.shell import checkpoints
from matcher.shell.errors import JournalBroken
from matcher.shell.follower import Follower
from tests.cluster.database import NewDatabase
from tests.cluster.process import ROOT
from tests.integration.matcher.test_journal import own, recovered, take, write
from venue import wire
from venue.spelling import spelled

__all__ = ["own"]

COLUMNS = {
    "sequence": "sequence + 100",
    "at": "at + 1",
    "epoch": "epoch + 1",
    "commands": "commands + 1",
    "format": "'1-other'",
    "chain": "sha256(chain)",
    "trades": "'[]'",
    "state": "set_byte(state, length(state) / 2, get_byte(state, length(state) / 2) # 1)",
    "digest": "reverse(digest)",
    "checksum": "sha256(checksum)",
}


async def journal_with_checkpoints(own: asyncpg.Connection, count: int) -> Engine:
    """A journal with so many checkpoints and a tail; gives its engine."""
    lease = await take(own, "first")
    assert lease is not None
    engine = Engine()
    for seed in range(count + 1):
        engine = await write(own, lease.epoch, seed=seed)
        if seed < count:
            await (await recovered(own)).save(own)
    return engine


async def test_a_checkpoint_and_the_tail_give_the_books_of_the_whole_journal(own: asyncpg.Connection) -> None:
    engine = await journal_with_checkpoints(own, 1)
    loaded = await Follower.load(own, 0)
    assert loaded.sequence > 0
    applied = await loaded.catch_up(own)
    whole = Follower(0)
    assert await whole.catch_up(own) == loaded.sequence > applied > 0
    assert loaded.engine.digest() == whole.engine.digest() == engine.digest()
    assert loaded.trades() == whole.trades() != []
    assert (loaded.at, loaded.epoch, loaded.commands) == (whole.at, whole.epoch, whole.commands)
    assert loaded.chain.last == whole.chain.last
    # And whoever goes on from there writes a journal that follows.
    await write(own, 1, seed=99)
    await whole.catch_up(own)
    assert (await recovered(own)).engine.digest() == whole.engine.digest()


async def test_the_last_three_are_kept(own: asyncpg.Connection) -> None:
    await journal_with_checkpoints(own, 5)
    kept = await checkpoints.sequences(own, 0)
    assert len(kept) == checkpoints.KEPT
    assert kept == sorted(kept, reverse=True)
    assert (await Follower.load(own, 0)).sequence == kept[0]


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_damaged_checkpoint_is_told_and_the_older_one_is_taken(
    own: asyncpg.Connection, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "matcher.metrics")
    engine = await journal_with_checkpoints(own, 2)
    newest, older = await checkpoints.sequences(own, 0)
    await own.execute(f"UPDATE checkpoints SET {column} = {COLUMNS[column]} WHERE sequence = $1", newest)  # noqa: S608
    loaded = await Follower.load(own, 0)
    assert loaded.sequence == older
    told = [record for record in caplog.records if record.message in {"checkpoint_damaged", "measured"}]
    assert [getattr(record, "CheckpointsDamaged", None) for record in told] == [None, 1]
    await loaded.catch_up(own)
    assert loaded.engine.digest() == engine.digest()


async def test_a_damaged_checkpoint_counts_for_nothing_and_a_new_one_is_due(own: asyncpg.Connection) -> None:
    await journal_with_checkpoints(own, 4)
    newest, older, _ = await checkpoints.sequences(own, 0)
    covered = await checkpoints.newest(own, 0)
    await own.execute("UPDATE checkpoints SET state = '' WHERE sequence = $1", newest)
    assert await checkpoints.newest(own, 0) == covered  # nobody has read it yet
    loaded = await Follower.load(own, 0)
    assert await checkpoints.newest(own, 0) == loaded.saved < covered
    # Those that are good are kept beside it, until they are enough of their own.
    await loaded.catch_up(own)
    await loaded.save(own)
    assert await checkpoints.newest(own, 0) == loaded.commands
    assert older in await checkpoints.sequences(own, 0)


async def test_a_checkpoint_of_a_version_that_is_not_read_is_passed_over_and_left_alone(
    own: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await journal_with_checkpoints(own, 2)
    newest, older = await checkpoints.sequences(own, 0)
    foreign = msgspec.structs.replace(await checkpoints.read(own, shard=0, sequence=newest), format="99-other")
    await checkpoints.save(own, foreign)
    loaded = await Follower.load(own, 0)
    assert loaded.sequence == older
    assert await checkpoints.newest(own, 0) == loaded.saved
    assert "checkpoint_of_another_version" in [record.message for record in caplog.records]
    assert await own.fetchval("SELECT count(*) FROM checkpoints WHERE damaged") == 0
    await loaded.catch_up(own)
    assert loaded.engine.digest() == engine.digest()


async def test_where_all_are_damaged_the_whole_journal_is_replayed(own: asyncpg.Connection) -> None:
    engine = await journal_with_checkpoints(own, 3)
    await own.execute("UPDATE checkpoints SET state = ''")
    loaded = await Follower.load(own, 0)
    assert loaded.sequence == 0
    await loaded.catch_up(own)
    assert loaded.engine.digest() == engine.digest()


async def test_a_state_that_restores_to_another_engine_is_damaged_even_if_its_checksum_fits(
    own: asyncpg.Connection,
) -> None:
    await journal_with_checkpoints(own, 1)
    (sequence,) = await checkpoints.sequences(own, 0)
    good = await checkpoints.read(own, shard=0, sequence=sequence)
    with pytest.raises(checkpoints.Damaged, match="another"):
        type(good)(**{name: getattr(good, name) for name in good.__struct_fields__} | {"digest": "0" * 64}).engine()


async def test_a_journal_that_was_cut_or_changed_behind_its_checkpoint_is_not_believed(own: asyncpg.Connection) -> None:
    await journal_with_checkpoints(own, 1)
    (sequence,) = await checkpoints.sequences(own, 0)
    await own.execute("UPDATE batches SET checksum = sha256(checksum) WHERE sequence = $1", sequence)
    with pytest.raises(JournalBroken, match="does not lead"):
        await Follower.load(own, 0)
    await own.execute("DELETE FROM batches WHERE sequence >= $1", sequence)
    with pytest.raises(JournalBroken, match="does not lead"):
        await Follower.load(own, 0)


@pytest.mark.parametrize("what", ["at = at + 1", "commands = convert_to('[]', 'UTF8')", "checksum = NULL"])
async def test_a_row_that_was_changed_breaks_the_journal(own: asyncpg.Connection, what: str) -> None:
    lease = await take(own, "first")
    assert lease is not None
    await write(own, lease.epoch)
    await own.execute(f"UPDATE batches SET {what} WHERE sequence = 2")  # noqa: S608
    with pytest.raises(JournalBroken, match="batch 2"):
        await recovered(own)


async def test_a_journal_that_was_told_at_greater_length_is_believed(own: asyncpg.Connection) -> None:
    lease = await take(own, "first")
    assert lease is not None
    engine = await write(own, lease.epoch)
    longer = 0
    for row in await own.fetch("SELECT sequence, events FROM batches"):
        events = wire.encode(list(spelled(wire.EVENTS.decode(row["events"]))))
        longer += len(events) > len(row["events"])
        await own.execute("UPDATE batches SET events = $2 WHERE sequence = $1", row["sequence"], events)
    await own.execute("UPDATE batches SET checksum = NULL")
    assert longer
    assert (await recovered(own)).engine.digest() == engine.digest()


async def test_a_journal_from_before_the_checksums_goes_on_with_them(own: asyncpg.Connection) -> None:
    lease = await take(own, "first")
    assert lease is not None
    await write(own, lease.epoch)
    await own.execute("UPDATE batches SET checksum = NULL")
    engine = await write(own, lease.epoch, seed=2)
    assert await own.fetchval("SELECT count(*) FROM batches WHERE checksum IS NOT NULL") > 0
    assert (await recovered(own)).engine.digest() == engine.digest()


async def test_a_follower_keeps_up_with_a_journal_that_is_being_written(own: asyncpg.Connection) -> None:
    lease = await take(own, "first")
    assert lease is not None
    follower = Follower(0)
    for seed in range(5):
        engine = await write(own, lease.epoch, seed=seed)
        assert await follower.catch_up(own) > 0
        assert await follower.catch_up(own) == 0
        assert follower.engine.digest() == engine.digest()
    stop = asyncio.Event()
    stop.set()
    fresh = Follower(0)
    assert await fresh.catch_up(own, stop=stop) == 1


async def test_a_child_ends_with_its_parent(own: asyncpg.Connection, database: NewDatabase) -> None:
    await journal_with_checkpoints(own, 0)
    settings = database.settings
    environment = clean_environment(
        PGHOST=settings.host,
        PGPORT=str(settings.port),
        PGUSER=settings.user,
        PGPASSWORD=settings.password or "",
        PGDATABASE=settings.name,
    )
    async with own.transaction():
        await own.execute("LOCK TABLE checkpoints IN ACCESS EXCLUSIVE MODE")  # so that it cannot come to an end
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "matcher.checkpoint", "--shard", "0", "--child", stdin=PIPE, env=environment, cwd=ROOT
        )
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await own.fetchval(waiting):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert child.stdin is not None
        child.stdin.close()  # as the kernel does when the parent is killed
        assert await asyncio.wait_for(child.wait(), 20) == 3
    assert await checkpoints.sequences(own, 0) == []
