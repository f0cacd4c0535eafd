"""What the REST API tells everyone, public market data: rules, books, tickers, trades; `answers` is for one account.

Decimals are text, times RFC 3339 in UTC.
"""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any

from pydantic import Field

from venue.checksum import LEVELS, book_checksum
from venue.events import Traded
from venue.instants import rfc3339
from venue.money import format_units
from venue.orders import Side
from venue.ports import Top
from venue.products import Asset, MarketStatus, Product
from venue_aws.answers import Answer
from venue_aws.cache import Book, BookOrders, Ticker
from venue_aws.candles import Candle


class TimeView(Answer):
    """The venue's clock; `epoch` in seconds."""

    iso: str
    epoch: float

    @classmethod
    def of(cls, at: int) -> "TimeView":
        """Write µs since 1970 UTC."""
        return cls(iso=rfc3339(at), epoch=at / 1_000_000)


class CurrencyView(Answer):
    """Something that a wallet holds."""

    id: str
    name: str
    min_size: str
    max_precision: str
    status: str = "online"
    message: str = ""
    details: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, asset: Asset) -> "CurrencyView":
        """Write one asset."""
        unit = format_units(1, asset.scale)
        return cls(id=asset.id, name=asset.name, min_size=unit, max_precision=unit)


class ProductView(Answer):
    """The rules of one market, and what it accepts now; with no flag set, everything."""

    id: str
    display_name: str
    base_currency: str
    quote_currency: str
    base_increment: str
    quote_increment: str
    base_min_size: str
    base_max_size: str
    min_market_funds: str
    maker_fee_rate: str
    taker_fee_rate: str
    status: str = "online"
    status_message: str = ""
    post_only: bool
    limit_only: bool
    cancel_only: bool
    trading_disabled: bool
    auction_mode: bool
    margin_enabled: bool = False
    fx_stablecoin: bool = False

    @classmethod
    def of(cls, product: Product, state: MarketStatus | None) -> "ProductView":
        """Write one product; `state` is None where it cannot be seen now."""
        return cls(
            id=product.id,
            display_name=f"{product.base.id}/{product.quote.id}",
            base_currency=product.base.id,
            quote_currency=product.quote.id,
            base_increment=product.format_size(1),
            quote_increment=product.format_price(1),
            base_min_size=product.format_size(product.size_min),
            base_max_size=product.format_size(product.size_max),
            min_market_funds=format_units(
                product.notional_min or product.notional(1, product.size_min), product.quote.scale
            ),
            maker_fee_rate=format_units(product.maker_bps, 4),
            taker_fee_rate=format_units(product.taker_bps, 4),
            status_message="" if state else "the state of this market cannot be seen now",
            post_only=state == "post_only",
            limit_only=state == "limit_only",
            cancel_only=state == "cancel_only",
            trading_disabled=state == "halted",
            auction_mode=state == "auction",
        )


class MarketView(Answer):
    """What a market accepts, and until when."""

    product_id: str
    status: MarketStatus
    until: str | None

    @classmethod
    def of(cls, product_id: str, status: MarketStatus, until: int | None) -> "MarketView":
        """Write a market's state; `until` in µs."""
        return cls(product_id=product_id, status=status, until=None if until is None else rfc3339(until))


class BookView(Answer):
    """A book, best first. Level 1, 2: (price, size, orders); level 3: (price, size, order id).

    `checksum` is the CRC-32 of the best ten levels of each side, as Kraken computes it; the same at every level.
    """

    sequence: int
    time: str
    bids: list[tuple[str, str, int | str]]
    asks: list[tuple[str, str, int | str]]
    checksum: int
    auction_mode: bool

    @classmethod
    def levels(
        cls, book: Book, product: Product, state: MarketStatus | None, *, at_most: int | None = None
    ) -> "BookView":
        """Write a book by price levels, `at_most` so many of each side."""
        bids, asks = _written(book.bids, product), _written(book.asks, product)
        return cls(
            sequence=book.sequence,
            time=rfc3339(book.at),
            bids=bids[:at_most],
            asks=asks[:at_most],
            checksum=_checksum(bids, asks),
            auction_mode=state == "auction",
        )

    @classmethod
    def orders(cls, book: BookOrders, product: Product, state: MarketStatus | None) -> "BookView":
        """Write a book by single orders."""
        return cls(
            sequence=book.sequence,
            time=rfc3339(book.at),
            bids=_written(book.bids, product),
            asks=_written(book.asks, product),
            checksum=_checksum(
                _written(_summed(book.bids), product),
                _written(_summed(book.asks), product),
            ),
            auction_mode=state == "auction",
        )


