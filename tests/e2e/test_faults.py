"""What is acknowledged is kept, whatever falls over meanwhile."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.demo.evidence import Trade
from local.venue import Venue
from tests.e2e.market import Market, Trader, eventually
from venue.events import Traded

pytestmark = pytest.mark.venue

OpenAccount = Callable[..., Trader]


@pytest.fixture(autouse=True)
def whole_again(venue: Venue) -> Iterator[None]:
    """Leave the venue with everything running, whatever happened to the test."""
    yield
    venue.start_redis()
    venue.start_matcher()


def trade_at_random(trader: Trader, *, seed: int, orders: int) -> list[str]:
    """Send crossing orders one after the other. Give the ids of those that were acknowledged, refusals left out."""
    chance = random.Random(seed)  # noqa: S311
    acknowledged: list[str] = []
    for _ in range(orders):
        side, size, price = chance.choice(["buy", "sell"]), chance.randint(1, 5), 100 + chance.randint(-4, 4)
        answer = trader.place(side, str(size), str(price))
        assert answer.status in {200, 202, 503}, answer
        if answer.status != 503:
            acknowledged.append(answer.id)
    return acknowledged


def test_a_killed_matcher_loses_nothing_that_was_acknowledged(
    venue: Venue, market: Market, trader: OpenAccount
) -> None:
    traders = [trader(USD="1000000", ACME="10000") for _ in range(4)]
    before = market.journal.last_trade(market.product)
    market.tape.pass_over()

    with ThreadPoolExecutor(len(traders)) as pool:
        flows = [pool.submit(trade_at_random, each, seed=seed, orders=60) for seed, each in enumerate(traders)]
        eventually(lambda: market.journal.last_trade(market.product) > before + 5)
        venue.kill_matcher()
        time.sleep(0.5)  # long enough for some orders to find nobody there
        venue.start_matcher()
        acknowledged = [flow.result() for flow in flows]

    # Every acknowledged order is there, and decided.
    assert sum(len(ids) for ids in acknowledged) > 200
    for each, ids in zip(traders, acknowledged, strict=True):
        for order_id in ids:
            decided(each, order_id)
    market.settle()

    # Every fill once: the journal's trades are the traders' fills and the tape's trades, no more and no fewer.
    trades = [deal.trade for deal in market.journal.deals(market.product, after_trade=before)]
    assert trades
    assert [trade.trade_id for trade in trades] == list(range(before + 1, before + 1 + len(trades)))
    told = sorted(fill["trade_id"] for each in traders for fill in all_fills(each))
    assert told == sorted([trade.trade_id for trade in trades] * 2)
    eventually(lambda: len(taped(market)) >= len(trades))
    assert sorted(taped(market)) == trades

    market.assert_books_balance()
    for each in traders:
        assert each.call("DELETE", "/orders?product_id=ACME-USD").status == 200
    market.assert_books_balance()


def decided(trader: Trader, order_id: str) -> None:
    """Wait until an order is no longer pending. Fails when it is not there at all, or was found too late."""
    eventually(lambda: trader.order(order_id)["status"] != "pending")
    assert trader.order(order_id)["status"] in {"open", "done"}


def all_fills(trader: Trader) -> list[dict[str, int]]:
    """Every fill of an account, all pages."""
    answer = trader.call("GET", "/fills?limit=1000")
    assert answer.status == 200, answer
    return list(answer.body)


def taped(market: Market) -> list[Trade]:
    """The trades in the archive that came since its last pass_over, of ACME-USD."""
    return [
        Trade(event.trade_id, event.sequence, event.price, event.size, event.maker_order_id, event.taker_order_id)
        for event in (line.event for line in market.tape.lines())
        if isinstance(event, Traded) and event.product_id == "ACME-USD"
    ]


def test_an_order_waits_for_a_matcher_that_is_away(venue: Venue, market: Market, trader: OpenAccount) -> None:
    buyer = trader(USD="1000")
    resting = buyer.place("buy", "1", "60")
    assert resting.status == 200
    venue.stop_matcher()
    waiting = buyer.place("buy", "1", "61")
    assert (waiting.status, waiting.body["status"]) == (202, "pending")
    assert buyer.order(waiting.id)["status"] == "pending"
    assert buyer.call("DELETE", f"/orders/{resting.id}").status == 202

    venue.start_matcher()
    eventually(lambda: buyer.order(waiting.id)["status"] == "open")
    eventually(lambda: buyer.order(resting.id)["status"] == "done")
    assert buyer.call("DELETE", f"/orders/{waiting.id}").status == 200
    eventually(lambda: buyer.balances() == {"USD": ("1000.00000000", "0.00000000")})
    market.assert_books_balance()


def test_orders_go_in_without_redis(venue: Venue, market: Market, trader: OpenAccount) -> None:
    buyer, seller = trader(USD="1000"), trader(ACME="10")
    venue.stop_redis()
    bid = buyer.place("buy", "2", "62")
    ask = seller.place("sell", "2", "62")
    eventually(lambda: buyer.order(bid.id)["status"] == "done")
    assert seller.order(ask.id)["filled_size"] == "2"

    venue.start_redis()
    resting = buyer.place("buy", "1", "63")
    eventually(lambda: ["63.000", "1", 1] in book(market)["bids"])
    assert buyer.call("DELETE", f"/orders/{resting.id}").status == 200
    market.assert_books_balance()


def book(market: Market) -> dict[str, list[object]]:
    """The level 2 book, or an empty one while nobody can tell."""
    answer = market.nobody.call("GET", "/products/ACME-USD/book?level=2")
    return dict(answer.body) if answer.status == 200 else {"bids": [], "asks": []}
