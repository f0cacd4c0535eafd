"""The simulated server forgets and keeps what PostgreSQL does."""

import asyncio
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import pytest

from matcher.shell.journal import PostgresJournal
from matcher.shell.lease import Lease
from tests.cluster.entries import entry
from tests.simulation.database import Database
from tests.simulation.loop import Loop
from tests.simulation.process import Process
from tests.simulation.trouble import Trouble


@pytest.mark.parametrize("crashes", [False, True])
def test_a_commit_outlives_the_process_that_sent_it_but_not_the_server(*, crashes: bool) -> None:
    loop = Loop()
    trouble = Trouble(Random(0), loop.time)
    database = Database(loop, trouble)
    trouble.arm("commit_slow")
    try:
        loop.run_until_complete(_die_while_it_commits(database, crashes=crashes))
    finally:
        loop.close()
    assert [batch.sequence for batch in database.tables.batches.get(0, ())] == ([] if crashes else [1])


async def _die_while_it_commits(database: Database, *, crashes: bool) -> None:
    process = Process("owner", database.loop.time)
    async with AsyncExitStack() as life:
        connection: Any = await life.enter_async_context(database.connect(process))
        lease = await Lease.take(connection, shard=0, owner="owner", address="http://owner", length_s=3.0)
        assert lease is not None
        journal = await PostgresJournal.open(connection, shard=0, epoch=lease.epoch, lease_s=3.0, timeout_s=6.0)
        commit = asyncio.create_task(journal.append(entry(1)))
        await asyncio.sleep(0.5)
        process.kill()
    assert database.trouble.fired["commit_slow"]
    if crashes:
        database.crash()
    await asyncio.sleep(6.0)
    commit.cancel()
