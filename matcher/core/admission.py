"""Whether the matcher takes an order on. Pure looking: nothing changes here."""

from matcher.core import reasons
from matcher.core.book import Book
from venue.commands import PlaceOrder
from venue.holds import fee_on
from venue.money import BASIS_POINTS, UNITS_MAX
from venue.products import Product


def refusal(order: PlaceOrder, book: Book | None) -> str | None:
    """Give the reason (matcher.core.reasons) for which `order` is refused, or None when it is taken on."""
    if book is None:
        return reasons.UNKNOWN_PRODUCT
    if order.deadline is not None and order.at > order.deadline:
        return reasons.DEADLINE
    malformed = _limit(order, book.product) if order.type == "limit" else _market(order, book.product)
    if malformed is not None:
        return malformed
    needed = _needed(order, book)
    if needed > UNITS_MAX or order.hold > UNITS_MAX:
        return reasons.TOO_LARGE
    if order.hold < needed:
        return reasons.INSUFFICIENT_HOLD
    if order.post_only or order.time_in_force == "FOK":
        against = book.asks if order.side == "buy" else book.bids
        if order.post_only and against.crosses(order.price):
            return reasons.POST_ONLY
        if order.time_in_force == "FOK" and not against.holds(order.size or 0, order.price):
            return reasons.FOK
    return None


def _limit(order: PlaceOrder, product: Product) -> str | None:
    if order.price is None or not 0 < order.price <= product.price_max:
        return reasons.BAD_PRICE
    if order.funds is not None:
        return reasons.BAD_FUNDS
    if order.post_only and order.time_in_force != "GTC":
        return reasons.BAD_TIME_IN_FORCE
    return _size(order, product)


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
    return _rates(order)


def _size(order: PlaceOrder, product: Product) -> str | None:
    size = order.size
    if size is None:
        return reasons.BAD_SIZE
    if size < product.size_min:
        return reasons.SIZE_TOO_SMALL
    if size > product.size_max:
        return reasons.SIZE_TOO_LARGE
    return _rates(order)


def _rates(order: PlaceOrder) -> str | None:
    if -BASIS_POINTS < order.maker_bps <= BASIS_POINTS and -BASIS_POINTS < order.taker_bps <= BASIS_POINTS:
        return None
    return reasons.BAD_RATE


def _needed(order: PlaceOrder, book: Book) -> int:
    """venue.holds.hold_for for an order of the right shape, with the book's own constants: it runs for every order."""
    size = order.size or 0
    if order.side == "sell":
        return size * book.lot_units
    if order.funds is not None:
        return order.funds
    notional = size * (order.price or 0) * book.lot_value
    return notional + fee_on(notional * max(order.maker_bps, order.taker_bps, 0))
