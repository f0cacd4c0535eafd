"""The relay: every journal batch goes to the events queue, in order, at least once. The journal is its outbox."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg

from matcher.shell.backoff import Backoff, wait_for
from matcher.shell.chain import Chain
from matcher.shell.threads import Threads
from venue import wire
from venue.ledger import Posting
from venue_aws.queues import QueueDown

log = logging.getLogger("matcher.relay")

# Batches read at once, and so how many may be sent again after a crash.
CHUNK_MAX: Final = 50
_IDLE_S: Final = 1.0
# The least time between two messages: what piles up meanwhile goes together. A batch after a pause goes at once.
_SPACING_S: Final = 0.01

_BATCHES: Final = """
SELECT sequence, at, commands, events, checksum FROM batches WHERE shard = $1 AND sequence > $2
ORDER BY sequence LIMIT $3
"""
_CHECKSUM: Final = "SELECT checksum FROM batches WHERE shard = $1 AND sequence = $2"
_POSTINGS: Final = """
SELECT sequence, account, asset, kind, free, held, order_id::text, trade_id, product_id FROM postings
WHERE shard = $1 AND sequence BETWEEN $2 AND $3 ORDER BY sequence, ordinal
"""
_START: Final = """
INSERT INTO relays (shard, published) VALUES ($1, 0) ON CONFLICT (shard) DO UPDATE SET published = relays.published
RETURNING published
"""
_ADVANCE: Final = "UPDATE relays SET published = $2 WHERE shard = $1 AND published < $2"


class Relay:
    """Sends one shard's batches over a connection that it has for itself. `put` blocks; it runs in a thread.

    Two relays at once, of an owner and of one that does not know yet that it is none any more, do no harm: they send
    the same batches. Where both cut them into the same messages, the queue keeps the first of each; where they do not,
    a batch arrives twice, and settlement skips what it has seen.
    """

    def __init__(
        self, connection: asyncpg.Connection, put: Callable[[Sequence[wire.Batch]], None], *, shard: int
    ) -> None:
        self._connection = connection
        self._put = put
        self._shard = shard
        self._threads = Threads("relay")
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Say that there is a new batch."""
        self._wake.set()

    async def run(self) -> None:
        """Send for ever. A queue that is away is tried again; a database that is away ends it.

        Raises JournalBroken rather than settle what is not as it was committed.
        """
        try:
            await self._relay()
        finally:
            self._threads.close()

    async def _relay(self) -> None:
        published: int = await self._connection.fetchval(_START, self._shard)
        chain = Chain(self._shard, await self._connection.fetchval(_CHECKSUM, self._shard, published))
        while True:
            self._wake.clear()
            batches = await self._read(published, chain)
            if batches:
                await self._send(batches)
                published = batches[-1].sequence
                await self._connection.execute(_ADVANCE, self._shard, published)
                await asyncio.sleep(_SPACING_S)
            else:
                # A batch of another process's last moments has no one to wake for it.
                await wait_for(self._wake, _IDLE_S)

    async def _send(self, batches: Sequence[wire.Batch]) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._threads.run(self._put, batches)
            except QueueDown as error:
                log.warning("relay_waits", extra={"sequence": batches[0].sequence, "error": str(error)})
                await backoff.wait()
            else:
                return

    async def _read(self, after: int, chain: Chain) -> list[wire.Batch]:
        rows = await self._connection.fetch(_BATCHES, self._shard, after, CHUNK_MAX)
        if not rows:
            return []
        for row in rows:
            chain.check(*row)
        moved: dict[int, list[Posting]] = {row["sequence"]: [] for row in rows}
        for row in await self._connection.fetch(_POSTINGS, self._shard, rows[0]["sequence"], rows[-1]["sequence"]):
            moved[row["sequence"]].append(Posting(*list(row)[1:]))
        return [
            wire.Batch(
                shard=self._shard,
                sequence=row["sequence"],
                at=row["at"],
                events=wire.EVENTS.decode(row["events"]),
                postings=moved[row["sequence"]],
            )
            for row in rows
        ]
