"""Snapshots: what the functions read from Redis, written after commits, at most once in 50 ms, never in anyone's way.

Redis may be away for any time: the matcher goes on, and writes everything again when Redis is back, or back empty. An
owner that was overtaken writes nothing: Redis compares its epoch with that of the owner it knows.

A Redis that comes back a little older than it was, after a failover to a replica, still knows the owner, and its books
are behind. That cannot be seen from here: so each market in turn is written again, also where nothing happens.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol

from matcher.core.engine import Engine
from matcher.shell.backoff import Backoff, wait_for
from matcher.shell.sequencer import Sequencer
from matcher.shell.threads import Threads
from venue.events import AnyEvent, ProductListed, Traded
from venue.ports import Top
from venue_aws.cache import LEVELS_MAX, ORDERS_MAX, TRADES_MAX, Book, BookOrders, CacheDown, Owner, Snapshot, Ticker

log = logging.getLogger("matcher.snapshots")

PAUSE_S: Final = 0.05
CHECK_S: Final = 1.0


class MarketCache(Protocol):
    """Redis, seen from here: blocking calls that raise CacheDown."""

    def owners(self) -> dict[int, Owner]:
        """Who owns which shard."""
        ...

    def publish_owner(self, shard: int, owner: Owner) -> bool:
        """Say who owns a shard; False when Redis knows one with a higher epoch."""
        ...

    def publish(self, markets: Iterable[Snapshot], *, shard: int, epoch: int) -> bool:
        """Write whole markets; False when Redis knows another owner, or none."""
        ...


class Snapshots:
    """Keeps Redis as the journal says. `trades`: the last ones of each product, oldest first."""

    def __init__(
        self, cache: MarketCache, sequencer: Sequencer, *, shard: int, owner: Owner, trades: Iterable[Traded]
    ) -> None:
        self._cache = cache
        self._sequencer = sequencer
        self._shard = shard
        self._owner = owner
        self._trades: dict[str, deque[Traded]] = {}
        self._dirty: set[str] = set()
        # All markets; the first is the next to be written again.
        self._turns: deque[str] = deque()
        self._wake = asyncio.Event()
        self._threads = Threads("redis")
        for trade in trades:
            self._remember(trade)

    def note(self, events: Iterable[AnyEvent]) -> None:
        """Take note of a committed batch."""
        for event in events:
            if isinstance(event, Traded):
                self._remember(event)
            elif isinstance(event, ProductListed):
                self._dirty.add(event.product.id)
                if event.product.id not in self._turns:
                    self._turns.append(event.product.id)
            elif (product_id := getattr(event, "product_id", None)) is not None:
                self._dirty.add(product_id)
        self._wake.set()

    async def run(self) -> None:
        """Write for ever."""
        try:
            await self._keep()
        finally:
            self._threads.close()

    async def _keep(self) -> None:
        backoff = Backoff()
        while True:
            try:
                if await self._write_all():
                    backoff.reset()
                    log.info("snapshots_complete", extra={"epoch": self._owner.epoch})
                    await self._follow()
                    continue
                # Either this owner was overtaken, and will hear of it by its lease, or Redis is older than the journal.
                log.warning("cache_has_a_newer_owner", extra={"epoch": self._owner.epoch})
            except CacheDown as error:
                log.warning("cache_away", extra={"error": str(error)})
            await backoff.wait()

    async def _write_all(self) -> bool:
        if not await self._threads.run(self._cache.publish_owner, self._shard, self._owner):
            return False
        self._turns = deque(await self._sequencer.look(lambda engine, _: sorted(engine.products)))
        self._dirty.update(self._turns)
        return await self._write()

    async def _follow(self) -> None:
        """Write what changes, until Redis does not know this owner any more, and so perhaps nothing."""
        now = asyncio.get_running_loop().time
        checked = now()
        while True:
            await wait_for(self._wake, CHECK_S)
            self._wake.clear()
            started = now()
            if started - checked >= CHECK_S:
                checked = started
                owners = await self._threads.run(self._cache.owners)
                if owners.get(self._shard) != self._owner:
                    return
                self._write_again()
            if self._dirty and not await self._write():
                return
            await asyncio.sleep(PAUSE_S - (now() - started))

    def _write_again(self) -> None:
        """Let the next market be written, whether anything happened in it or not."""
        if self._turns:
            self._dirty.add(self._turns[0])
            self._turns.rotate(-1)

    async def _write(self) -> bool:
        names, self._dirty = self._dirty, set()
        written = False
        try:
            found = await self._sequencer.look(lambda engine, _: [self._market(engine, name) for name in sorted(names)])
            markets = [market for market in found if market is not None]
            written = await self._threads.run(self._cache.publish, markets, shard=self._shard, epoch=self._owner.epoch)
        finally:
            if not written:
                self._dirty |= names
        return written

    def _market(self, engine: Engine, name: str) -> Snapshot | None:
        market = engine.book(name)
        if market is None:
            return None
        sequence, at = engine.sequence(name), time.time_ns() // 1000
        bids, asks = engine.depth(name, LEVELS_MAX)
        bid_orders, ask_orders = engine.resting(name, ORDERS_MAX)
        bid, bid_size, _ = bids[0] if bids else (None, None, 0)
        ask, ask_size, _ = asks[0] if asks else (None, None, 0)
        trades = list(reversed(self._trades.get(name, ())))
        return Snapshot(
            product=market.product,
            status=market.status,
            top=Top(bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size, sequence=sequence),
            book=Book(sequence=sequence, at=at, bids=bids, asks=asks),
            orders=BookOrders(sequence=sequence, at=at, bids=bid_orders, asks=ask_orders),
            ticker=_ticker(trades[0], bid, ask) if trades else None,
            trades=trades,
        )

    def _remember(self, trade: Traded) -> None:
        self._trades.setdefault(trade.product_id, deque(maxlen=TRADES_MAX)).append(trade)
        self._dirty.add(trade.product_id)


def _ticker(last: Traded, bid: int | None, ask: int | None) -> Ticker:
    return Ticker(trade_id=last.trade_id, price=last.price, size=last.size, at=last.at, bid=bid, ask=ask)
