"""Who owns a shard: a row with an epoch. Time is the database's, so that no two clocks need to agree.

The lease only keeps two matchers from getting in each other's way; that it is right rests on the epoch, which every
journal statement checks. That statement renews it, too; a renewal by itself is for quiet times. While a commit is under
way it has the row locked, and nobody takes the lease, however long ago it ran out.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final

import asyncpg

from matcher.shell.errors import LeaseLost, NotOwner
from matcher.shell.journal import Entry, Journal

log = logging.getLogger("matcher.lease")

# A commit may take so many times the lease; longer, and its outcome is unknown.
COMMIT_LEASES: Final = 2
# Whoever listens here hears at once of a lease that was given up.
CHANNEL: Final = "leases"

# A locked row is one that its owner is writing to: who waited for it would take the lease as soon as that is through.
_TAKE: Final = """
WITH free AS (
    SELECT shard FROM leases WHERE shard = $1 AND (expires_at < clock_timestamp() OR owner = $2)
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE leases SET epoch = epoch + 1, owner = $2, address = $3,
                      expires_at = clock_timestamp() + $4 * interval '1 second'
    FROM free WHERE leases.shard = free.shard
    RETURNING epoch
), first AS (
    INSERT INTO leases (shard, epoch, owner, address, expires_at)
    SELECT $1, 1, $2, $3, clock_timestamp() + $4 * interval '1 second'
    WHERE NOT EXISTS (SELECT 1 FROM leases WHERE shard = $1)
    ON CONFLICT (shard) DO NOTHING
    RETURNING epoch
)
SELECT epoch FROM taken UNION ALL SELECT epoch FROM first
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
        self._asking = asyncio.Lock()
        # Whether a commit is under way, which has the row locked and a limit of its own.
        self._is_writing = False
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
        """See to it three times in the length of the lease that it is renewed, for ever.

        Raises NotOwner when another has taken it, LeaseLost when a renewal was not heard of in time.
        """
        while True:
            await asyncio.sleep(self.length_s / 3)
            await self._renew(self.length_s * 2 / 3)

    async def check(self) -> None:
        """Return when nobody else can own the shard. Raises NotOwner or LeaseLost.

        As long as it has not run out by this process's clock it has not by the database's. Afterwards only a renewal
        tells: perhaps a slow commit had the row.
        """
        if self._ends <= asyncio.get_running_loop().time():
            await self._renew(0.0)

    def appending(self, journal: Journal) -> Journal:
        """The same journal, whose appends renew this lease."""
        return _Renewing(journal, self)

    async def written(self, writing: Awaitable[None]) -> None:
        """Wait for a commit that renews it."""
        asked, self._is_writing = asyncio.get_running_loop().time(), True
        try:
            await writing
        finally:
            self._is_writing = False
        self._ends = max(self._ends, asked + self.length_s)

    async def _renew(self, left_s: float) -> None:
        """Renew it unless it has more than `left_s` left by then."""
        async with self._asking:
            asked = asyncio.get_running_loop().time()
            if self._ends - asked > left_s:
                return
            # Behind a slow commit it may take as long as that may, and be late already.
            patience_s = max(
                self._ends - asked, COMMIT_LEASES * self.length_s if self._is_writing else self.length_s / 3
            )
            try:
                async with asyncio.timeout(patience_s):
                    epoch = await self._connection.fetchval(_RENEW, self._shard, self.epoch, self.length_s)
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                raise LeaseLost(f"could not renew the lease: {error!r}") from error
            if epoch is None:
                raise NotOwner(f"epoch {self.epoch} of shard {self._shard} is over")
            self._ends = max(self._ends, asked + self.length_s)

    async def release(self) -> None:
        """Let the next one take it, and tell those who wait. Fails silently: then it runs out by itself."""
        try:
            await self._connection.execute(_RELEASE, self._shard, self.epoch, timeout=self.length_s)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("lease_not_released", extra={"epoch": self.epoch, "error": repr(error)})


class _Renewing:
    def __init__(self, journal: Journal, lease: Lease) -> None:
        self._journal = journal
        self._lease = lease

    async def append(self, entry: Entry) -> None:
        await self._lease.written(self._journal.append(entry))
