"""What the naive market refuses: one sentence after the other, the first that is true being the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matcher.core import reasons
from tests.naive.orders import OTHER, NaiveOrder, up
from venue.commands import AmendOrder, PlaceOrder
from venue.money import UNITS_MAX
from venue.products import Product

MAKERS_MAX = 1_000

if TYPE_CHECKING:
    from tests.naive.book import NaiveBook


def refusal(order: PlaceOrder, book: NaiveBook | None) -> str | None:
    if book is None:
        return reasons.UNKNOWN_PRODUCT
    rules = [
        (order.deadline is not None and not order.at <= order.deadline <= UNITS_MAX, reasons.DEADLINE),
        *_shape(order, book.product),
        *_terms(order, book.product),
    ]
    for is_broken, reason in rules:
        if is_broken:
            return reason
    needed = _needed(order, book.product)
    limit = order.type == "limit"
    waits = order.time_in_force in ("GTC", "GTT")
    status = book.status
    mine = [one for one in book.open if one.command.account == order.account]
    makers = [one for one in book.side(OTHER[order.side]) if reaches(order, one.price)]
    rules = [
        (needed > UNITS_MAX or order.hold > UNITS_MAX, reasons.TOO_LARGE),
        (order.hold < needed, reasons.INSUFFICIENT_HOLD),
        (status == "post_only" and not order.post_only, reasons.POST_ONLY_MODE),
        (status == "limit_only" and not limit, reasons.LIMIT_ONLY),
        (status == "auction" and not (limit and waits and not order.post_only), reasons.AUCTION),
        (status == "cancel_only", reasons.CANCEL_ONLY),
        (status == "halted", reasons.HALTED),
        (0 < book.product.orders_max <= len(mine), reasons.TOO_MANY_ORDERS),
        *(price_rules(order.price or 0, order.size or 0, book) if limit else ()),
        (order.funds is not None and order.funds < book.product.notional_min, reasons.NOTIONAL_TOO_SMALL),
        (order.post_only and bool(makers), reasons.POST_ONLY),
        (order.time_in_force == "FOK" and not _fills_whole(order, makers, book), reasons.FOK),
    ]
    return next((reason for is_broken, reason in rules if is_broken), None)


def reaches(order: PlaceOrder, price: int) -> bool:
    if order.price is None:
        return True
    return price <= order.price if order.side == "buy" else price >= order.price


def price_rules(price: int, size: int, book: NaiveBook) -> list[tuple[bool, str]]:
    product, reference = book.product, book.reference
    small = price * size * product.tick_lot_value < product.notional_min
    far = (
        product.collar_bps > 0
        and reference is not None
        and abs(price - reference) * 10_000 > product.collar_bps * reference
    )
    return [(small, reasons.NOTIONAL_TOO_SMALL), (far, reasons.PRICE_COLLAR)]


def _shape(order: PlaceOrder, product: Product) -> list[tuple[bool, str]]:
    priced = order.price is not None and 1 <= order.price <= product.price_max
    size, funds = order.size, order.funds
    sizes = [
        (size is None, reasons.BAD_SIZE),
        (size is not None and size < product.size_min, reasons.SIZE_TOO_SMALL),
        (size is not None and size > product.size_max, reasons.SIZE_TOO_LARGE),
    ]
    rates = [(not (-10_000 < rate <= 10_000), reasons.BAD_RATE) for rate in (order.maker_bps, order.taker_bps)]
    if order.type == "limit":
        may_post = not order.post_only or order.time_in_force in ("GTC", "GTT")
        return [
            (not priced, reasons.BAD_PRICE),
            (funds is not None, reasons.BAD_FUNDS),
            (not may_post, reasons.BAD_TIME_IN_FORCE),
            *sizes,
            *rates,
        ]
    common = [
        (not priced and order.price is not None, reasons.BAD_PRICE),
        (order.post_only, reasons.BAD_TIME_IN_FORCE),
    ]
    if funds is None:
        return [*common, (order.price is None and order.side == "buy", reasons.UNBOUNDED), *sizes, *rates]
    return [
        *common,
        (order.side == "sell" or size is not None or funds <= 0, reasons.BAD_FUNDS),
        (order.time_in_force == "FOK", reasons.BAD_TIME_IN_FORCE),
        *rates,
    ]


def _terms(order: PlaceOrder, product: Product) -> list[tuple[bool, str]]:
    timed, expire_at = order.time_in_force == "GTT", order.expire_at
    stop, stop_price = order.stop is not None, order.stop_price
    display = order.display_size
    waits = order.type == "limit" and order.time_in_force in ("GTC", "GTT")
    size = order.size or 0
    return [
        (timed != (expire_at is not None), reasons.BAD_EXPIRY),
        (expire_at is not None and not order.at < expire_at <= UNITS_MAX, reasons.BAD_EXPIRY),
        (stop != (stop_price is not None), reasons.BAD_STOP),
        (stop_price is not None and not 1 <= stop_price <= product.price_max, reasons.BAD_STOP),
        (stop and (order.post_only or order.time_in_force == "FOK"), reasons.BAD_STOP),
        (display is not None and not waits, reasons.BAD_DISPLAY),
        (display is not None and not product.size_min <= display <= size <= 100 * display, reasons.BAD_DISPLAY),
    ]


def _needed(order: PlaceOrder, product: Product) -> int:
    if order.side == "sell":
        return (order.size or 0) * product.lot_units
    if order.funds is not None:
        return order.funds
    notional = (order.size or 0) * (order.price or 0) * product.tick_lot_value
    return notional + up(notional * max(order.maker_bps, order.taker_bps, 0))


def _fills_whole(order: PlaceOrder, makers: list[NaiveOrder], book: NaiveBook) -> bool:
    """Play it through on paper."""
    queue = [(one.price, one.command.account, one.shown, one.remaining - one.shown, one) for one in makers]
    left = order.size or 0
    met = 0
    while left and queue:
        met += 1
        if met > MAKERS_MAX:
            return False
        price, account, shown, hidden, maker = queue.pop(0)
        if order.stp is not None and account == order.account:
            if order.stp == "co":
                continue
            return False
        if not book.may_print(price):
            return False
        traded = min(left, shown)
        left -= traded
        if traded == shown and hidden:
            again = min(hidden, maker.command.display_size or 0)
            behind = sum(one[0] == price for one in queue)
            queue.insert(behind, (price, account, again, hidden - again, maker))
    return not left


def amend_refusal(command: AmendOrder, order: NaiveOrder, book: NaiveBook) -> str | None:
    product = book.product
    price = order.price if command.price is None else command.price
    size = order.size if command.size is None else command.size
    filled = order.size - order.remaining
    needed = order.needs(price, size - filled)
    display = order.command.display_size
    makers = [
        one
        for one in book.side(OTHER[command.side])
        if (one.price <= price if command.side == "buy" else one.price >= price)
    ]
    must_not_trade = (order.command.post_only or book.status == "post_only") and book.status != "auction"
    rules = [
        (command.deadline is not None and command.at > command.deadline, reasons.DEADLINE),
        (order.command.type != "limit", reasons.BAD_AMEND),
        (command.price is None and command.size is None, reasons.BAD_AMEND),
        (not 1 <= price <= product.price_max, reasons.BAD_PRICE),
        (size < product.size_min or size <= filled, reasons.SIZE_TOO_SMALL),
        (size > product.size_max, reasons.SIZE_TOO_LARGE),
        (display is not None and size > 100 * display, reasons.BAD_DISPLAY),
        (needed > UNITS_MAX or command.hold > UNITS_MAX, reasons.TOO_LARGE),
        (command.hold < 0 or order.hold + command.hold < needed, reasons.INSUFFICIENT_HOLD),
        (book.status == "cancel_only", reasons.CANCEL_ONLY),
        (book.status == "halted", reasons.HALTED),
        *price_rules(price, size, book),
        (must_not_trade and order.where == "book" and bool(makers), reasons.POST_ONLY),
    ]
    return next((reason for is_broken, reason in rules if is_broken), None)
