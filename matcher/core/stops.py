"""Stop orders: unseen until a trade prints at their stop price, then orders like any other.

Each sweep wakes those whose price it reached, the oldest first; they wait in line, and each is matched to its end
before the next. One command wakes no more than `AWAKE_MAX`: the others keep their place in line for the next command
that can trade, or for an Expire, so that no cascade makes a command without end.
"""

from collections.abc import Iterator
from typing import Final

from matcher.core import telling
from matcher.core.book import Book
from matcher.core.ladder import Ladder
from matcher.core.turn import Turn
from matcher.core.working import WorkingOrder

AWAKE_MAX: Final = 100


def accept(order: WorkingOrder, turn: Turn) -> None:
    """Let `order` wait for its stop price; where that was reached by the last trade, for its turn."""
    book = turn.book
    command = order.command
    stop_price = command.stop_price or 0
    order.trader.orders[command.order_id] = order
    turn.events.append(telling.accepted(order, at=turn.at))
    if not book.last_price:
        is_reached = False
    elif command.stop == "entry":
        is_reached = book.last_price >= stop_price
    else:
        is_reached = book.last_price <= stop_price
    book.wait(order, book.triggered if is_reached else book.stops_of(order))


def printed(book: Book, first: int, last: int) -> None:
    """Trades have printed from the price `first` to `last`, in one direction: put the stop orders in line."""
    book.last_price = last
    if book.reference is None:
        book.refer_to(first)
    if not book.entries.keys and not book.losses.keys:
        return
    woken = [*_reached(book.entries, max(first, last)), *_reached(book.losses, min(first, last))]
    for order in sorted(woken, key=lambda order: order.number):
        book.wait(order, book.triggered)


def _reached(ladder: Ladder, price: int) -> Iterator[WorkingOrder]:
    while ladder.crosses(price):
        level = ladder.best()
        order = level.head
        assert order is not None
        ladder.remove(order, level)
        yield order


def awake(book: Book) -> Iterator[WorkingOrder]:
    """The next ones in line, while the market trades: each is to be matched before the next is asked for."""
    line = book.triggered
    for _ in range(AWAKE_MAX):
        if not line.keys or not book.trades:
            return
        level = line.best()
        order = level.head
        assert order is not None
        line.remove(order, level)
        order.waiting = None
        yield order
