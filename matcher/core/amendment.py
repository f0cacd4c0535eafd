"""Another price or size for an order that is open."""

from matcher.core import reasons, telling
from matcher.core.admission import SLICES_MAX, price_rules
from matcher.core.book import Book
from matcher.core.matching import execute
from matcher.core.turn import Turn
from matcher.core.working import WorkingOrder
from venue.commands import AmendOrder
from venue.money import UNITS_MAX


def refusal(command: AmendOrder, order: WorkingOrder, book: Book) -> str | None:
    """Give the reason for which an open `order` stays as it is, or None when it is amended."""
    if command.deadline is not None and command.at > command.deadline:
        return reasons.DEADLINE
    if order.command.type != "limit" or (command.price is None and command.size is None):
        return reasons.BAD_AMEND
    malformed = _terms(command, order, book)
    if malformed is not None:
        return malformed
    price, size = _new(command, order)
    needed = order.needed(size - order.size + order.remaining, price)
    if needed > UNITS_MAX or command.hold > UNITS_MAX:
        return reasons.TOO_LARGE
    if command.hold < 0 or order.hold + command.hold < needed:
        return reasons.INSUFFICIENT_HOLD
    if book.status == "cancel_only":
        return reasons.CANCEL_ONLY
    if book.status == "halted":
        return reasons.HALTED
    if book.ruled and (broken := price_rules(price, size, book)) is not None:
        return broken
    may_not_trade = order.command.post_only or book.status == "post_only"
    if may_not_trade and book.status != "auction" and order.waiting is None:
        against = book.asks if order.buy else book.bids
        if against.crosses(price):
            return reasons.POST_ONLY
    return None


def _terms(command: AmendOrder, order: WorkingOrder, book: Book) -> str | None:
    product = book.product
    price, size = _new(command, order)
    if not 0 < price <= product.price_max:
        return reasons.BAD_PRICE
    if size < product.size_min or size <= order.size - order.remaining:
        return reasons.SIZE_TOO_SMALL
    if size > product.size_max:
        return reasons.SIZE_TOO_LARGE
    display_size = order.command.display_size
    if display_size is not None and size > display_size * SLICES_MAX:
        return reasons.BAD_DISPLAY
    return None


def _new(command: AmendOrder, order: WorkingOrder) -> tuple[int, int]:
    """The price and the size that it is to have."""
    price = order.price if command.price is None else command.price
    size = order.size if command.size is None else command.size
    return price, size


def amend(command: AmendOrder, order: WorkingOrder, turn: Turn) -> None:
    """Change it. Less at the same price keeps its place, and a stop order its time; anything else starts anew."""
    price, size = _new(command, order)
    old_price, old_size = order.price, order.size
    more = size - old_size
    ladder, level = turn.book.standing(order)
    keeps_place = order.waiting is not None or (price == old_price and more <= 0)
    if order.waiting is not None:
        level.size += more
    elif keeps_place:
        level.cut(order, -more)
        turn.touched[ladder.sign * level.price] = level
    else:
        turn.lift(order)
        order.hidden = 0
    order.price = price
    order.size = size
    order.remaining += more
    needed = order.needed(order.remaining, price)
    released = order.hold + command.hold - needed
    order.hold = needed
    turn.events.append(
        telling.changed(
            order,
            turn.book,
            at=turn.at,
            reason="amend",
            old_price=old_price,
            old_size=old_size,
            held=command.hold,
            released=released,
            amend_id=command.amend_id,
        )
    )
    if not keeps_place:
        execute(order, turn)
