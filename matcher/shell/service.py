"""The life of a matcher: it comes up, stands by, owns a shard under one epoch after the other, and stops cleanly."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import asyncpg

from matcher.shell.backoff import Backoff, wait_for
from matcher.shell.errors import JournalBroken, MatcherError, NotOwner, Starting
from matcher.shell.lease import Lease
from matcher.shell.migrations import MigrationChanged, migrate, scripts
from matcher.shell.sequencer import Sequencer
from matcher.shell.tenure import Parts, Tenure

log = logging.getLogger("matcher.service")

# Opens one connection of its own to the journal, closed at the end of its context.
type Connect = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]

# These ends are part of life; any other exception is a defect and is logged with its trace.
_EXPECTED = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, MatcherError)


class Matcher:
    """One process's share in one shard, as its owner or as a standby. `address`: where others reach it."""

    def __init__(self, parts: Parts, connect: Connect, *, shard: int, address: str, lease_s: float) -> None:
        self._parts = parts
        self._connect = connect
        self._shard = shard
        self._address = address
        self._lease_s = lease_s
        self._name = str(uuid4())
        self._stop = asyncio.Event()
        self._backoff = Backoff()
        self._sequencer: Sequencer | None = None
        self._epoch = 0
        self._refusal: type[MatcherError] = Starting

    def sequencer(self) -> Sequencer:
        """Give the sequencer of the epoch that this process owns. Raises Starting or NotOwner."""
        if self._sequencer is None or not self._sequencer.is_open:
            raise self._refusal("this matcher does not serve the shard")
        return self._sequencer

    async def state(self, *, digest: bool = False) -> dict[str, Any]:
        """Where it stands. `digest`: with that of the books right after batch `sequence`, both durable.

        The digest walks through every order, and nothing is matched meanwhile: it is for quiet times.
        """
        state: dict[str, Any] = {"shard": self._shard, "name": self._name, "address": self._address}
        if self._sequencer is None or not self._sequencer.is_open:
            return state | {"serving": False, "code": self._refusal.code}
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

    async def run(self) -> None:
        """Serve until stopped. Raises JournalBroken or MigrationChanged: then this program must not serve."""
        while not self._stop.is_set():
            try:
                async with self._connect() as own:
                    await migrate(own, scripts())
                    await self._serve_once(own)
            except* (JournalBroken, MigrationChanged):
                raise
            except* _EXPECTED as group:
                log.warning("stepped_down", extra={"errors": [repr(error) for error in _leaves(group)]})
            except* Exception:
                log.exception("stepped_down")
            if not self._stop.is_set():
                await self._backoff.wait()

    async def _serve_once(self, own: asyncpg.Connection) -> None:
        """Wait for the lease, serve under it until stopped or until something fails, release it."""
        lease = await self._stand_by(own)
        if lease is None:
            return
        self._refusal, self._epoch = Starting, lease.epoch
        log.info("lease_taken", extra={"shard": self._shard, "epoch": lease.epoch})
        try:
            async with self._connect() as journal, self._connect() as relay:
                tenure = Tenure(
                    self._parts, lease, shard=self._shard, address=self._address, journal=journal, relay=relay
                )
                await tenure.run(stop=self._stop, serving=self._serving)
        finally:
            self._serving(None)
            await lease.release()
            log.info("lease_released", extra={"shard": self._shard, "epoch": lease.epoch})

    async def _stand_by(self, own: asyncpg.Connection) -> Lease | None:
        said = False
        while not self._stop.is_set():
            lease = await Lease.take(
                own, shard=self._shard, owner=self._name, address=self._address, length_s=self._lease_s
            )
            if lease is not None:
                return lease
            self._refusal = NotOwner
            if not said:
                said = True
                log.info("standing_by", extra={"shard": self._shard})
            await wait_for(self._stop, self._lease_s / 3)
        return None

    def _serving(self, sequencer: Sequencer | None) -> None:
        self._sequencer = sequencer
        self._refusal = NotOwner
        if sequencer is not None:
            self._backoff.reset()


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions themselves, out of all nested groups."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
