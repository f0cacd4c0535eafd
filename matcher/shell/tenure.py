"""One epoch's service of one shard: recover the books, serve, drain. Whatever fails in it ends all of it."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence

import asyncpg
import msgspec

from matcher.shell.follower import Follower
from matcher.shell.journal import PostgresJournal
from matcher.shell.lease import Lease
from matcher.shell.poller import OrderSource, Poller
from matcher.shell.relay import Relay
from matcher.shell.sequencer import Clock, Sequencer
from matcher.shell.snapshots import MarketCache, Snapshots
from matcher.shell.timer import keep_time
from venue import wire
from venue.commands import ListProduct
from venue.events import AnyEvent, Traded
from venue.products import Product
from venue_aws.cache import Owner

log = logging.getLogger("matcher.tenure")


def wall_clock() -> int:
    """Give µs since 1970 UTC."""
    return time.time_ns() // 1000


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a matcher works with; a part that is None is off. `put_batch` blocks and may raise QueueDown.

    clock: see Sequencer.
    """

    products: list[Product]
    orders: OrderSource | None
    put_batch: Callable[[Sequence[wire.Batch]], None] | None
    cache: MarketCache | None
    clock: Clock = wall_clock


class Tenure:
    """The owner's time under one lease. Two connections are its own: one for the journal, one for the relay."""

    def __init__(
        self,
        parts: Parts,
        lease: Lease,
        *,
        shard: int,
        address: str,
        journal: asyncpg.Connection,
        relay: asyncpg.Connection,
    ) -> None:
        self._parts = parts
        self._lease = lease
        self._shard = shard
        self._address = address
        self._journal = journal
        self._relay = relay
        self._listeners: list[Callable[[list[AnyEvent]], None]] = []

    async def run(self, *, stop: asyncio.Event, serving: Callable[[Sequencer | None], None]) -> None:
        """Serve until `stop`, then drain. `serving` is told the sequencer when it is ready, and None when it is over.

        Raises an exception group of whatever went wrong: JournalBroken, NotOwner, LeaseLost, a database that is away.
        """
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(self._lease.keep())
            started = asyncio.get_running_loop().time()
            follower = await Follower.load(self._journal, self._shard)
            await follower.catch_up(self._journal)
            sequencer = await self._sequencer(follower)
            writer = tasks.create_task(sequencer.run())
            await _list(sequencer, self._parts.products)
            helpers = [tasks.create_task(helper) for helper in self._helpers(sequencer, follower.trades())]
            poller = Poller(self._parts.orders, sequencer) if self._parts.orders is not None else None
            polling = tasks.create_task(poller.run()) if poller is not None else None
            # What was recovered stays: the garbage collector need not walk through it again and again.
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            serving(sequencer)
            log.info(
                "serving",
                extra={
                    "shard": self._shard,
                    "epoch": self._lease.epoch,
                    "sequence": sequencer.sequence,
                    "recovery_s": round(asyncio.get_running_loop().time() - started, 3),
                },
            )
            await stop.wait()
            if poller is not None and polling is not None:
                poller.stop()
                await polling
            serving(None)
            for helper in helpers:
                helper.cancel()
            await sequencer.drain()
            writer.cancel()
            keeper.cancel()
            log.info("drained", extra={"shard": self._shard, "sequence": sequencer.sequence})

    async def _sequencer(self, follower: Follower) -> Sequencer:
        return Sequencer(
            follower.engine,
            await PostgresJournal.open(
                self._journal, shard=self._shard, epoch=self._lease.epoch, timeout_s=2 * self._lease.length_s
            ),
            sequence=follower.sequence,
            at=follower.at,
            chain=follower.chain,
            commands=follower.commands,
            clock=self._parts.clock,
            committed=self._tell,
        )

    def _helpers(self, sequencer: Sequencer, trades: list[Traded]) -> list[Coroutine[None, None, None]]:
        """The timer, and those that follow the journal: they may lag or be off, and orders never wait for them."""
        helpers: list[Coroutine[None, None, None]] = [keep_time(sequencer)]
        if self._parts.cache is not None:
            snapshots = Snapshots(
                self._parts.cache,
                sequencer,
                shard=self._shard,
                owner=Owner(epoch=self._lease.epoch, url=self._address),
                trades=trades,
            )
            self._listeners.append(snapshots.note)
            helpers.append(snapshots.run())
        if self._parts.put_batch is not None:
            relay = Relay(self._relay, self._parts.put_batch, shard=self._shard)
            self._listeners.append(lambda _: relay.wake())
            helpers.append(relay.run())
        return helpers

    def _tell(self, events: list[AnyEvent]) -> None:
        for listener in self._listeners:
            listener(events)


async def _list(sequencer: Sequencer, products: Iterable[Product]) -> None:
    """List what is new or changed. A market that may not change so stays as it is, and the log says so."""
    listed = await sequencer.look(lambda engine, _: dict(engine.products))
    for product in products:
        if listed.get(product.id) == product:
            continue
        outcome = wire.OUTCOME.decode(await sequencer.submit(ListProduct(product=product)))
        if outcome.refused is None:
            log.info("product_listed", extra={"product": product.id})
        else:
            log.error("product_not_listed", extra={"product": product.id, "reason": outcome.refused})
