"""What a new subscriber is told first, asked of the real market_data function on a real Redis."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from redis import Redis

from functions.market_data import app
from local.state import State
from tests.rest import Context
from tests.unit.stream import tape as example
from venue.checksum import book_checksum
from venue.errors import Unavailable
from venue.ports import Top
from venue.products import Product
from venue_aws.cache import Book, BookOrders, Cache, Owner, Snapshot, Ticker
from venue_aws.markets import Markets
from venue_aws.public_data import ASK_AGAIN_S, RULES_KEPT_S, PublicData


class Lambda:
    """Lambda as far as this needs it: calls the handler, and hands over JSON both ways."""

    def __init__(self, handler: Callable[[dict[str, Any], Any], dict[str, Any]]) -> None:
        self._handler = handler
        self.calls = 0
        self.failure: Exception | None = None
        self.answer: Any = None

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "market_data"
        self.calls += 1
        if self.failure:
            raise self.failure
        answer = self.answer or self._handler(json.loads(Payload), Context())
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode())}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Stand:
    """Snapshot data with its Redis, and one reader of it."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        markets = Markets(cache=cache, records=self._no_journal)
        self.function = Lambda(app.build(lambda: markets, self._no_journal, lambda: example.AT))
        self.clock = Clock()
        self.public = PublicData(self.function, "market_data", clock=self.clock)  # type: ignore[arg-type]

    def _no_journal(self) -> Any:
        raise Unavailable("the journal does not answer now")

    def publish(self, product: Product, *, traded: bool) -> None:
        trade = example.traded(9, product_id=product.id)
        ticker = Ticker(trade_id=10, price=trade.price, size=trade.size, at=trade.at, bid=None, ask=None)
        assert self.cache.publish_owner(0, Owner(epoch=1, url="http://owner"))
        assert self.cache.publish(
            [
                Snapshot(
                    product=product,
                    top=Top(bid=4_000_000, bid_size=5, ask=4_000_100, ask_size=7, sequence=12),
                    book=Book(sequence=12, at=example.AT, bids=[(4_000_000, 5, 1)], asks=[(4_000_100, 7, 2)]),
                    orders=BookOrders(sequence=12, at=example.AT, bids=[], asks=[]),
                    ticker=ticker if traded else None,
                    trades=[trade] if traded else [],
                )
            ],
            shard=0,
            epoch=1,
        )


@pytest.fixture
def stand(redis: State) -> Iterator[Stand]:
    address: dict[str, Any] = {"host": "127.0.0.1", "port": redis.ports.redis, "password": redis.redis_password}
    cache = Cache.connect(**address, timeout_ms=2000)
    # The session's other tests publish as well: none is to find what another left.
    with Redis(**address) as client:
        client.flushdb()
        made = Stand(cache)
        made.publish(example.BTC_USD, traded=True)
        made.publish(example.ACME_USD, traded=False)
        yield made
        client.flushdb()
    cache.close()


def test_a_snapshot_is_the_book_with_its_sequence_and_checksum(stand: Stand) -> None:
    snapshot = stand.public.snapshot("BTC-USD")
    assert snapshot.sequence == 12
    assert snapshot.bids == [("40000.00", "0.0005")]
    assert snapshot.asks == [("40001.00", "0.0007")]
    assert snapshot.checksum == book_checksum(bids=snapshot.bids, asks=snapshot.asks)


def test_the_last_match_says_all_that_a_match_says(stand: Stand) -> None:
    match = stand.public.last_match("BTC-USD")
    assert match is not None
    assert (match.trade_id, match.sequence, match.side) == (10, 9, "sell")
    assert (match.price, match.size, match.time) == ("39999.50", "1.0000", "2023-11-14T22:13:20.123456Z")
    assert (match.maker_order_id, match.taker_order_id) == ("order-m", "order-1")


def test_the_ticker_has_the_best_prices(stand: Stand) -> None:
    ticker = stand.public.ticker("BTC-USD")
    assert ticker is not None
    assert (ticker.price, ticker.last_size) == ("39999.50", "1.0000")
    assert (ticker.best_bid, ticker.best_ask) == ("40000.00", "40001.00")


def test_a_market_that_has_not_traded_has_neither_last_match_nor_ticker(stand: Stand) -> None:
    assert stand.public.last_match("ACME-USD") is None
    assert stand.public.ticker("ACME-USD") is None
    assert stand.public.snapshot("ACME-USD").sequence == 12


def test_status_gives_products_and_currencies_as_rest_does(stand: Stand) -> None:
    status = stand.public.status()
    products = [msgspec.json.decode(product) for product in status.products]
    assert {product["id"] for product in products} == {"ACME-USD", "BTC-USD"}
    assert {product["quote_increment"] for product in products} == {"0.005", "0.01"}
    assert {msgspec.json.decode(currency)["id"] for currency in status.currencies} == {"ACME", "BTC", "USD"}


def test_products_are_asked_for_again_when_they_are_old_or_one_is_unknown(stand: Stand) -> None:
    assert stand.public.lists("BTC-USD")
    calls = stand.function.calls
    assert stand.public.lists("ACME-USD")
    assert not stand.public.lists("XXX-USD")
    assert stand.function.calls == calls
    stand.clock.now += ASK_AGAIN_S
    assert not stand.public.lists("XXX-USD")
    assert stand.function.calls > calls
    calls = stand.function.calls
    stand.clock.now += RULES_KEPT_S
    assert stand.public.lists("BTC-USD")
    assert stand.function.calls > calls


@pytest.mark.parametrize("broken", ["throttled", "crashed", "unreadable"])
def test_market_data_that_does_not_answer_is_unavailable(stand: Stand, broken: str) -> None:
    match broken:
        case "throttled":
            stand.function.failure = ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
        case "crashed":
            stand.function.answer = {"errorMessage": "exhausted", "errorType": "Runtime.ExitError"}
        case _:
            stand.function.answer = {"statusCode": 200, "body": "<html>"}
    for ask in (stand.public.snapshot, stand.public.last_match, stand.public.ticker, stand.public.lists):
        with pytest.raises(Unavailable):
            ask("BTC-USD")
