"""The two roads to the matcher: HTTP to the shard's owner, and the order queue."""

from collections.abc import Callable
from http import HTTPStatus

import urllib3

from venue import wire
from venue.commands import AnyCommand
from venue.errors import Unavailable
from venue.ports import NotServed
from venue.wire import Outcome
from venue_aws.queues import OrderQueue, QueueDown

CONNECT_TIMEOUT_S = 0.5
# Long enough for a commit under load, short enough to leave time for the queue.
READ_TIMEOUT_S = 2.0


class MatcherClient:
    """Asks a matcher over kept-alive connections."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(
            maxsize=4,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            headers={"content-type": "application/json"},
        )

    def submit(self, command: AnyCommand, *, url: str) -> Outcome:
        """Give the outcome, after its commit. Raises NotServed; see venue.ports.Matcher."""
        body = wire.encode(command)
        try:
            response = self._post(url, body)
        except urllib3.exceptions.HTTPError as error:
            raise NotServed(f"{url}: {error}") from error
        if response.status == HTTPStatus.OK:
            return wire.OUTCOME.decode(response.data)
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NotServed(f"{url}: {response.status}")
        # The matcher could not read what this program wrote: a fault of the venue, which no retry mends.
        raise RuntimeError(f"{url} answered {response.status}: {response.data[:200]!r}")

    def _post(self, url: str, body: bytes) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request("POST", f"{url}/commands", body=body)
        except urllib3.exceptions.ProtocolError:
            # A kept connection that the matcher closed just now. The command's id makes a second send harmless.
            return self._pool.request("POST", f"{url}/commands", body=body)


class QueueRoad:
    """The order queue as the order desk sees it. `connect` is called when the queue is first needed, if ever."""

    def __init__(self, connect: Callable[[], OrderQueue]) -> None:
        self._connect = connect
        self._queue: OrderQueue | None = None

    def put(self, command: AnyCommand) -> None:
        """Leave a command in the queue. Raises Unavailable when the queue does not take it."""
        if self._queue is None:
            self._queue = self._connect()
        try:
            self._queue.put(command)
        except QueueDown as error:
            raise Unavailable("neither the matcher nor the order queue answers now", retry_after_s=1) from error
