"""The price list: dated, with the source of each price beside it (prices.toml)."""

import datetime
import tomllib
from pathlib import Path

import msgspec

_LIST = Path(__file__).with_name("prices.toml")


class Price(msgspec.Struct, frozen=True):
    """What one `unit` costs in US dollars, cheaper the more a month has. tiers: (up to so many units, price)."""

    unit: str
    tiers: list[tuple[float, float]]
    source: str

    def of(self, units: float) -> float:
        """Give the cost of so many units in one month."""
        cost, reached = 0.0, 0.0
        for end, usd in self.tiers:
            cost += max(0.0, min(units, end) - reached) * usd
            reached = end
        return cost


class Prices(msgspec.Struct, frozen=True):
    """All of them, by name."""

    dated: datetime.date
    region: str
    by_name: dict[str, Price]

    def of(self, name: str, units: float) -> float:
        """Give what so many units of this cost in a month. Raises KeyError for a name that is not in the list."""
        return self.by_name[name].of(units)


def load(path: Path = _LIST) -> Prices:
    """Read the list. Raises msgspec.ValidationError when an entry lacks something."""
    read = tomllib.loads(path.read_text())
    return Prices(dated=read.pop("dated"), region=read.pop("region"), by_name=msgspec.convert(read, dict[str, Price]))
