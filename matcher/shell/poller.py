"""The poller: commands from the order queue take the same road as those that come by HTTP.

A message is deleted after its command's commit. One that cannot be read stays, and after some deliveries the queue
moves it to its dead letters by itself.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from matcher.shell.backoff import Backoff
from matcher.shell.errors import Refused
from matcher.shell.request import Unreadable, read_one
from matcher.shell.sequencer import Sequencer
from venue.commands import AnyCommand
from venue_aws.queues import Message, QueueDown

log = logging.getLogger("matcher.poller")

# Short, because a stopping matcher waits for the poll under way; longer polls would be cheaper.
WAIT_S: Final = 2


class OrderSource(Protocol):
    """The order queue, seen from here: blocking calls that raise QueueDown."""

    def take(self, *, wait_s: int) -> list[Message]:
        """Receive messages, oldest first per account."""
        ...

    def done(self, messages: Sequence[Message]) -> None:
        """Delete messages."""
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
        while not self._stopping:
            try:
                messages = await asyncio.to_thread(self._take)
                returned = await self._execute(messages) if messages else []
                if not returned:
                    backoff.reset()
                    continue
                await asyncio.to_thread(self._queue.give_back, returned)
            except QueueDown as error:
                log.warning("order_queue_away", extra={"error": str(error)})
            await backoff.wait()

    async def _execute(self, messages: Sequence[Message]) -> list[Message]:
        """Submit all in order and delete those that are committed; gives those that may not have been executed."""
        readable = [(message, command) for message in messages if (command := _read(message)) is not None]
        waiting: list[asyncio.Future[bytes]] = []
        try:
            for _, command in readable:
                waiting.append(self._sequencer.submit(command))  # the first ones are under way
        except Refused as error:
            # Those behind it are not tried: an account's commands must not overtake each other.
            log.warning("order_messages_returned", extra={"reason": error.code})
        await asyncio.gather(*waiting, return_exceptions=True)
        committed = sum(future.exception() is None for future in waiting)
        if committed:
            await asyncio.to_thread(self._queue.done, [message for message, _ in readable[:committed]])
        return [message for message, _ in readable[committed:]]


def _read(message: Message) -> AnyCommand | None:
    try:
        return read_one(message.body)
    except Unreadable as error:
        log.error(
            "order_message_unreadable",
            extra={"message_id": message.id, "deliveries": message.deliveries, "error": str(error)},
        )
        return None
