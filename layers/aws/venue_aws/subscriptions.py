"""What a client may say on its socket, and what it hears back.

A message is carried out whole or not at all; what is wrong with it is answered with one `error`, and the socket stays
open. A subscription is in force before its snapshot is read, so that nothing falls in between.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from venue import messages
from venue.errors import Unavailable
from venue.feed import CHANNELS, WITHOUT_PRODUCTS, topic_of, user_topic_of
from venue.messages import Channel, Failure, LastMatch, Message, Snapshot, Status, Subscriptions, Ticker
from venue_aws.sessions import Session
from venue_aws.sockets import MESSAGE_BYTES_MAX, Gone, PushFailed

# Products in one channel's list, and channels in one message.
CHANNEL_LIST_MAX = 10


class Sessions(Protocol):
    """See venue_aws.sessions.Sessions."""

    def find(self, connection_id: str) -> Session | None: ...
    def change(self, session: Session, *, add: Iterable[str], remove: Iterable[str]) -> None: ...
    def take_orders_along(self, session: Session, *, wanted: bool) -> None: ...
    def close(self, connection_id: str) -> int: ...


class Sockets(Protocol):
    """See venue_aws.sockets.Sockets."""

    def post(self, connection_id: str, data: bytes) -> None: ...
    def drop(self, connection_id: str) -> None: ...


class Market(Protocol):
    """See venue_aws.public_data.PublicData."""

    def lists(self, product_id: str) -> bool: ...
    def status(self) -> Status: ...
    def snapshot(self, product_id: str) -> Snapshot: ...
    def last_match(self, product_id: str) -> LastMatch | None: ...
    def ticker(self, product_id: str) -> Ticker | None: ...


class _ChannelAsked(msgspec.Struct):
    name: str
    product_ids: list[str] = []


class _Asked(msgspec.Struct):
    """Unknown members are left alone: clients send their key and signature along."""

    type: str
    product_ids: list[str] = []
    channels: list[str | _ChannelAsked] = []
    # None leaves it as it is.
    cancel_on_disconnect: bool | None = None


class _Refused(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_ASKED = msgspec.json.Decoder(_Asked)
# What products, channels and types look like.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,20}").fullmatch

# By channel; the products that each names, without repetitions, in the order they were asked.
type _Wanted = dict[str, list[str]]


class SubscriptionDesk:
    """Takes clients' messages."""

    def __init__(self, *, sessions: Sessions, market: Market, sockets: Sockets) -> None:
        self._sessions = sessions
        self._market = market
        self._sockets = sockets

    def take(self, connection_id: str, body: str) -> str:
        """Carry out one message and answer on the socket; give a word for the log.

        Who cannot be told is let go. Raises Unavailable when even that cannot be noted.
        """
        try:
            return self._take(connection_id, body)
        except Gone:
            self._sessions.close(connection_id)
            return "gone"
        except PushFailed:
            # Without its snapshot or its confirmation a client would believe something wrong.
            self._sockets.drop(connection_id)
            self._sessions.close(connection_id)
            return "dropped"

    def _take(self, connection_id: str, body: str) -> str:
        verb = "read"
        try:
            asked = _read(body)
            verb = asked.type
            session = self._sessions.find(connection_id)
            if session is None:
                raise _Refused("this connection is not known any more; connect again")
            told = self._carry_out(asked, session)
            for message in told:
                self._sockets.post(connection_id, messages.encode(message))
        except (_Refused, Unavailable) as error:
            self._sockets.post(connection_id, messages.encode(Failure(message=f"Failed to {verb}", reason=str(error))))
            return f"{verb} refused: {error}"
        return verb

    def _carry_out(self, asked: _Asked, session: Session) -> Iterator[Message]:
        wanted = _wanted(asked)
        before = session.topics
        if asked.type == "subscribe":
            self._check(wanted, session)
            add, remove = _topics(wanted, session.account), frozenset[str]()
        else:
            add, remove = frozenset[str](), _listened(wanted, session)
        after = (before | add) - remove
        if session.account and not any(topic.startswith(_users(session.account)) for topic in after):
            after -= {user_topic_of(session.account)}
        listing = _listing(after, session)
        for channel in listing:
            if len(channel.product_ids) > CHANNEL_LIST_MAX:
                raise _Refused(f"{channel.name}: at most {CHANNEL_LIST_MAX} products a channel")
        cancels = session.cancel_on_disconnect
        if asked.cancel_on_disconnect is not None and asked.cancel_on_disconnect != cancels:
            cancels = asked.cancel_on_disconnect
            if session.account is None:
                raise _Refused("cancel_on_disconnect requires authentication")
            self._sessions.take_orders_along(session, wanted=cancels)
        self._sessions.change(session, add=after - before, remove=before - after)
        yield Subscriptions(channels=listing, cancel_on_disconnect=cancels or None)
        if asked.type == "subscribe":
            yield from self._first_words(wanted)

    def _check(self, wanted: _Wanted, session: Session) -> None:
        if not wanted:
            raise _Refused("no channels given")
        for channel, product_ids in wanted.items():
            if channel == "user" and session.account is None:
                raise _Refused("user channel requires authentication")
            if channel not in WITHOUT_PRODUCTS and not product_ids:
                raise _Refused(f"{channel}: no product_ids given")
            if len(product_ids) > CHANNEL_LIST_MAX:
                raise _Refused(f"{channel}: at most {CHANNEL_LIST_MAX} products a channel")
        for product_id in dict.fromkeys(each for product_ids in wanted.values() for each in product_ids):
            if not self._market.lists(product_id):
                raise _Refused(f"{_shown(product_id)} is not a valid product")

    def _first_words(self, wanted: _Wanted) -> Iterator[Message]:
        """Give what a new subscriber is told at once; a snapshot that cannot be had is said so, the rest goes on."""
        for channel, product_ids in wanted.items():
            try:
                if channel == "status":
                    yield self._market.status()
                for product_id in product_ids:
                    if word := self._first_word(channel, product_id):
                        yield word
            except Unavailable as error:
                yield Failure(message=f"{channel}: subscribe again for what it starts with", reason=error.message)

    def _first_word(self, channel: str, product_id: str) -> Message | None:
        match channel:
            case "level2" | "level2_batch":
                return self._market.snapshot(product_id)
            case "matches":
                return self._market.last_match(product_id)
            case "ticker" | "ticker_batch":
                return self._market.ticker(product_id)
            case _:
                return None


