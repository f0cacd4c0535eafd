"""A market of its own, from its listing to its last order: stops, icebergs, amends, expiry, a halt, an auction."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from local.demo.listen import Listener
from local.venue import OPERATOR
from tests.e2e.market import Answer, Market, Trader, eventually

pytestmark = pytest.mark.venue

OpenAccount = Callable[..., Trader]

WIDGETS = "WIDGET-USD"
RULES = {
    "base_currency": "WIDGET",
    "base_name": "Widget",
    "base_scale": 0,
    "quote_currency": "USD",
    "quote_increment": "0.005",
    "base_increment": "1",
    "maker_bps": 10,
    "taker_bps": 20,
}


@pytest.fixture
def operator(market: Market) -> Trader:
    """An operator, who has listed widgets."""
    operator = market.client(token=market.venue.token(OPERATOR))
    listed = operator.call("POST", "/products", body=RULES)
    assert (listed.status, listed.body["id"]) == (200, WIDGETS)
    eventually(lambda: market.nobody.call("GET", f"/products/{WIDGETS}").status == 200)
    return operator


def place(trader: Trader, side: str, size: str, price: str, **more: Any) -> Answer:
    order = {"product_id": WIDGETS, "side": side, "size": size, "price": price, **more}
    return trader.call("POST", "/orders", body=order)


def amend(trader: Trader, order_id: str, **change: str) -> Answer:
    return trader.call("PATCH", f"/orders/{order_id}", body=change)


def set_status(operator: Trader, status: str) -> None:
    assert operator.call("POST", f"/products/{WIDGETS}/status", body={"status": status}).status == 200


def shows(market: Market, side: str, *levels: list[object]) -> Callable[[], bool]:
    """Whether this is all that one side of the book shows."""
    return lambda: market.nobody.call("GET", f"/products/{WIDGETS}/book?level=2").body[side] == [*levels]


def soon(*, seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def heard(listener: Listener, kind: str) -> dict[str, Any]:
    """Wait for a message of a kind, and give the last."""
    await asyncio.to_thread(eventually, lambda: listener.of_type(kind))
    message: dict[str, Any] = listener.of_type(kind)[-1].message
    return message


async def test_a_market_lives_with_every_kind_of_order_and_its_books_balance(
    market: Market, trader: OpenAccount, operator: Trader
) -> None:
    buyer, seller = trader(USD="10000"), trader(WIDGET="1000")
    own = Listener(name="own", url=market.venue.stream_url, token=buyer.token, channel="user", product_id=WIDGETS)
    status = Listener(name="status", url=market.venue.stream_url, token=None, channel="status", product_id=WIDGETS)
    await own.open()
    await status.open()

    # An iceberg shows a part of itself, slice by slice, and all of it trades.
    iceberg = place(seller, "sell", "10", "50.000", display_size="4")
    assert (iceberg.body["status"], iceberg.body["display_size"]) == ("open", "4")
    eventually(shows(market, "asks", ["50.000", "4", 1]))
    assert place(buyer, "buy", "5", "50.000").body["filled_size"] == "5"
    eventually(shows(market, "asks", ["50.000", "3", 1]))
    assert place(buyer, "buy", "5", "50.000").body["filled_size"] == "5"
    assert seller.order(iceberg.id)["done_reason"] == "filled"

    # A stop order waits, unseen, until a trade prints at its price.
    stop = place(buyer, "buy", "2", "52.000", stop="entry", stop_price="51.000")
    assert (stop.body["status"], stop.body["stop_price"]) == ("active", "51.000")
    assert [each["id"] for each in buyer.call("GET", "/orders").body] == [stop.id]
    assert (await heard(own, "activate"))["order_id"] == stop.id
    ask = place(seller, "sell", "5", "51.000")
    assert place(buyer, "buy", "1", "51.000").body["filled_size"] == "1"
    assert buyer.order(stop.id)["filled_size"] == "2"
    assert (await heard(own, "triggered"))["order_id"] == stop.id

    # Amends: more of it, then another price; each once, whatever is sent again.
    again = {"size": "7", "amend_id": str(uuid4())}
    for _ in range(2):
        assert amend(seller, ask.id, **again).body["size"] == "7"
    assert amend(seller, ask.id, price="53.000").body["price"] == "53.000"
    eventually(shows(market, "asks", ["53.000", "4", 1]))
    assert amend(buyer, ask.id, size="9").status == 404

    # A batch: each for itself. One of them is good for two seconds.
    orders = [
        {"product_id": WIDGETS, "side": "buy", "size": "1", "price": "40.000"},
        {"product_id": WIDGETS, "side": "buy", "size": "1", "price": "40.001"},
        {"product_id": WIDGETS, "side": "buy", "size": "1", "price": "30.000"}
        | {"time_in_force": "GTT", "cancel_after": soon(seconds=2)},
    ]
    batch = buyer.call("POST", "/orders/batch", body={"orders": orders}).body
    assert [each["status"] for each in batch] == [200, 400, 200]
    rests, timed = batch[0]["order"]["id"], batch[2]["order"]["id"]
    assert amend(buyer, rests, size="2").body["size"] == "2"
    assert (await heard(own, "change"))["order_id"] == rests
    eventually(lambda: buyer.order(timed)["done_reason"] == "expired")

    # A halt: neither orders nor cancels.
    set_status(operator, "halted")
    eventually(lambda: market.nobody.call("GET", f"/products/{WIDGETS}").body["trading_disabled"])
    refused = place(buyer, "buy", "1", "41.000")
    assert (refused.status, refused.body["reject_reason"]) == (422, "halted")
    assert buyer.call("DELETE", f"/orders/{rests}").status == 422

    # An auction: what meets gathers, is told of, and trades at one price for everyone.
    set_status(operator, "auction")
    bid, offer = place(buyer, "buy", "5", "54.000"), place(seller, "sell", "5", "52.000")
    assert [each.body["filled_size"] for each in (bid, offer)] == ["0", "0"]
    await asyncio.to_thread(eventually, lambda: any(_meets(each.message) for each in status.of_type("auction")))
    set_status(operator, "trading")
    assert [who.order(each.id)["executed_value"] for who, each in ((buyer, bid), (seller, offer))] == 2 * [
        "260.00000000"
    ]
    states = [each.message["status"] for each in status.of_type("market_state")]
    assert states[:2] == ["halted", "auction"]

    # A dead man's switch: nobody comes back, and the last order ends.
    armed = buyer.call("POST", "/orders/cancel-all-after", body={"timeout": 1})
    assert (armed.status, armed.body["trigger_time"] > armed.body["current_time"]) == (200, True)
    eventually(lambda: buyer.order(rests)["done_reason"] == "canceled")
    assert (await heard(own, "cancel_all_after"))["user_sequence"] > 0

    # Eighteen widgets bought: ten at 50, three at 51, five at 52.
    market.assert_books_balance()
    assert (buyer.balances()["WIDGET"], seller.balances()["WIDGET"]) == (("18", "0"), ("978", "4"))
    await own.close()
    await status.close()


def _meets(told: dict[str, Any]) -> bool:
    return (told.get("indicative_open_price"), told["indicative_open_size"], told["surplus"]) == ("52.000", "5", "0")


def test_only_operators_run_a_market(market: Market, trader: OpenAccount) -> None:
    someone = trader(USD="10")
    assert someone.call("POST", "/products", body=RULES).status == 403
    assert someone.call("POST", "/products/ACME-USD/status", body={"status": "halted"}).status == 403
    assert market.nobody.call("POST", "/products/ACME-USD/status", body={"status": "halted"}).status == 401
