"""The follower: an engine that goes where the journal goes, a little behind it.

Recovery, the warm standby and the checkpoints all rest on it: start from the newest good checkpoint, apply what the
journal has since, and believe nothing. Every batch must continue the chain and give the very events that it gave then.
"""

import asyncio
import logging
from collections import deque
from typing import Final, Self

import asyncpg
import msgspec

from matcher.core.engine import Engine
from matcher.core.state import FORMAT
from matcher.shell import checkpoints
from matcher.shell.chain import Chain
from matcher.shell.checkpoints import Checkpoint
from matcher.shell.errors import JournalBroken
from matcher.shell.journal import Recorded, head, recorded
from venue import wire
from venue.events import AnyEvent, Traded
from venue.spelling import spelled

log = logging.getLogger("matcher.follower")

# As many as Redis is told.
TRADES_MAX: Final = 100
# Whoever else lives in this process gets its turn after so many commands, some milliseconds.
_TURN_COMMANDS: Final = 256


class Follower:
    """One shard's books as of the journal's batch `sequence`; before the first, 0. `at`: µs, of its last command.

    commands: how many the journal has up to there; saved: how many of them the newest checkpoint that it knows covers.
    """

    def __init__(self, shard: int, engine: Engine | None = None) -> None:
        self.engine = engine or Engine(shard)
        self.shard = shard
        self.sequence = self.at = self.epoch = 0
        self.commands = self.saved = 0
        self.chain = Chain(shard)
        self._trades: dict[str, deque[Traded]] = {}

    @classmethod
    async def load(cls, connection: asyncpg.Connection, shard: int) -> Self:
        """Start from the newest good checkpoint, or before the first batch. Raises JournalBroken.

        A checkpoint that is good but not on this journal's chain means that the journal was changed behind it.
        """
        found = await checkpoints.load(connection, shard)
        if found is None:
            return cls(shard)
        checkpoint, engine = found
        row = await connection.fetchrow(
            "SELECT checksum FROM batches WHERE shard = $1 AND sequence = $2", shard, checkpoint.sequence
        )
        if row is None or row["checksum"] != checkpoint.chain:
            raise JournalBroken(f"the journal of shard {shard} does not lead to its checkpoint {checkpoint.sequence}")
        follower = cls(shard, engine)
        follower.sequence, follower.at, follower.epoch = checkpoint.sequence, checkpoint.at, checkpoint.epoch
        follower.commands = follower.saved = checkpoint.commands
        follower.chain.last = checkpoint.chain
        for event in wire.EVENTS.decode(checkpoint.trades):
            follower._remember(event)
        log.info("checkpoint_loaded", extra={"shard": shard, "sequence": checkpoint.sequence})
        return follower

    async def catch_up(self, connection: asyncpg.Connection, *, stop: asyncio.Event | None = None) -> int:
        """Apply what the journal has, to its end or until `stop`; gives how many batches. Raises JournalBroken."""
        before, turn = self.sequence, self.commands + _TURN_COMMANDS
        # Asked before the rows are read: they may be more by then, but not fewer.
        least = await head(connection, shard=self.shard)
        async for batch in recorded(connection, shard=self.shard, after=self.sequence):
            self.apply(batch)
            if self.commands >= turn:
                await asyncio.sleep(0)
                turn = self.commands + _TURN_COMMANDS
            if stop is not None and stop.is_set():
                break
        else:
            if self.sequence < least:
                raise JournalBroken(f"the journal of shard {self.shard} ends at {self.sequence}, and reached {least}")
        return self.sequence - before

    def apply(self, batch: Recorded) -> None:
        """Apply the next batch. Raises JournalBroken on a gap, a wrong checksum, or when other events come out."""
        if batch.sequence != self.sequence + 1:
            raise JournalBroken(f"batch {batch.sequence} of shard {self.shard} follows batch {self.sequence}")
        self.chain.check(batch.sequence, batch.at, batch.commands, batch.events, batch.checksum)
        events: list[AnyEvent] = []
        try:
            commands = wire.COMMANDS.decode(batch.commands)
        except msgspec.MsgspecError as error:
            raise JournalBroken(f"batch {batch.sequence} of shard {self.shard} cannot be read: {error}") from error
        for command in commands:
            events += self.engine.apply(command)
        # Equal bytes are the rule. Where a program told the same otherwise, with other fields or at greater length,
        # equal events are as good.
        if wire.encode(events) != batch.events and not _is_told(events, batch):
            raise JournalBroken(f"batch {batch.sequence} of shard {self.shard} gives other events than it gave then")
        for event in events:
            self._remember(event)
        self.sequence, self.at, self.epoch = batch.sequence, batch.at, batch.epoch
        self.commands += len(commands)

    def trades(self) -> list[Traded]:
        """The last trades of every product, oldest first."""
        return [trade for each in self._trades.values() for trade in each]

    async def checkpoint(self) -> Checkpoint:
        """Take down where it stands. Nothing must be applied meanwhile; the event loop is not held up."""
        state, digest = await asyncio.to_thread(checkpoints.packed, self.engine)
        return Checkpoint(
            shard=self.shard,
            sequence=self.sequence,
            at=self.at,
            epoch=self.epoch,
            commands=self.commands,
            format=FORMAT,
            chain=self.chain.last,
            trades=wire.encode(self.trades()),
            state=state,
            digest=digest,
        )

    async def save(self, connection: asyncpg.Connection) -> None:
        """Write a checkpoint of where it stands."""
        checkpoint = await self.checkpoint()
        await checkpoints.save(connection, checkpoint)
        self.saved = checkpoint.commands

    def _remember(self, event: AnyEvent) -> None:
        if isinstance(event, Traded):
            self._trades.setdefault(event.product_id, deque(maxlen=TRADES_MAX)).append(event)


def _is_told(events: list[AnyEvent], batch: Recorded) -> bool:
    try:
        told: list[AnyEvent] = wire.EVENTS.decode(batch.events)
    except msgspec.MsgspecError:
        return False
    return list(spelled(events)) == list(spelled(told))
