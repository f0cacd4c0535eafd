"""The road of the functions: the shard's owner is whoever Redis says it is, and is looked up anew when it changed."""

from collections.abc import Sequence

from tests.cluster.callers import Road
from venue.commands import AnyCommand
from venue.errors import Unavailable
from venue.handover import HandOver
from venue.ports import NotServed
from venue.wire import Outcome
from venue_aws.cache import Cache
from venue_aws.markets import Listings, Markets
from venue_aws.matcher import MatcherClient


class _Asking:
    """A matcher client that remembers who answered last."""

    def __init__(self) -> None:
        self._client = MatcherClient()
        self.url = ""

    def submit(self, command: AnyCommand, *, url: str) -> Outcome:
        """As venue.ports.Matcher."""
        outcome = self._client.submit(command, url=url)
        self.url = url
        return outcome

    def submit_all(self, commands: Sequence[AnyCommand], *, url: str) -> list[Outcome]:
        """As venue.ports.Matcher."""
        return [self.submit(command, url=url) for command in commands]


class _NoQueue:
    """These callers ask again themselves: nothing may be left for later."""

    def put(self, command: AnyCommand, *, shard: int) -> None:
        """As venue.ports.OrderQueue."""
        raise Unavailable(f"no queue for {command} of shard {shard}", retry_after_s=1)


def as_the_functions_do(cache: Cache) -> Road:
    """A road by the functions' own code, with their patience."""
    markets, matcher = Markets(cache=cache, records=_no_records), _Asking()
    handover = HandOver(markets=markets, matcher=matcher, queue=_NoQueue())

    def submit(command: AnyCommand) -> tuple[Outcome, str]:
        try:
            owner = markets.owners().get(0)
        except Unavailable as error:
            raise NotServed(str(error)) from error
        outcome = handover.offer(command, shard=0, owner=owner)
        if outcome is None:
            raise NotServed(f"neither {owner} nor another serves")
        return outcome, matcher.url

    return submit


def _no_records() -> Listings:
    raise AssertionError("only the owner is asked for, and that is in Redis or nowhere")
