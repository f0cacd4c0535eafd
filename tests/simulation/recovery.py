"""Recovery is asked again and again: are a new owner's books those that follow from the journal?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from matcher.shell.errors import JournalBroken
from matcher.shell.follower import Follower
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.fleet import Member
    from tests.simulation.venue import Venue

_CHECK = "what is recovered is what was"


class Recovery:
    """Compares digests with the auditor's."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        # The shard, the address and the epoch of every owner that was asked.
        self._compared: set[tuple[int, str, int]] = set()

    async def watch(self) -> None:
        """Ask each new owner for the digest of its books; for ever."""
        while True:
            await asyncio.sleep(0.5)
            await self._ask_owners()

    async def check(self, *, within_s: float) -> bool:
        """Recover once more, from the first row and from the newest checkpoint, and ask the owners.

        False when an owner does not say in time where it stands.
        """
        for watch in self._venue.auditor.watches:
            await self._recover(watch.shard)
        self._compared.clear()
        until = self._venue.loop.now + within_s
        while len({shard for shard, _, _ in self._compared}) < self._venue.plan.shards:
            if self._venue.loop.now > until:
                return False
            await asyncio.sleep(0.1)
            await self._ask_owners()
        return True

    async def _recover(self, shard: int) -> None:
        process = Process("auditor", self._venue.loop.time)
        auditor = self._venue.auditor
        async with self._venue.database.connect(process) as opened:
            connection: Any = opened
            try:
                for follower in (Follower(shard), await Follower.load(connection, shard)):
                    after = follower.sequence
                    await follower.catch_up(connection)
                    if follower.engine.digest() != auditor.watches[shard].engine.digest():
                        auditor.fail(_CHECK, f"shard {shard}, after batch {after}")
            except JournalBroken as error:
                auditor.fail(_CHECK, str(error))

    async def _ask_owners(self) -> None:
        leases = self._venue.database.tables.leases
        for shard in range(self._venue.plan.shards):
            for member in self._venue.fleet.running():
                if (
                    member.serves(shard)
                    and not member.process.paused
                    and (shard, member.address, leases[shard].epoch) not in self._compared
                ):
                    await self._compare(member, shard)

    async def _compare(self, member: Member, shard: int) -> None:
        loop, watch = self._venue.loop, self._venue.auditor.watches[shard]
        asked = loop.create_task(member.matcher.state(shard, digest=True), context=member.process.context)
        done, _ = await asyncio.wait([asked], timeout=2.0)
        if not done or asked.cancelled() or asked.exception() is not None:
            return
        state = asked.result()
        if state["serving"] and state["sequence"] == watch.sequence:
            self._compared.add((shard, member.address, state["epoch"]))
            if state["digest"] != watch.engine.digest():
                self._venue.auditor.fail(_CHECK, f"shard {shard}, {member.address}, batch {state['sequence']}")
