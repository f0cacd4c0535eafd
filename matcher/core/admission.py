"""Whether the matcher takes an order on. Pure looking: nothing changes here."""

from typing import Final

from matcher.core import reasons
from matcher.core.book import Book
from matcher.core.selftrade import fills_whole
from matcher.core.working import Trader
from venue.commands import PlaceOrder
from venue.holds import fee_on
from venue.money import BASIS_POINTS, UNITS_MAX
from venue.products import Product

# How many slices an iceberg may come in: one sweep shows them all.
SLICES_MAX: Final = 100
# What may rest.
RESTING: Final = frozenset({"GTC", "GTT"})


def refusal(order: PlaceOrder, book: Book, trader: Trader) -> str | None:
    """Give the reason (matcher.core.reasons) for which `order` is refused, or None when it is taken on.

    Most that meet nobody do not come here: matcher.core.plain has seen that nothing speaks against them.
    """
    product, size, time_in_force = book.product, order.size, order.time_in_force
    if order.deadline is not None and not order.at <= order.deadline <= UNITS_MAX:
        return reasons.DEADLINE
    if order.type == "limit":
        price = order.price
        if price is None or not 0 < price <= product.price_max:
            return reasons.BAD_PRICE
        if order.funds is not None:
            return reasons.BAD_FUNDS
        if order.post_only and time_in_force not in RESTING:
            return reasons.BAD_TIME_IN_FORCE
        if size is None or not product.size_min <= size <= product.size_max or order.maker_bps or order.taker_bps:
            malformed = _size(order, product)
            if malformed is not None:
                return malformed
    else:
        malformed = _market(order, product)
        if malformed is not None:
            return malformed
    if (
        order.stop is not None
        or order.stop_price is not None
        or order.display_size is not None
        or (time_in_force == "GTT" or order.expire_at is not None)
    ):
        malformed = _terms(order, product)
        if malformed is not None:
            return malformed
    hold = order.hold
    if order.side == "sell":
        needed = (size or 0) * book.lot_units
    elif order.funds is not None:
        needed = order.funds
    else:
        needed = (size or 0) * (order.price or 0) * book.lot_value
        if order.maker_bps > 0 or order.taker_bps > 0:
            needed += fee_on(needed * max(order.maker_bps, order.taker_bps))
    if not needed <= hold <= UNITS_MAX:
        return reasons.TOO_LARGE if needed > UNITS_MAX or hold > UNITS_MAX else reasons.INSUFFICIENT_HOLD
    if book.status != "trading" and (closed := _closed(order, book)) is not None:
        return closed
    if book.ruled and (broken := rules(order, book, trader)) is not None:
        return broken
    if order.post_only or time_in_force == "FOK":
        return _untimely(order, book, trader)
    return None


def _untimely(order: PlaceOrder, book: Book, trader: Trader) -> str | None:
    """What the other side of the book does not allow."""
    against = book.asks if order.side == "buy" else book.bids
    if order.post_only:
        return reasons.POST_ONLY if against.crosses(order.price) else None
    return None if fills_whole(order, trader, against, book) else reasons.FOK


def _market(order: PlaceOrder, product: Product) -> str | None:
    if order.price is not None and not 0 < order.price <= product.price_max:
        return reasons.BAD_PRICE
    if order.post_only:
        return reasons.BAD_TIME_IN_FORCE
    if order.funds is None:
        if order.price is None and order.side == "buy":
            return reasons.UNBOUNDED
        return _size(order, product)
    if order.side == "sell" or order.size is not None or order.funds <= 0:
        return reasons.BAD_FUNDS
    if order.time_in_force == "FOK":
        return reasons.BAD_TIME_IN_FORCE
    return rates(order)


def _size(order: PlaceOrder, product: Product) -> str | None:
    size = order.size
    if size is None:
        return reasons.BAD_SIZE
    if size < product.size_min:
        return reasons.SIZE_TOO_SMALL
    if size > product.size_max:
        return reasons.SIZE_TOO_LARGE
    return rates(order)


def rates(order: PlaceOrder) -> str | None:
    """What is wrong with its two rates."""
    if -BASIS_POINTS < order.maker_bps <= BASIS_POINTS and -BASIS_POINTS < order.taker_bps <= BASIS_POINTS:
        return None
    return reasons.BAD_RATE


def _terms(order: PlaceOrder, product: Product) -> str | None:
    """The terms that few orders have."""
    if (order.time_in_force == "GTT") != (order.expire_at is not None):
        return reasons.BAD_EXPIRY
    if order.expire_at is not None and not order.at < order.expire_at <= UNITS_MAX:
        return reasons.BAD_EXPIRY
    if order.stop is not None:
        if order.stop_price is None or not 0 < order.stop_price <= product.price_max:
            return reasons.BAD_STOP
        if order.post_only or order.time_in_force == "FOK":
            return reasons.BAD_STOP
    elif order.stop_price is not None:
        return reasons.BAD_STOP
    if order.display_size is not None:
        if order.type != "limit" or order.time_in_force not in RESTING:
            return reasons.BAD_DISPLAY
        if not is_shown_enough(order.display_size, order.size or 0, product):
            return reasons.BAD_DISPLAY
    return None


def is_shown_enough(display_size: int, size: int, product: Product) -> bool:
    """Whether an iceberg of `size` lots may show `display_size` of them at a time."""
    return product.size_min <= display_size <= size <= display_size * SLICES_MAX


def _closed(order: PlaceOrder, book: Book) -> str | None:
    """What the market's state does not let in."""
    match book.status:
        case "post_only":
            return None if order.post_only else reasons.POST_ONLY_MODE
        case "limit_only":
            return None if order.type == "limit" else reasons.LIMIT_ONLY
        case "auction":
            may_gather = order.type == "limit" and order.time_in_force in RESTING and not order.post_only
            return None if may_gather else reasons.AUCTION
        case "cancel_only":
            return reasons.CANCEL_ONLY
        case _:
            return reasons.HALTED


def rules(order: PlaceOrder, book: Book, trader: Trader) -> str | None:
    """What the product rules beyond the size and the price of an order, which few do."""
    product = book.product
    if product.orders_max and len(trader.orders) >= product.orders_max:
        return reasons.TOO_MANY_ORDERS
    if order.type == "limit":
        return price_rules(order.price or 0, order.size or 0, book)
    if order.funds is not None and order.funds < product.notional_min:
        return reasons.NOTIONAL_TOO_SMALL
    return None


def price_rules(price: int, size: int, book: Book) -> str | None:
    """What the product says of a limit order's price and size together."""
    product = book.product
    if price * size * book.lot_value < product.notional_min:
        return reasons.NOTIONAL_TOO_SMALL
    reference, collar_bps = book.reference, product.collar_bps
    if collar_bps and reference is not None and abs(price - reference) * BASIS_POINTS > reference * collar_bps:
        return reasons.PRICE_COLLAR
    return None
