"""WebSocket sessions and their subscriptions in DynamoDB.

A connection is one item with the topic `session`, and one more for each topic it listens to. Everything of a connection
ends with it, at the latest when API Gateway closes it after two hours.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DoesNotExist, PynamoDBException
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from venue.errors import Unavailable

CONNECTION_S_MAX = 7200
SESSION = "session"
# One item whose number grows with every change of any subscription: who reads it knows whether its copy is old.
_GENERATION = "generation"

INDEX_LAG_S = 1.0
KEPT_S = 30.0
READERS_MAX = 16


class ByTopic(GlobalSecondaryIndex["SessionItem"]):  # type: ignore[no-untyped-call]  # pynamodb's own base
    """Who listens to a topic."""

    class Meta:
        index_name = "by_topic"
        projection = AllProjection()

    topic = UnicodeAttribute(hash_key=True)
    connection_id = UnicodeAttribute(range_key=True)


class SessionItem(Model):
    """A connection (topic `session`) or one of its subscriptions."""

    class Meta:
        table_name = ""

    connection_id = UnicodeAttribute(hash_key=True)
    topic = UnicodeAttribute(range_key=True)
    account = UnicodeAttribute(null=True)
    connected_at = NumberAttribute(null=True)  # s
    expires_at = NumberAttribute(null=True)  # s; DynamoDB deletes the item some time after
    generation = NumberAttribute(null=True)
    by_topic = ByTopic()


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One connection. `account` is None for an anonymous one; `expires_at` in s since 1970."""

    connection_id: str
    account: str | None
    expires_at: int
    topics: frozenset[str] = frozenset()


class Sessions:
    """The sessions table. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, items: type[SessionItem], *, now_s: Callable[[], float] = time.time) -> None:
        self._items = items
        self._now_s = now_s

    def open(self, connection_id: str, *, account: str | None) -> None:
        """Remember a new connection."""
        now = int(self._now_s())
        item = self._items(connection_id, SESSION, account=account, connected_at=now, expires_at=now + CONNECTION_S_MAX)
        _answered(item.save)

    def find(self, connection_id: str) -> Session | None:
        """Give a connection with all its topics; None when it is not, or no longer, known."""
        found = _answered(lambda: list(self._items.query(connection_id, consistent_read=True)))
        topics = frozenset(item.topic for item in found)
        for item in found:
            if item.topic == SESSION:
                return Session(
                    connection_id=connection_id,
                    account=item.account,
                    expires_at=int(item.expires_at),
                    topics=topics - {SESSION},
                )
        return None

    def change(self, session: Session, *, add: Iterable[str], remove: Iterable[str]) -> None:
        """Add and remove subscriptions; both may be repeated. Whoever looks afterwards sees them."""

        def write() -> None:
            with self._items.batch_write() as batch:
                for topic in add:
                    batch.save(
                        self._items(
                            session.connection_id, topic, account=session.account, expires_at=session.expires_at
                        )
                    )
                for topic in remove:
                    batch.delete(self._items(session.connection_id, topic))
            self._items(_GENERATION, _GENERATION).update(actions=[SessionItem.generation.add(1)])

        _answered(write)

    def close(self, connection_id: str) -> int:
        """Forget a connection and all its subscriptions; give the number of items."""

        def delete() -> int:
            found = list(self._items.query(connection_id, consistent_read=True))
            with self._items.batch_write() as batch:
                for item in found:
                    batch.delete(item)
            return len(found)

        return _answered(delete)

    def generation(self) -> int:
        """Give the number of changes of all subscriptions so far."""
        try:
            item = _answered(lambda: self._items.get(_GENERATION, _GENERATION, consistent_read=True))
        except DoesNotExist:
            return 0
        return int(item.generation or 0)

    def listeners(self, topic: str) -> list[str]:
        """Give the connections that listen to a topic."""
        # Through the model and not the index, which pynamodb ties to the first table that it saw.
        found = _answered(lambda: list(self._items.query(topic, index_name=ByTopic.Meta.index_name)))
        return [item.connection_id for item in found]


class Listeners:
    """Who listens to what, kept until anyone subscribes anywhere, and not for ever.

    The index follows the table by a moment. What was read within that moment of a change is believed no longer than
    that; what was read later, for KEPT_S: so long a socket that just vanished may be served in vain.
    """

    def __init__(self, sessions: Sessions, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions = sessions
        self._clock = clock
        self._kept: dict[str, tuple[float, Sequence[str]]] = {}  # by topic: until when, and who
        self._generation = -1
        self._changed_at = 0.0
        self._readers = ThreadPoolExecutor(READERS_MAX, thread_name_prefix="listeners")

    def of(self, topics: Iterable[str]) -> dict[str, Sequence[str]]:
        """Give the connections of each topic."""
        wanted = list(dict.fromkeys(topics))
        if not wanted:
            return {}
        generation, now = self._sessions.generation(), self._clock()
        if generation != self._generation:
            self._kept.clear()
            self._generation, self._changed_at = generation, now
        self._kept = {topic: kept for topic, kept in self._kept.items() if now < kept[0]}
        missing = [topic for topic in wanted if topic not in self._kept]
        until = now + (INDEX_LAG_S if now - self._changed_at < INDEX_LAG_S else KEPT_S)
        for topic, found in zip(missing, self._readers.map(self._sessions.listeners, missing), strict=True):
            self._kept[topic] = (until, found)
        return {topic: self._kept[topic][1] for topic in wanted}

    def forget(self, connection_id: str) -> None:
        """Leave out a connection that is gone."""
        for topic, (until, found) in list(self._kept.items()):
            if connection_id in found:
                self._kept[topic] = (until, [each for each in found if each != connection_id])


def _answered[T](call: Callable[[], T]) -> T:
    try:
        return call()
    except DoesNotExist:
        raise
    except PynamoDBException as error:
        raise Unavailable("the sessions do not answer now", retry_after_s=1) from error
