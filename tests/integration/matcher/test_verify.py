"""python -m matcher.verify: a good journal passes, and of a bad one the first bad row is told."""

import subprocess
import sys

import asyncpg
import msgspec
import pytest

from local.processes import clean_environment
from matcher.shell.errors import JournalBroken
from matcher.shell.follower import Follower
from matcher.verify import Verdict, verify
from tests.cluster.callers import calling, straight_to
from tests.cluster.database import NewDatabase
from tests.cluster.flow import trading
from tests.cluster.process import ROOT
from tests.integration.matcher.conftest import StartMatcher
from tests.integration.matcher.test_checkpoints import journal_with_checkpoints
from tests.integration.matcher.test_journal import own, recovered

__all__ = ["own"]


def command(database: NewDatabase, *more: str) -> tuple[int, Verdict]:
    settings = database.settings
    done = subprocess.run(
        [sys.executable, "-m", "matcher.verify", *more],
        env=clean_environment(
            PGHOST=settings.host,
            PGPORT=str(settings.port),
            PGUSER=settings.user,
            PGPASSWORD=settings.password or "",
            PGDATABASE=settings.name,
        ),
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    return done.returncode, msgspec.json.decode(done.stdout, type=Verdict)


async def test_a_journal_without_its_end_is_told_and_not_served(own: asyncpg.Connection) -> None:
    await journal_with_checkpoints(own, 1)
    last = await own.fetchval(
        "DELETE FROM batches WHERE sequence = (SELECT max(sequence) FROM batches) RETURNING sequence"
    )
    assert (await verify(own, 0)).broken == f"the journal of shard 0 ends at {last - 1}, and reached {last}"
    follower = await Follower.load(own, 0)
    with pytest.raises(JournalBroken, match="ends at"):
        await follower.catch_up(own)


async def test_a_good_journal_is_good_all_of_it(own: asyncpg.Connection, database: NewDatabase) -> None:
    await journal_with_checkpoints(own, 2)
    last = await own.fetchval("SELECT max(sequence) FROM batches")
    good = Verdict(batches=last, sequence=last, checkpoints=2)
    assert command(database) == (0, good)
    assert command(database, "--quick") == (0, good)
    assert command(database, "--shard", "1") == (0, Verdict())


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE postings SET free = free + 1 WHERE kind = 'hold'", "other postings"),
        ("UPDATE postings SET account = account || 'x' WHERE kind = 'match'", "other postings"),
        ("UPDATE postings SET at = at + 1 WHERE kind = 'match'", "other postings"),
        ("DELETE FROM postings WHERE kind = 'release'", "other postings"),
        ("UPDATE postings SET ordinal = ordinal + 1000 WHERE kind = 'match'", "other postings"),
        (
            "INSERT INTO postings (shard, sequence, at, account, asset, kind, free, held, ordinal) "
            "VALUES (0, 0, 1, 'mallory', 'USD', 'deposit', 1, 0, 0)",
            "other postings",
        ),
        ("UPDATE trades SET price = price + 1", "other trades"),
        ("UPDATE trades SET taker_account = 'mallory'", "other trades"),
        ("DELETE FROM trades", "other trades"),
        ("UPDATE batches SET epoch = epoch + 1 WHERE sequence = 1", "epoch that was over"),
    ],
)
async def test_what_stands_beside_the_journal_is_compared_with_it(
    own: asyncpg.Connection, statement: str, broken: str
) -> None:
    await journal_with_checkpoints(own, 0)
    assert (await verify(own, 0)).is_good
    await own.execute(statement)
    verdict = await verify(own, 0)
    assert broken in (verdict.broken or "")
    assert f"batch {verdict.sequence + 1} " in (verdict.broken or "")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET hold = hold + 1 WHERE status = 'open'",
        "UPDATE orders SET account = 'mallory' WHERE status = 'open'",
        "UPDATE orders SET status = 'done' WHERE status = 'open'",
        "UPDATE orders SET status = 'open' WHERE status = 'done'",
        "DELETE FROM orders WHERE status = 'open'",
    ],
)
async def test_rows_of_open_orders_are_compared_with_the_books(own: asyncpg.Connection, statement: str) -> None:
    engine = await journal_with_checkpoints(own, 0)
    before = await own.fetch("SELECT * FROM orders")
    await own.execute(statement)
    after = await own.fetch("SELECT * FROM orders")
    touched = {str(row["id"]) for row in set(before) ^ set(after)}
    verdict = await verify(own, 0)
    assert not verdict.is_good
    assert verdict.broken is None
    assert verdict.misfits == sorted(touched)
    assert engine.digest() == (await recovered(own)).engine.digest()


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE batches SET events = '[]' WHERE sequence = 2", "batch 2 "),
        ("UPDATE batches SET commands = '[]' WHERE sequence = 2", "batch 2 "),
        ("UPDATE batches SET at = at + 1 WHERE sequence = 2", "batch 2 "),
        ("UPDATE batches SET checksum = NULL WHERE sequence = 2", "batch 2 "),
        ("DELETE FROM batches WHERE sequence = 2", "batch 3 "),
        ("DELETE FROM batches WHERE sequence >= 2", "ends at 1"),
        ("DELETE FROM batches WHERE sequence >= 2; UPDATE leases SET head = 0", "checkpoint"),
    ],
)
async def test_the_first_bad_row_is_told(own: asyncpg.Connection, statement: str, broken: str, *, quick: bool) -> None:
    await journal_with_checkpoints(own, 2)
    await own.execute(statement)
    verdict = await verify(own, 0, quick=quick)
    assert not verdict.is_good
    assert broken in (verdict.broken or "")
    assert verdict.sequence == 1


async def test_beside_an_owner_at_work_nothing_is_found_wrong(
    own: asyncpg.Connection, start_matcher: StartMatcher
) -> None:
    matcher = start_matcher().wait_until_ready()
    with calling(lambda: straight_to(matcher.address), trading(1)) as callers:
        callers.wait_for(100)
        verdicts = [await verify(own, 0) for _ in range(5)]
    assert all(verdict.is_good for verdict in verdicts)
    # It did work meanwhile.
    assert 0 < verdicts[0].sequence < verdicts[-1].sequence


async def test_the_replay_finds_what_was_sealed_wrongly(own: asyncpg.Connection) -> None:
    # As someone would who knows how checksums are made: all of them anew behind the change.
    await journal_with_checkpoints(own, 0)
    await own.execute("UPDATE batches SET events = '[]', checksum = NULL")
    assert (await verify(own, 0, quick=True)).is_good
    verdict = await verify(own, 0)
    assert "other events" in (verdict.broken or "")


async def test_damaged_checkpoints_are_told(own: asyncpg.Connection, database: NewDatabase) -> None:
    await journal_with_checkpoints(own, 2)
    newest = await own.fetchval("SELECT max(sequence) FROM checkpoints")
    await own.execute("UPDATE checkpoints SET digest = reverse(digest) WHERE sequence = $1", newest)
    code, verdict = command(database)
    assert (code, verdict.damaged, verdict.checkpoints, verdict.broken) == (1, [newest], 1, None)
