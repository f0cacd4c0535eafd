"""Publications brought to everyone who listens, each connection's messages in order, many connections at once."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import msgspec

from venue import messages
from venue.errors import Unavailable
from venue.feed import Publication
from venue_aws.sessions import Listener
from venue_aws.sockets import CONNECTIONS_MAX, MESSAGE_BYTES_MAX, Gone, PushFailed

# After this, whoever has not got everything counts as slow. It leaves the function time to answer.
BROADCAST_S_MAX = 15.0


class Sockets(Protocol):
    """See venue_aws.sockets.Sockets."""

    def post(self, connection_id: str, data: bytes) -> None: ...
    def drop(self, connection_id: str) -> None: ...


class Sessions(Protocol):
    """See venue_aws.sessions.Sessions."""

    def close(self, connection_id: str) -> int: ...


class Listeners(Protocol):
    """See venue_aws.sessions.Listeners."""

    def of(self, topics: Iterable[str]) -> dict[str, Sequence[Listener]]: ...
    def forget(self, connection_id: str) -> None: ...


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What one broadcast did. gone: had closed; dropped: too slow or failing, closed by us, must subscribe again;
    ended: its token is over, closed by us.
    """

    connections: int = 0
    pushes: int = 0
    gone: int = 0
    dropped: int = 0
    ended: int = 0

    def as_log(self) -> dict[str, int]:
        """Give the fields of its log line."""
        return msgspec.structs.asdict(self)


class Broadcast:
    """Sends publications. A message that cannot be sent costs its connection, never the others nor the call."""

    def __init__(
        self,
        *,
        sockets: Sockets,
        sessions: Sessions,
        listeners: Listeners,
        clock: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        self._sockets = sockets
        self._sessions = sessions
        self._listeners = listeners
        self._clock = clock
        self._now_s = now_s
        self._senders = ThreadPoolExecutor(connections_max, thread_name_prefix="broadcast")

    def send(self, publications: Sequence[Publication]) -> Sent:
        """Send everything to everyone who listens now. Who may no longer be told something is told nothing at all."""
        listening = self._listeners.of(topic for each in publications for topic in each.topics)
        mail: dict[str, list[bytes]] = {}
        ended: set[str] = set()
        now = self._now_s()
        for each in publications:
            to = dict.fromkeys(listener for topic in each.topics for listener in listening[topic])
            ended.update(listener.connection_id for listener in to if listener.expires_at <= now)
            names = dict.fromkeys(listener.connection_id for listener in to)
            if names:
                data = messages.encode(each.message)
                for connection in names:
                    mail.setdefault(connection, []).append(data)
        until = self._clock() + BROADCAST_S_MAX
        jobs = [self._senders.submit(self._end, connection) for connection in ended]
        jobs += [
            self._senders.submit(self._deliver, connection, data, until)
            for connection, data in mail.items()
            if connection not in ended
        ]
        done = [job.result() for job in jobs]
        return Sent(
            connections=len(done),
            pushes=sum(each.pushes for each in done),
            gone=sum(each.gone for each in done),
            dropped=sum(each.dropped for each in done),
            ended=sum(each.ended for each in done),
        )

    def _deliver(self, connection_id: str, mail: Sequence[bytes], until: float) -> Sent:
        pushes = 0
        try:
            for data in mail:
                if self._clock() > until or len(data) > MESSAGE_BYTES_MAX:
                    raise PushFailed("too slow, or too large")
                self._sockets.post(connection_id, data)
                pushes += 1
        except Gone:
            self._forget(connection_id)
            return Sent(pushes=pushes, gone=1)
        except PushFailed:
            # A hole in its messages would leave the client with a wrong book. Closed, it knows to start again.
            self._sockets.drop(connection_id)
            self._forget(connection_id)
            return Sent(pushes=pushes, dropped=1)
        return Sent(pushes=pushes)

    def _end(self, connection_id: str) -> Sent:
        # Left open, its client would take silence for peace. Closed, it knows to come back with a new token.
        self._sockets.drop(connection_id)
        self._forget(connection_id)
        return Sent(ended=1)

    def _forget(self, connection_id: str) -> None:
        self._listeners.forget(connection_id)
        try:
            self._sessions.close(connection_id)
        except Unavailable:
            return  # its items expire by themselves, and the next push finds it gone again
