"""Ownership that moves: deployments, migrations and checkpoints while orders flow. Nothing is lost, nothing doubled."""

import asyncio
from functools import partial

import asyncpg
import psycopg
import pytest

from matcher.shell.journal import connection
from matcher.shell.migrations import migrate, scripts
from tests.cluster.callers import Road, calling
from tests.cluster.database import NewDatabase
from tests.cluster.flow import flow, trading
from tests.cluster.journal import check
from tests.cluster.process import MatcherProcess
from tests.integration.matcher.conftest import StartMatcher
from tests.integration.matcher.test_durability import check_books
from venue import wire
from venue.commands import AnyCommand
from venue.ports import NotServed
from venue.wire import Outcome
from venue_aws.matcher import MatcherClient


def to_any_of(matchers: list[MatcherProcess]) -> Road:
    """A road to whichever of these serves; the list may change meanwhile."""
    client = MatcherClient(patience_s=20)

    def submit(command: AnyCommand) -> tuple[Outcome, str]:
        failure = NotServed("nobody is there")
        for matcher in tuple(matchers):
            try:
                return client.submit(command, url=matcher.address), matcher.address
            except NotServed as error:
                failure = error
        raise failure

    return submit


def test_a_rolling_deployment_under_load_loses_and_doubles_nothing(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    running = [start_matcher().wait_until_ready(), start_matcher()]
    running[1].wait_until(lambda: running[1].has_logged("standing_by"))
    with calling(partial(to_any_of, running), trading(21)) as callers:
        callers.wait_for(100)
        # As a service does: the new ones come up beside the old ones, which are stopped one after the other.
        fresh = [start_matcher(), start_matcher()]
        for matcher in fresh:
            matcher.wait_until(partial(matcher.has_logged, "standing_by"))
        running += fresh
        for _ in range(2):
            callers.wait_for(len(callers.heard) + 100)
            assert running.pop(0).terminate() == 0
        callers.wait_for(len(callers.heard) + 100)
    (owner,) = [matcher for matcher in fresh if matcher.is_ready()]
    assert callers.unheard == []
    assert len(set(check(database, callers.heard, owner).epochs)) >= 2


def test_a_migration_under_load_loses_nothing(start_matcher: StartMatcher, database: NewDatabase) -> None:
    owner = start_matcher().wait_until_ready()

    async def apply() -> list[str]:
        async with connection(database.settings) as own:
            more = "ALTER TABLE batches ADD COLUMN note text; ALTER TABLE orders ADD COLUMN note text;"
            return await migrate(own, scripts() | {"9000_note.sql": more})

    with calling(partial(to_any_of, [owner]), trading(22)) as callers:
        callers.wait_for(100)
        assert asyncio.run(apply()) == ["9000_note.sql"]
        callers.wait_for(len(callers.heard) + 100)
    assert set(check(database, callers.heard, owner).epochs) == {1}
    # And the next matcher comes up on the schema that it does not know all of.
    assert owner.terminate() == 0
    assert start_matcher().wait_until_ready().submit(flow(23, 1)[0]).refused is None


def test_a_journal_from_before_the_indexes_of_orders_is_brought_up_under_load(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    owner = start_matcher().wait_until_ready()
    name = "0012_orders_over.sql"

    async def apply() -> list[str]:
        async with connection(database.settings) as own:
            return await migrate(own, scripts())

    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("DROP INDEX orders_over")
        other.execute("CREATE INDEX orders_by_account ON orders (account, created_at DESC, id)")
        other.execute("DELETE FROM migrations WHERE name = %s", [name])
    with calling(partial(to_any_of, [owner]), trading(26)) as callers:
        callers.wait_for(100)
        assert asyncio.run(apply()) == [name]
        callers.wait_for(len(callers.heard) + 100)
    assert set(check(database, callers.heard, owner).epochs) == {1}
    assert database.rows("SELECT indexname::text FROM pg_indexes WHERE tablename = 'orders' ORDER BY indexname") == [
        ("orders_open",),
        ("orders_over",),
        ("orders_pkey",),
    ]


def test_a_migration_that_would_have_to_wait_holds_up_nobody_for_long(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    owner = start_matcher().wait_until_ready()

    async def apply() -> None:
        async with connection(database.settings) as reader, connection(database.settings) as own, reader.transaction():
            await reader.fetchval("SELECT count(*) FROM batches")  # as a backup or an analyst would
            with pytest.raises(asyncpg.LockNotAvailableError):
                await migrate(own, scripts() | {"9000_note.sql": "ALTER TABLE batches ADD COLUMN note text"})

    with calling(partial(to_any_of, [owner]), trading(24)) as callers:
        callers.wait_for(50)
        asyncio.run(apply())
        callers.wait_for(len(callers.heard) + 50)
    assert set(check(database, callers.heard, owner).epochs) == {1}


def test_a_standby_is_as_far_as_the_journal_and_takes_over_with_nothing_to_read(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    owner = start_matcher().wait_until_ready()
    standby = start_matcher()
    standby.wait_until(lambda: standby.has_logged("standing_by"))
    for order in flow(25, 300):
        owner.submit(order)
    last = owner.state()["sequence"]
    standby.wait_until(lambda: standby.state().get("sequence") == last)
    before = owner.state(digest=True)["digest"]
    assert owner.terminate() == 0
    standby.wait_until_ready()
    (served,) = [line for line in standby.events() if line["event"] == "serving"]
    assert (served["behind"], served["sequence"]) == (0, last)
    assert standby.state(digest=True)["digest"] == before
    check_books(database)


def test_a_deployed_matcher_counts_as_healthy_only_when_it_has_followed_the_journal(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    owner = start_matcher().wait_until_ready()
    for order in flow(31, 100):
        owner.submit(order)
    with psycopg.connect(database.url) as other:
        other.execute("LOCK TABLE batches IN ACCESS EXCLUSIVE MODE")  # so that nobody can read on
        fresh = start_matcher()
        fresh.wait_until(fresh.is_live)
        waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'batches'::regclass AND NOT granted"
        fresh.wait_until(lambda: database.rows(waiting) == [(1,)])
        answer = fresh.request("GET", "/warm")
        assert (answer.status, answer.data["code"]) == (503, "starting")
        other.rollback()
    fresh.wait_until(fresh.is_warm)
    assert fresh.stands_by()
    assert owner.is_warm()
    # A database that fails takes nothing back: otherwise every task would be stopped for it, and be cold afterwards.
    database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'matcher'")
    assert fresh.is_warm()
    assert owner.is_warm()


def test_the_standby_writes_the_checkpoints(start_matcher: StartMatcher, database: NewDatabase) -> None:
    told = {"CHECKPOINT_COMMANDS": "1000"}
    owner = start_matcher(**told).wait_until_ready()
    standby = start_matcher(**told)
    standby.wait_until(lambda: standby.has_logged("standing_by"))
    for order in flow(26, 800):
        owner.submit(order)
    standby.wait_until(lambda: standby.has_logged("checkpoint_saved"))
    owner.kill()
    standby.kill()
    third = start_matcher(**told).wait_until_ready()
    assert third.has_logged("checkpoint_loaded")
    assert not third.has_logged("checkpoint_damaged")
    third.submit(flow(27, 1)[0])
    check_books(database)


def test_an_owner_without_a_standby_has_a_child_write_them(start_matcher: StartMatcher, database: NewDatabase) -> None:
    owner = start_matcher(CHECKPOINT_COMMANDS="1000").wait_until_ready()
    for start in range(0, 1100, 50):
        owner.submit_all(*flow(28, 1100)[start : start + 50])
    owner.wait_until(lambda: database.rows("SELECT count(*) FROM checkpoints") == [(1,)])
    assert owner.has_logged("checkpoint_saved")
    assert owner.submit(flow(29, 1)[0]).refused is None
    before = owner.state(digest=True)
    owner.kill()
    second = start_matcher().wait_until_ready()
    assert second.has_logged("checkpoint_loaded")
    assert second.state(digest=True)["digest"] == before["digest"]


def test_where_no_checkpoint_can_be_written_orders_are_refused_in_the_end(
    start_matcher: StartMatcher, database: NewDatabase
) -> None:
    owner = start_matcher(CHECKPOINT_COMMANDS="1000").wait_until_ready()
    standby = start_matcher(CHECKPOINT_COMMANDS="1000")
    standby.wait_until(lambda: standby.has_logged("standing_by"))
    database.run("ALTER TABLE checkpoints RENAME TO away")
    orders = flow(30, 4300)
    taken = 0
    while taken < 4300:
        body = wire.encode(orders[taken : taken + 50])
        answer = owner.request("POST", "/shards/0/commands", body)
        if answer.status == 503:
            break
        taken += 50
    assert (answer.status, answer.data["code"]) == (503, "busy")
    assert 3900 <= taken <= 4100
    database.run("ALTER TABLE away RENAME TO checkpoints")
    owner.wait_until(lambda: owner.post(orders[taken]).status == 200)
    assert owner.has_logged("checkpoint_failed")
    assert standby.has_logged("checkpoint_failed")
    assert not standby.has_logged("stepped_down")
    check_books(database)
