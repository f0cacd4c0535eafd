"""The poller: commands from the order queue take the same road as those that come by HTTP.

A message is deleted after its command's commit. One that cannot be read stays, and after some deliveries the queue
moves it to its dead letters by itself. Deliveries are counted, so they are not spent on waiting: while the sequencer is
full, what was received is held here, and nothing more is received.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from matcher.shell.backoff import Backoff
from matcher.shell.errors import Overloaded, Refused
from matcher.shell.request import Unreadable, read_one
from matcher.shell.sequencer import Sequencer
from venue.commands import AnyCommand
from venue_aws.queues import Message, QueueDown

log = logging.getLogger("matcher.poller")

# Short, because a stopping matcher waits for the poll under way; longer polls would be cheaper.
WAIT_S: Final = 2
# While messages are held, the queue is told again and again to keep them for so long.
HOLD_S: Final = 10
_HOLD_AGAIN_S: Final = 3.0


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


class Poller:
    """Takes commands from the queue to the sequencer."""

    def __init__(self, queue: OrderSource, sequencer: Sequencer) -> None:
        self._queue = queue
        self._sequencer = sequencer
        self._stopping = False
        self._gone = False

    def stop(self) -> None:
        """Let `run` return after the poll under way."""
        self._stopping = True

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
        while not self._is_over():
            try:
                messages = await asyncio.to_thread(self._take)
                if messages:
                    await self._execute(messages)
                backoff.reset()
            except QueueDown as error:
                log.warning("order_queue_away", extra={"error": str(error)})
                await backoff.wait()

    async def _execute(self, messages: Sequence[Message]) -> None:
        """Submit all in order, delete those that are committed; give back what this sequencer will never take."""
        rest = [(message, command) for message in messages if (command := _read(message)) is not None]
        backoff, held_at = Backoff(most_s=1.0), float("-inf")
        while True:
            committed = await self._submit([command for _, command in rest])
            if committed:
                await self._delete([message for message, _ in rest[:committed]])
            rest = rest[committed:]
            if not rest:
                return
            waiting = [message for message, _ in rest]
            if self._is_over():
                await asyncio.to_thread(self._queue.give_back, waiting)
                return
            now = asyncio.get_running_loop().time()
            if now - held_at >= _HOLD_AGAIN_S:
                held_at = now
                await self._hold(waiting)
            await backoff.wait()

    async def _submit(self, commands: Sequence[AnyCommand]) -> int:
        """Give how many of them, from the first on, are committed. Those after it may not have been executed."""
        under_way: list[asyncio.Future[bytes]] = []
        try:
            for command in commands:
                under_way.append(self._sequencer.submit(command))  # noqa: PERF401  # the first ones are under way
        except Overloaded:
            pass  # those behind it are not tried: an account's commands must not overtake each other
        except Refused as error:
            log.warning("order_messages_returned", extra={"reason": error.code})
        await asyncio.gather(*under_way, return_exceptions=True)
        return sum(future.exception() is None for future in under_way)

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

    def _is_over(self) -> bool:
        return self._stopping or not self._sequencer.is_open


def _read(message: Message) -> AnyCommand | None:
    try:
        return read_one(message.body)
    except Unreadable as error:
        log.error(
            "order_message_unreadable",
            extra={"message_id": message.id, "deliveries": message.deliveries, "error": str(error)},
        )
        return None
