"""The other matchers: whoever owns a shard that this process does not, as far as Redis knows."""

import logging
from collections.abc import Sequence
from typing import Protocol

from venue.commands import AnyCommand
from venue.ports import Matcher, NotServed
from venue_aws.cache import CacheDown, Owner

log = logging.getLogger("matcher.peers")


class Owners(Protocol):
    """Redis, seen from here."""

    def owners(self) -> dict[int, Owner]:
        """Who owns which shard. Raises CacheDown."""
        ...


class Peers:
    """Blocking: to be called in a thread."""

    def __init__(self, cache: Owners, matchers: Matcher) -> None:
        self._cache = cache
        self._client = matchers

    def submit(self, commands: Sequence[AnyCommand], *, shard: int) -> int:
        """Bring commands to their owner, one after the other; gives how many of them, from the first on, are done."""
        try:
            owner = self._cache.owners().get(shard)
        except CacheDown:
            return 0
        if owner is None:
            return 0
        for done, command in enumerate(commands):
            try:
                self._client.submit(command, url=owner.url)
            except NotServed:
                return done
            except RuntimeError as error:
                # It came through this process' own reading and is no command to that one: versions differ.
                log.error("peer_cannot_read", extra={"shard": shard, "error": str(error)})
                return done
        return len(commands)
