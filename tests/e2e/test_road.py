"""One order travels the whole road: REST, hold, matcher, journal, settlement, WebSocket, tape."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest

from local.demo.listen import Listener
from tests.e2e.market import Market, Trader, eventually
from venue.events import Traded

pytestmark = pytest.mark.venue

OpenAccount = Callable[..., Trader]


async def heard(listener: Listener, kind: str, count: int = 1) -> list[dict[str, object]]:
    """Wait for so many messages of a kind. Fails when they do not come."""
    await asyncio.to_thread(eventually, lambda: len(listener.of_type(kind)) >= count)
    return [each.message for each in listener.of_type(kind)]


def listen(market: Market, channel: str, trader: Trader | None = None) -> Listener:
    """A WebSocket session on one channel of ACME-USD."""
    token = trader.token if trader else None
    return Listener(name=channel, url=market.venue.stream_url, token=token, channel=channel, product_id="ACME-USD")


async def test_an_order_becomes_a_fill_everywhere(market: Market, trader: OpenAccount) -> None:
    buyer, seller = trader(USD="1000"), trader(ACME="10")
    private, public = listen(market, "user", buyer), listen(market, "matches")
    await private.open()
    await public.open()

    bid = buyer.place("buy", "5", "70.005", client_oid=str(uuid4()))
    assert (bid.status, bid.body["status"], bid.body["filled_size"]) == (200, "open", "0")
    ask = seller.place("sell", "3", "70.000", time_in_force="IOC")
    assert (ask.status, ask.body["status"], ask.body["done_reason"]) == (200, "done", "filled")

    # REST: the order, its fill, the book. The maker's price: 3 x 70.005 = 210.015, and 10 or 20 basis points of it.
    assert [(each["size"], each["price"], each["liquidity"]) for each in ask.body["fills"]] == [("3", "70.005", "T")]
    assert buyer.order(bid.id)["filled_size"] == "3"
    [fill] = buyer.fills()
    assert (fill["order_id"], fill["liquidity"], fill["fee"]) == (bid.id, "M", "0.21001500")
    eventually(lambda: ["70.005", "2", 1] in market.nobody.call("GET", "/products/ACME-USD/book?level=2").body["bids"])

    # WebSocket: the trade to whoever listens, with the fee to its owner, and the wallets after settlement.
    [told] = await heard(public, "match")
    assert (told["trade_id"], told["maker_order_id"], told["taker_order_id"]) == (fill["trade_id"], bid.id, ask.id)
    assert "fee" not in told
    [own] = await heard(private, "match")
    assert (own["trade_id"], own["fee"], own["liquidity"]) == (fill["trade_id"], "0.21001500", "M")
    await heard(private, "wallet")

    # Wallets: 1000 - 210.015 - 0.210015 - what 2 more may cost: 140.01 and 20 basis points of it.
    eventually(lambda: buyer.balances().get("ACME") == ("3", "0"))
    assert buyer.balances()["USD"] == ("649.48496500", "140.29002000")
    assert seller.balances() == {"ACME": ("7", "0"), "USD": ("209.59497000", "0.00000000")}
    market.assert_books_balance()

    # The tape in S3.
    def taped() -> list[Traded]:
        events = [line.event for line in market.tape.lines()]
        return [event for event in events if isinstance(event, Traded) and event.maker_order_id == bid.id]

    eventually(taped)
    assert [(trade.trade_id, trade.size, trade.taker_order_id) for trade in taped()] == [(fill["trade_id"], 3, ask.id)]

    # And back: what still rests is cancelled, and its hold is free again.
    assert buyer.call("DELETE", f"/orders/{bid.id}").status == 200
    eventually(lambda: buyer.balances()["USD"] == ("789.77498500", "0.00000000"))
    await private.close()
    await public.close()


async def test_an_order_sent_twice_is_placed_once(market: Market, trader: OpenAccount) -> None:
    buyer, oid = trader(USD="100"), str(uuid4())
    first = buyer.place("buy", "1", "50", client_oid=oid)
    again = buyer.place("buy", "1", "50", client_oid=oid)
    assert again.id == first.id
    assert buyer.balances()["USD"] == ("49.90000000", "50.10000000")
    assert buyer.call("DELETE", f"/orders/client:{oid}").status == 200
    market.assert_books_balance()


async def test_an_order_may_ask_for_the_queue_itself(market: Market, trader: OpenAccount) -> None:
    buyer = trader(USD="100")
    listener = listen(market, "user", buyer)
    await listener.open()
    sent = buyer.place("buy", "1", "51", headers={"Prefer": "respond-async"})
    assert (sent.status, sent.body["status"]) == (202, "pending")
    [opened] = await heard(listener, "open")
    assert opened["order_id"] == sent.id
    assert buyer.order(sent.id)["status"] == "open"
    assert buyer.call("DELETE", f"/orders/{sent.id}").status == 200
    await listener.close()
    market.assert_books_balance()
