"""Publications on their way to many sockets, some of them slow, gone or broken."""

import json
import threading
from collections.abc import Iterable, Sequence

from venue.errors import Unavailable
from venue.feed import Publication
from venue.messages import Failure, Subscriptions
from venue_aws.broadcasting import BROADCAST_S_MAX, Broadcast
from venue_aws.sessions import Listener
from venue_aws.sockets import MESSAGE_BYTES_MAX, Gone, PushFailed

NOW = 1_700_000_000


class Sockets:
    """Remembers what each connection got; some are gone, some fail after a number of messages."""

    def __init__(self) -> None:
        self.got: dict[str, list[str]] = {}
        self.gone: set[str] = set()
        self.fail_after: dict[str, int] = {}
        self.dropped: list[str] = []
        self.wait: threading.Barrier | None = None

    def post(self, connection_id: str, data: bytes) -> None:
        if self.wait is not None:
            self.wait.wait(timeout=20)
        if connection_id in self.gone:
            raise Gone(connection_id)
        got = self.got.setdefault(connection_id, [])
        if self.fail_after.get(connection_id) == len(got):
            raise PushFailed("timed out")
        got.append(json.loads(data)["message"])

    def drop(self, connection_id: str) -> None:
        self.dropped.append(connection_id)


class Sessions:
    def __init__(self) -> None:
        self.closed: list[str] = []
        self.down = False

    def close(self, connection_id: str) -> int:
        if self.down:
            raise Unavailable("away")
        self.closed.append(connection_id)
        return 1


class Listeners:
    def __init__(self, by_topic: dict[str, list[str]]) -> None:
        self.by_topic = by_topic
        self.until: dict[tuple[str, str], int] = {}
        self.forgotten: list[str] = []

    def of(self, topics: Iterable[str]) -> dict[str, Sequence[Listener]]:
        return {
            topic: [Listener(name, self.until.get((name, topic), NOW + 1)) for name in self.by_topic.get(topic, [])]
            for topic in topics
        }

    def forget(self, connection_id: str) -> None:
        self.forgotten.append(connection_id)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Room:
    """A broadcast with all its surroundings."""

    def __init__(self, by_topic: dict[str, list[str]]) -> None:
        self.sockets = Sockets()
        self.sessions = Sessions()
        self.listeners = Listeners(by_topic)
        self.clock = Clock()
        self.broadcast = Broadcast(
            sockets=self.sockets,
            sessions=self.sessions,
            listeners=self.listeners,
            clock=self.clock,
            now_s=lambda: NOW,
            connections_max=8,
        )


def says(text: str, *topics: str) -> Publication:
    return Publication(topics, Failure(message=text, reason=""))


def test_everyone_gets_what_they_listen_to_in_order() -> None:
    room = Room({"a": ["one", "two"], "b": ["two"]})
    sent = room.broadcast.send([says("1", "a"), says("2", "b"), says("3", "a"), says("4", "nobody")])
    assert room.sockets.got == {"one": ["1", "3"], "two": ["1", "2", "3"]}
    assert (sent.connections, sent.pushes, sent.gone, sent.dropped) == (2, 5, 0, 0)


def test_who_listens_to_several_topics_of_one_message_gets_it_once() -> None:
    room = Room({"matches": ["one"], "full": ["one", "two"]})
    room.broadcast.send([says("trade", "matches", "full")])
    assert room.sockets.got == {"one": ["trade"], "two": ["trade"]}


def test_sockets_are_served_at_the_same_time() -> None:
    room = Room({"a": ["one", "two", "three", "four"]})
    # Nobody's message goes through before everybody's is under way.
    room.sockets.wait = threading.Barrier(4)
    assert room.broadcast.send([says("1", "a")]).pushes == 4


def test_a_socket_that_is_gone_is_forgotten_and_costs_nobody_else_anything() -> None:
    room = Room({"a": ["gone", "here"]})
    room.sockets.gone.add("gone")
    sent = room.broadcast.send([says("1", "a"), says("2", "a")])
    assert room.sockets.got == {"here": ["1", "2"]}
    assert (sent.gone, sent.dropped) == (1, 0)
    assert room.sessions.closed == ["gone"] == room.listeners.forgotten
    assert room.sockets.dropped == []


def test_a_socket_that_misses_a_message_gets_no_later_one_and_is_closed() -> None:
    room = Room({"a": ["slow", "here"]})
    room.sockets.fail_after["slow"] = 1
    sent = room.broadcast.send([says("1", "a"), says("2", "a"), says("3", "a")])
    assert room.sockets.got == {"slow": ["1"], "here": ["1", "2", "3"]}
    assert (sent.pushes, sent.dropped) == (4, 1)
    assert room.sockets.dropped == ["slow"] == room.sessions.closed


def test_who_has_not_got_everything_in_time_is_dropped() -> None:
    room = Room({"a": ["slow"]})
    room.clock.step = BROADCAST_S_MAX / 2
    sent = room.broadcast.send([says(str(n), "a") for n in range(10)])
    assert sent.dropped == 1
    assert len(room.sockets.got["slow"]) < 10


def test_who_listens_beyond_the_end_of_a_token_is_told_nothing_and_closed() -> None:
    room = Room({"book": ["alice", "bob", "carol"], "user#alice": ["alice"], "user#bob": ["bob"]})
    room.listeners.until = {("alice", "user#alice"): NOW, ("bob", "user#bob"): NOW + 1}
    sent = room.broadcast.send([says("level", "book"), says("fill", "user#alice", "user#bob")])
    assert room.sockets.got == {"bob": ["level", "fill"], "carol": ["level"]}
    assert room.sockets.dropped == ["alice"] == room.sessions.closed == room.listeners.forgotten
    assert (sent.connections, sent.pushes, sent.ended, sent.dropped) == (3, 3, 1, 0)


def test_a_message_too_large_for_a_socket_drops_it_rather_than_leave_a_hole() -> None:
    room = Room({"a": ["one"]})
    assert room.broadcast.send([says("x" * MESSAGE_BYTES_MAX, "a")]).dropped == 1


def test_sessions_that_do_not_answer_do_not_fail_the_call() -> None:
    room = Room({"a": ["gone"]})
    room.sockets.gone.add("gone")
    room.sessions.down = True
    assert room.broadcast.send([says("1", "a")]).gone == 1


def test_nothing_to_say_is_said_to_nobody() -> None:
    room = Room({})
    assert room.broadcast.send([Publication(("a",), Subscriptions(channels=[]))]).connections == 0
    assert room.broadcast.send([]).pushes == 0
