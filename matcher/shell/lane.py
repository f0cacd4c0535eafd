"""A lane: one shard's messages from the order queue, on their way to its sequencer or to the matcher that owns it.

Whatever a shard waits for, the others' lanes go on. In a lane everything is done in order; a message is deleted after
its command's commit. Deliveries are counted, so they are not spent on waiting: what was received is held here for as
long as the sequencer is full.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import batched
from typing import Final, Protocol

from matcher.shell.backoff import Backoff
from matcher.shell.errors import MatcherError, Overloaded, Refused
from matcher.shell.sequencer import Sequencer
from matcher.shell.threads import Threads
from venue.commands import AnyCommand
from venue_aws.queues import RECEIVE_MAX, Message, QueueDown

log = logging.getLogger("matcher.lane")

# So many messages are under way in one lane.
LANE_MAX: Final = 100
# While messages are held, the queue is told again and again to keep them for so long.
HOLD_S: Final = 10
HOLD_AGAIN_S: Final = 3.0
# A shard that nobody owns is waited for as long as a take-over may last. Then its messages come again after AWAY_S.
PATIENCE_S: Final = 6.0
AWAY_S: Final = 15.0


class OrderSource(Protocol):
    """The order queue, seen from here: blocking calls that raise QueueDown, for ten messages at most."""

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


class Lane:
    """Of one shard. `sequencer` gives its own or raises MatcherError; `goes_on`: whether this process still carries."""

    def __init__(
        self,
        shard: int,
        queue: OrderSource,
        threads: Threads,
        *,
        sequencer: Callable[[int], Sequencer],
        peers: Others | None,
        goes_on: Callable[[], bool],
        patience_s: float,
    ) -> None:
        self._shard = shard
        self._queue = queue
        self._threads = threads
        self._sequencer = sequencer
        self._peers = peers
        self._goes_on = goes_on
        self._patience_s = patience_s
        self._waiting: list[tuple[Message, AnyCommand]] = []
        # In the loop's time: until when it waits for an owner, and until when it does not wait for one any more.
        self._patient_until: float | None = None
        self._away_until = 0.0
        self._is_idle = True

    @property
    def has_room(self) -> bool:
        """Whether it takes what may be received at once."""
        return len(self._waiting) <= LANE_MAX - RECEIVE_MAX

    def add(self, messages: Sequence[tuple[Message, AnyCommand]], tasks: asyncio.TaskGroup) -> None:
        """Put messages behind those that are there. They are carried in a task of the lane's own."""
        self._waiting += messages
        if self._is_idle:
            self._is_idle = False
            tasks.create_task(self._carry())

    async def put_away(self, messages: Sequence[Message]) -> None:
        """Let messages come again later: by then somebody may own their shard, or there may be room."""
        log.warning("order_messages_put_away", extra={"shard": self._shard, "messages": len(messages)})
        await self._keep(messages, int(AWAY_S))

    async def _carry(self) -> None:
        """Carry until nothing is left. What cannot be committed from here is given back."""
        holding = asyncio.create_task(self._hold())
        backoff = Backoff(most_s=1.0)
        try:
            while self._waiting:
                if not self._goes_on():
                    await self._return(0)
                elif await self._step(self._waiting[:RECEIVE_MAX]):
                    backoff.reset()
                else:
                    await backoff.wait()
        finally:
            holding.cancel()
            self._is_idle = True

    async def _step(self, part: Sequence[tuple[Message, AnyCommand]]) -> bool:
        """Submit a few, and delete those that are committed; whether it got on."""
        try:
            committed = await self._submit([command for _, command in part])
        except Away:
            now = asyncio.get_running_loop().time()
            if self._patient_until is None:
                self._patient_until = now if now < self._away_until else now + self._patience_s
            if now < self._patient_until:
                return False
            self._patient_until, self._away_until = None, now + AWAY_S
            await self._return(int(AWAY_S))
            return True
        if committed:
            self._patient_until = None
            await self._delete([message for message, _ in part[:committed]])
            del self._waiting[:committed]
        return committed == len(part)

    async def _submit(self, commands: Sequence[AnyCommand]) -> int:
        """Give how many of them, from the first on, are committed. Those after it may not have been executed.

        Raises Away.
        """
        try:
            sequencer = self._sequencer(self._shard)
        except MatcherError as error:
            done = await self._threads.run(self._peers.submit, commands, shard=self._shard) if self._peers else 0
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
            log.warning("order_messages_returned", extra={"shard": self._shard, "reason": error.code})
        await asyncio.gather(*under_way, return_exceptions=True)
        return sum(future.exception() is None for future in under_way)

    async def _return(self, seconds: int) -> None:
        """Let go of all that is here: it comes again, for whoever owns the shard then."""
        messages = [message for message, _ in self._waiting]
        self._waiting.clear()
        if seconds:
            await self.put_away(messages)
            return
        for few in batched(messages, RECEIVE_MAX, strict=False):
            await self._told(self._queue.give_back, few)

    async def _hold(self) -> None:
        """Tell the queue, as long as anything is under way, that it is."""
        while True:
            await asyncio.sleep(HOLD_AGAIN_S)
            messages = [message for message, _ in self._waiting]
            log.warning("order_messages_held", extra={"shard": self._shard, "messages": len(messages)})
            # Where the queue does not hear, they may be delivered once more. Whoever gets them then finds them done.
            await self._keep(messages, HOLD_S)

    async def _keep(self, messages: Sequence[Message], seconds: int) -> None:
        for few in batched(messages, RECEIVE_MAX, strict=False):
            await self._told(self._queue.keep, few, seconds=seconds)

    async def _delete(self, messages: Sequence[Message]) -> None:
        # Where that fails they come again and are found done; those behind them need not wait for that.
        if late := await self._told(self._queue.done, messages):
            log.warning("order_messages_come_again", extra={"messages": late})

    async def _told[**P, T](self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Tell the queue something that it need not hear."""
        try:
            return await self._threads.run(call, *args, **kwargs)
        except QueueDown as error:
            log.warning("order_queue_away", extra={"error": str(error)})
            return None
