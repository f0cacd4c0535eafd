"""The poller: commands from the order queue take the same road as those that come by HTTP.

There is one queue for all shards, and whoever polls it gets the messages of any. Each goes into the lane of its shard
(matcher.shell.lane); those of a shard that another process owns are brought there. Within a shard an account's messages
are one group, of which the queue gives nothing out while some of it is under way here: so they are done in their order,
whichever process gets them.

A message that cannot be read stays, and after some deliveries the queue moves it to its dead letters by itself. While
no lane has room, nothing more is received.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from matcher.shell.backoff import Backoff, wait_for
from matcher.shell.lane import PATIENCE_S, Lane, OrderSource, Others
from matcher.shell.request import Unreadable, read_one
from matcher.shell.sequencer import Sequencer
from matcher.shell.threads import Threads
from venue.commands import AnyCommand
from venue_aws.queues import Message, QueueDown, shard_of

log = logging.getLogger("matcher.poller")

# Short, because a stopping matcher waits for the poll under way; longer polls would be cheaper.
WAIT_S: Final = 2
_IDLE_S: Final = 0.1


class Poller:
    """Takes commands from the queue to the sequencers of this process, or to the matchers that own the others.

    `sequencer` gives a shard's or raises MatcherError. It polls as long as `is_owner`: whoever serves nothing takes
    nothing.
    """

    def __init__(
        self,
        queue: OrderSource,
        sequencer: Callable[[int], Sequencer],
        *,
        is_owner: Callable[[], bool],
        shards: int = 1,
        peers: Others | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._queue = queue
        self._is_owner = is_owner
        self._stop = asyncio.Event()
        self._gone = False
        # One that receives; for each lane one that carries and one that holds.
        self._threads = Threads("order-queue", 1 + 2 * shards)
        self._lanes = [
            Lane(
                shard,
                queue,
                self._threads,
                sequencer=sequencer,
                peers=peers,
                goes_on=lambda: is_owner() and not self._stop.is_set(),
                patience_s=patience_s,
            )
            for shard in range(shards)
        ]

    def stop(self) -> None:
        """Let `run` return after the poll under way."""
        self._stop.set()

    async def run(self) -> None:
        """Poll until stopped. A queue that is away is tried again."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._poll(tasks)
        finally:
            self._gone = True
            self._threads.close()

    def _take(self) -> list[Message]:
        """Receive, in a thread. A poll that outlives its poller gives back what it got, for the next owner."""
        messages = self._queue.take(wait_s=WAIT_S)
        if self._gone and messages:
            self._queue.give_back(messages)
            return []
        return messages

    async def _poll(self, tasks: asyncio.TaskGroup) -> None:
        backoff = Backoff()
        while not self._stop.is_set():
            if not self._is_owner() or not any(lane.has_room for lane in self._lanes):
                await wait_for(self._stop, _IDLE_S)
                continue
            try:
                messages = await self._threads.run(self._take)
            except QueueDown as error:
                log.warning("order_queue_away", extra={"error": str(error)})
                await backoff.wait()
            else:
                backoff.reset()
                await self._deal(messages, tasks)

    async def _deal(self, messages: Sequence[Message], tasks: asyncio.TaskGroup) -> None:
        """Put each message into its shard's lane, or away where that is full."""
        shards: dict[int, list[tuple[Message, AnyCommand]]] = {}
        for message in messages:
            command = self._read(message)
            if command is not None:
                shards.setdefault(shard_of(message), []).append((message, command))
        for shard, those in shards.items():
            lane = self._lanes[shard]
            if lane.has_room:
                lane.add(those, tasks)
            else:
                # What else their accounts have in the queue waits there behind them.
                await lane.put_away([message for message, _ in those])

    def _read(self, message: Message) -> AnyCommand | None:
        try:
            if shard_of(message) >= len(self._lanes):
                raise Unreadable(f"there is no shard {shard_of(message)}")
            command = read_one(message.body)
        except Unreadable as error:
            log.error(
                "order_message_unreadable",
                extra={"message_id": message.id, "deliveries": message.deliveries, "error": str(error)},
            )
            return None
        if message.followed is not None:
            order = getattr(command, "order_id", None)
            log.info("command_taken", extra={"correlation_id": message.followed, "order_id": order})
        return command
