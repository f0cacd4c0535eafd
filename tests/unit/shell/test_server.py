"""The HTTP server: whatever way a request comes, the answer is the same. It is real; its sequencer has no journal."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import pytest

from matcher.core.engine import Engine
from matcher.shell.errors import UnknownShard
from matcher.shell.intake import Intake, application
from matcher.shell.request import BODY_BYTES_MAX
from matcher.shell.sequencer import Sequencer
from matcher.shell.server import http_server
from tests.unit.shell.test_sequencer import HeldJournal, Serving, order, running
from venue import wire
from venue.commands import PlaceOrder

type Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
# Status, headers, body.
type Answer = tuple[int, dict[bytes, bytes], bytes]


class OneShard(Serving):
    """Knows shard 0 only, and breaks when asked for shard 500."""

    def sequencer(self, shard: int) -> Sequencer:
        if shard == 500:
            raise ZeroDivisionError
        if shard:
            raise UnknownShard(f"there is no shard {shard}")
        return super().sequencer(shard)


@dataclass
class Road:
    """A server with the shortcut or without, and what is behind it."""

    address: tuple[str, int]
    journal: HeldJournal
    engine: Engine

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    def placed(self) -> list[int]:
        """The numbers of all orders that came to the journal."""
        commands = [command for batch in self.journal.commands() for command in batch]
        return [UUID(command.order_id).int for command in commands if isinstance(command, PlaceOrder)]


@asynccontextmanager
async def serving(*, is_short: bool) -> AsyncIterator[Road]:
    async with running() as bench:
        service = OneShard(bench.sequencer)
        shortcut = Intake(service.sequencer) if is_short else None
        server = http_server(application(service), shortcut=shortcut, host="127.0.0.1", port=0)
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  # uvicorn tells it in no other way
            await asyncio.sleep(0.01)
        try:
            yield Road(server.servers[0].sockets[0].getsockname(), bench.journal, bench.engine)
        finally:
            bench.journal.gate.set()
            server.should_exit = True
            await task


@pytest.fixture(params=["shortcut", "application"])
async def road(request: pytest.FixtureRequest) -> AsyncIterator[Road]:
    async with serving(is_short=request.param == "shortcut") as found:
        yield found


def request(body: bytes, *headers: bytes, path: bytes = b"/shards/0/commands", method: bytes = b"POST") -> bytes:
    lines = [method + b" " + path + b" HTTP/1.1", b"host: matcher", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


async def answer(reader: asyncio.StreamReader) -> Answer:
    while (head := await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100"):
        pass
    lines = head.split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines[1:-2])
    return int(lines[0].split()[1]), headers, await reader.readexactly(int(headers[b"content-length"]))


# What is asked, and the status of the answer.
ASKED = [
    (request(wire.encode(order(1))), 200),
    (request(wire.encode([order(2), order(3)])), 200),
    (request(b"{"), 400),
    (request(b"[]"), 400),
    (request(wire.encode(order(4)), path=b"/shards/7/commands"), 404),
    (request(b"", method=b"GET", path=b"/live"), 200),
    (request(b" " * (BODY_BYTES_MAX + 1)), 413),
    (request(b" " * 100_000 + wire.encode([order(5)])), 200),
    (request(wire.encode(order(6)), b"connection: close"), 200),
]


async def _answers(*, is_short: bool, cuts: int) -> list[Answer]:
    """All that is asked, one after the other, each request in so many pieces."""
    found = []
    async with serving(is_short=is_short) as road, road.connect() as (reader, writer):
        for asked, _ in ASKED:
            step = -(-len(asked) // cuts)
            for start in range(0, len(asked), step):
                writer.write(asked[start : start + step])
                await writer.drain()
                if cuts > 1:
                    await asyncio.sleep(0.01)
            found.append(await answer(reader))
        assert await reader.read() == b""  # closed, as the last request wished
        assert road.placed() == [1, 2, 3, 5, 6]
    return found


@pytest.mark.parametrize("cuts", [1, 3])
async def test_the_shortcut_answers_like_the_application(cuts: int) -> None:
    long = await _answers(is_short=False, cuts=cuts)
    short = await _answers(is_short=True, cuts=cuts)
    assert [status for status, _, _ in long] == [status for _, status in ASKED]
    assert short == long


def _rubbish() -> Iterator[tuple[str, bytes, list[int], list[int]]]:
    """What is sent in one piece, what is answered before the connection is closed, and which orders are placed."""
    good, body = request(wire.encode(order(1))), wire.encode(order(1))
    head = b"POST /shards/0/commands HTTP/1.1\r\nhost: matcher\r\n"
    yield "no HTTP", b"\x16\x03\x01\x02\x00" * 20, [400], []
    yield "a method in lower case", good.replace(b"POST", b"post"), [400], []
    yield "a method that nobody knows", good.replace(b"POST", b"SUBMIT"), [400], []
    yield "a version to come", good.replace(b"HTTP/1.1", b"HTTP/9.9"), [400], []
    yield "a path that is not ASCII", good.replace(b"shards", b"sh\xe4rds"), [400], []
    yield "no length", head + b"\r\n" + body, [400], []
    yield "a length that is too short", good.replace(b"-length: 1", b"-length: "), [400], []
    yield "a length below zero", head + b"content-length: -1\r\n\r\n" + body, [400], []
    yield "two lengths", good.replace(b"host:", b"content-length: 5\r\nhost:"), [400], []
    yield "a length and chunks", good.replace(b"host:", b"transfer-encoding: chunked\r\nhost:"), [400], []
    yield "a chunk without a size", head + b"transfer-encoding: chunked\r\n\r\nx\r\n" + body, [400], []
    yield "a chunk that is longer", head + b"transfer-encoding: chunked\r\n\r\n5\r\n" + body, [400], []
    # As it always was: what came whole is done, and its answer does not get past the closing.
    yield "rubbish behind a good one", good + b"\x00\x00\r\n\r\n", [400], [1]
    yield "an old version", good.replace(b"HTTP/1.1", b"HTTP/1.0"), [200], [1]
    yield (
        "a wish to close, and one more",
        request(body, b"connection: close") + request(wire.encode(order(2))),
        [200],
        [1],
    )
    yield (
        "a command that breaks the service",
        request(body, b"connection: close", path=b"/shards/500/commands"),
        [500],
        [],
    )


@pytest.mark.parametrize(("_", "sent", "statuses", "placed"), [pytest.param(*each, id=each[0]) for each in _rubbish()])
async def test_rubbish_is_answered_and_ends_its_connection_only(
    road: Road, _: str, sent: bytes, statuses: list[int], placed: list[int]
) -> None:
    async with road.connect() as (reader, writer), asyncio.timeout(30):
        writer.write(sent)
        assert [int(head) for head in re.findall(rb"HTTP/1.1 (\d{3})", await reader.read())] == statuses
    async with road.connect() as (reader, writer):
        writer.write(request(wire.encode(order(9))))
        assert (await answer(reader))[0] == 200
    assert road.placed() == [*placed, 9]


def _halves() -> Iterator[tuple[str, bytes]]:
    good = request(wire.encode(order(1)))
    yield "half a head", good[:40]
    yield "half a body", good[:-5]
    yield "a length that is too long", good.replace(b"-length: ", b"-length: 9")
    chunks = b"\r\n\r\n%x\r\n" % len(wire.encode(order(1)))
    yield (
        "half of the chunks",
        good.replace(b"content-length", b"transfer-encoding: chunked\r\nx").replace(b"\r\n\r\n", chunks),
    )
    yield "no body where there is to be one", good[: good.index(b"{")]
    yield "a request for leave", good.replace(b"host:", b"expect: 100-continue\r\nhost:")[:-5]


@pytest.mark.parametrize(("_", "sent"), [pytest.param(*each, id=each[0]) for each in _halves()])
async def test_who_goes_away_in_the_middle_of_a_request_has_asked_for_nothing(
    road: Road, _: str, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with road.connect() as (_reader, writer):
        writer.write(sent)
        await asyncio.sleep(0.02)
    async with road.connect() as (reader, writer):
        writer.write(request(wire.encode(order(9))))
        assert (await answer(reader))[0] == 200
    assert road.placed() == [9]
    assert not caplog.records


async def test_who_goes_away_before_the_answers_harms_nobody(road: Road, caplog: pytest.LogCaptureFixture) -> None:
    road.journal.gate.clear()
    async with road.connect() as (_, writer):
        writer.write(b"".join(request(wire.encode(order(n))) for n in (1, 2)))
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.02)
    road.journal.gate.set()
    async with road.connect() as (reader, writer):
        writer.write(request(wire.encode(order(9))))
        assert (await answer(reader))[0] == 200
    # The second had come as well; whether it is begun before the server sees that its client is gone is not said.
    assert {1, 9} <= set(road.placed())
    assert not caplog.records


async def test_requests_sent_ahead_are_answered_in_their_order(road: Road) -> None:
    async with road.connect() as (reader, writer):
        live = request(b"", method=b"GET", path=b"/live")
        writer.write(live.join(request(wire.encode(order(n))) for n in range(1, 40)))
        for n in range(1, 40):
            _, _, body = await answer(reader)
            assert wire.OUTCOME.decode(body).orders[0].order_id == str(UUID(int=n))
            if n < 39:
                assert (await answer(reader))[2] == b'{"live":true}'


async def test_a_body_that_is_too_large_is_refused_also_when_it_all_came_ahead(road: Road) -> None:
    async with road.connect() as (reader, writer):
        road.journal.gate.clear()
        # Whoever asks for leave goes by the application, which lets more be read while it waits.
        writer.write(request(wire.encode(order(1)), b"expect: 100-continue"))
        writer.write(request(b" " * BODY_BYTES_MAX + wire.encode([order(2)])) + request(wire.encode(order(3))))
        await asyncio.sleep(0.1)
        road.journal.gate.set()
        assert [(await answer(reader))[0] for _ in range(3)] == [200, 413, 200]
        assert road.placed() == [1, 3]


async def test_orders_whose_client_follows_them_are_named_in_the_log(
    road: Road, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "matcher.intake")
    async with road.connect() as (reader, writer):
        writer.write(request(wire.encode([order(1), order(2)]), b"X-Correlation-Id: mine:1"))
        writer.write(request(wire.encode(order(3))))
        assert [(await answer(reader))[0] for _ in range(2)] == [200, 200]
    told = [record.__dict__ for record in caplog.records if record.getMessage() == "commands_taken"]
    assert [(each["correlation_id"], each["orders"]) for each in told] == [
        ("mine:1", [order(1).order_id, order(2).order_id])
    ]