def _read(body: str) -> _Asked:
    if len(body.encode("utf-8", "surrogatepass")) > MESSAGE_BYTES_MAX:
        raise _Refused(f"message is larger than {MESSAGE_BYTES_MAX} bytes")
    try:
        asked = _ASKED.decode(body)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _Refused(f"malformed message: {error}") from error
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise _Refused("malformed JSON") from error
    if asked.type not in {"subscribe", "unsubscribe"}:
        raise _Refused(f"{_shown(asked.type)} is not a valid type")
    return asked


def _shown(name: str) -> str:
    """A name that may be told back; what looks otherwise may be a secret in the wrong place."""
    return name if _NAME(name) else "what was sent"


def _wanted(asked: _Asked) -> _Wanted:
    if len(asked.channels) > CHANNEL_LIST_MAX:
        raise _Refused(f"at most {CHANNEL_LIST_MAX} channels a message")
    wanted: _Wanted = {}
    for each in asked.channels:
        channel = _ChannelAsked(each) if isinstance(each, str) else each
        if channel.name == "heartbeat":
            raise _Refused("heartbeat is not served yet")
        if channel.name not in CHANNELS:
            raise _Refused(f"{_shown(channel.name)} is not a valid channel")
        products = [] if channel.name in WITHOUT_PRODUCTS else [*asked.product_ids, *channel.product_ids]
        wanted[channel.name] = list(dict.fromkeys([*wanted.get(channel.name, []), *products]))
    return wanted


def _topics(wanted: _Wanted, account: str | None) -> frozenset[str]:
    topics: set[str] = set()
    for channel, product_ids in wanted.items():
        if channel in WITHOUT_PRODUCTS:
            topics.add(channel)
        elif channel == "user" and account is not None:
            # The account's own topic brings wallets and deposits, which belong to no product.
            topics.add(user_topic_of(account))
            topics.update(user_topic_of(account, product_id) for product_id in product_ids)
        else:
            topics.update(topic_of(channel, product_id) for product_id in product_ids)
    return frozenset(topics)


def _listened(wanted: _Wanted, session: Session) -> frozenset[str]:
    """Give the topics that `wanted` names; a channel without products means all of it."""
    topics = set(_topics({channel: ids for channel, ids in wanted.items() if channel != "user"}, session.account))
    if session.account and "user" in wanted:
        topics.update(user_topic_of(session.account, product_id) for product_id in wanted["user"])
    for channel, product_ids in wanted.items():
        if not product_ids:
            prefix = _users(session.account) if channel == "user" and session.account else topic_of(channel, "")
            topics.update(topic for topic in session.topics if topic.startswith(prefix))
    return frozenset(topics)


def _listing(topics: Iterable[str], session: Session) -> list[Channel]:
    found: dict[str, list[str]] = {}
    users = _users(session.account) if session.account else None
    for topic in sorted(topics):
        if users and topic.startswith(users):
            found.setdefault("user", []).append(topic.removeprefix(users))
        elif session.account and topic == user_topic_of(session.account):
            continue
        else:
            channel, _, product_id = topic.partition("#")
            found.setdefault(channel, []).extend([product_id] if product_id else [])
    return [Channel(name, product_ids) for name, product_ids in found.items()]


def _users(account: str) -> str:
    return f"{user_topic_of(account)}#"
