"""Rows of journal, ledger and checkpoints are damaged at random in the real database: it must be noticed, every time.

One journal is written by a real matcher, with checkpoints on the way. Each run damages it in one place, lets the
matcher's own code recover from it and verify it, and undoes the damage. Either recovery refuses to serve, or it passes
over a damaged checkpoint and says so, or, of what it need not read, `python -m matcher.verify` names it. Whatever is
recovered is what was recovered before the damage.
"""

import asyncio
import logging
from functools import partial
from random import Random
from typing import Any, Self

import asyncpg

from matcher import checkpoint
from matcher.shell import checkpoints
from matcher.shell.errors import JournalBroken
from matcher.shell.follower import Follower
from matcher.shell.journal import connection
from matcher.verify import verify
from tests.campaigns.report import Log, Report
from tests.campaigns.rounds import Steps, demand, fired, rounds
from tests.cluster.callers import calling, straight_to
from tests.cluster.damages import DAMAGES
from tests.cluster.database import NewDatabase
from tests.cluster.flow import trading
from tests.cluster.ground import Ground, ground

DEFAULT = 1_000
COMMANDS_PER_STAGE = 150
# Behind each but the last there is a checkpoint.
STAGES = 4
FAULTS = tuple(DAMAGES)


class Damage(Report, kw_only=True):
    """Who noticed: recovery, which refused to serve; recovery, which passed over a checkpoint; `verify`."""

    batches: int = 0
    refused: int = 0
    passed_over: int = 0
    verified: int = 0


def run(*, n: int, seed: int, log: Log) -> Damage:
    """Do `n` damages, of every kind of FAULTS in turn."""
    report = Damage(campaign="damage", first_seed=seed)
    with ground("damage") as place:
        damaging = _Damaging(write_journal(place, seed), report)
        rounds(report, log, place, n=n, one=lambda number, steps: asyncio.run(damaging.once(number, steps)))
    demand(report, FAULTS, runs_min=DEFAULT)
    return report


def write_journal(place: Ground, seed: int) -> NewDatabase:
    """Let a matcher write a journal, with a checkpoint now and then."""
    database = place.postgres.new_database()
    matcher = place.matcher(database).wait_until_ready()
    for stage in range(STAGES):
        with calling(lambda: straight_to(matcher.address), trading(STAGES * seed + stage)) as callers:
            callers.wait_for(COMMANDS_PER_STAGE)
        if stage < STAGES - 1:
            asyncio.run(checkpoint.save(partial(connection, database.settings), 0))
    assert matcher.terminate() == 0
    return database


class _Damaging:
    """One journal, damaged and mended again and again."""

    def __init__(self, database: NewDatabase, report: Damage) -> None:
        self._database = database
        self._report = report
        self._good = asyncio.run(self._read())

    async def once(self, seed: int, steps: Steps) -> None:
        """Damage it, let it be read, undo the damage."""
        chance, fault = Random(seed), FAULTS[seed % len(FAULTS)]
        async with connection(self._database.settings) as own:
            undone = own.transaction()
            await undone.start()
            try:
                steps.append(await DAMAGES[fault](own, chance))
                noticed = await self._notice(own)
            finally:
                await undone.rollback()
        assert noticed is not None, f"nobody noticed: {steps[0]}"
        fired(self._report, fault)
        setattr(self._report, noticed, getattr(self._report, noticed) + 1)

    async def _read(self) -> dict[str, Any]:
        """What is there before any damage, the same by a checkpoint and from the first row."""
        async with connection(self._database.settings) as own:
            good = _books(await recover(own))
            from_first_row = Follower(0)
            await from_first_row.catch_up(own)
            assert good == _books(from_first_row), "the checkpoints are not of this journal"
            assert (await verify(own, 0)).is_good, "it was not good before"
        self._report.batches = good["sequence"]
        return good

    async def _notice(self, own: asyncpg.Connection) -> str | None:
        """Who notices, by the name of its figure."""
        with _Listening() as heard:
            try:
                recovered = await recover(own)
            except JournalBroken:
                return "refused"
        assert _books(recovered) == self._good, "recovered something else, and nobody noticed"
        if heard.records:
            return "passed_over"
        return None if (await verify(own, 0)).is_good else "verified"


async def recover(own: asyncpg.Connection) -> Follower:
    """As an owner does. Raises JournalBroken."""
    follower = await Follower.load(own, 0)
    await follower.catch_up(own)
    return follower


def _books(follower: Follower) -> dict[str, Any]:
    """Everything by which an owner goes on."""
    return {
        "sequence": follower.sequence,
        "at": follower.at,
        "epoch": follower.epoch,
        "commands": follower.commands,
        "digest": follower.engine.digest(),
        "chain": follower.chain.last,
        "trades": follower.trades(),
    }


class _Listening(logging.Handler):
    """What the checkpoints' code logs as an error meanwhile."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """As logging.Handler."""
        self.records.append(record)

    def __enter__(self) -> Self:
        checkpoints.log.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        checkpoints.log.removeHandler(self)
