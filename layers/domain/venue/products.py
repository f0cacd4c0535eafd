"""Assets and products: what may be traded, in which steps, at which fees."""

from typing import Literal

import msgspec

from venue.money import BASIS_POINTS, format_units, parse_units

SCALE_MAX = 18

# What a market accepts. trading: everything. post_only: limit orders that do not trade. limit_only: no market orders.
# cancel_only: cancels. halted: nothing at all, cancels neither. auction: limit orders gather and do not trade yet.
MarketStatus = Literal["trading", "post_only", "limit_only", "cancel_only", "halted", "auction"]


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a wallet holds. `scale` is the number of decimals of its minor unit."""

    id: str
    name: str
    scale: int


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one market. Prices are whole ticks, sizes whole lots, amounts minor units of an asset.

    One lot is `lot_units` minor units of the base asset; one tick on one lot is `tick_lot_value` minor units of the
    quote asset, so a notional is exactly price x size x tick_lot_value and is never rounded.

    Of the last six, 0 means no such rule. collar_bps: how far from the reference price a limit may lie. breaker_bps:
    how far from it a trade may print; one that would print further halts the market for `halt_us` and then calls an
    auction for `auction_us` (0: until somebody ends it), which gives a new reference price.
    """

    id: str
    base: Asset
    quote: Asset
    tick_units: int  # one tick, in minor units of the quote asset for one whole unit of the base asset
    lot_units: int  # one lot, in minor units of the base asset
    size_min: int = 1  # lots
    size_max: int = 10**12  # lots
    price_max: int = 10**12  # ticks
    maker_bps: int = 0
    taker_bps: int = 0
    shard: int = 0
    notional_min: int = 0  # minor units of the quote asset that a limit order, or one by funds, is at least for
    orders_max: int = 0  # open orders that one account may have here
    collar_bps: int = 0
    breaker_bps: int = 0
    halt_us: int = 0
    auction_us: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError unless the limits make sense and the quote asset's scale holds tick x lot exactly."""
        if not (0 <= self.base.scale <= SCALE_MAX and 0 <= self.quote.scale <= SCALE_MAX):
            raise ValueError(f"an asset's scale is from 0 to {SCALE_MAX}")
        if not 1 <= self.size_min <= self.size_max or self.price_max < 1:
            raise ValueError("limits of size and price must be positive, and in order")
        if (
            min(self.notional_min, self.orders_max, self.collar_bps, self.breaker_bps, self.halt_us, self.auction_us)
            < 0
        ):
            raise ValueError("a rule is positive, or 0 for none")
        if self.breaker_bps >= BASIS_POINTS:
            raise ValueError("a circuit breaker needs less than 100 % of the reference price")
        if self.tick_units <= 0 or self.lot_units <= 0:
            raise ValueError("tick and lot must be positive")
        if (self.tick_units * self.lot_units) % _power_of_ten(self.base.scale):
            raise ValueError(f"{self.id}: tick x lot is finer than the minor unit of {self.quote.id}")

    @property
    def tick_lot_value(self) -> int:
        """Minor units of the quote asset that one lot costs at a price of one tick."""
        return self.tick_units * self.lot_units // _power_of_ten(self.base.scale)

    def notional(self, price: int, size: int) -> int:
        """Minor units of the quote asset for `size` lots at `price` ticks. Exact."""
        return price * size * self.tick_lot_value

    def parse_price(self, text: str) -> int:
        """Give the price in ticks. Raises ValueError off tick, out of range, or for anything but a decimal."""
        return _in_steps(text, self.quote.scale, self.tick_units, 1, self.price_max, "quote_increment")

    def parse_size(self, text: str) -> int:
        """Give the size in lots. Raises ValueError off lot, out of range, or for anything but a decimal."""
        return _in_steps(text, self.base.scale, self.lot_units, self.size_min, self.size_max, "base_increment")

    def format_price(self, price: int) -> str:
        """Write ticks as a decimal with as many decimals as one tick needs."""
        return _trimmed(price * self.tick_units, self.quote.scale, self.tick_units)

    def format_size(self, size: int) -> str:
        """Write lots as a decimal with as many decimals as one lot needs."""
        return _trimmed(size * self.lot_units, self.base.scale, self.lot_units)


def _power_of_ten(exponent: int) -> int:
    power: int = 10**exponent
    return power


def _in_steps(text: str, scale: int, step: int, least: int, most: int, name: str) -> int:
    units = parse_units(text, scale)
    steps, rest = divmod(units, step)
    if rest:
        raise ValueError(f"not a multiple of {name} {_trimmed(step, scale, step)}")
    if not least <= steps <= most:
        raise ValueError(f"must be from {_trimmed(least * step, scale, step)} to {_trimmed(most * step, scale, step)}")
    return steps


def _trimmed(units: int, scale: int, step: int) -> str:
    """Format with the decimals that `step` needs, so that all values of one product line up."""
    while scale > 0 and step % 10 == 0:
        step //= 10
        units //= 10
        scale -= 1
    return format_units(units, scale)
