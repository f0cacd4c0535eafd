"""Self-trade prevention, as in Coinbase Exchange: the incoming order's flag rules, and no trade is printed.

    dc  decrement and cancel: the smaller order is cancelled, the larger shrinks by its size; equal ones both go
    co  cancel oldest: the resting order goes, the incoming one goes on
    cn  cancel newest: the incoming order goes
    cb  cancel both

An order by funds counts, at the maker's price, for the lots that it could still buy there, fee included. An uncross
prevents nothing: there is no incoming order in it.
"""

from matcher.core import telling
from matcher.core.book import Book
from matcher.core.ladder import Ladder, Level
from matcher.core.turn import Turn
from matcher.core.working import Trader, WorkingOrder
from venue.commands import PlaceOrder


def prevent(taker: WorkingOrder, maker: WorkingOrder, level: Level, turn: Turn) -> None:
    """Keep two orders of one account from trading at `level`; what is cancelled is closed, the maker's first."""
    match taker.command.stp:
        case "co":
            turn.withdraw(maker, "canceled")
        case "cn":
            turn.end(taker, "canceled")
        case "cb":
            turn.withdraw(maker, "canceled")
            turn.end(taker, "canceled")
        case _:
            _decrement(taker, maker, level, turn)


def _decrement(taker: WorkingOrder, maker: WorkingOrder, level: Level, turn: Turn) -> None:
    wanted, there = taker.wants(level.price), maker.remaining
    if wanted < there:
        level.cut(maker, wanted)
        turn.touched[level.ladder.sign * level.price] = level
        _shrink(maker, wanted, level.price, turn)
    else:
        turn.withdraw(maker, "canceled")
    if wanted > there:
        _shrink(taker, there, level.price, turn)
    else:
        turn.end(taker, "canceled")


def _shrink(order: WorkingOrder, size: int, price: int, turn: Turn) -> None:
    old_size = order.size
    released = order.shrink(size, size * price * turn.book.lot_value)
    turn.events.append(
        telling.changed(
            order,
            turn.book,
            at=turn.at,
            reason="stp",
            old_price=order.price,
            old_size=old_size,
            released=released,
        )
    )


def fills_whole(command: PlaceOrder, trader: Trader, against: Ladder, book: Book) -> bool:
    """Whether an order by size would trade in full at once, past its account's own orders and within the breaker.

    Looks at no more levels than it would sweep.
    """
    left = command.size or 0
    own = None if command.stp is None else trader
    for level in against.reach(command.price):
        there, blocked = _liquidity(level, own, past_own=command.stp == "co")
        if there and not book.low <= level.price <= book.high:
            return False
        left -= there
        if left <= 0:
            return True
        if blocked:
            return False
    return False


def _liquidity(level: Level, own: Trader | None, *, past_own: bool) -> tuple[int, bool]:
    """The lots that trade at `level` before one of `own`'s orders stands in the way, and whether one does."""
    if own is None:
        return level.size + level.hidden, False
    there = 0
    for maker in level:
        if maker.trader is own:
            if not past_own:
                return there, True
        else:
            there += maker.remaining if past_own else maker.remaining - maker.hidden
    # What icebergs hide trades behind all that is shown.
    return there if past_own else there + level.hidden, False
