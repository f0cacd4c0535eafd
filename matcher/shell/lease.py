"""Who owns a shard: a row with an epoch. Time is the database's, so that no two clocks need to agree.

The lease only keeps two matchers from getting in each other's way; that it is right rests on the epoch, which every
journal statement checks.
"""

import asyncio
import logging
from typing import Final

import asyncpg

from matcher.shell.errors import LeaseLost, NotOwner

log = logging.getLogger("matcher.lease")

# Whoever listens here hears at once of a lease that was given up.
CHANNEL: Final = "leases"

_TAKE: Final = """
INSERT INTO leases AS held (shard, epoch, owner, address, expires_at)
VALUES ($1, 1, $2, $3, clock_timestamp() + $4 * interval '1 second')
ON CONFLICT (shard) DO UPDATE SET
    epoch = held.epoch + 1, owner = excluded.owner, address = excluded.address, expires_at = excluded.expires_at
WHERE held.expires_at < clock_timestamp() OR held.owner = excluded.owner
RETURNING epoch
"""
_RENEW: Final = """
UPDATE leases SET expires_at = clock_timestamp() + $3 * interval '1 second' WHERE shard = $1 AND epoch = $2
RETURNING epoch
"""
_RELEASE: Final = f"""
WITH released AS (
    UPDATE leases SET expires_at = '-infinity' WHERE shard = $1 AND epoch = $2 RETURNING shard
)
SELECT pg_notify('{CHANNEL}', shard::text) FROM released
"""  # noqa: S608
# Plain reading: standbys ask often, and must not get in the way of the journal's statements, which lock this row.
_IS_FREE: Final = """
SELECT NOT EXISTS (
    SELECT 1 FROM leases WHERE shard = $1 AND owner <> $2 AND expires_at >= clock_timestamp()
)
"""


class Lease:
    """A shard under one epoch, over a connection that it has for itself."""

    def __init__(
        self, connection: asyncpg.Connection, *, shard: int, epoch: int, length_s: float, taken: float
    ) -> None:
        self._connection = connection
        self._shard = shard
        self._ends = taken + length_s
        self.epoch = epoch
        self.length_s = length_s

    @classmethod
    async def take(
        cls, connection: asyncpg.Connection, *, shard: int, owner: str, address: str, length_s: float
    ) -> "Lease | None":
        """Take the lease if it is free, ran out, or is this owner's own: the epoch rises. None: another holds it."""
        asked = asyncio.get_running_loop().time()
        epoch = await connection.fetchval(_TAKE, shard, owner, address, length_s, timeout=length_s)
        if epoch is None:
            return None
        return cls(connection, shard=shard, epoch=epoch, length_s=length_s, taken=asked)

    @staticmethod
    async def is_free(connection: asyncpg.Connection, *, shard: int, owner: str) -> bool:
        """Whether `take` would have been given it just now."""
        return bool(await connection.fetchval(_IS_FREE, shard, owner))

    async def keep(self) -> None:
        """Renew three times in the length of the lease, for ever.

        Raises NotOwner when another has taken it, LeaseLost when it has run out before a renewal went through.
        """
        while True:
            await asyncio.sleep(self.length_s / 3)
            asked = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(self._ends - asked):
                    epoch = await self._connection.fetchval(_RENEW, self._shard, self.epoch, self.length_s)
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                raise LeaseLost(f"could not renew the lease: {error!r}") from error
            if epoch is None:
                raise NotOwner(f"epoch {self.epoch} of shard {self._shard} is over")
            self._ends = asked + self.length_s

    def check(self) -> None:
        """Raise LeaseLost once it has run out by this process's clock, and so perhaps by the database's."""
        if asyncio.get_running_loop().time() >= self._ends:
            raise LeaseLost(f"the lease of shard {self._shard} has run out")

    async def release(self) -> None:
        """Let the next one take it, and tell those who wait. Fails silently: then it runs out by itself."""
        try:
            await self._connection.execute(_RELEASE, self._shard, self.epoch, timeout=self.length_s)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("lease_not_released", extra={"epoch": self.epoch, "error": repr(error)})
