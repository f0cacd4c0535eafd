"""What is traded here and who owns it: from Redis; where Redis is away or empty, the rules from the journal."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from venue.errors import NotFound, Unavailable
from venue.events import Traded
from venue.ports import Market, assets_of
from venue.products import Asset, MarketStatus, Product
from venue_aws.cache import Book, BookOrders, Cache, CacheDown, Glance, Ticker

# The journal's rules are kept this long; asking for an unknown product reads them again, at most once a second.
RULES_KEPT_S = 60
RULES_AGE_MIN_S = 1


class Listings(Protocol):
    """Where the rules are when Redis does not have them: venue_aws.records.Records."""

    def products(self) -> list[Product]:
        """The rules of all products."""
        ...


class Markets:
    """Product rules, tops of books and owners; see venue.ports.Markets.

    `records` is a function so that nothing connects to the database while Redis knows all that is needed.
    """

    def __init__(
        self, *, cache: Cache, records: Callable[[], Listings], monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._cache = cache
        self._records = records
        self._monotonic_s = monotonic_s
        self._rules: dict[str, Product] = {}
        self._read_at_s: float | None = None

    def market(self, product_id: str) -> Market:
        """Give all that an order for this product needs. Raises NotFound."""
        try:
            glance = self._cache.glance(product_id)
        except CacheDown:
            return Market(product=self._from_journal(product_id))
        product = glance.product or self._from_journal(product_id)
        return Market(product=product, top=glance.top, owner=_owner(glance, product.shard))

    def product(self, product_id: str) -> Product:
        """Give the rules of one product. Raises NotFound."""
        return self.market(product_id).product

    def products(self) -> list[Product]:
        """Give the rules of all products, by id."""
        try:
            found = self._cache.products()
        except CacheDown:
            found = []
        return found or sorted(self._kept(RULES_KEPT_S).values(), key=lambda product: product.id)

    def states(self) -> Mapping[str, MarketStatus]:
        """Give what each market accepts now, as far as it can be seen."""
        try:
            return self._cache.states()
        except CacheDown:
            return {}

    def by_id(self) -> Mapping[str, Product]:
        """Give the rules of all products by id."""
        return {product.id: product for product in self.products()}

    def assets(self) -> Mapping[str, Asset]:
        """Give every asset that some product trades, by id."""
        return assets_of(self.products())

    def owners(self) -> Mapping[int, str]:
        """Give the address of each shard's owner. Raises Unavailable while Redis is away."""
        try:
            return {shard: owner.url for shard, owner in self._cache.owners().items()}
        except CacheDown as error:
            raise Unavailable("nobody knows the owners now", retry_after_s=1) from error

    def shards(self) -> frozenset[int]:
        """Give every shard that some product is traded in. Raises Unavailable when nobody knows the products."""
        return frozenset(product.shard for product in self.products())

    def book(self, product_id: str) -> Book:
        """Give the levels of a book. Raises Unavailable while they cannot be seen; so do the next three."""
        return self._seen(self._cache.book, product_id)

    def book_orders(self, product_id: str) -> BookOrders:
        """Give the single orders of a book."""
        return self._seen(self._cache.book_orders, product_id)

    def ticker(self, product_id: str) -> Ticker | None:
        """Give the ticker, None before the first trade."""
        try:
            return self._cache.ticker(product_id)
        except CacheDown as error:
            raise _unseen() from error

    def trades(self, product_id: str) -> list[Traded]:
        """Give the last trades, newest first."""
        try:
            return self._cache.trades(product_id)
        except CacheDown as error:
            raise _unseen() from error

    def _seen[Seen](self, read: Callable[[str], Seen | None], product_id: str) -> Seen:
        try:
            found = read(product_id)
        except CacheDown as error:
            raise _unseen() from error
        if found is None:
            raise _unseen()
        return found

    def _from_journal(self, product_id: str) -> Product:
        product = self._kept(RULES_KEPT_S).get(product_id) or self._kept(RULES_AGE_MIN_S).get(product_id)
        if product is None:
            raise NotFound("Product not found", code="unknown_product")
        return product

    def _kept(self, age_max_s: float) -> Mapping[str, Product]:
        now_s = self._monotonic_s()
        if self._read_at_s is None or now_s - self._read_at_s > age_max_s:
            self._rules = {product.id: product for product in self._records().products()}
            self._read_at_s = now_s
        return self._rules


def _unseen() -> Unavailable:
    return Unavailable("market data cannot be seen now", retry_after_s=1)


def _owner(glance: Glance, shard: int) -> str | None:
    owner = glance.owners.get(shard)
    return owner.url if owner else None
