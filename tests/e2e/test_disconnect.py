"""Orders that end with the WebSocket session that asked for it, through the deployed venue."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from local.servers import CREDENTIALS, REGION
from tests.e2e.market import Market, Trader, eventually
from venue_aws.endings import EndingSessions
from venue_aws.sessions import SessionItem
from venue_aws.wallets import bound

pytestmark = pytest.mark.venue

OpenAccount = Callable[..., Trader]


async def opened(market: Market, trader: Trader, *, cancel: bool) -> ClientConnection:
    """Open a socket and subscribe; what it asked for is confirmed."""
    headers = {"Authorization": f"Bearer {trader.token}"}
    socket = await connect(market.venue.stream_url, additional_headers=headers, proxy=None)
    wish = {"cancel_on_disconnect": True} if cancel else {}
    asked = {"type": "subscribe", "product_ids": ["ACME-USD"], "channels": ["user"]} | wish
    await socket.send(msgspec.json.encode(asked).decode())
    answer = msgspec.json.decode(await asyncio.wait_for(socket.recv(), 60))
    assert answer["type"] == "subscriptions"
    assert answer.get("cancel_on_disconnect", False) is cancel
    return socket


async def test_orders_end_with_the_socket_that_asked_for_it(market: Market, trader: OpenAccount) -> None:
    alice, bob = trader(USD="100"), trader(USD="100")
    mine, other = alice.place("buy", "1", "10"), bob.place("buy", "1", "11")
    leaving, staying = await opened(market, alice, cancel=True), await opened(market, bob, cancel=False)
    await staying.close()
    await leaving.close()
    eventually(lambda: alice.order(mine.id).get("done_reason") == "canceled")
    assert bob.order(other.id)["status"] == "open"
    eventually(lambda: alice.balances()["USD"] == ("100.00000000", "0.00000000"))
    assert bob.call("DELETE", "/orders").status == 200
    market.assert_books_balance()


def test_orders_end_with_a_socket_that_was_found_gone(
    market: Market, trader: OpenAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `broadcast` does when API Gateway tells it so and no $disconnect ever came.

    The emulator sends none for a connection that was reset, which is just such a case.
    """
    alice = trader(USD="100")
    mine = alice.place("buy", "1", "10")
    venue = market.venue
    endpoint = str(venue.client("lambda").meta.endpoint_url)
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint}).items():
        monkeypatch.setenv(name, value)
    items = bound(SessionItem, table=venue.outputs["SessionsTable"], region=REGION, endpoint_url=endpoint)
    resources = venue.client("cloudformation").describe_stack_resources(StackName="venue-local")["StackResources"]
    (name,) = [each["PhysicalResourceId"] for each in resources if each["LogicalResourceId"] == "Disconnect"]
    sessions = EndingSessions.connect(items, disconnect=name)
    sessions.open("gone-without-a-word", account=alice.account)
    session = sessions.find("gone-without-a-word")
    assert session is not None
    sessions.take_orders_along(session, wanted=True)
    assert sessions.close("gone-without-a-word") == 0
    eventually(lambda: alice.order(mine.id).get("done_reason") == "canceled")
    eventually(lambda: sessions.find("gone-without-a-word") is None)
    market.assert_books_balance()
