"""Public market data: what the matcher wrote to Redis, as clients read it; and what is left with Redis away."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from functions.market_data import app
from local.state import State
from tests.integration.history import History, new_database
from tests.rest import Answer, call, event, refusal
from tests.venue_in_memory import ACME_USD, BTC_USD
from venue.checksum import book_checksum
from venue.events import Traded
from venue.ports import Top
from venue_aws.api import Api
from venue_aws.cache import Book, BookOrders, Cache, Owner, Snapshot, Ticker
from venue_aws.database import Database
from venue_aws.history import History as Trades
from venue_aws.markets import Markets
from venue_aws.records import Records

NOON = 1_800_000_000_000_000
MAKER, TAKER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


def traded(trade_id: int) -> Traded:
    return Traded(
        at=NOON + trade_id,
        sequence=10 + trade_id,
        trade_id=trade_id,
        product_id="ACME-USD",
        side="sell",
        price=200,
        size=3,
        maker_order_id=MAKER,
        maker_account="m",
        maker_account_sequence=1,
        maker_fee=0,
        maker_released=0,
        taker_order_id=TAKER,
        taker_account="t",
        taker_account_sequence=1,
        taker_fee=0,
        taker_released=0,
    )


ACME = Snapshot(
    product=ACME_USD,
    top=Top(bid=199, bid_size=5, ask=201, ask_size=2, sequence=42),
    book=Book(sequence=42, at=NOON, bids=[(199, 5, 2), (198, 1, 1)], asks=[(201, 2, 1)]),
    orders=BookOrders(
        sequence=42, at=NOON, bids=[(199, 4, "o-1"), (199, 1, "o-2"), (198, 1, "o-3")], asks=[(201, 2, "o-4")]
    ),
    ticker=Ticker(trade_id=3, price=200, size=3, at=NOON + 3, bid=199, ask=202),
    trades=[traded(3), traded(2), traded(1)],
)
BTC = Snapshot(
    product=BTC_USD,
    top=Top(bid=None, bid_size=None, ask=None, ask_size=None, sequence=0),
    book=Book(sequence=0, at=NOON, bids=[], asks=[]),
    orders=BookOrders(sequence=0, at=NOON, bids=[], asks=[]),
    ticker=None,
    trades=[],
)


def over(cache: Cache, records: Any = None, history: Any = None) -> Api:
    markets = Markets(cache=cache, records=records)
    return app.build(lambda: markets, history, lambda: NOON)


def get(handler: Api, path: str) -> Answer:
    return call(handler, event("GET", path))


@pytest.fixture
def cache(redis: State) -> Iterator[Cache]:
    cache = Cache.connect(host="127.0.0.1", port=redis.ports.redis, password=redis.redis_password, timeout_ms=2000)
    assert cache.publish_owner(0, Owner(epoch=3, url="http://owner"))
    assert cache.publish([ACME, BTC], shard=0, epoch=3)
    yield cache
    cache.close()


@pytest.fixture
def handler(cache: Cache) -> Api:
    return over(cache)


@pytest.fixture
def without_redis(postgres: str, state: State) -> Iterator[Api]:
    login = new_database(postgres, state)
    History(login).close()
    database = Database(lambda: login)
    yield over(Cache.connect(host="127.0.0.1", port=9), lambda: Records(database))
    database.close()


def test_the_clock_is_told_in_two_ways(handler: Api) -> None:
    answer = get(handler, "/time")
    assert answer.body == {"iso": "2027-01-15T08:00:00.000000Z", "epoch": 1800000000.0}
    assert answer.headers["cache-control"] == "public, max-age=1"


def test_products_tell_their_rules(handler: Api) -> None:
    acme, bitcoin = get(handler, "/products").body
    assert get(handler, "/products/ACME-USD").body == acme
    assert (acme["id"], acme["base_currency"], acme["quote_currency"]) == ("ACME-USD", "ACME", "USD")
    assert (acme["base_increment"], acme["quote_increment"], acme["status"]) == ("1", "0.005", "online")
    assert (acme["base_min_size"], acme["min_market_funds"]) == ("1", "0.00500000")
    assert (acme["maker_fee_rate"], acme["taker_fee_rate"]) == ("0.0010", "0.0020")
    assert (bitcoin["base_increment"], bitcoin["quote_increment"]) == ("0.0001", "0.01")


def test_currencies_tell_their_precision(handler: Api) -> None:
    found = {currency["id"]: currency["max_precision"] for currency in get(handler, "/currencies").body}
    assert found == {"ACME": "1", "BTC": "0.00000001", "USD": "0.00000001"}


def test_a_book_is_told_in_three_depths_with_one_checksum(handler: Api) -> None:
    best, levels, orders = (get(handler, f"/products/ACME-USD/book?level={level}").body for level in "123")
    assert best["bids"] == [["0.995", "5", 2]]
    assert levels["bids"] == [["0.995", "5", 2], ["0.990", "1", 1]]
    assert levels["asks"] == [["1.005", "2", 1]]
    assert orders["bids"] == [["0.995", "4", "o-1"], ["0.995", "1", "o-2"], ["0.990", "1", "o-3"]]
    checksum = book_checksum(bids=[("0.995", "5"), ("0.990", "1")], asks=[("1.005", "2")])
    assert {book["checksum"] for book in (best, levels, orders)} == {checksum}
    assert {book["sequence"] for book in (best, levels, orders)} == {42}
    assert get(handler, "/products/ACME-USD/book").body == best


def test_an_empty_book_is_a_book(handler: Api) -> None:
    book = get(handler, "/products/BTC-USD/book?level=2").body
    assert (book["bids"], book["asks"], book["checksum"]) == ([], [], 0)


def test_a_ticker_has_the_last_trade_and_the_best_prices_now(handler: Api) -> None:
    assert get(handler, "/products/ACME-USD/ticker").body == {
        "trade_id": 3,
        "price": "1.000",
        "size": "3",
        "time": "2027-01-15T08:00:00.000003Z",
        "bid": "0.995",
        "ask": "1.005",
        "volume": None,
    }
    assert set(get(handler, "/products/BTC-USD/ticker").body.values()) == {None}


def test_trades_are_newest_first_and_name_no_account(handler: Api) -> None:
    answer = get(handler, "/products/ACME-USD/trades")
    assert [trade["trade_id"] for trade in answer.body] == [3, 2, 1]
    assert answer.body[0] == {
        "trade_id": 3,
        "side": "sell",
        "size": "3",
        "price": "1.000",
        "time": "2027-01-15T08:00:00.000003Z",
    }
    assert (answer.headers["cb-before"], answer.headers["cb-after"]) == ("3", "1")


def test_trades_are_paged(handler: Api) -> None:
    def ids(query: str) -> list[int]:
        return [trade["trade_id"] for trade in get(handler, f"/products/ACME-USD/trades?{query}").body]

    assert ids("limit=2") == [3, 2]
    assert ids("limit=2&after=2") == [1]
    assert ids("limit=1&before=1") == [2]
    assert ids("after=1") == []


def test_a_trade_may_be_told_as_the_feeds_match(handler: Api) -> None:
    (match,) = get(handler, "/products/ACME-USD/trades?limit=1&detail=match").body
    assert (match["sequence"], match["maker_order_id"], match["taker_order_id"]) == (13, MAKER, TAKER)


@pytest.mark.parametrize("rest", ["", "/book", "/ticker", "/trades"])
def test_an_unknown_product_is_not_found(cache: Cache, without_redis: Api, rest: str) -> None:
    handler = over(cache, lambda: FoundNothing())
    assert refusal(get(handler, f"/products/NO-USD{rest}")) == (404, "unknown_product")
    assert refusal(get(without_redis, f"/products/NO-USD{rest}")) == (404, "unknown_product")


class FoundNothing:
    """A journal without products."""

    def products(self) -> list[Any]:
        return []


@pytest.mark.parametrize("path", ["/products/ACME-USD/book?level=4", "/products/ACME-USD/book?depth=2", "/time?a=1"])
def test_what_cannot_be_read_is_refused(handler: Api, path: str) -> None:
    assert refusal(get(handler, path)) == (400, "malformed")


def test_without_redis_the_rules_are_still_told(without_redis: Api) -> None:
    assert [product["id"] for product in get(without_redis, "/products").body] == ["ACME-USD", "BTC-USD"]
    assert get(without_redis, "/products/BTC-USD").body["quote_increment"] == "0.01"
    assert [currency["id"] for currency in get(without_redis, "/currencies").body] == ["ACME", "BTC", "USD"]
    assert get(without_redis, "/time").status == 200


@pytest.mark.parametrize("rest", ["book", "book?level=3", "ticker", "trades"])
def test_without_redis_the_rest_cannot_be_seen(without_redis: Api, rest: str) -> None:
    assert refusal(get(without_redis, f"/products/ACME-USD/{rest}")) == (503, "unavailable")


# History.

MINUTE = 60_000_000


@pytest.fixture
def traded_much(postgres: str, state: State, cache: Cache) -> Iterator[Api]:
    """Two minutes of trade in shares and one in coins, up to noon."""
    login = new_database(postgres, state)
    told = History(login)
    for at, prices in ((NOON - 3 * MINUTE, (200, 205, 195, 201)), (NOON - MINUTE, (210, 208))):
        told.at = at
        for price in prices:
            told.place("maker", "sell", size=2, price=price)
            told.place("taker", "buy", size=2, price=price)
    told.place("maker", "sell", size=1, price=5, product=BTC_USD)
    told.place("taker", "buy", size=1, price=5, product=BTC_USD)
    told.close()
    database = Database(lambda: login)
    yield over(cache, history=lambda: Trades(database))
    database.close()


def test_candles_are_what_the_trades_of_each_span_came_to_newest_first(traded_much: Api) -> None:
    seconds = NOON // 1_000_000
    assert get(traded_much, "/products/ACME-USD/candles?granularity=60").body == [
        [seconds - 60, "1.040", "1.050", "1.050", "1.040", "4"],
        [seconds - 180, "0.975", "1.025", "1.000", "1.005", "8"],
    ]
    start, end = "2027-01-15T07:57:00Z", "2027-01-15T07:58:00Z"
    one = get(traded_much, f"/products/ACME-USD/candles?granularity=60&start={start}&end={end}")
    assert [candle[0] for candle in one.body] == [seconds - 180]
    (day,) = get(traded_much, "/products/ACME-USD/candles?granularity=86400").body
    assert day[1:] == ["0.975", "1.050", "1.000", "1.040", "12"]


@pytest.mark.parametrize(
    "query",
    ["granularity=61", "granularity=x", "start=yesterday", "start=2027-01-15T07:00:00Z&end=2027-01-14T07:00:00Z"],
)
def test_candles_that_cannot_be_told_are_refused(traded_much: Api, query: str) -> None:
    assert refusal(get(traded_much, f"/products/ACME-USD/candles?{query}")) == (400, "malformed")
    long = "start=2020-01-01T00:00:00Z&end=2027-01-01T00:00:00Z"
    assert refusal(get(traded_much, f"/products/ACME-USD/candles?{long}")) == (400, "malformed")


def test_a_days_statistics_are_of_the_last_24_hours(traded_much: Api) -> None:
    assert get(traded_much, "/products/ACME-USD/stats").body == {
        "open": "1.000",
        "high": "1.050",
        "low": "0.975",
        "last": "1.040",
        "volume": "12",
        "volume_30day": "12",
    }
    assert get(traded_much, "/products/BTC-USD/stats").body["volume"] == "0.0001"


def test_a_market_without_trades_has_no_candles(postgres: str, state: State, cache: Cache) -> None:
    login = new_database(postgres, state)
    History(login).close()
    database = Database(lambda: login)
    handler = over(cache, history=lambda: Trades(database))
    assert get(handler, "/products/ACME-USD/candles").body == []
    assert get(handler, "/products/ACME-USD/stats").body["last"] is None
    database.close()


def test_an_order_is_told_all_it_needs_in_one_look(cache: Cache) -> None:
    market = Markets(cache=cache, records=FoundNothing).market("ACME-USD")
    assert (market.product, market.owner) == (ACME_USD, "http://owner")
    assert market.top is not None
    assert (market.top.bid, market.top.ask, market.top.sequence) == (199, 201, 42)


def test_the_journals_rules_are_kept_and_an_unknown_product_does_not_ask_each_time() -> None:
    asked = []
    now = [0.0]

    class Journal:
        def products(self) -> list[Any]:
            asked.append(now[0])
            return [ACME_USD]

    cache, nothing = Cache.connect(host="127.0.0.1", port=9), cast("Any", None)
    markets = Markets(cache=cache, records=Journal, monotonic_s=lambda: now[0])
    for _ in range(3):
        assert markets.market("ACME-USD").top is None
        assert refusal(get(app.build(lambda: markets, nothing, lambda: NOON), "/products/NO-USD")) == (
            404,
            "unknown_product",
        )
    assert asked == [0.0]
    now[0] = 2.0
    markets.market("ACME-USD")
    assert asked == [0.0]
    refusal(get(app.build(lambda: markets, nothing, lambda: NOON), "/products/NO-USD"))
    assert asked == [0.0, 2.0]
