"""The supervisor: what operators decide of a market: that it is listed, its rules, what it accepts now.

Nothing of this waits in the order queue: a decision that comes late could undo a later one.
"""

from typing import Any

import msgspec

from venue.commands import ListProduct, SetStatus
from venue.errors import Malformed, NotFound, RuleBroken
from venue.handover import HandOver
from venue.money import parse_units
from venue.ports import Markets
from venue.products import Asset, MarketStatus, Product
from venue.refusals import refusal
from venue.tickets import parsed, positive_units
from venue.wire import Outcome


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """A market's rules as an operator writes them: decimals are text, rates in basis points, times in µs.

    base_name, base_scale: of a base asset that is not known here yet; the quote asset is known.
    """

    base: str
    quote: str
    quote_increment: str
    base_increment: str
    base_name: str | None = None
    base_scale: int | None = None
    size_min: str | None = None
    size_max: str | None = None
    price_max: str | None = None
    notional_min: str | None = None
    maker_bps: int = 0
    taker_bps: int = 0
    orders_max: int = 0
    collar_bps: int = 0
    breaker_bps: int = 0
    halt_us: int = 0
    auction_us: int = 0
    shard: int = 0


class Supervisor:
    """Lists markets and changes their state. Raises Unavailable when the same may be sent again."""

    def __init__(self, *, markets: Markets, handover: HandOver) -> None:
        self._markets = markets
        self._handover = handover

    def list_market(self, rules: Rules) -> Product:
        """Open a market, or give an open one other rules.

        Raises Malformed for rules that make no sense, RuleBroken `unknown_asset`, `grid_changed`, `wrong_shard`.
        """
        product = self._product(rules)
        if product.shard != self._shard(product):
            raise refusal("wrong_shard")
        _carried_out(self._handover.insist(ListProduct(product=product), shard=product.shard))
        return product

    def set_status(
        self, product_id: str, status: MarketStatus, *, until: int | None = None, reference: str | None = None
    ) -> None:
        """Change what a market accepts.

        until: µs, when a halt turns into an auction, or an auction into trading. reference: the price that collar,
        circuit breaker and auction go by from now on. Raises NotFound, Malformed, RuleBroken.
        """
        market = self._markets.market(product_id)
        product = market.product
        ticks = None if reference is None else parsed("reference_price", reference, product.parse_price)
        command = SetStatus(product_id=product.id, status=status, until=until, reference=ticks)
        _carried_out(self._handover.insist(command, shard=product.shard, owner=market.owner))

    def _shard(self, product: Product) -> int:
        """Where the market is to be: where it is, or on any shard that somebody owns."""
        try:
            return self._markets.market(product.id).product.shard
        except NotFound:
            return product.shard if product.shard in self._markets.owners() else -1

    def _product(self, rules: Rules) -> Product:
        base, quote = self._base(rules), self._asset(rules.quote)
        fields = {
            name: getattr(rules, name)
            for name in (
                *("maker_bps", "taker_bps", "orders_max", "collar_bps", "breaker_bps"),
                *("halt_us", "auction_us", "shard"),
            )
        }
        tick = parsed("quote_increment", rules.quote_increment, lambda text: positive_units(text, quote.scale))
        lot = parsed("base_increment", rules.base_increment, lambda text: positive_units(text, base.scale))
        name = f"{base.id}-{quote.id}"
        plain = _made(id=name, base=base, quote=quote, tick_units=tick, lot_units=lot, **fields)
        bounds: dict[str, int] = {}
        if rules.size_min is not None:
            bounds["size_min"] = parsed("size_min", rules.size_min, plain.parse_size)
        if rules.size_max is not None:
            bounds["size_max"] = parsed("size_max", rules.size_max, plain.parse_size)
        if rules.price_max is not None:
            bounds["price_max"] = parsed("price_max", rules.price_max, plain.parse_price)
        if rules.notional_min is not None:
            bounds["notional_min"] = parsed(
                "notional_min", rules.notional_min, lambda text: parse_units(text, quote.scale)
            )
        return _made(**msgspec.structs.asdict(plain) | bounds)

    def _base(self, rules: Rules) -> Asset:
        known = self._markets.assets().get(rules.base)
        if known is None and rules.base_name is not None and rules.base_scale is not None:
            return Asset(id=rules.base, name=rules.base_name, scale=rules.base_scale)
        asset = self._asset(rules.base)
        if (rules.base_name or asset.name, asset.scale if rules.base_scale is None else rules.base_scale) != (
            asset.name,
            asset.scale,
        ):
            raise RuleBroken(f"base_currency: {asset.id} is known here by another name or scale", code="asset_changed")
        return asset

    def _asset(self, asset_id: str) -> Asset:
        asset = self._markets.assets().get(asset_id)
        if asset is None:
            raise RuleBroken(f"currency: {asset_id} is not known here", code="unknown_asset")
        return asset


def _made(**fields: Any) -> Product:
    try:
        return Product(**fields)
    except ValueError as error:
        raise Malformed(f"rules: {error}", field="rules") from error


def _carried_out(outcome: Outcome) -> None:
    if outcome.refused is not None:
        raise refusal(outcome.refused)
