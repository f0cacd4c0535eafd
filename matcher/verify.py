"""python -m matcher.verify --shard n: is the journal what was once committed? From its first row to its last.

Every row must continue the chain of checksums, and every batch, applied to books that start empty, must give the very
events that it gave then; its postings and trades must be those that follow from them. On the way, the books are
compared with every checkpoint, and at the end with the rows of open orders. It only reads, so it may run beside an
owner, or on a copy. --quick: checksums and epochs only, which takes a tenth of the time.
"""

import argparse
import asyncio
import logging
import os
import sys
from typing import Final

import asyncpg
import msgspec

from matcher.core.state import FORMAT
from matcher.shell import access, checkpoints, wiring
from matcher.shell import log as logs
from matcher.shell.chain import Chain
from matcher.shell.checkpoints import Checkpoint, Damaged
from matcher.shell.errors import JournalBroken
from matcher.shell.follower import Follower
from matcher.shell.journal import Connect, Recorded, head, recorded
from matcher.shell.ledger import Ledger
from matcher.shell.standing import misfits

log = logging.getLogger("matcher.verify")

# As many as are named.
MISFITS_MAX: Final = 100


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was found good: `batches` rows, the last being number `sequence`, and so many checkpoints.

    unsealed: rows from before there were checksums, of which only the replay tells. broken: the first row that is not
    as it was committed. damaged: checkpoints that are not, by sequence; a recovery passes over them. misfits: open
    orders whose rows are not as the books have them, the first hundred.
    """

    batches: int = 0
    sequence: int = 0
    unsealed: int = 0
    checkpoints: int = 0
    damaged: list[int] = []
    misfits: list[str] = []
    broken: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether nothing at all is wrong."""
        return self.broken is None and not self.damaged and not self.misfits


async def verify(connection: asyncpg.Connection, shard: int, *, quick: bool = False) -> Verdict:
    """Read one shard's journal and its checkpoints, all of it."""
    walk, ledger = _Walk(shard, quick=quick), Ledger(connection, shard=shard)
    due = await _checkpoints(connection, shard, walk.damaged)
    least = await head(connection, shard=shard)
    try:
        async for batch in recorded(connection, shard=shard):
            walk.step(batch)
            if not quick:
                await ledger.check(batch)
            walk.pass_by(batch)
            if batch.sequence in due:
                walk.compare(due.pop(batch.sequence))
            if batch.sequence % 1000 == 0:
                await asyncio.sleep(0)
        if walk.sequence < least:
            raise JournalBroken(f"the journal of shard {shard} ends at {walk.sequence}, and reached {least}")
        # What was written while this ran is ahead of the journal as it was read.
        for sequence in due:
            if sequence <= walk.sequence or await _is_gone(connection, shard, sequence):
                raise JournalBroken(f"the journal of shard {shard} does not lead to its checkpoint {sequence}")
        if walk.follower is not None:
            walk.misfits = await misfits(connection, walk.follower)
    except JournalBroken as error:
        return walk.verdict(str(error))
    return walk.verdict(None)


class _Walk:
    """How far it is, and what was found."""

    def __init__(self, shard: int, *, quick: bool) -> None:
        self.shard = shard
        self.follower = None if quick else Follower(shard)
        self.chain = self.follower.chain if self.follower is not None else Chain(shard)
        self.sequence = self.epoch = 0
        self.unsealed = 0
        self.compared = 0
        self.damaged: list[int] = []
        self.misfits: list[str] = []

    def step(self, batch: Recorded) -> None:
        if batch.epoch < self.epoch:
            raise JournalBroken(f"batch {batch.sequence} of shard {self.shard} has an epoch that was over")
        if self.follower is not None:
            self.follower.apply(batch)
        elif batch.sequence != self.sequence + 1:
            raise JournalBroken(f"batch {batch.sequence} of shard {self.shard} follows batch {self.sequence}")
        else:
            self.chain.check(batch.sequence, batch.at, batch.commands, batch.events, batch.checksum)

    def pass_by(self, batch: Recorded) -> None:
        self.sequence, self.epoch = batch.sequence, batch.epoch
        self.unsealed += batch.checksum is None

    def compare(self, checkpoint: Checkpoint) -> None:
        if checkpoint.chain != self.chain.last:
            raise JournalBroken(f"the journal of shard {self.shard} does not lead to its checkpoint {self.sequence}")
        if (
            self.follower is not None
            and checkpoint.format == FORMAT
            and self.follower.engine.digest() != checkpoint.digest
        ):
            self.damaged.append(self.sequence)
        else:
            self.compared += 1

    def verdict(self, broken: str | None) -> Verdict:
        return Verdict(
            batches=self.sequence,
            sequence=self.sequence,
            unsealed=self.unsealed,
            checkpoints=self.compared,
            damaged=sorted(self.damaged),
            misfits=self.misfits[:MISFITS_MAX],
            broken=broken,
        )


async def _checkpoints(connection: asyncpg.Connection, shard: int, damaged: list[int]) -> dict[int, Checkpoint]:
    found: dict[int, Checkpoint] = {}
    for sequence in await checkpoints.sequences(connection, shard):
        try:
            found[sequence] = await checkpoints.read(connection, shard=shard, sequence=sequence)
        except Damaged:
            damaged.append(sequence)
    return found


async def _is_gone(connection: asyncpg.Connection, shard: int, sequence: int) -> bool:
    return not await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM batches WHERE shard = $1 AND sequence = $2)", shard, sequence
    )


async def _run(connect: Connect, shard: int, *, quick: bool) -> Verdict:
    async with connect() as own:
        return await verify(own, shard, quick=quick)


def main() -> int:
    """Say what was found, as one line of JSON; 0 when all is good, 1 when not, 2 when the journal cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shard", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="checksums only, without the replay")
    told = parser.parse_args()
    try:
        settings = wiring.read(os.environ)
        logs.configure(settings.log_level)
        verdict = asyncio.run(_run(access.journal(settings), told.shard, quick=told.quick))
    except (wiring.BadSettings, OSError, TimeoutError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{msgspec.json.encode(verdict).decode()}\n")
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