class TickerView(Answer):
    """The last trade and the best prices; what has never been is null. `volume`: not measured yet."""

    trade_id: int | None = None
    price: str | None = None
    size: str | None = None
    time: str | None = None
    bid: str | None = None
    ask: str | None = None
    volume: str | None = None

    @classmethod
    def of(cls, ticker: Ticker | None, top: Top | None, product: Product) -> "TickerView":
        """Write a ticker; the top of the book, which is written more often, gives bid and ask."""
        bid, ask = (top.bid, top.ask) if top else (ticker.bid, ticker.ask) if ticker else (None, None)
        return cls(
            trade_id=ticker.trade_id if ticker else None,
            price=product.format_price(ticker.price) if ticker else None,
            size=product.format_size(ticker.size) if ticker else None,
            time=rfc3339(ticker.at) if ticker else None,
            bid=None if bid is None else product.format_price(bid),
            ask=None if ask is None else product.format_price(ask),
        )


class StatsView(Answer):
    """The last 24 hours, null where nothing was traded, and the volume of 30 days."""

    open: str | None
    high: str | None
    low: str | None
    last: str | None
    volume: str
    volume_30day: str

    @classmethod
    def of(cls, day: Candle | None, month: int, product: Product) -> "StatsView":
        """Write a day's trades as one candle, and a month's volume in lots."""
        prices = (None, None, None, None) if day is None else (day.open, day.high, day.low, day.close)
        opened, high, low, last = (None if price is None else product.format_price(price) for price in prices)
        return cls(
            open=opened,
            high=high,
            low=low,
            last=last,
            volume=product.format_size(0 if day is None else day.volume),
            volume_30day=product.format_size(month),
        )


def candle(of: Candle, product: Product) -> tuple[int, str, str, str, str, str]:
    """Write one candle: its start in seconds since 1970 UTC, low, high, open, close, volume."""
    low, high, opened, closed = (product.format_price(price) for price in (of.low, of.high, of.open, of.close))
    return of.start // 1_000_000, low, high, opened, closed, product.format_size(of.volume)


class TradeView(Answer):
    """A trade; `side` is the maker's, as in Coinbase's dialect."""

    trade_id: int
    side: Side
    size: str
    price: str
    time: str

    @classmethod
    def of(cls, trade: Traded, product: Product) -> "TradeView":
        """Write one trade."""
        return cls(**_trade(trade, product))


class MatchView(TradeView):
    """A trade with what the feed's `match` says of it beyond a trade."""

    sequence: int
    maker_order_id: str
    taker_order_id: str

    @classmethod
    def of(cls, trade: Traded, product: Product) -> "MatchView":
        """Write one trade."""
        return cls(
            **_trade(trade, product),
            sequence=trade.sequence,
            maker_order_id=trade.maker_order_id,
            taker_order_id=trade.taker_order_id,
        )


def _written[Last: (int, str)](
    levels: Iterable[tuple[int, int, Last]], product: Product
) -> list[tuple[str, str, int | str]]:
    return [(product.format_price(price), product.format_size(size), last) for price, size, last in levels]


def _summed(orders: Iterable[tuple[int, int, str]]) -> Iterable[tuple[int, int, int]]:
    for price, group in groupby(orders, key=itemgetter(0)):
        sizes = [size for _, size, _ in group]
        yield price, sum(sizes), len(sizes)


def _checksum(bids: list[tuple[str, str, int | str]], asks: list[tuple[str, str, int | str]]) -> int:
    return book_checksum(
        bids=[(price, size) for price, size, _ in bids[:LEVELS]],
        asks=[(price, size) for price, size, _ in asks[:LEVELS]],
    )


def _trade(trade: Traded, product: Product) -> dict[str, Any]:
    return {
        "trade_id": trade.trade_id,
        "side": trade.side,
        "size": product.format_size(trade.size),
        "price": product.format_price(trade.price),
        "time": rfc3339(trade.at),
    }
