"""Public market data: the clock, what is traded, books, tickers, trades, which Redis knows; and their history."""

from collections.abc import Callable
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from venue_aws import wiring
from venue_aws.api import Api, answered, page_headers
from venue_aws.candles import Trades
from venue_aws.markets import Markets
from venue_aws.quotes import (
    BookView,
    CurrencyView,
    MatchView,
    ProductView,
    StatsView,
    TickerView,
    TimeView,
    TradeView,
    candle,
)
from venue_aws.requests import CandlesQuery, ProductId, TradesQuery

Product = Annotated[ProductId, Path()]
DAY_US = 86_400_000_000


def build(markets: Callable[[], Markets], history: Callable[[], Trades], clock: Callable[[], int]) -> Api:
    """Make the handler over its sources, reached when first needed. `clock` gives µs since 1970 UTC."""
    api = Api(cache_control="public, max-age=1")
    get = api.app.get

    @get("/time", tags=["market data"], summary="The venue's clock")
    def time() -> TimeView:
        return TimeView.of(clock())

    @get("/currencies", tags=["market data"], summary="Every currency")
    def currencies() -> list[CurrencyView]:
        return [CurrencyView.of(asset) for asset in markets().assets().values()]

    @get("/products", tags=["market data"], summary="Every market and its rules")
    def products() -> list[ProductView]:
        states = markets().states()
        return [ProductView.of(product, states.get(product.id)) for product in markets().products()]

    @get("/products/<product_id>", tags=["market data"], summary="One market's rules")
    def product(product_id: Product) -> ProductView:
        return ProductView.of(markets().product(product_id), markets().states().get(product_id))

    @get("/products/<product_id>/book", tags=["market data"], summary="A book: its best prices, its levels, its orders")
    def book(product_id: Product, level: Annotated[Literal["1", "2", "3"], Query()] = "1") -> BookView:
        rules, state = markets().product(product_id), markets().states().get(product_id)
        if level == "3":
            return BookView.orders(markets().book_orders(product_id), rules, state)
        return BookView.levels(markets().book(product_id), rules, state, at_most=1 if level == "1" else None)

    @get("/products/<product_id>/ticker", tags=["market data"], summary="The last trade and the best prices")
    def ticker(product_id: Product) -> TickerView:
        market = markets().market(product_id)
        return TickerView.of(markets().ticker(product_id), market.top, market.product)

    @get("/products/<product_id>/trades", tags=["market data"], summary="The last hundred trades, newest first")
    def trades(product_id: Product, query: Annotated[TradesQuery, Query()]) -> Response[list[TradeView | MatchView]]:
        rules = markets().product(product_id)
        found = query.among(markets().trades(product_id))
        view = MatchView if query.detail == "match" else TradeView
        cursors = [str(trade.trade_id) for trade in found]
        return answered([view.of(trade, rules) for trade in found], headers=page_headers(cursors))

    @get("/products/<product_id>/candles", tags=["market data"], summary="Candles, newest first")
    def candles(
        product_id: Product, query: Annotated[CandlesQuery, Query()]
    ) -> list[tuple[int, str, str, str, str, str]]:
        rules = markets().product(product_id)
        start, end, step = query.span(clock())
        found = history().candles(product_id, start=start, end=end, step=step)
        return [candle(each, rules) for each in found]

    @get("/products/<product_id>/stats", tags=["market data"], summary="The last 24 hours")
    def stats(product_id: Product) -> StatsView:
        rules, now = markets().product(product_id), clock()
        # One span that is longer than all of time so far: a day's trades are one candle.
        day = history().candles(product_id, start=now - DAY_US, end=now + DAY_US, step=10 * now)
        return StatsView.of(day[0] if day else None, history().volume(product_id, since=now - 30 * DAY_US), rules)

    return api


handler = build(wiring.early(wiring.markets), wiring.history, wiring.clock)
