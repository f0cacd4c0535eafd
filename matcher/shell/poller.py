"""The poller: commands from the order queue take the same road as those that come by HTTP.

A message is deleted after its command's commit. One that cannot be read stays, and after some deliveries the queue
moves it to its dead letters by itself. Deliveries are counted, so they are not spent on waiting: while the sequencer is
full, what was received is held here, and nothing more is received.

There is one queue for all shards, and whoever polls it gets the messages of any. Those of a shard that another process
owns are brought there. Within a shard an account's messages are one group, of which the queue gives nothing out while
some of it is under way here: so they are done in their order, whichever process gets them.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from matcher.shell.backoff import Backoff, wait_for
from matcher.shell.errors import MatcherError, Overloaded, Refused
from matcher.shell.request import Unreadable, read_one
from matcher.shell.sequencer import Sequencer
from venue.commands import AnyCommand
from venue_aws.queues import Message, QueueDown, shard_of

log = logging.getLogger("matcher.poller")

# Short, because a stopping matcher waits for the poll under way; longer polls would be cheaper.
WAIT_S: Final = 2
# While messages are held, the queue is told again and again to keep them for so long.
HOLD_S: Final = 10
_HOLD_AGAIN_S: Final = 3.0
# A shard that nobody owns is waited for as long as a take-over may last. Then its messages come again after AWAY_S, and
# so do those behind them, while the other shards' go on.
PATIENCE_S: Final = 6.0
AWAY_S: Final = 15.0
_IDLE_S: Final = 0.1


class OrderSource(Protocol):
    """The order queue, seen from here: blocking calls that raise QueueDown."""

    def take(self, *, wait_s: int) -> list[Message]:
        """Receive messages, oldest first per account."""
        ...

    def done(self, messages: Sequence[Message]) -> int:
        """Delete messages; gives how many were visible again already, and come again."""
        ...

    def keep(self, messages: Sequence[Message], *, seconds: int) -> int:
        """Keep messages from being seen by others; gives how many were visible again already."""
        ...

    def give_back(self, messages: Sequence[Message]) -> None:
        """Make messages visible again."""
        ...


class Others(Protocol):
    """The matchers that own what this process does not: see matcher.shell.peers."""

    def submit(self, commands: Sequence[AnyCommand], *, shard: int) -> int:
        """Give how many of them, from the first on, are committed. Blocking."""
        ...


class Away(Exception):
    """Nobody takes this shard's commands now, here or elsewhere."""


