"""Public market data: the clock, what is traded, books, tickers, trades. Redis knows all of it."""

from collections.abc import Callable
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from venue_aws import wiring
from venue_aws.api import Api, answered, page_headers
from venue_aws.markets import Markets
from venue_aws.quotes import BookView, CurrencyView, MatchView, ProductView, TickerView, TimeView, TradeView
from venue_aws.requests import ProductId, TradesQuery

Product = Annotated[ProductId, Path()]


def build(markets: Callable[[], Markets], clock: Callable[[], int]) -> Api:
    """Make the handler over the markets, which are reached when first needed. `clock` gives µs since 1970 UTC."""
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

    return api


handler = build(wiring.early(wiring.markets), wiring.clock)
