"""Who may write to Redis: of two owners the one with the higher epoch, in whichever order they come."""

from collections.abc import Iterator

import pytest
from redis import Redis

from local.state import State
from tests.unit.stream import tape as example
from venue.ports import Top
from venue.products import Product
from venue_aws.cache import Book, BookOrders, Cache, CacheDown, Owner, Snapshot, Ticker

OLD, NEW = Owner(epoch=3, url="http://old"), Owner(epoch=4, url="http://new")
PRODUCT = example.BTC_USD
OTHER = example.ACME_USD


def market(sequence: int, *, product: Product = PRODUCT, trades: int = 0) -> Snapshot:
    traded = [example.traded(n, product_id=product.id, trade_id=n) for n in range(trades, 0, -1)]
    return Snapshot(
        product=product,
        top=Top(bid=100, bid_size=1, ask=None, ask_size=None, sequence=sequence),
        book=Book(sequence=sequence, at=1, bids=[(100, 1, 1)], asks=[]),
        orders=BookOrders(sequence=sequence, at=1, bids=[(100, 1, "o")], asks=[]),
        ticker=Ticker(trade_id=trades, price=1, size=1, at=1, bid=None, ask=None) if traded else None,
        trades=traded,
    )


@pytest.fixture
def cache(redis: State) -> Iterator[Cache]:
    with Redis(host="127.0.0.1", port=redis.ports.redis, password=redis.redis_password) as client:
        client.flushdb()
        made = Cache.connect(host="127.0.0.1", port=redis.ports.redis, password=redis.redis_password, timeout_ms=2000)
        yield made
        made.close()
        client.flushdb()


def sequence_in(cache: Cache) -> int | None:
    top = cache.glance(PRODUCT.id).top
    return None if top is None else top.sequence


def test_an_owner_follows_an_older_one_and_itself(cache: Cache) -> None:
    assert cache.publish_owner(0, OLD)
    assert cache.publish_owner(0, NEW)
    assert cache.publish_owner(0, NEW)
    assert cache.owners() == {0: NEW}


def test_an_old_owner_that_wakes_does_not_put_its_address_over_the_new_ones(cache: Cache) -> None:
    cache.publish_owner(0, NEW)
    assert not cache.publish_owner(0, OLD)
    assert cache.publish_owner(1, OLD)  # another shard is another matter
    assert cache.owners() == {0: NEW, 1: OLD}


def test_an_old_owner_that_wakes_does_not_put_its_books_over_the_new_ones(cache: Cache) -> None:
    cache.publish_owner(0, OLD)
    assert cache.publish([market(5)], shard=0, epoch=OLD.epoch)
    cache.publish_owner(0, NEW)
    # From here on the old one's books are out of date, whether the new one has written its own or not.
    assert not cache.publish([market(6)], shard=0, epoch=OLD.epoch)
    assert sequence_in(cache) == 5
    assert cache.publish([market(9)], shard=0, epoch=NEW.epoch)
    assert not cache.publish([market(7)], shard=0, epoch=OLD.epoch)
    assert sequence_in(cache) == 9


def test_books_are_not_written_where_redis_has_forgotten_the_owner(cache: Cache) -> None:
    """Then all else is forgotten as well, and only a complete rewrite is right."""
    assert not cache.publish([market(5)], shard=0, epoch=1)
    assert (cache.products(), sequence_in(cache)) == ([], None)


def test_several_markets_are_written_whole(cache: Cache) -> None:
    cache.publish_owner(0, NEW)
    markets = [market(5, trades=100), market(6, product=OTHER), market(7, trades=2)]
    assert cache.publish(markets, shard=0, epoch=NEW.epoch)
    assert [product.id for product in cache.products()] == [OTHER.id, PRODUCT.id]
    assert [trade.trade_id for trade in cache.trades(PRODUCT.id)] == [2, 1]
    assert cache.ticker(PRODUCT.id) == markets[2].ticker
    assert cache.book(PRODUCT.id) == markets[2].book
    assert cache.book_orders(OTHER.id) == markets[1].orders
    assert cache.ticker(OTHER.id) is None
    assert cache.trades(OTHER.id) == []
    assert cache.publish([], shard=0, epoch=NEW.epoch)


def test_a_redis_that_is_away_is_down_for_writers_as_well() -> None:
    nowhere = Cache.connect(host="127.0.0.1", port=9)
    with pytest.raises(CacheDown):
        nowhere.publish_owner(0, OLD)
    with pytest.raises(CacheDown):
        nowhere.publish([market(1)], shard=0, epoch=3)
