"""The checkpointer: what a recovery would have to replay stays bounded, and the owner never stands still for it.

A standby that owns nothing writes checkpoints from its own follower. The owner looks from time to time; where there is
none it has a child process write one. Where that fails too, orders are refused in the end: a recovery that takes
minutes would be worse.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from matcher.shell import checkpoints
from matcher.shell.journal import Connect
from matcher.shell.metrics import tell_at_once
from matcher.shell.sequencer import Sequencer

log = logging.getLogger("matcher.checkpointer")

# Of the commands after which the owner sees to a checkpoint itself: a standby is due earlier, orders are refused later.
STANDBY_SHARE: Final = 0.75
REFUSAL_SHARE: Final = 4
_LOOK_S: Final = 1.0


class CheckpointFailed(Exception):
    """The child process did not write a checkpoint; its own log says why."""


class Checkpointer:
    """Keeps the checkpoints of the shard that `sequencer` writes. `saved`: how many commands the newest one covers.

    write: has one written, and returns when that is done; raises CheckpointFailed. every: see STANDBY_SHARE.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        connect: Connect,
        write: Callable[[], Awaitable[None]],
        *,
        shard: int,
        saved: int,
        every: int,
    ) -> None:
        self._sequencer = sequencer
        self._connect = connect
        self._write = write
        self._shard = shard
        self._saved = saved
        self._every = every

    async def run(self) -> None:
        """Look for ever. What fails is tried again, and ends nothing."""
        while True:
            self._sequencer.commands_max = self._saved + REFUSAL_SHARE * self._every
            try:
                if self._is_due():
                    await self._look()
                if self._is_due():
                    await self._write()
                    await self._look()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, CheckpointFailed) as error:
                behind = self._sequencer.commands - self._saved
                log.error("checkpoint_failed", extra={"shard": self._shard, "behind": behind, "error": repr(error)})
                tell_at_once("CheckpointsFailed", shard=self._shard)
            await asyncio.sleep(_LOOK_S)

    def _is_due(self) -> bool:
        return self._sequencer.commands - self._saved >= self._every

    async def _look(self) -> None:
        async with self._connect() as connection:
            self._saved = await checkpoints.newest(connection, self._shard)
