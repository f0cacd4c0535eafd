"""The relay: every journal batch goes to the events queue, in order, at least once. The journal is its outbox.

What was committed beside it a moment ago it was told, and reads nothing but what it was not (docs/adr/0023).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

import asyncpg

from matcher.shell.backoff import Backoff, wait_for
from matcher.shell.chain import Chain
from matcher.shell.journal import Entry
from matcher.shell.threads import Threads
from venue import wire
from venue.events import AnyEvent
from venue.ledger import Posting
from venue_aws.queues import QueueDown

log = logging.getLogger("matcher.relay")

# Batches sent at once. After so many, or when there are no more, it notes how far it came: whoever goes on after a
# crash sends less than twice as many again.
CHUNK_MAX: Final = 50
# What was committed last is kept here and need not be read.
KEPT_MAX: Final = 2 * CHUNK_MAX
_IDLE_S: Final = 1.0
# The least time from one send to the next: what piles up meanwhile goes together. A batch after a pause goes at once.
_SPACING_S: Final = 0.01

_BATCHES: Final = """
SELECT sequence, at, commands, events, checksum FROM batches WHERE shard = $1 AND sequence > $2
ORDER BY sequence LIMIT $3
"""
_CHECKSUM: Final = "SELECT checksum FROM batches WHERE shard = $1 AND sequence = $2"
_POSTINGS: Final = """
SELECT sequence, account, asset, kind, free, held, order_id::text, trade_id, product_id, amend_id::text
FROM postings WHERE shard = $1 AND sequence BETWEEN $2 AND $3 ORDER BY sequence, ordinal
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
        self._kept: deque[wire.Batch] = deque(maxlen=KEPT_MAX)
        self._wake = asyncio.Event()

    def committed(self, entry: Entry, events: list[AnyEvent]) -> None:
        """Hear of a batch that is in the journal now: it need not be read there."""
        self._kept.append(
            wire.Batch(shard=self._shard, sequence=entry.sequence, at=entry.at, events=events, postings=entry.postings)
        )
        self._wake.set()

    async def run(self) -> None:
        """Send for ever. A queue that is away is tried again; a database that is away ends it.

        Raises JournalBroken rather than send a row that is not as it was committed.
        """
        try:
            await self._relay()
        finally:
            self._threads.close()

    async def _relay(self) -> None:
        published: int = await self._connection.fetchval(_START, self._shard)
        noted = published
        now = asyncio.get_running_loop().time
        while True:
            self._wake.clear()
            started = now()
            batches = self._next(published) or await self._read(published)
            if batches:
                await self._send(batches)
                published = batches[-1].sequence
            if published - noted >= (CHUNK_MAX if batches else 1):
                await self._connection.execute(_ADVANCE, self._shard, published)
                noted = published
            if batches:
                # Sending shares the processor with the orders: it has half of the time at most.
                await asyncio.sleep(max(started + _SPACING_S - now(), now() - started))
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

    def _next(self, after: int) -> list[wire.Batch]:
        """The batches after this one, as far as they are kept here; none when the next one is not."""
        while self._kept and self._kept[0].sequence <= after:
            self._kept.popleft()
        if not self._kept or self._kept[0].sequence > after + 1:
            return []
        return list(islice(self._kept, CHUNK_MAX))

    async def _read(self, after: int) -> list[wire.Batch]:
        """The same from the journal."""
        rows = await self._connection.fetch(_BATCHES, self._shard, after, CHUNK_MAX)
        if not rows:
            return []
        chain = Chain(self._shard, await self._connection.fetchval(_CHECKSUM, self._shard, after))
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
