"""Self-trade prevention, as in Coinbase Exchange: the incoming order's flag rules, and no trade is printed.

    dc  decrement and cancel: the smaller order is cancelled, the larger shrinks by its size; equal ones both go
    co  cancel oldest: the resting order goes, the incoming one goes on
    cn  cancel newest: the incoming order goes
    cb  cancel both

An order by funds counts, at the maker's price, for the lots that it could still buy there, fee included. An uncross
prevents nothing: there is no incoming order in it.
"""

from collections.abc import Iterator

from matcher.core import telling
from matcher.core.book import Book
from matcher.core.ladder import Ladder, Level
from matcher.core.trade import MAKERS_MAX
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
        ladder, _ = turn.book.standing(maker)
        turn.touched[ladder.sign * level.price] = level
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

    Looks at no more makers than it may meet.
    """
    left = command.size or 0
    own = None if command.stp is None else trader
    met = 0
    for level in against.reach(command.price):
        for maker, shown in _slices(level, own):
            if met == MAKERS_MAX:
                return False
            met += 1
            if maker.trader is own:
                if command.stp != "co":
                    return False
            elif not book.low <= level.price <= book.high:
                return False
            else:
                left -= shown
                if left <= 0:
                    return True
    return False


def _slices(level: Level, own: Trader | None) -> Iterator[tuple[WorkingOrder, int]]:
    """Each maker with the lots it shows, as they would come to trade: icebergs again and again, behind the others."""
    hidden: list[tuple[WorkingOrder, int]] = []
    for maker in level:
        yield maker, maker.remaining - maker.hidden
        if maker.hidden and maker.trader is not own:
            hidden.append((maker, maker.hidden))
    while hidden:
        again, hidden = hidden, []
        for maker, left in again:
            shown = min(left, maker.command.display_size or left)
            yield maker, shown
            if left > shown:
                hidden.append((maker, left - shown))
