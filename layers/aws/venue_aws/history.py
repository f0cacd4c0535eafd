"""What a market's trades came to over time: candles, and the last day. From the journal."""

from typing import Final

from psycopg.rows import kwargs_row, scalar_row

from venue_aws.candles import CANDLES_MAX, Candle
from venue_aws.database import Database

# Prices in ticks, sizes in lots; the first and last trade of each span are then looked up by their ids.
_CANDLES: Final = """
    WITH spans AS (
        SELECT at / %(step)s * %(step)s AS start, min(price) AS low, max(price) AS high,
               min(trade_id) AS first, max(trade_id) AS last, sum(size)::bigint AS volume
        FROM trades WHERE product_id = %(product_id)s AND at >= %(start)s AND at < %(end)s
        GROUP BY 1 ORDER BY 1 DESC LIMIT %(limit)s
    )
    SELECT spans.start, low, high, opening.price AS open, closing.price AS close, volume FROM spans
    JOIN trades opening ON opening.product_id = %(product_id)s AND opening.trade_id = spans.first
    JOIN trades closing ON closing.product_id = %(product_id)s AND closing.trade_id = spans.last
    ORDER BY spans.start DESC"""

_VOLUME: Final = (
    "SELECT coalesce(sum(size), 0)::bigint FROM trades WHERE product_id = %(product_id)s AND at >= %(start)s"
)


class History:
    """Reads of all trades of a market. Raises Unavailable when the journal does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def candles(self, product_id: str, *, start: int, end: int, step: int) -> list[Candle]:
        """Give the spans of `step` µs, from `start` to before `end`, in which there were trades; the newest first."""
        span = {"product_id": product_id, "start": start, "end": end, "step": step, "limit": CANDLES_MAX}
        return self._database.fetch(_CANDLES, span, row=kwargs_row(Candle))

    def volume(self, product_id: str, *, since: int) -> int:
        """Give the lots that were traded since then."""
        found: list[int] = self._database.fetch(_VOLUME, {"product_id": product_id, "start": since}, row=scalar_row)
        return found[0]
