"""Redis: what matchers publish and callers read. It may be away, forget everything, or tell of a time long gone."""

from collections.abc import Iterable

from tests.simulation.loop import pause
from tests.simulation.process import Process
from tests.simulation.trouble import Trouble
from venue.products import Product
from venue_aws.cache import CacheDown, Glance, Owner, Snapshot


class Redis:
    """What is in it. Its scripts compare epochs, and so does this."""

    def __init__(self) -> None:
        self.owners: dict[int, Owner] = {}
        self.markets: dict[str, Snapshot] = {}
        self.former: list[tuple[int, Owner]] = []

    def empty(self) -> None:
        """Lose everything."""
        self.owners.clear()
        self.markets.clear()

    def publish_owner(self, shard: int, owner: Owner) -> bool:
        """See venue_aws.cache."""
        known = self.owners.get(shard)
        if known is not None and known.epoch > owner.epoch:
            return False
        self.owners[shard] = owner
        self.former.append((shard, owner))
        return True


class SharedCache:
    """venue_aws.cache.Cache, as one process has it. Blocking: it runs by `blocking`."""

    def __init__(self, process: Process, redis: Redis, trouble: Trouble) -> None:
        self._process = process
        self._redis = redis
        self._trouble = trouble

    def owners(self) -> dict[int, Owner]:
        """See venue_aws.cache."""
        self._reach()
        found = dict(self._redis.owners)
        self._back()
        return found

    def publish_owner(self, shard: int, owner: Owner) -> bool:
        """See venue_aws.cache."""
        self._reach()
        done = self._redis.publish_owner(shard, owner)
        self._back()
        return done

    def publish(self, markets: Iterable[Snapshot], *, shard: int, epoch: int) -> bool:
        """See venue_aws.cache."""
        self._reach()
        known = self._redis.owners.get(shard)
        if known is None or known.epoch != epoch:
            return False
        self._redis.markets.update((market.product.id, market) for market in markets)
        self._back()
        return True

    def glance(self, product_id: str) -> Glance:
        """See venue_aws.cache."""
        self._reach()
        market, owners = self._redis.markets.get(product_id), dict(self._redis.owners)
        self._back()
        if market is None:
            return Glance(product=None, top=None, owners=owners)
        return Glance(product=market.product, top=market.top, owners=owners)

    def products(self) -> list[Product]:
        """See venue_aws.cache."""
        self._reach()
        found = [self._redis.markets[name].product for name in sorted(self._redis.markets)]
        self._back()
        return found

    def _reach(self) -> None:
        self._process.check()
        pause(self._trouble.way())
        self._process.check()
        if self._trouble.lasts("redis_away"):
            raise CacheDown("Redis is away")

    def _back(self) -> None:
        pause(self._trouble.way())
        self._process.check()
