"""One epoch's service of one shard: catch up, serve, drain. Whatever fails in it ends all of it."""

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Final

import asyncpg
import msgspec

from matcher.shell.checkpointer import Checkpointer
from matcher.shell.follower import Follower
from matcher.shell.journal import Connect, Entry, PostgresJournal
from matcher.shell.lane import OrderSource
from matcher.shell.lease import COMMIT_LEASES, Lease
from matcher.shell.metrics import Metrics
from matcher.shell.relay import Relay
from matcher.shell.sequencer import Clock, Committed, Sequencer
from matcher.shell.snapshots import MarketCache, Snapshots
from matcher.shell.timer import keep_time
from venue import wire
from venue.commands import ListProduct
from venue.events import AnyEvent
from venue.ports import Matcher
from venue.products import Product
from venue_aws.cache import Owner

log = logging.getLogger("matcher.tenure")

_LISTED_ELSEWHERE: Final = """
SELECT id, (rules ->> 'shard')::int AS shard FROM products WHERE (rules ->> 'shard')::int <> $1
"""


def wall_clock() -> int:
    """Give µs since 1970 UTC."""
    return time.time_ns() // 1000


def tidy_memory() -> None:
    """Walk through what was given up a last time; what is there now stays, and is never walked through again."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a matcher works with; a part that is None is off. `put_batch` blocks and may raise QueueDown.

    products: of all shards. clock: see Sequencer. write_checkpoint: has another process write one of this shard; raises
    CheckpointFailed. checkpoint_commands: the journal may have so many more before that is done. matchers: how others
    are asked, by HTTP where it is None. tidy: called whenever books were given up or loaded.
    """

    products: list[Product]
    orders: OrderSource | None
    put_batch: Callable[[Sequence[wire.Batch]], None] | None
    cache: MarketCache | None
    clock: Clock = wall_clock
    write_checkpoint: Callable[[int], Awaitable[None]] | None = None
    checkpoint_commands: int = 100_000
    matchers: Matcher | None = None
    tidy: Callable[[], None] = tidy_memory


class Tenure:
    """The owner's time under one lease, from where its follower stands. `address`: where others reach this shard.

    Two connections are its own: one for the journal, one for the relay.
    """

    def __init__(
        self,
        parts: Parts,
        lease: Lease,
        follower: Follower,
        *,
        address: str,
        connect: Connect,
        journal: asyncpg.Connection,
        relay: asyncpg.Connection,
    ) -> None:
        self._parts = parts
        self._lease = lease
        self._follower = follower
        self._shard = follower.shard
        self._address = address
        self._connect = connect
        self._journal = journal
        self._relay = relay
        self._metrics = Metrics(follower.shard, parts.clock)
        self._listeners: list[Committed] = [self._metrics.committed]

    async def run(self, *, stop: asyncio.Event, serving: Callable[[Sequencer | None], None]) -> None:
        """Serve until `stop`, then drain. `serving` is told the sequencer when it is ready, and None when it is over.

        Raises an exception group of whatever went wrong: JournalBroken, NotOwner, LeaseLost, a database that is away.
        """
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(self._lease.keep())
            now = asyncio.get_running_loop().time
            started = now()
            # The lease is taken, so no older epoch can write any more: what is there now is all there is.
            behind = await self._follower.catch_up(self._journal)
            sequencer = await self._sequencer()
            writer = tasks.create_task(sequencer.run())
            await _list(sequencer, await self._products())
            self._metrics.count("EpochChanges")
            helpers = [tasks.create_task(helper) for helper in self._helpers(sequencer)]
            # What was recovered stays: the garbage collector need not walk through it again and again.
            gc.freeze()
            serving(sequencer)
            log.info(
                "serving",
                extra={
                    "shard": self._shard,
                    "epoch": self._lease.epoch,
                    "sequence": sequencer.sequence,
                    "behind": behind,
                    "recovery_s": round(now() - started, 3),
                },
            )
            await stop.wait()
            serving(None)
            for helper in helpers:
                helper.cancel()
            await sequencer.drain()
            writer.cancel()
            keeper.cancel()
            log.info("drained", extra={"shard": self._shard, "sequence": sequencer.sequence})

    async def _products(self) -> list[Product]:
        """The catalogue's products of this shard: those that are listed here, and those of it that are listed nowhere.

        A listed product stays where it is, for its trades are there, and gets its rules there.
        """
        elsewhere = {row["id"]: row["shard"] for row in await self._journal.fetch(_LISTED_ELSEWHERE, self._shard)}
        here = self._follower.engine.products
        found: list[Product] = []
        for product in self._parts.products:
            if product.id in here:
                found.append(msgspec.structs.replace(product, shard=self._shard))
            elif product.shard == self._shard and product.id in elsewhere:
                log.info("product_stays", extra={"product": product.id, "shard": elsewhere[product.id]})
            elif product.shard == self._shard:
                found.append(product)
        return found

    async def _sequencer(self) -> Sequencer:
        follower = self._follower
        lease_s = self._lease.length_s
        journal = await PostgresJournal.open(
            self._journal,
            shard=self._shard,
            epoch=self._lease.epoch,
            lease_s=lease_s,
            timeout_s=COMMIT_LEASES * lease_s,
        )
        return Sequencer(
            follower.engine,
            self._lease.appending(self._metrics.appending(journal)),
            sequence=follower.sequence,
            at=follower.at,
            chain=follower.chain,
            commands=follower.commands,
            clock=self._parts.clock,
            committed=self._tell,
            still_mine=self._lease.check,
        )

    def _helpers(self, sequencer: Sequencer) -> list[Coroutine[None, None, None]]:
        """The timer, and those that follow the journal: they may lag or be off, and orders never wait for them."""
        helpers: list[Coroutine[None, None, None]] = [keep_time(sequencer), self._metrics.run()]
        if self._parts.cache is not None:
            snapshots = Snapshots(
                self._parts.cache,
                sequencer,
                shard=self._shard,
                owner=Owner(epoch=self._lease.epoch, url=self._address),
                trades=self._follower.trades(),
            )
            self._listeners.append(lambda _, events: snapshots.note(events))
            helpers.append(snapshots.run())
        if self._parts.put_batch is not None:
            relay = Relay(self._relay, self._metrics.publishing(self._parts.put_batch), shard=self._shard)
            self._listeners.append(relay.committed)
            helpers.append(relay.run())
        if self._parts.write_checkpoint is not None:
            checkpointer = Checkpointer(
                sequencer,
                self._connect,
                partial(self._parts.write_checkpoint, self._shard),
                shard=self._shard,
                saved=self._follower.saved,
                every=self._parts.checkpoint_commands,
            )
            helpers.append(checkpointer.run())
        return helpers

    def _tell(self, entry: Entry, events: list[AnyEvent]) -> None:
        for listener in self._listeners:
            listener(entry, events)


async def _list(sequencer: Sequencer, products: Iterable[Product]) -> None:
    """List what is new. A market that there is keeps its rules, and the log says where the catalogue has others.

    Operators may have changed them since, and no take-over may undo that.
    """
    listed = await sequencer.look(lambda engine, _: dict(engine.products))
    for product in products:
        if product.id in listed:
            if listed[product.id] != product:
                log.warning("catalogue_differs", extra={"product": product.id})
            continue
        outcome = wire.OUTCOME.decode(await sequencer.submit(ListProduct(product=product)))
        if outcome.refused is None:
            log.info("product_listed", extra={"product": product.id})
        else:
            log.error("product_not_listed", extra={"product": product.id, "reason": outcome.refused})
