"""Carries faults out, and ends them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.trouble import LASTING, ONCE
from venue_aws.cache import Owner

if TYPE_CHECKING:
    from tests.simulation.fleet import Member
    from tests.simulation.plan import Fault
    from tests.simulation.venue import Venue

_JUMP_S_MAX = 60.0


class Breaker:
    """What a fault does to a venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._trouble = venue.trouble

    def do(self, fault: Fault) -> None:
        """Let it happen, or let it wait for what it can hit."""
        kind, trouble, venue = fault.kind, self._trouble, self._venue
        if kind == "queue_poison":
            trouble.fired[kind] += 1
            group = trouble.rng.choice(("0:ann", "0:bob"))
            venue.orders.send("poison {", group=group, deduplication=f"poison {fault.at}", now=venue.loop.now)
        elif kind in ONCE:
            trouble.arm(kind)
        elif kind in LASTING:
            trouble.last(kind, fault.seconds)
            if kind == "database_away":
                venue.database.crash()
        elif kind == "redis_emptied":
            trouble.fired[kind] += 1
            venue.redis.empty()
        elif kind == "stale_owner":
            self._name_another_owner()
        else:
            self._hit(fault)

    def mend(self) -> None:
        """Let nothing go wrong any more, and everybody go on."""
        self._trouble.cease()
        for member in self._venue.fleet.members.values():
            self._go_on(member)

    def _name_another_owner(self) -> None:
        redis = self._venue.redis
        former = [(shard, owner) for shard, owner in redis.former if redis.owners.get(shard) != owner]
        shard, owner = 0, Owner(epoch=0, url="http://matcher-1/shards/0")
        if former:
            shard, owner = self._trouble.rng.choice(former)
        self._trouble.fired["stale_owner"] += 1
        redis.owners[shard] = owner

    def _hit(self, fault: Fault) -> None:
        """Something happens to one matcher's process."""
        fleet = self._venue.fleet
        running = [member for member in fleet.running() if not member.process.paused]
        if not running:
            return
        member = running[0 if fault.owner else -1]
        self._trouble.fired[fault.kind] += 1
        match fault.kind:
            case "kill":
                member.process.kill()
            case "stop":
                fleet.start()
                member.process.context.run(member.matcher.stop)
            case "pause":
                member.process.paused = True
                self._venue.start(self._wake(member, fault.seconds))
            case "clock_forward":
                member.process.skew_s += min(fault.seconds * 5, _JUMP_S_MAX)
            case "clock_back":
                member.process.skew_s -= min(fault.seconds * 5, _JUMP_S_MAX)

    async def _wake(self, member: Member, after_s: float) -> None:
        """Let it go on. Sometimes callers ask it just before, and wait: Redis has come back older than it was."""
        early_s = min(after_s, 0.8)
        await asyncio.sleep(after_s - early_s)
        redis = self._venue.redis
        former = [(shard, owner) for shard, owner in redis.former if owner.url == member.url(shard)]
        if former and self._trouble.rng.randrange(4):
            self._trouble.fired["stale_owner"] += 1
            redis.owners.update(former[-1:])
        await asyncio.sleep(early_s)
        self._go_on(member)

    def _go_on(self, member: Member) -> None:
        if not member.process.paused:
            return
        leases = self._venue.database.tables.leases
        if member.process.alive and any(
            member.serves(shard) and held.address != member.url(shard) for shard, held in leases.items()
        ):
            self._trouble.fired["zombie"] += 1
        self._venue.loop.go_on(member.process)
