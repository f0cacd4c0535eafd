"""POST /products and /products/{id}/status: what operators decide of a market. The supervisor does the work."""

from collections.abc import Callable
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from venue.supervisor import Supervisor
from venue_aws import wiring
from venue_aws.api import Api, answered, caller, count, require_group
from venue_aws.quotes import MarketView, ProductView
from venue_aws.requests import MarketChange, NewMarket, ProductId

ABOUT_MARKET = """
Opens a market, or gives an open one other rules; its currencies and increments stay as they are. A market of the
matcher's catalogue gets the catalogue's rules again when a matcher starts.
""".strip()
ABOUT_STATE = """
`trading` accepts everything, `post_only` limit orders that do not trade, `limit_only` no market orders, `cancel_only`
cancels alone, `halted` nothing at all; in an `auction` limit orders gather, and leaving it trades all that meets at one
price. `until` ends a halt, with an auction, or an auction, with trading.
""".strip()


def build(supervisor: Callable[[], Supervisor]) -> Api:
    """Make the handler over a supervisor, which is made when the first decision comes."""
    api = Api()
    post = api.app.post

    def operator() -> Supervisor:
        event = api.app.current_event
        caller(event)
        require_group(event, "operators")
        return supervisor()

    @post("/products", tags=["markets"], summary="List a market; operators only", description=ABOUT_MARKET)
    def list_market(market: NewMarket) -> Response[ProductView]:
        product = operator().list_market(market.rules())
        count("MarketsListed")
        return answered(ProductView.of(product, None))

    @post(
        "/products/<product_id>/status",
        tags=["markets"],
        summary="Change what a market accepts; operators only",
        description=ABOUT_STATE,
    )
    def set_status(product_id: Annotated[ProductId, Path()], change: MarketChange) -> Response[MarketView]:
        until, reference = change.end(), change.reference_price
        operator().set_status(product_id, change.status, until=until, reference=reference)
        count("MarketsChanged")
        return answered(MarketView.of(product_id, change.status, until))

    return api


handler = build(wiring.early(wiring.supervisor))
