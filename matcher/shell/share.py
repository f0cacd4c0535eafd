"""One process's share in one shard: as a standby that follows the journal, as its owner, and as a standby again."""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final

import asyncpg

from matcher.shell import checkpoints
from matcher.shell.backoff import Backoff, wait_for
from matcher.shell.checkpointer import STANDBY_SHARE
from matcher.shell.errors import JournalBroken, MatcherError, NotOwner, Starting
from matcher.shell.follower import Follower
from matcher.shell.journal import Connect
from matcher.shell.lease import CHANNEL, Lease
from matcher.shell.metrics import tell_at_once
from matcher.shell.sequencer import Sequencer
from matcher.shell.tenure import Parts, Tenure

log = logging.getLogger("matcher.share")

# How often a standby reads on in the journal and looks at the lease; it hears at once of one that was given up.
POLL_S: Final = 0.15
# How long a process leaves a free shard to others, for each one that it has already.
POLITE_S: Final = 0.25
_SAVE_AGAIN_S: Final = 10.0
# Whoever lasted for less waits longer the next time, also when it has served meanwhile: it may do so for ever.
STEADY_S: Final = 10.0
# These ends are part of life; any other exception is a defect and is logged with its trace.
EXPECTED: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, MatcherError)


class Holdings:
    """How many shards this process owns, and at most owns."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.owned = 0
        # One after the other, so that each knows of the one before.
        self.taking = asyncio.Lock()

    def may_take(self, *, waited_s: float) -> bool:
        """Whether it may take one that has been free for so long."""
        return self.owned < self._most and waited_s >= self.owned * POLITE_S


class Share:
    """`name`: of this process, unique. `address`: where others reach this shard in this process."""

    def __init__(
        self, parts: Parts, connect: Connect, holdings: Holdings, *, shard: int, name: str, address: str, lease_s: float
    ) -> None:
        self._parts = parts
        self._connect = connect
        self._holdings = holdings
        self._shard = shard
        self._name = name
        self._address = address
        self._lease_s = lease_s
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._backoff = Backoff()
        self._free_since: float | None = None
        self._save_after = float("-inf")
        self._follower: Follower | None = None
        self._sequencer: Sequencer | None = None
        self._epoch = 0
        self._is_warm = False
        self._refusal: type[MatcherError] = Starting

    def sequencer(self) -> Sequencer:
        """Give the sequencer of the epoch that this process owns. Raises Starting, NotOwner or JournalBroken."""
        if self._sequencer is None or not self._sequencer.is_open:
            raise self._refusal("this matcher does not serve the shard")
        return self._sequencer

    def warm(self) -> None:
        """Return once it has been as far as the journal, since this process began. Raises Starting or JournalBroken."""
        if not self._is_warm:
            raise (JournalBroken if self._refusal is JournalBroken else Starting)("it has not followed the journal yet")

    async def state(self, *, digest: bool = False) -> dict[str, Any]:
        """Where it stands. `digest`: with that of the books right after batch `sequence`, both durable.

        The digest walks through every order, and nothing is matched meanwhile: it is for quiet times.
        """
        state: dict[str, Any] = {"shard": self._shard, "name": self._name, "address": self._address}
        if self._sequencer is None or not self._sequencer.is_open:
            followed = {"sequence": self._follower.sequence} if self._follower is not None else {}
            return state | {"serving": False, "code": self._refusal.code} | followed
        epoch = self._epoch
        books = await self._sequencer.look(
            lambda engine, sequence: (
                {
                    "sequence": sequence,
                    "products": {name: engine.sequence(name) for name in sorted(engine.products)},
                }
                | ({"digest": engine.digest()} if digest else {})
            )
        )
        return state | {"serving": True, "epoch": epoch} | books

    def stop(self) -> None:
        """Take no more, finish what was taken, release the lease; then `run` returns."""
        self._stop.set()
        self._wake.set()

    async def run(self) -> None:
        """Stand by and serve, again and again, until stopped. Raises JournalBroken: this program must not serve."""
        now = asyncio.get_running_loop().time
        while not self._stop.is_set():
            began = now()
            try:
                async with self._connect() as own:
                    await self._live(own)
            except* JournalBroken:
                self._refusal = JournalBroken
                raise
            except* EXPECTED as group:
                errors = [repr(error) for error in _leaves(group)]
                log.warning("stepped_down", extra={"shard": self._shard, "errors": errors})
            except* Exception:
                log.exception("stepped_down", extra={"shard": self._shard})
            self._follower = None
            if not self._stop.is_set():
                if now() - began >= STEADY_S:
                    self._backoff.reset()
                log.info("comes_again", extra={"shard": self._shard, "within_s": self._backoff.next_s})
                await self._backoff.wait()

    async def _live(self, own: asyncpg.Connection) -> None:
        """Follow until the lease is ours, serve under it until stopped or until something fails, release it."""
        now = asyncio.get_running_loop().time
        began = now()
        follower = self._follower = await Follower.load(own, self._shard)
        self._parts.tidy()
        loaded = now()
        await follower.catch_up(own, stop=self._stop)
        self._is_warm |= not self._stop.is_set()
        log.info(
            "followed",
            extra={
                "shard": self._shard,
                "sequence": follower.sequence,
                "load_s": round(loaded - began, 3),
                "tail_s": round(now() - loaded, 3),
            },
        )
        lease = await self._stand_by(own, follower)
        if lease is None:
            return
        self._refusal, self._epoch = Starting, lease.epoch
        log.info("lease_taken", extra={"shard": self._shard, "epoch": lease.epoch})
        try:
            async with self._connect() as journal, self._connect() as relay:
                tenure = Tenure(
                    self._parts,
                    lease,
                    follower,
                    address=self._address,
                    connect=self._connect,
                    journal=journal,
                    relay=relay,
                )
                await tenure.run(stop=self._stop, serving=self._serving)
        finally:
            self._serving(None)
            self._holdings.owned -= 1
            await lease.release()
            log.info("lease_released", extra={"shard": self._shard, "epoch": lease.epoch})

    async def _stand_by(self, own: asyncpg.Connection, follower: Follower) -> Lease | None:
        """Follow the journal until the lease is ours; None when stopped."""

        def wake(*_: object) -> None:
            self._wake.set()

        await own.add_listener(CHANNEL, wake)
        said = False
        try:
            while not self._stop.is_set():
                self._wake.clear()
                await follower.catch_up(own, stop=self._stop)
                lease = await self._take(own)
                if lease is not None:
                    return lease
                # Nobody owns a free one: that is no good state, whoever may take it.
                self._refusal = NotOwner if self._free_since is None else Starting
                if not said:
                    said = True
                    log.info("standing_by", extra={"shard": self._shard, "sequence": follower.sequence})
                await self._save(own, follower)
                await wait_for(self._wake, POLL_S if self._free_since is None else POLITE_S / 5)
        finally:
            # A lease that was just taken is not lost over this: where the connection is gone, its renewal will tell.
            with suppress(*EXPECTED):
                await own.remove_listener(CHANNEL, wake)
        return None

    async def _take(self, own: asyncpg.Connection) -> Lease | None:
        """Take the lease where it is free and this process may have it."""
        if self._stop.is_set() or not await Lease.is_free(own, shard=self._shard, owner=self._name):
            self._free_since = None
            return None
        now = asyncio.get_running_loop().time()
        self._free_since = since = now if self._free_since is None else self._free_since
        async with self._holdings.taking:
            if not self._holdings.may_take(waited_s=now - since):
                return None
            lease = await Lease.take(
                own, shard=self._shard, owner=self._name, address=self._address, length_s=self._lease_s
            )
            self._free_since = None
            if lease is not None:
                self._holdings.owned += 1
            return lease

    async def _save(self, own: asyncpg.Connection, follower: Follower) -> None:
        """Write a checkpoint when one is due, and only in a process that nobody's orders wait for."""
        every = self._parts.checkpoint_commands * STANDBY_SHARE
        now = asyncio.get_running_loop().time()
        if self._holdings.owned or follower.commands - follower.saved < every or now < self._save_after:
            return
        try:
            follower.saved = await checkpoints.newest(own, self._shard)
            if follower.commands - follower.saved >= every:
                await follower.save(own)
        except asyncpg.PostgresError as error:
            # It stands by all the same; a connection that is gone is noticed by whatever it does next.
            self._save_after = now + _SAVE_AGAIN_S
            log.error("checkpoint_failed", extra={"shard": self._shard, "error": repr(error)})
            tell_at_once("CheckpointsFailed", shard=self._shard)

    def _serving(self, sequencer: Sequencer | None) -> None:
        self._sequencer = sequencer
        self._refusal = NotOwner
        if sequencer is not None:
            self._follower = None


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions themselves, out of all nested groups."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
