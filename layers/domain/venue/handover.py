"""Hand a command to the shard's owner; when nobody answers, leave it in the order queue, where it cannot get lost."""

from collections.abc import Iterator, Sequence

from venue.commands import AnyCommand
from venue.errors import Unavailable
from venue.ports import Markets, Matcher, NotServed, OrderQueue
from venue.wire import Outcome


class HandOver:
    """One command, one id, two roads. Whichever is taken, or both, the matcher does it once.

    fallback_url: where some matcher answers, for when nobody knows the owner.
    """

    def __init__(
        self, *, markets: Markets, matcher: Matcher, queue: OrderQueue, fallback_url: str | None = None
    ) -> None:
        self._markets = markets
        self._matcher = matcher
        self._queue = queue
        self._fallback_url = fallback_url

    def deliver(
        self, command: AnyCommand, *, shard: int, owner: str | None = None, wait: bool = True
    ) -> Outcome | None:
        """Give the outcome, or None when the command is queued and its outcome will come later.

        owner: the address if the caller has just read it. wait: False takes the queue at once.
        Raises Unavailable when neither road took it; then the same command may be handed over again.
        """
        if wait and (outcome := self.offer(command, shard=shard, owner=owner)) is not None:
            return outcome
        self._queue.put(command, shard=shard)
        return None

    def insist(self, command: AnyCommand, *, shard: int, owner: str | None = None) -> Outcome:
        """Give the outcome of a command that must not come late: what is asked later may say otherwise.

        Raises Unavailable when no owner answers; then it may have been executed, and may be asked again.
        """
        outcome = self.offer(command, shard=shard, owner=owner)
        if outcome is None:
            raise Unavailable("nobody serves this market now", retry_after_s=1)
        return outcome

    def deliver_all(
        self, commands: Sequence[AnyCommand], *, shard: int, owner: str | None = None, wait: bool = True
    ) -> list[Outcome | Unavailable | None]:
        """The same for several commands of one shard, which the matcher takes one right after the other.

        Gives for each its outcome, None when it is queued, or Unavailable when neither road took it.
        """
        if not commands:
            return []
        if wait:
            for url in self._addresses(shard, owner):
                try:
                    return [*self._matcher.submit_all(commands, url=url)]
                except NotServed:
                    continue
        return self._queued(commands, shard)

    def _queued(self, commands: Sequence[AnyCommand], shard: int) -> list[Outcome | Unavailable | None]:
        """Leave one after the other in the queue. Where it does not take one, those behind are not tried."""
        for done, command in enumerate(commands):
            try:
                self._queue.put(command, shard=shard)
            except Unavailable as error:
                return [*[None] * done, *[error] * (len(commands) - done)]
        return [None] * len(commands)

    def offer(self, command: AnyCommand, *, shard: int, owner: str | None = None) -> Outcome | None:
        """Give the outcome, or None when no owner answers now: it may have been executed then, or not."""
        for url in self._addresses(shard, owner):
            try:
                return self._matcher.submit(command, url=url)
            except NotServed:
                continue
        return None

    def _addresses(self, shard: int, owner: str | None) -> Iterator[str]:
        first = owner or (f"{self._fallback_url}/shards/{shard}" if self._fallback_url else None)
        if first is not None:
            yield first
        # The owner may have changed since it was read: look once more, and not at the same door again.
        fresh = self._owner(shard)
        if fresh is not None and fresh != first:
            yield fresh

    def _owner(self, shard: int) -> str | None:
        try:
            return self._markets.owners().get(shard)
        except Unavailable:
            return None
