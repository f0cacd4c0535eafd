"""Checkpoints: saved engines beside the journal, so that recovery reads a tail of it and not all.

Each follows from the journal, so it may be lost at any time. It is believed only where everything about it fits; a
damaged one is told in the log and the next older one is taken.
"""

import asyncio
import gc
import hashlib
import logging
import zlib
from contextlib import suppress
from typing import Final

import asyncpg
import msgspec

from matcher.core.engine import Engine
from matcher.core.state import FORMAT, VERSIONS
from matcher.shell.metrics import tell_at_once

log = logging.getLogger("matcher.checkpoints")

# Of each shard; older ones are deleted when one is written.
KEPT: Final = 3
# One may be some hundred megabytes.
_TRANSFER_S: Final = 300.0

_COLUMNS: Final = "shard, sequence, at, epoch, commands, format, chain, trades, state, digest, checksum"
_SAVE: Final = f"""
WITH saved AS (
    INSERT INTO checkpoints ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (shard, sequence) DO UPDATE SET
        at = excluded.at, epoch = excluded.epoch, commands = excluded.commands, format = excluded.format,
        chain = excluded.chain, trades = excluded.trades, state = excluded.state, digest = excluded.digest,
        checksum = excluded.checksum, created_at = now(), damaged = false
)
DELETE FROM checkpoints WHERE shard = $1 AND sequence < (
    SELECT min(sequence) FROM (
        SELECT sequence FROM checkpoints WHERE shard = $1 AND sequence <> $2 AND NOT damaged
        ORDER BY sequence DESC LIMIT {KEPT - 1}
    ) AS kept
) AND sequence <> $2
"""  # noqa: S608
# One that is damaged, or that this program cannot read, is none that a recovery could start from.
_NEWEST: Final = """
SELECT commands FROM checkpoints
WHERE shard = $1 AND NOT damaged AND split_part(format, '-', 1) = ANY($2::text[])
ORDER BY sequence DESC LIMIT 1
"""
_MARK: Final = "UPDATE checkpoints SET damaged = true WHERE shard = $1 AND sequence = $2"
_READ: Final = f"SELECT {_COLUMNS} FROM checkpoints WHERE shard = $1 AND sequence = $2"  # noqa: S608
_ALL: Final = "SELECT sequence FROM checkpoints WHERE shard = $1 ORDER BY sequence DESC"

_pack = msgspec.msgpack.Encoder().encode


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One saved engine and all that recovery needs beside it; the fields are the table's columns."""

    shard: int
    sequence: int
    at: int
    epoch: int
    commands: int
    format: str
    chain: bytes | None
    trades: bytes
    state: bytes
    digest: str

    @property
    def version(self) -> int:
        """That of the program that saved the state; see matcher.core.state.VERSION."""
        number = self.format.partition("-")[0]
        return int(number) if number.isdecimal() else 0

    def checksum(self) -> bytes:
        """SHA-256 over all of it."""
        return hashlib.sha256(_pack(self)).digest()

    def engine(self) -> Engine:
        """The engine as it was saved. Raises Damaged, or Foreign. Takes time with the state."""
        if self.version not in VERSIONS:
            raise Foreign(f"its state is of version {self.version}")
        # Hundreds of thousands of objects that all stay: to look for garbage among them takes a quarter of the time.
        gc.disable()
        try:
            saved = zlib.decompress(self.state)
            if hashlib.sha256(saved).hexdigest() != self.digest:
                raise Damaged("the state is another than was saved")
            engine = Engine.restore(saved)
        except (zlib.error, ValueError, TypeError, LookupError) as error:
            raise Damaged(f"the state cannot be restored: {error}") from error
        finally:
            gc.enable()
        # A state of another format is digested otherwise; what the engine then does is compared with the journal.
        if self.format == FORMAT and engine.digest() != self.digest:
            raise Damaged("the restored engine is another than was saved")
        return engine


class Damaged(Exception):
    """A checkpoint is not as it was written."""


class Gone(Damaged):
    """It was deleted meanwhile, as the oldest is when a new one is written."""


class Foreign(Exception):
    """A checkpoint is good, but of a version that this program does not read. Another may need it."""


def packed(engine: Engine) -> tuple[bytes, str]:
    """An engine's state, deflated, and its digest. Takes time with the state."""
    saved = engine.save()
    return zlib.compress(saved, 1), hashlib.sha256(saved).hexdigest()


async def save(connection: asyncpg.Connection, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, and delete those that are older than the last three."""
    await connection.execute(_SAVE, *msgspec.structs.astuple(checkpoint), checkpoint.checksum(), timeout=_TRANSFER_S)
    log.info(
        "checkpoint_saved",
        extra={
            "shard": checkpoint.shard,
            "sequence": checkpoint.sequence,
            "commands": checkpoint.commands,
            "state_bytes": len(checkpoint.state),
        },
    )


async def newest(connection: asyncpg.Connection, shard: int) -> int:
    """How many commands the newest checkpoint covers that is not known to be damaged; 0 where there is none."""
    return await connection.fetchval(_NEWEST, shard, [str(version) for version in VERSIONS]) or 0


async def sequences(connection: asyncpg.Connection, shard: int) -> list[int]:
    """Which checkpoints there are, the newest first."""
    return [row["sequence"] for row in await connection.fetch(_ALL, shard)]


async def read(connection: asyncpg.Connection, *, shard: int, sequence: int) -> Checkpoint:
    """Give one checkpoint. Raises Damaged where it does not fit its checksum, or is gone."""
    try:
        row = await connection.fetchrow(_READ, shard, sequence, timeout=_TRANSFER_S)
    except asyncpg.DataCorruptedError as error:
        raise Damaged(str(error)) from error
    if row is None:
        raise Gone("it is gone")
    *values, checksum = row.values()
    checkpoint = Checkpoint(**dict(zip(Checkpoint.__struct_fields__, values, strict=True)))
    if checkpoint.checksum() != checksum:
        raise Damaged("it does not fit its checksum")
    return checkpoint


async def load(connection: asyncpg.Connection, shard: int) -> tuple[Checkpoint, Engine] | None:
    """Give the newest good checkpoint with its engine; None where there is none. The event loop is not held up.

    A damaged one is marked, so that it counts for nothing, and a new one is due the sooner.
    """
    for sequence in await sequences(connection, shard):
        try:
            checkpoint = await read(connection, shard=shard, sequence=sequence)
            return checkpoint, await asyncio.to_thread(checkpoint.engine)
        except Foreign as error:
            log.warning("checkpoint_of_another_version", extra={"shard": shard, "sequence": sequence, "is": str(error)})
        except Gone:
            continue
        except Damaged as error:
            log.error("checkpoint_damaged", extra={"shard": shard, "sequence": sequence, "error": str(error)})
            tell_at_once("CheckpointsDamaged", shard=shard)
            # Where it cannot be marked it is found again, and a recovery goes on without it all the same.
            with suppress(asyncpg.PostgresError):
                await connection.execute(_MARK, shard, sequence)
    return None
