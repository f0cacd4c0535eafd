"""The life of a matcher process: it comes up, has a share in every shard, polls the order queue, and stops cleanly."""

import asyncio
import logging
from typing import Any, Final
from uuid import uuid4

from matcher.shell.backoff import Backoff
from matcher.shell.errors import JournalBroken, MatcherError, NotOwner, UnknownShard
from matcher.shell.journal import Connect
from matcher.shell.migrations import migrate, scripts
from matcher.shell.peers import Peers
from matcher.shell.poller import Poller
from matcher.shell.sequencer import Sequencer
from matcher.shell.share import EXPECTED, Holdings, Share
from matcher.shell.tenure import Parts
from venue_aws.matcher import MatcherClient

log = logging.getLogger("matcher.service")

_LAST_DELETES_S: Final = 0.5


class Matcher:
    """One process. `address`: where others reach it. It owns at most `shards_max` of the `shards` that there are."""

    def __init__(
        self,
        parts: Parts,
        connect: Connect,
        *,
        address: str,
        lease_s: float,
        shards: int = 1,
        shards_max: int | None = None,
    ) -> None:
        self._connect = connect
        self._stop = asyncio.Event()
        holdings = Holdings(shards if shards_max is None else shards_max)
        name = str(uuid4())
        self._shares = {
            shard: Share(
                parts,
                connect,
                holdings,
                shard=shard,
                name=name,
                address=f"{address}/shards/{shard}",
                lease_s=lease_s,
            )
            for shard in range(shards)
        }
        self._poller: Poller | None = None
        if parts.orders is not None:
            peers = Peers(parts.cache, parts.matchers or MatcherClient()) if parts.cache is not None else None
            self._poller = Poller(parts.orders, self.sequencer, is_owner=self._is_owner, shards=shards, peers=peers)

    def sequencer(self, shard: int) -> Sequencer:
        """Give the sequencer of a shard that this process owns. Raises MatcherError, UnknownShard among them."""
        return self._share(shard).sequencer()

    async def state(self, shard: int, *, digest: bool = False) -> dict[str, Any]:
        """Where it stands with a shard; see Share.state. Raises UnknownShard."""
        return await self._share(shard).state(digest=digest)

    def warm(self) -> None:
        """Raise Starting or JournalBroken until it has followed every shard's journal to its end, once.

        Later trouble takes nothing back: whoever stops what is not warm would, with the database away, stop everybody.
        """
        for share in self._shares.values():
            share.warm()

    def check(self) -> None:
        """Raise NotOwner where it owns no shard, Starting or JournalBroken where any has no owner that it knows of."""
        refused = self._refusals()
        wrong = [error for error in refused if not isinstance(error, NotOwner)]
        if wrong:
            raise wrong[0]
        if len(refused) == len(self._shares):
            raise refused[0]

    def stop(self) -> None:
        """Take no more, finish what was taken, give up every shard; then `run` returns."""
        self._stop.set()
        if self._poller is not None:
            self._poller.stop()
        for share in self._shares.values():
            share.stop()

    async def run(self) -> None:
        """Serve until stopped. Raises MigrationChanged, and JournalBroken once no shard is left to serve."""
        if not await self._migrate():
            return
        async with asyncio.TaskGroup() as tasks:
            poller = self._poller
            polling = tasks.create_task(poller.run()) if poller is not None else None
            broken = await asyncio.gather(*(self._hold(shard, share) for shard, share in self._shares.items()))
            if polling is not None:
                # It deletes what was committed and gives the rest back; a poll that only waits is left alone.
                await asyncio.wait([polling], timeout=_LAST_DELETES_S)
                polling.cancel()
        failures = [error for error in broken if error is not None]
        if failures:
            raise BaseExceptionGroup("no shard can be served", failures)

    async def _hold(self, shard: int, share: Share) -> BaseException | None:
        """Run a share. A journal that is broken ends it, and the other shards' not."""
        broken: BaseException | None = None
        try:
            await share.run()
        except* JournalBroken as group:
            log.critical("must_not_serve", extra={"shard": shard}, exc_info=True)
            broken = group
        return broken

    async def _migrate(self) -> bool:
        """Bring the schema up to date, however long the database stays away. False when stopped."""
        backoff = Backoff()
        while not self._stop.is_set():
            try:
                async with self._connect() as own:
                    await migrate(own, scripts())
            except MatcherError:
                raise
            except EXPECTED as error:
                log.warning("database_away", extra={"error": repr(error)})
                await backoff.wait()
            else:
                return True
        return False

    def _share(self, shard: int) -> Share:
        if shard not in self._shares:
            raise UnknownShard(f"there is no shard {shard}")
        return self._shares[shard]

    def _is_owner(self) -> bool:
        return len(self._refusals()) < len(self._shares)

    def _refusals(self) -> list[MatcherError]:
        found: list[MatcherError] = []
        for share in self._shares.values():
            try:
                share.sequencer()
            except MatcherError as error:
                found.append(error)
        return found
