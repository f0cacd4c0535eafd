"""Bugs of who owns a shard: commits, fences, leases, recovery."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import asyncpg
import msgspec

from matcher.core.engine import Engine
from matcher.shell import checkpoints, follower
from matcher.shell.checkpoints import Checkpoint
from matcher.shell.errors import NotOwner
from matcher.shell.follower import Follower
from matcher.shell.journal import Entry, PostgresJournal, Recorded, recorded
from matcher.shell.lease import _RENEW, Lease
from matcher.shell.sequencer import Sequencer
from tests.simulation.bugs.bug import Bug
from tests.simulation.database import Database
from tests.simulation.draw import SLEEPER
from venue.commands import AnyCommand, PlaceOrder
from venue.events import AnyEvent

_commit = Sequencer._commit
_append = PostgresJournal.append
_is_free = Sequencer._is_free


async def _answer_first(self: Sequencer) -> None:
    for future, outcome in self._open.answers:
        if not future.done():
            future.set_result(outcome)
    await _commit(self)


async def _take_silence_for_success(self: PostgresJournal, entry: Entry) -> None:
    try:
        await _append(self, entry)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return


async def _take_fence_for_success(self: PostgresJournal, entry: Entry) -> None:
    try:
        await _append(self, entry)
    except NotOwner:
        return


async def _roll_on(self: Sequencer) -> None:
    try:
        await _commit(self)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        for future, _ in self._under_way.answers if self._under_way is not None else ():
            if not future.done():
                future.set_exception(NotOwner(str(error)))
        await asyncio.sleep(0.05)


def _ignore_time(self: Sequencer) -> bool:
    self._at = max(self._at, self._clock())
    return not self._open.is_full()


def _believe_the_clock(self: Sequencer) -> bool:
    self._at = 0
    return _is_free(self)


class Forgetful(Engine):
    """Takes a known order id for a new one."""

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        """See Engine."""
        if isinstance(command, PlaceOrder):
            known = self._register.orders.get(command.order_id)
            if known is not None and known.done_at is not None:
                del self._register.orders[command.order_id]
        return super().apply(command)


async def _but_the_last(connection: Any, *, shard: int, after: int = 0) -> AsyncIterator[Recorded]:
    last = None
    async for batch in recorded(connection, shard=shard, after=after):
        if last is not None:
            yield last
        last = batch


async def _but_the_first(connection: Any, *, shard: int, after: int = 0) -> AsyncIterator[Recorded]:
    async for batch in recorded(connection, shard=shard, after=after):
        if batch.sequence != after + 1 or not after:
            yield batch


_checkpoint = Follower.checkpoint


async def _one_too_high(self: Follower) -> Any:
    return msgspec.structs.replace(await _checkpoint(self), sequence=self.sequence + 1)


async def _hope(self: Lease) -> None:
    while True:
        await asyncio.sleep(self.length_s / 3)
        self._ends = asyncio.get_running_loop().time() + self.length_s
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self._connection.fetchval(_RENEW, self._shard, self.epoch, self.length_s)


async def _never_mind(self: Lease) -> None:
    """Look at nothing."""


def _any_epoch(self: Database, shard: int, epoch: int) -> bool:
    del self, shard, epoch
    return True


async def _whatever_it_is(connection: Any, *, shard: int, sequence: int) -> Checkpoint:
    row = await connection.fetchrow(checkpoints._READ, shard, sequence)
    *values, _ = row.values()
    return Checkpoint(**dict(zip(Checkpoint.__struct_fields__, values, strict=True)))


def _empty(self: Checkpoint) -> Engine:
    try:
        return _restored(self)
    except checkpoints.Damaged:
        return Engine(self.shard)


_restored = Checkpoint.engine


OWNER: Final = [
    Bug(
        "damage_believed",
        "A checkpoint that is cut short is one of empty books.",
        [(checkpoints, "read", _whatever_it_is), (Checkpoint, "engine", _empty)],
        ("checkpoint_damaged", "kill", "stop"),
    ),
    Bug(
        "answer_before_commit",
        "A caller is answered before its batch is durable.",
        [(Sequencer, "_commit", _answer_first)],
    ),
    Bug(
        "no_fence",
        "The journal takes a batch under any epoch.",
        [(Database, "passes", _any_epoch)],
        ("pause", "commit_stuck"),
    ),
    Bug(
        "silence_is_success",
        "A commit of unknown outcome is taken for done.",
        [(PostgresJournal, "append", _take_silence_for_success)],
        ("commit_dropped",),
    ),
    Bug(
        "silence_is_failure",
        "A commit of unknown outcome is taken for not done, and memory goes on.",
        [(Sequencer, "_commit", _roll_on)],
        ("commit_answer_lost", "commit_dropped"),
    ),
    Bug(
        "fenced_and_goes_on",
        "An owner does not look whether its lease is over, and takes a batch that was fenced off for written.",
        [(Lease, "keep", _hope), (PostgresJournal, "append", _take_fence_for_success)],
        ("pause", "stale_owner"),
    ),
    Bug(
        "stale_answers",
        "An owner whose lease is over answers what changes nothing, and so needs no journal.",
        [(Lease, "check", _never_mind)],
        (SLEEPER,),
    ),
    Bug(
        "recovery_stops_early", "Recovery leaves out the journal's last batch.", [(follower, "recorded", _but_the_last)]
    ),
    Bug(
        "recovery_starts_late",
        "Recovery leaves out the batch after its checkpoint.",
        [(follower, "recorded", _but_the_first)],
    ),
    Bug(
        "checkpoint_one_too_high",
        "A checkpoint says that it has one batch more than it has.",
        [(Follower, "checkpoint", _one_too_high)],
    ),
    Bug(
        "time_runs_back",
        "A matcher stamps what its clock says, even if it said more before.",
        [(Sequencer, "_is_free", _believe_the_clock)],
        ("clock_back",),
    ),
    Bug(
        "due_too_late",
        "Orders that are due are left until the timer comes by.",
        [(Sequencer, "_is_free", _ignore_time)],
    ),
    Bug(
        "order_twice",
        "An order that is done is placed again when its command comes again.",
        [(follower, "Engine", Forgetful), (checkpoints, "Engine", Forgetful)],
        ("http_request_doubled", "http_answer_lost"),
    ),
]
