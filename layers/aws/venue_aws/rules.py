"""Product rules and assets, kept warm in one process for those who read every event."""

import time
from collections.abc import Callable, Iterable

from venue.errors import VenueError
from venue.ports import assets_of
from venue.products import Asset, Product

# Rules change rarely, and a change also comes with the events; this bounds what a process that missed it believes.
FRESH_S = 5.0
# A product that nobody knows must not make every event ask again.
ASK_AGAIN_S = 0.5


class RulesUnknown(Exception):
    """Rules that are nowhere to be found, yet or at all, or that nobody can be asked for now."""


class Rules:
    """What the venue lists, as of at most FRESH_S seconds ago. While `source` fails, what was known stays in use."""

    def __init__(self, source: Callable[[], Iterable[Product]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._products: dict[str, Product] = {}
        self._assets: dict[str, Asset] = {}
        self._asked_at: float | None = None
        self._answered = False

    def product(self, product_id: str) -> Product | None:
        """Give the rules of a product, None when there is no such product. Raises RulesUnknown when nobody can say."""
        return self._find(product_id, self._products)

    def asset(self, asset_id: str) -> Asset | None:
        """Give an asset that some product trades, None when none does. Raises RulesUnknown when nobody can say."""
        return self._find(asset_id, self._assets)

    def learn(self, product: Product) -> None:
        """Take a change at once, from the event that made it."""
        self._products[product.id] = product
        self._assets.update(assets_of([product]))

    def _find[T](self, name: str, among: dict[str, T]) -> T | None:
        self._refresh(FRESH_S if name in among else ASK_AGAIN_S)
        found = among.get(name)
        if found is None and not self._answered:
            raise RulesUnknown(name)
        return found

    def _refresh(self, after_s: float) -> None:
        now = self._clock()
        if self._asked_at is not None and now - self._asked_at < after_s:
            return
        self._asked_at = now
        self._answered = False
        try:
            products = list(self._source())
        except VenueError:
            return
        self._answered = True
        for product in products:
            self.learn(product)
