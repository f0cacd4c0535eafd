"""Redis: book snapshots, tickers, product rules and who owns which shard. The matcher writes, the functions read.

Names and encoding of every key are here and nowhere else. Nothing in Redis is the only copy of anything. Every write is
fenced by the writer's epoch, in Redis itself: an owner that was overtaken and does not know it writes nothing. Prices
are ticks, sizes lots, times µs since 1970 UTC; a market that has never been written reads as None.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.credentials import UsernamePasswordCredentialProvider
from redis.retry import Retry

from venue import wire
from venue.events import Traded
from venue.ports import Top
from venue.products import MarketStatus, Product
from venue_aws.logins import Logins, SecretAway

LEVELS_MAX = 500
ORDERS_MAX = 1000
TRADES_MAX = 100


class CacheDown(Exception):
    """Redis did not answer in time, or not at all."""


class CacheLogin(msgspec.Struct, frozen=True, kw_only=True):
    """The Redis secret's content."""

    host: str
    port: int
    username: str
    password: str
    tls: bool = False

    def __repr__(self) -> str:
        return f"CacheLogin({self.username!r})"


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Where a shard's matcher answers. Of two, the one with the higher epoch is right."""

    epoch: int
    url: str


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """Price levels, best first: (price, size, number of orders)."""

    sequence: int
    at: int
    bids: list[tuple[int, int, int]]
    asks: list[tuple[int, int, int]]


class BookOrders(msgspec.Struct, frozen=True, kw_only=True):
    """Single resting orders, best and oldest first: (price, size, order id)."""

    sequence: int
    at: int
    bids: list[tuple[int, int, str]]
    asks: list[tuple[int, int, str]]


class Ticker(msgspec.Struct, frozen=True, kw_only=True):
    """The last trade, and the best prices when this was written."""

    trade_id: int
    price: int
    size: int
    at: int
    bid: int | None
    ask: int | None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept about one product, as of one committed batch. `trades`: newest first."""

    product: Product
    status: MarketStatus = "trading"
    top: Top
    book: Book
    orders: BookOrders
    ticker: Ticker | None
    trades: list[Traded]


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """What placing an order needs, from one round trip. `owners` by shard."""

    product: Product | None
    top: Top | None
    owners: dict[int, Owner]


_OWNER = msgspec.json.Decoder(Owner)
_TOP = msgspec.json.Decoder(Top)
_BOOK = msgspec.json.Decoder(Book)
_BOOK_ORDERS = msgspec.json.Decoder(BookOrders)
_TICKER = msgspec.json.Decoder(Ticker)
_TRADED = msgspec.json.Decoder(Traded)

_PRODUCTS = "products"
_STATES = "states"
_OWNERS = "owners"

# KEYS: owners. ARGV: shard, epoch, owner.
_PUBLISH_OWNER = """
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if stored and cjson.decode(stored).epoch > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""
# KEYS: owners, products, states, then five of each market. ARGV: shard, epoch, then of each market its name, rules,
# state, top, book, orders, ticker ('' for none), the number of its trades, and these.
_PUBLISH = """
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if not stored or cjson.decode(stored).epoch ~= tonumber(ARGV[2]) then return 0 end
local key, at = 4, 3
while key <= #KEYS do
    redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
    redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 2])
    for offset = 0, 2 do redis.call('SET', KEYS[key + offset], ARGV[at + 3 + offset]) end
    if ARGV[at + 6] ~= '' then redis.call('SET', KEYS[key + 3], ARGV[at + 6]) end
    redis.call('DEL', KEYS[key + 4])
    local trades = tonumber(ARGV[at + 7])
    if trades > 0 then redis.call('RPUSH', KEYS[key + 4], unpack(ARGV, at + 8, at + 7 + trades)) end
    key, at = key + 5, at + 8 + trades
end
return 1
"""


