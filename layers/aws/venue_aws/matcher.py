"""The short road to the matcher: HTTP to the shard's owner. The long one is the order queue, see queues.py."""

import time
from collections.abc import Sequence
from http import HTTPStatus

import urllib3

from venue import wire
from venue.commands import AnyCommand
from venue.ports import NotServed
from venue.wire import Outcome
from venue_aws import correlation
from venue_aws.patience import CONNECT_S, MATCHER_S


class MatcherClient:
    """Asks a matcher over kept-alive connections, and waits `patience_s` for its answer, whatever happens meanwhile."""

    def __init__(self, *, patience_s: float = MATCHER_S) -> None:
        self._patience_s = patience_s
        self._pool = urllib3.PoolManager(
            maxsize=4,
            retries=False,
            headers={"content-type": "application/json"},
        )

    def submit(self, command: AnyCommand, *, url: str) -> Outcome:
        """Give the outcome, after its commit. Raises NotServed; see venue.ports.Matcher."""
        return wire.OUTCOME.decode(self._ask(url, wire.encode(command)))

    def submit_all(self, commands: Sequence[AnyCommand], *, url: str) -> list[Outcome]:
        """Give the outcomes, after their commits. Raises NotServed; see venue.ports.Matcher."""
        return wire.OUTCOMES.decode(self._ask(url, wire.encode(commands)))

    def _ask(self, url: str, body: bytes) -> bytes:
        try:
            response = self._post(url, body)
        except urllib3.exceptions.HTTPError as error:
            raise NotServed(f"{url}: {error}") from error
        if response.status == HTTPStatus.OK:
            return response.data
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NotServed(f"{url}: {response.status}")
        # The matcher could not read what this program wrote: a fault of the venue, which no retry mends.
        raise RuntimeError(f"{url} answered {response.status}: {response.data[:200]!r}")

    def _post(self, url: str, body: bytes) -> urllib3.BaseHTTPResponse:
        until_s = time.monotonic() + self._patience_s
        try:
            return self._request(url, body, self._patience_s)
        except urllib3.exceptions.ProtocolError:
            # A kept connection that the matcher closed just now. The command's id makes a second send harmless.
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise
            return self._request(url, body, left_s)

    def _request(self, url: str, body: bytes, patience_s: float) -> urllib3.BaseHTTPResponse:
        timeout = urllib3.Timeout(connect=CONNECT_S, total=patience_s)
        followed = correlation.followed.get()
        # Headers of one request take the place of the pool's.
        headers = {**self._pool.headers, correlation.HEADER: followed} if followed else None
        return self._pool.request("POST", f"{url}/commands", body=body, timeout=timeout, headers=headers)
