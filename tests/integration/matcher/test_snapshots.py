"""What the functions find in Redis, and that the matcher does without Redis."""

import time
from collections.abc import Callable

import msgspec
import pytest

from tests.cluster.database import NewDatabase
from tests.cluster.flow import BTC_USD, flow, limit
from tests.cluster.redis import RedisServer
from tests.integration.matcher.conftest import StartMatcher
from venue.ports import Top
from venue_aws.cache import CacheDown, Owner


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_serving_matcher_is_known_with_its_products_and_empty_books(
    start_matcher: StartMatcher, redis_server: RedisServer
) -> None:
    matcher = start_matcher(**redis_server.environment()).wait_until_ready()
    cache = redis_server.cache()
    until(lambda: cache.glance("BTC-USD").top is not None)
    glance = cache.glance("BTC-USD")
    assert glance.product == msgspec.structs.replace(BTC_USD, orders_max=1_000)
    assert glance.owners == {0: Owner(epoch=1, url=f"{matcher.url}/shards/0")}
    assert glance.top == Top(bid=None, bid_size=None, ask=None, ask_size=None, sequence=0)
    assert [product.id for product in cache.products()] == ["ACME-USD", "BTC-USD", "ETH-USD"]
    assert cache.ticker("BTC-USD") is None
    assert cache.trades("BTC-USD") == []
    assert cache.glance("NONE-USD").product is None


def test_books_tickers_and_trades_follow_the_journal(
    start_matcher: StartMatcher, redis_server: RedisServer, database: NewDatabase
) -> None:
    matcher = start_matcher(**redis_server.environment()).wait_until_ready()
    cache = redis_server.cache()
    older, newer, away = limit("buy", 100, 5), limit("buy", 100, 7), limit("buy", 90, 1)
    matcher.submit_all(away, older, newer, limit("sell", 110, 2, account="bob"), limit("sell", 100, 3, account="bob"))
    sequence = matcher.state()["products"]["BTC-USD"]

    def current() -> bool:
        top = cache.glance("BTC-USD").top
        return top is not None and top.sequence == sequence

    until(current)
    assert cache.glance("BTC-USD").top == Top(bid=100, bid_size=9, ask=110, ask_size=2, sequence=sequence)
    book, orders, ticker = cache.book("BTC-USD"), cache.book_orders("BTC-USD"), cache.ticker("BTC-USD")
    assert book is not None
    assert orders is not None
    assert ticker is not None
    assert (book.bids, book.asks, book.sequence) == ([(100, 9, 2), (90, 1, 1)], [(110, 2, 1)], sequence)
    assert orders.bids == [(100, 2, older.order_id), (100, 7, newer.order_id), (90, 1, away.order_id)]
    assert (ticker.price, ticker.size, ticker.bid, ticker.ask) == (100, 3, 100, 110)
    assert [(trade.trade_id, trade.size) for trade in cache.trades("BTC-USD")] == [(1, 3)]
    assert database.rows("SELECT trade_id, size FROM trades") == [(1, 3)]


def test_the_last_trades_are_there_again_after_a_restart(
    start_matcher: StartMatcher, redis_server: RedisServer, database: NewDatabase
) -> None:
    first = start_matcher().wait_until_ready()
    for order in flow(5, 400):
        first.submit(order)
    first.terminate()
    start_matcher(**redis_server.environment()).wait_until_ready()
    cache = redis_server.cache()
    until(lambda: cache.ticker("BTC-USD") is not None)
    found = [(trade.trade_id, trade.price) for trade in cache.trades("BTC-USD")]
    assert found == database.rows("SELECT trade_id, price FROM trades ORDER BY trade_id DESC LIMIT 100")
    assert len(found) == 100


def test_orders_go_in_while_redis_is_away_and_all_is_written_when_it_is_back(
    start_matcher: StartMatcher, redis_server: RedisServer
) -> None:
    matcher = start_matcher(**redis_server.environment()).wait_until_ready()
    cache = redis_server.cache()
    until(lambda: cache.glance("BTC-USD").top is not None)
    redis_server.stop()
    with pytest.raises(CacheDown):
        cache.glance("BTC-USD")
    for price in range(100, 120):
        assert matcher.submit(limit("buy", price, 1)).refused is None
    assert matcher.is_ready()
    redis_server.start()
    until(lambda: (top := cache.glance("BTC-USD").top) is not None and top.bid == 119)
    assert 0 in cache.owners()
    assert len(cache.products()) == 3


def test_a_matcher_starts_without_redis(start_matcher: StartMatcher, redis_server: RedisServer) -> None:
    redis_server.stop()
    matcher = start_matcher(**redis_server.environment()).wait_until_ready()
    assert matcher.submit(limit("buy", 100, 1)).refused is None
    redis_server.start()
    cache = redis_server.cache()
    until(lambda: (top := cache.glance("BTC-USD").top) is not None and top.bid == 100)


def test_a_matcher_that_redis_knows_wrongly_puts_it_right(
    start_matcher: StartMatcher, redis_server: RedisServer
) -> None:
    first = start_matcher().wait_until_ready()
    first.terminate()
    matcher = start_matcher(**redis_server.environment()).wait_until_ready()
    cache, mine = redis_server.cache(), Owner(epoch=2, url=f"{matcher.url}/shards/0")
    until(lambda: cache.owners() == {0: mine})
    # As a backup or a replica that lags would: an older owner, and nothing else.
    redis_server.forget()
    assert cache.publish_owner(0, Owner(epoch=1, url=f"{first.url}/shards/0"))
    until(lambda: cache.owners() == {0: mine} and cache.glance("BTC-USD").top is not None)


def test_a_matcher_that_was_overtaken_writes_nothing_until_redis_forgets_the_other(
    start_matcher: StartMatcher, redis_server: RedisServer
) -> None:
    other = Owner(epoch=7, url="http://other")
    assert redis_server.cache().publish_owner(0, other)
    matcher = start_matcher(**redis_server.environment()).wait_until_ready()
    assert matcher.submit(limit("buy", 100, 1)).refused is None
    matcher.wait_until(lambda: matcher.has_logged("cache_has_a_newer_owner"))
    cache = redis_server.cache()
    assert cache.owners() == {0: other}
    assert cache.products() == []
    redis_server.forget()
    until(lambda: cache.owners() == {0: Owner(epoch=1, url=f"{matcher.url}/shards/0")})
    until(lambda: (top := cache.glance("BTC-USD").top) is not None and top.bid == 100)


def test_an_idle_matcher_notices_a_redis_that_came_back_empty(
    start_matcher: StartMatcher, redis_server: RedisServer
) -> None:
    start_matcher(**redis_server.environment()).wait_until_ready()
    cache = redis_server.cache()
    until(lambda: cache.glance("BTC-USD").top is not None)
    redis_server.stop()
    redis_server.start()
    until(lambda: 0 in cache.owners() and cache.glance("BTC-USD").top is not None)


def test_a_quiet_market_that_redis_lost_is_written_again(
    start_matcher: StartMatcher, redis_server: RedisServer
) -> None:
    matcher = start_matcher(**redis_server.environment()).wait_until_ready()
    cache = redis_server.cache()
    matcher.submit(limit("buy", 100, 1))
    until(lambda: (top := cache.glance("BTC-USD").top) is not None and top.bid == 100)
    # A replica that lags knows the owner, and not the last that it wrote.
    redis_server.forget("top:BTC-USD", "book:BTC-USD")
    until(lambda: cache.glance("BTC-USD").top is not None and cache.book("BTC-USD") is not None)
    assert cache.owners() == {0: Owner(epoch=1, url=f"{matcher.url}/shards/0")}
