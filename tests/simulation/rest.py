"""Rest: after all faults have ceased the venue does what it has promised, and then nothing more.

What a fault held up may outlast the faults: nobody waits any more for the answer to a late request, or to a batch that
is stuck on its way to the journal, but what comes of it has to be reckoned with.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tests.simulation.plan import SetStatus
from venue_aws.cache import LEVELS_MAX, Owner

if TYPE_CHECKING:
    from tests.simulation.venue import Venue

# A venue that has not come to rest so long after the last fault never will.
REST_S: Final = 240.0
_CHECK: Final = "the venue comes to rest"


class Rest:
    """Waits for it."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def come(self) -> None:
        """Open every market again, bring the dead letters back, reconcile, until nobody has anything to do."""
        venue = self._venue
        await self._open_markets()
        await self._wait()
        if venue.orders.dead or venue.events.dead:
            self._redrive()
            await self._wait()
        if not await venue.reconciler.settle():
            venue.auditor.fail(_CHECK, "the reconciliation never finds every hold's order")
        await self._wait()
        if not await venue.recovery.check(within_s=REST_S):
            venue.auditor.fail(_CHECK, "an owner does not say where it stands")

    async def _open_markets(self) -> None:
        """An operator does, as often as it takes."""
        for product in self._venue.plan.products():
            number = 0
            while self._status(product.id, product.shard) not in (None, "trading"):
                number += 1
                asked = SetStatus(at=self._venue.loop.now, number=number, product_id=product.id, status="trading")
                await self._venue.callers.act(asked)
                if number > REST_S:
                    self._venue.auditor.fail(_CHECK, f"{product.id} does not open")
                    return
                await asyncio.sleep(1.0)

    def _status(self, product_id: str, shard: int) -> str | None:
        book = self._venue.auditor.watches[shard].engine.book(product_id)
        return None if book is None else book.status

    def _redrive(self) -> None:
        """An operator brings the dead letters back, but for those that nobody can read."""
        orders = self._venue.orders
        orders.dead = [message for message in orders.dead if not message.body.startswith("poison")]
        orders.redrive()
        self._venue.events.redrive()

    async def _wait(self) -> None:
        until = self._venue.loop.now + REST_S
        while not self._is_here():
            if self._venue.loop.now > until:
                self._venue.auditor.fail(_CHECK, self._unrest())
                return
            await asyncio.sleep(0.5)

    def _is_here(self) -> bool:
        venue = self._venue
        return (
            not venue.fleet.requests
            and venue.database.appends_until < venue.loop.now
            and not venue.orders.messages
            and not venue.events.messages
            and all(map(self._rests, range(venue.plan.shards)))
            and not stale_markets(venue)
        )

    def _rests(self, shard: int) -> bool:
        venue, watch = self._venue, self._venue.auditor.watches[shard]
        held = venue.database.tables.leases.get(shard)
        return (
            watch.engine.due is None
            and venue.database.tables.published.get(shard, 0) == watch.sequence
            and held is not None
            and venue.fleet.owner(shard) is not None
            and venue.redis.owners.get(shard) == Owner(epoch=held.epoch, url=held.address)
        )

    def _unrest(self) -> str:
        venue, tables = self._venue, self._venue.database.tables
        running = [member.address for member in venue.fleet.running()]
        return (
            f"requests {venue.fleet.requests}, appends until {venue.database.appends_until},"
            f" orders {len(venue.orders.messages)}, events {len(venue.events.messages)},"
            f" relayed {tables.published} of {[watch.sequence for watch in venue.auditor.watches]},"
            f" settled {venue.table.settled}, leases {tables.leases}, Redis {venue.redis.owners},"
            f" due {[watch.engine.due for watch in venue.auditor.watches]},"
            f" market data behind {stale_markets(venue)}, running {running}"
        )


def stale_markets(venue: Venue) -> list[str]:
    """Give the products whose book in Redis is not the one that follows from the journal."""
    stale = []
    for watch in venue.auditor.watches:
        for product_id in watch.engine.products:
            market = venue.redis.markets.get(product_id)
            if market is None or (market.book.bids, market.book.asks) != watch.engine.depth(product_id, LEVELS_MAX):
                stale.append(product_id)
    return stale
