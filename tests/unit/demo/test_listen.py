"""A listener, against a small WebSocket server of the tests' own."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from local.demo.failures import NotSubscribed
from local.demo.listen import Listener


class SmallFeed:
    """Answers each subscription with what the test has laid down, and remembers who asked for what."""

    def __init__(self) -> None:
        self.answers: list[dict[str, object]] = [{"type": "subscriptions"}]
        self.asked: list[tuple[str | None, dict[str, object]]] = []

    async def __call__(self, socket: ServerConnection) -> None:
        request = socket.request
        assert request is not None
        async for frame in socket:
            self.asked.append((request.headers.get("Authorization"), json.loads(frame)))
            for answer in self.answers:
                await socket.send(json.dumps(answer))


@pytest.fixture
def feed() -> SmallFeed:
    return SmallFeed()


@pytest.fixture
async def server(feed: SmallFeed) -> AsyncIterator[Server]:
    async with serve(feed, "127.0.0.1", 0) as running:
        yield running


def listener(server: Server, channel: str, token: str | None = None) -> Listener:
    port = next(iter(server.sockets)).getsockname()[1]
    return Listener(name=channel, url=f"ws://127.0.0.1:{port}", token=token, channel=channel, product_id="ACME-USD")


async def test_it_subscribes_with_its_token_and_keeps_what_it_hears(feed: SmallFeed, server: Server) -> None:
    feed.answers += [{"type": "match", "trade_id": 1}, {"type": "wallet"}, {"type": "match", "trade_id": 2}]
    ear = listener(server, "user", "a-token")
    await ear.open()
    while len(ear.heard) < 4:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await ear.close()
    assert ear.lost == ""
    wanted = {"type": "subscribe", "product_ids": ["ACME-USD"], "channels": ["user"]}
    assert feed.asked == [("Bearer a-token", wanted)]
    assert [heard.message["trade_id"] for heard in ear.of_type("match")] == [1, 2]
    assert [heard.at for heard in ear.heard] == sorted(heard.at for heard in ear.heard)


async def test_nobody_listens_to_a_book_that_has_not_begun(feed: SmallFeed, server: Server) -> None:
    feed.answers.append({"type": "snapshot", "bids": [], "asks": [], "sequence": 3})
    ear = listener(server, "level2")
    await ear.open()
    assert [heard.message["sequence"] for heard in ear.of_type("snapshot")] == [3]
    await ear.close()


async def test_a_session_that_the_venue_closes_is_lost(feed: SmallFeed, server: Server) -> None:
    ear = listener(server, "matches")
    await ear.open()
    server.close()
    await server.wait_closed()
    await ear.close()
    assert "1001" in ear.lost
    assert feed.asked


async def test_a_refused_subscription_says_why(feed: SmallFeed, server: Server) -> None:
    feed.answers = [
        {"type": "error", "message": "Failed to subscribe", "reason": "user channel requires authentication"}
    ]
    with pytest.raises(NotSubscribed, match="requires authentication"):
        await listener(server, "user").open()


async def test_a_venue_that_says_nothing_is_not_listened_to(feed: SmallFeed, server: Server) -> None:
    feed.answers = []
    with pytest.raises(NotSubscribed, match="the venue said nothing"):
        await listener(server, "matches").open(patience_s=0.05)


async def test_a_venue_that_is_not_there_is_told_as_such() -> None:
    ear = Listener(name="full", url="ws://127.0.0.1:1", token=None, channel="full", product_id="ACME-USD")
    with pytest.raises(NotSubscribed, match="did not open"):
        await ear.open()