class Cache:
    """Typed access to Redis. Blocking; every method raises CacheDown when Redis is away."""

    def __init__(self, connect: Callable[[], redis.Redis]) -> None:
        self._connect = connect

    @classmethod
    def connect(cls, *, host: str, port: int, password: str = "", tls: bool = False, timeout_ms: int = 100) -> "Cache":
        """Make a client. It connects on first use, and again after a loss; `timeout_ms` bounds every wait."""
        return cls(
            lambda: redis.Redis(host=host, port=port, password=password or None, ssl=tls, **_bounded(timeout_ms))
        )

    @classmethod
    def follow(cls, logins: Logins[CacheLogin], *, timeout_ms: int = 100) -> "Cache":
        """The same with a login that changes: each connection asks for it, and for another one where it is refused.

        The address is that of the first login.
        """

        def enter(connection: redis.Connection) -> None:
            try:
                login = logins.now()
            except SecretAway as error:
                raise redis.ConnectionError("the login is not to be had") from error
            try:
                _show(connection, login)
            except redis.AuthenticationError:
                another = logins.instead_of(login)
                if another is None:
                    raise
                _show(connection, another)

        def connect() -> redis.Redis:
            first = logins.now()
            known: Any = {"redis_connect_func": enter}
            return redis.Redis(host=first.host, port=first.port, ssl=first.tls, **known, **_bounded(timeout_ms))

        return cls(connect)

    # What the functions read.

    def glance(self, product_id: str) -> Glance:
        """Give a product's rules, the top of its book and all owners in one round trip."""
        pipe = self._pipeline()
        pipe.hget(_PRODUCTS, product_id)
        pipe.get(f"top:{product_id}")
        pipe.hgetall(_OWNERS)
        product, top, owners = _answer(pipe)
        return Glance(
            product=wire.PRODUCT.decode(product) if product else None,
            top=_TOP.decode(top) if top else None,
            owners=_owners(owners),
        )

    def products(self) -> list[Product]:
        """Give the rules of all products, by id. Empty when nothing has been written yet."""
        pipe = self._pipeline()
        pipe.hvals(_PRODUCTS)
        (values,) = _answer(pipe)
        return sorted((wire.PRODUCT.decode(value) for value in values), key=lambda product: product.id)

    def states(self) -> dict[str, MarketStatus]:
        """Give the state of every market that has been written."""
        pipe = self._pipeline()
        pipe.hgetall(_STATES)
        (values,) = _answer(pipe)
        return {name.decode(): msgspec.convert(value.decode(), MarketStatus) for name, value in values.items()}

    def owners(self) -> dict[int, Owner]:
        """Give the owner of every shard."""
        pipe = self._pipeline()
        pipe.hgetall(_OWNERS)
        (owners,) = _answer(pipe)
        return _owners(owners)

    def book(self, product_id: str) -> Book | None:
        """Give the price levels of a book, at most LEVELS_MAX a side."""
        value = self._get(f"book:{product_id}")
        return _BOOK.decode(value) if value else None

    def book_orders(self, product_id: str) -> BookOrders | None:
        """Give the single resting orders of a book, at most ORDERS_MAX a side."""
        value = self._get(f"book3:{product_id}")
        return _BOOK_ORDERS.decode(value) if value else None

    def ticker(self, product_id: str) -> Ticker | None:
        """Give the ticker; None when the product has never traded."""
        value = self._get(f"ticker:{product_id}")
        return _TICKER.decode(value) if value else None

    def trades(self, product_id: str, *, limit: int = TRADES_MAX) -> list[Traded]:
        """Give the last trades, newest first, at most TRADES_MAX."""
        pipe = self._pipeline()
        pipe.lrange(f"trades:{product_id}", 0, limit - 1)
        (values,) = _answer(pipe)
        return [_TRADED.decode(value) for value in values]

    # What the matcher writes.

    def publish_owner(self, shard: int, owner: Owner) -> bool:
        """Say who owns a shard. False, and nothing is written, when Redis knows an owner with a higher epoch."""
        return _done(self._publish_owner, keys=[_OWNERS], arguments=[str(shard), owner.epoch, wire.encode(owner)])

    def publish(self, markets: Iterable[Snapshot], *, shard: int, epoch: int) -> bool:
        """Write whole markets of one shard; a reader sees all of one write or nothing of it.

        False, and nothing is written, when the owner that Redis knows is not of this epoch, or it knows none.
        """
        keys = [_OWNERS, _PRODUCTS, _STATES]
        arguments: list[str | int | bytes] = [str(shard), epoch]
        for market in markets:
            name = market.product.id
            keys += [f"top:{name}", f"book:{name}", f"book3:{name}", f"ticker:{name}", f"trades:{name}"]
            arguments += [name, wire.encode(market.product), market.status]
            arguments += [wire.encode(each) for each in (market.top, market.book, market.orders)]
            arguments += ["" if market.ticker is None else wire.encode(market.ticker), len(market.trades)]
            arguments += [wire.encode(trade) for trade in market.trades]
        return _done(self._publish, keys=keys, arguments=arguments)

    def close(self) -> None:
        """Close the connections."""
        if "_client" in self.__dict__:
            self._client.close()

    @cached_property
    def _client(self) -> redis.Redis:
        try:
            return self._connect()
        except SecretAway as error:
            raise CacheDown("the login is not to be had") from error

    @cached_property
    def _publish_owner(self) -> Script:
        return self._client.register_script(_PUBLISH_OWNER)

    @cached_property
    def _publish(self) -> Script:
        return self._client.register_script(_PUBLISH)

    def _pipeline(self) -> Any:
        return self._client.pipeline(transaction=False)

    def _get(self, key: str) -> bytes | None:
        pipe = self._pipeline()
        pipe.get(key)
        (value,) = _answer(pipe)
        return value if isinstance(value, bytes) else None


def _bounded(timeout_ms: int) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_ms / 1000,
        "socket_connect_timeout": timeout_ms / 1000,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 1),  # one more try: a kept connection may have been closed meanwhile
    }


def _show(connection: redis.Connection, login: CacheLogin) -> None:
    """Say who we are on a new connection. Raises AuthenticationError where that is refused; one may try again."""
    connection.credential_provider = UsernamePasswordCredentialProvider(login.username, login.password)
    connection.on_connect()  # type: ignore[no-untyped-call]


def _answer(pipe: Any) -> list[Any]:
    try:
        results: list[Any] = pipe.execute()
    except redis.RedisError as error:
        raise CacheDown(str(error)) from error
    return results


def _done(script: Any, *, keys: list[str], arguments: list[str | int | bytes]) -> bool:
    # One round trip; one more where Redis does not know the script, because it is a new one.
    try:
        return bool(script(keys=keys, args=arguments))
    except redis.RedisError as error:
        raise CacheDown(str(error)) from error


def _owners(values: dict[bytes, bytes]) -> dict[int, Owner]:
    return {int(shard): _OWNER.decode(value) for shard, value in values.items()}
