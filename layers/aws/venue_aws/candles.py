"""What trades of one span of time came to."""

from typing import Final, Protocol

import msgspec

CANDLES_MAX: Final = 300  # in one answer


class Candle(msgspec.Struct, frozen=True, kw_only=True):
    """What trades of one span came to: `start` in µs, prices in ticks, `volume` in lots."""

    start: int
    low: int
    high: int
    open: int
    close: int
    volume: int


class Trades(Protocol):
    """All trades of a market: venue_aws.history.History."""

    def candles(self, product_id: str, *, start: int, end: int, step: int) -> list[Candle]:
        """The spans in which there were trades, newest first."""
        ...

    def volume(self, product_id: str, *, since: int) -> int:
        """The lots that were traded since then."""
        ...
