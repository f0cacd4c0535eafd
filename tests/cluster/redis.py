"""A Redis that comes and goes."""

from pathlib import Path

from redis import Redis

from local.processes import Running, stop
from local.servers import ENDINGS, launch
from local.state import State, choose_ports
from venue_aws.cache import Cache


class RedisServer:
    """A Redis that a test may stop and start again; it comes back empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = State(ports=choose_ports(None))
        self._running: Running | None = None

    def environment(self) -> dict[str, str]:
        """What a matcher is told about it."""
        return {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self._state.ports.redis),
            "REDIS_PASSWORD": self._state.redis_password,
        }

    def cache(self) -> Cache:
        """A reader of it."""
        return Cache.connect(
            host="127.0.0.1", port=self._state.ports.redis, password=self._state.redis_password, timeout_ms=2000
        )

    def forget(self, *keys: str) -> None:
        """Take away these keys, or all where none is named."""
        with Redis(host="127.0.0.1", port=self._state.ports.redis, password=self._state.redis_password) as client:
            if keys:
                assert client.delete(*keys) == len(keys)
            else:
                client.flushall()

    def start(self) -> None:
        """Start it, empty."""
        self._running = launch("redis", self._folder, self._state)

    def stop(self) -> None:
        """Stop it; its keys are gone."""
        stop(self._running, how=ENDINGS["redis"])
