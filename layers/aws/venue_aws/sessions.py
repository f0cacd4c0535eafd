"""WebSocket sessions and their subscriptions in DynamoDB.

A connection is one item with the topic `session`, and one more for each topic it listens to. Everything of a connection
ends with it, at the latest when API Gateway closes it after two hours; what is private ends with the token as well.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DoesNotExist, PynamoDBException, UpdateError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from venue.errors import Unavailable
from venue.feed import user_topic_of

CONNECTION_S_MAX = 7200
SESSION = "session"
# One item whose number grows with every change of any subscription: who reads it knows whether its copy is old.
_GENERATION = "generation"
_PRIVATE = user_topic_of("")

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
    account_until = NumberAttribute(null=True)  # s; only of topic `session`
    cancel_on_disconnect = BooleanAttribute(null=True)  # only of topic `session`
    generation = NumberAttribute(null=True)
    by_topic = ByTopic()


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One connection. `account` is None for one that is anonymous, or has become it; times in s since 1970.

    `account_until`: when its token ends, or the connection itself. `cancel_on_disconnect`: when it ends, the account's
    orders do.
    """

    connection_id: str
    account: str | None
    expires_at: int
    account_until: int
    topics: frozenset[str] = frozenset()
    cancel_on_disconnect: bool = False


class Listener(msgspec.Struct, frozen=True):
    """Who listens to a topic, and until when, in s since 1970: then it must not be told any more."""

    connection_id: str
    expires_at: int


class Sessions:
    """The sessions table. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, items: type[SessionItem], *, now_s: Callable[[], float] = time.time) -> None:
        self._items = items
        self._now_s = now_s

    def open(self, connection_id: str, *, account: str | None, token_expires_at: int | None = None) -> None:
        """Remember a new connection. It belongs to the account as long as the token is good, in s since 1970."""
        now = int(self._now_s())
        end = now + CONNECTION_S_MAX
        item = self._items(
            connection_id,
            SESSION,
            account=account,
            connected_at=now,
            expires_at=end,
            account_until=end if token_expires_at is None else min(end, token_expires_at),
        )
        _answered(item.save)

    def find(self, connection_id: str) -> Session | None:
        """Give a connection with all its topics; None when it is not, or no longer, known."""
        found = _answered(lambda: list(self._items.query(connection_id, consistent_read=True)))
        now = self._now_s()
        topics = frozenset(item.topic for item in found if now < item.expires_at)
        for item in found:
            if item.topic == SESSION:
                account_until = int(item.account_until or item.expires_at)
                return Session(
                    connection_id=connection_id,
                    account=item.account if now < account_until else None,
                    expires_at=int(item.expires_at),
                    account_until=account_until,
                    topics=topics - {SESSION},
                    cancel_on_disconnect=bool(item.cancel_on_disconnect),
                )
        return None

    def change(self, session: Session, *, add: Iterable[str], remove: Iterable[str]) -> None:
        """Add and remove subscriptions; both may be repeated. Whoever looks afterwards sees them."""

        def write() -> None:
            with self._items.batch_write() as batch:
                for topic in add:
                    end = session.account_until if topic.startswith(_PRIVATE) else session.expires_at
                    batch.save(self._items(session.connection_id, topic, account=session.account, expires_at=end))
                for topic in remove:
                    batch.delete(self._items(session.connection_id, topic))
            self._items(_GENERATION, _GENERATION).update(actions=[SessionItem.generation.add(1)])

        _answered(write)

    def take_orders_along(self, session: Session, *, wanted: bool) -> None:
        """Note whether the account's orders end with this connection. One that is gone by now is left alone."""
        item = self._items(session.connection_id, SESSION)
        try:
            item.update(
                actions=[SessionItem.cancel_on_disconnect.set(wanted)], condition=SessionItem.connection_id.exists()
            )
        except UpdateError as error:
            if error.cause_response_code != "ConditionalCheckFailedException":
                raise _unavailable() from error
        except PynamoDBException as error:
            raise _unavailable() from error

    def takes_orders_of(self, connection_id: str) -> str | None:
        """Give the account whose orders end with this connection, whatever has become of its token; None for none."""
        try:
            item = _answered(lambda: self._items.get(connection_id, SESSION, consistent_read=True))
        except DoesNotExist:
            return None
        return item.account if item.cancel_on_disconnect else None

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

    def listeners(self, topic: str) -> list[Listener]:
        """Give the connections that listen to a topic, with those that must not be told any more."""
        # Through the model and not the index, which pynamodb ties to the first table that it saw.
        found = _answered(lambda: list(self._items.query(topic, index_name=ByTopic.Meta.index_name)))
        return [Listener(item.connection_id, int(item.expires_at)) for item in found]


class Listeners:
    """Who listens to what, kept until anyone subscribes anywhere, and not for ever.

    The index follows the table by a moment. What was read within that moment of a change is believed no longer than
    that; what was read later, for KEPT_S: so long a socket that just vanished may be served in vain.
    """

    def __init__(self, sessions: Sessions, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions = sessions
        self._clock = clock
        self._kept: dict[str, tuple[float, Sequence[Listener]]] = {}  # by topic: until when, and who
        self._generation = -1
        self._changed_at = 0.0
        self._readers = ThreadPoolExecutor(READERS_MAX, thread_name_prefix="listeners")

    def of(self, topics: Iterable[str]) -> dict[str, Sequence[Listener]]:
        """Give the listeners of each topic."""
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
            self._kept[topic] = (until, [each for each in found if each.connection_id != connection_id])


def _answered[T](call: Callable[[], T]) -> T:
    try:
        return call()
    except DoesNotExist:
        raise
    except PynamoDBException as error:
        raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable("the sessions do not answer now", retry_after_s=1)