class Poller:
    """Takes commands from the queue to the sequencers of this process, or to the matchers that own the others.

    `sequencer` gives a shard's or raises Refused. It polls as long as `is_owner`: whoever serves nothing takes nothing.
    """

    def __init__(
        self,
        queue: OrderSource,
        sequencer: Callable[[int], Sequencer],
        *,
        is_owner: Callable[[], bool],
        peers: Others | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._queue = queue
        self._sequencer = sequencer
        self._is_owner = is_owner
        self._peers = peers
        self._patience_s = patience_s
        self._stop = asyncio.Event()
        self._gone = False
        # Until when a shard is not waited for any more, in the loop's time.
        self._away: dict[int, float] = {}

    def stop(self) -> None:
        """Let `run` return after the poll under way."""
        self._stop.set()

    async def run(self) -> None:
        """Poll until stopped. A queue that is away is tried again."""
        try:
            await self._poll()
        finally:
            self._gone = True

    def _take(self) -> list[Message]:
        """Receive, in a thread. A poll that outlives its poller gives back what it got, for the next owner."""
        messages = self._queue.take(wait_s=WAIT_S)
        if self._gone and messages:
            self._queue.give_back(messages)
            return []
        return messages

    async def _poll(self) -> None:
        backoff = Backoff()
        while not self._stop.is_set():
            if not self._is_owner():
                await wait_for(self._stop, _IDLE_S)
                continue
            try:
                messages = await asyncio.to_thread(self._take)
                if messages:
                    await self._execute(messages)
                backoff.reset()
            except QueueDown as error:
                log.warning("order_queue_away", extra={"error": str(error)})
                await backoff.wait()

    async def _execute(self, messages: Sequence[Message]) -> None:
        """Carry each shard's messages by themselves: within a shard all in order, whatever the others wait for."""
        shards: dict[int, list[tuple[Message, AnyCommand]]] = {}
        for message in messages:
            command = _read(message)
            if command is not None:
                shards.setdefault(shard_of(message), []).append((message, command))
        done = await asyncio.gather(*(self._carry(*each) for each in shards.items()), return_exceptions=True)
        for failure in done:
            if failure is not None:
                raise failure

    async def _carry(self, shard: int, rest: Sequence[tuple[Message, AnyCommand]]) -> None:
        """Submit all in order, delete those that are committed; give back what cannot be committed from here."""
        now = asyncio.get_running_loop().time
        backoff, held_at = Backoff(most_s=1.0), float("-inf")
        patient_until = now() + (self._patience_s if now() >= self._away.get(shard, 0.0) else 0.0)
        while True:
            try:
                committed = await self._submit(shard, [command for _, command in rest])
            except Away:
                committed = 0
                if now() >= patient_until:
                    self._away[shard] = now() + AWAY_S
                    await self._put_away(shard, [message for message, _ in rest])
                    return
            if committed:
                await self._delete([message for message, _ in rest[:committed]])
            rest = rest[committed:]
            if not rest:
                return
            waiting = [message for message, _ in rest]
            if self._stop.is_set() or not self._is_owner():
                await asyncio.to_thread(self._queue.give_back, waiting)
                return
            if now() - held_at >= _HOLD_AGAIN_S:
                held_at = now()
                await self._hold(waiting)
            await backoff.wait()

    async def _submit(self, shard: int, commands: Sequence[AnyCommand]) -> int:
        """Give how many of them, from the first on, are committed. Those after it may not have been executed.

        Raises Away.
        """
        try:
            sequencer = self._sequencer(shard)
        except MatcherError as error:
            done = await asyncio.to_thread(self._peers.submit, commands, shard=shard) if self._peers else 0
            if not done:
                raise Away(error.code) from error
            return done
        under_way: list[asyncio.Future[bytes]] = []
        try:
            for command in commands:
                under_way.append(sequencer.submit(command))  # noqa: PERF401  # the first ones are under way
        except Overloaded:
            pass  # those behind it are not tried: an account's commands must not overtake each other
        except Refused as error:
            log.warning("order_messages_returned", extra={"shard": shard, "reason": error.code})
        await asyncio.gather(*under_way, return_exceptions=True)
        return sum(future.exception() is None for future in under_way)

    async def _put_away(self, shard: int, messages: Sequence[Message]) -> None:
        """Let them come again later: by then somebody may own their shard."""
        log.warning("order_messages_put_away", extra={"shard": shard, "messages": len(messages)})
        await asyncio.to_thread(self._queue.keep, messages, seconds=int(AWAY_S))

    async def _hold(self, messages: Sequence[Message]) -> None:
        log.warning("order_messages_held", extra={"messages": len(messages)})
        try:
            await asyncio.to_thread(self._queue.keep, messages, seconds=HOLD_S)
        except QueueDown as error:
            # They may be delivered once more. Whoever gets them then finds them done.
            log.warning("order_queue_away", extra={"error": str(error)})

    async def _delete(self, messages: Sequence[Message]) -> None:
        try:
            if late := await asyncio.to_thread(self._queue.done, messages):
                log.warning("order_messages_come_again", extra={"messages": late})
        except QueueDown as error:
            # They come again and are found done; those behind them need not wait for that.
            log.warning("order_queue_away", extra={"error": str(error)})


def _read(message: Message) -> AnyCommand | None:
    try:
        return read_one(message.body)
    except Unreadable as error:
        log.error(
            "order_message_unreadable",
            extra={"message_id": message.id, "deliveries": message.deliveries, "error": str(error)},
        )
        return None
