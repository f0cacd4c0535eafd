"""The HTTP road to the matcher, over a real socket: what counts as an answer and what sends the caller on."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from venue import wire
from venue.commands import AnyCommand, CancelOrder
from venue.errors import Unavailable
from venue.ports import NotServed
from venue.wire import Outcome
from venue_aws.matcher import MatcherClient
from venue_aws.queues import QueueDown, QueueRoad

CANCEL = CancelOrder(order_id="o-1", account="alice")


class Owner(ThreadingHTTPServer):
    """A matcher that answers what it is told to. `hang_up`: that many requests are cut off first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Door)
        self.status = 200
        self.body = wire.encode(Outcome(refused="not_found"))
        self.hang_up = 0
        self.hesitate_s = 0.0
        self.connections = 0
        self.asked: list[tuple[str, AnyCommand]] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Door(BaseHTTPRequestHandler):
    """One connection, kept alive."""

    protocol_version = "HTTP/1.1"
    server: Owner

    def setup(self) -> None:
        """Count connections."""
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        """Answer, or hang up."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, wire.COMMAND.decode(body)))
        time.sleep(self.server.hesitate_s)
        if self.server.hang_up:
            self.server.hang_up -= 1
            self.close_connection = True
            return
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def owner() -> Iterator[Owner]:
    with Owner() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_answer_is_the_outcome(owner: Owner) -> None:
    assert MatcherClient().submit(CANCEL, url=owner.url) == Outcome(refused="not_found")
    assert owner.asked == [("/commands", CANCEL)]


def test_the_connection_is_kept(owner: Owner) -> None:
    client = MatcherClient()
    for _ in range(5):
        client.submit(CANCEL, url=owner.url)
    assert owner.connections == 1


def test_a_connection_that_was_closed_meanwhile_is_opened_again(owner: Owner) -> None:
    client = MatcherClient()
    client.submit(CANCEL, url=owner.url)
    owner.hang_up = 1
    assert client.submit(CANCEL, url=owner.url) == Outcome(refused="not_found")


def test_a_matcher_that_hangs_up_again_does_not_serve(owner: Owner) -> None:
    owner.hang_up = 2
    with pytest.raises(NotServed):
        MatcherClient().submit(CANCEL, url=owner.url)


def test_a_matcher_that_is_not_the_owner_does_not_serve(owner: Owner) -> None:
    owner.status, owner.body = 503, b'{"code":"not_owner"}'
    with pytest.raises(NotServed):
        MatcherClient().submit(CANCEL, url=owner.url)


def test_both_sends_of_a_command_share_one_patience(owner: Owner) -> None:
    # Hung up on late, then answered as late: each would have been in time alone.
    owner.hang_up, owner.hesitate_s = 1, 0.3
    with pytest.raises(NotServed):
        MatcherClient(patience_s=0.4).submit(CANCEL, url=owner.url)
    assert MatcherClient(patience_s=5).submit(CANCEL, url=owner.url) == Outcome(refused="not_found")


def test_where_nobody_listens_nobody_serves() -> None:
    with pytest.raises(NotServed):
        MatcherClient().submit(CANCEL, url="http://127.0.0.1:9")


def test_a_matcher_that_cannot_read_the_command_is_a_fault_and_not_a_detour(owner: Owner) -> None:
    owner.status, owner.body = 400, b'{"code":"malformed"}'
    with pytest.raises(RuntimeError, match="400"):
        MatcherClient().submit(CANCEL, url=owner.url)


class Queue:
    """An order queue that takes what comes, or is down."""

    def __init__(self) -> None:
        self.down = False
        self.taken: list[tuple[int, AnyCommand]] = []

    def put(self, command: AnyCommand, *, shard: int) -> None:
        """Take it."""
        if self.down:
            raise QueueDown("arn:aws:sqs:secret")
        self.taken.append((shard, command))


def test_the_queue_is_reached_when_it_is_needed_and_once() -> None:
    queue, reached = Queue(), []

    def connect() -> Any:
        reached.append(queue)
        return queue

    road = QueueRoad(connect)
    assert reached == []
    road.put(CANCEL, shard=1)
    road.put(CANCEL, shard=1)
    assert (len(reached), queue.taken) == (1, [(1, CANCEL), (1, CANCEL)])


def test_a_queue_that_is_down_is_unavailable_and_tells_nothing_of_itself() -> None:
    queue: Any = Queue()
    queue.down = True
    with pytest.raises(Unavailable) as caught:
        QueueRoad(lambda: queue).put(CANCEL, shard=0)
    assert "arn" not in caught.value.message
