"""One command's work on one book, as it goes on: what it tells, which levels it touched, which orders it ended."""

from matcher.core import telling
from matcher.core.book import Book, Ladder, Level
from matcher.core.working import WorkingOrder
from venue.events import AnyEvent, LevelChanged
from venue.orders import DoneReason


class Turn:
    """`at` is the command's time. `events` may be shared by the turns of one command; its level changes come last."""

    __slots__ = ("at", "book", "done", "events", "touched")

    def __init__(self, book: Book, at: int, events: list[AnyEvent], done: list[WorkingOrder]) -> None:
        self.book = book
        self.at = at
        self.events = events
        self.done = done
        # By signed price (Ladder.keys), in the order in which they were first touched. Where a level went and another
        # came at its price, the latter.
        self.touched: dict[int, Level] = {}

    def end(self, order: WorkingOrder, reason: DoneReason) -> None:
        """Close an order that stands in no book, or no longer."""
        book = self.book
        book.sequence += 1
        self.events.append(order.close(reason, self.at, book.sequence))
        self.done.append(order)

    def withdraw(self, order: WorkingOrder, reason: DoneReason) -> None:
        """Close an open order, wherever it stands."""
        self.lift(order)
        self.end(order, reason)

    def lift(self, order: WorkingOrder) -> None:
        """Take an open order out of where it stands."""
        level = order.level
        assert level is not None
        ladder = level.ladder
        ladder.remove(order, level)
        if not order.waiting:
            self.touched[ladder.sign * level.price] = level

    def rest(self, order: WorkingOrder, own: Ladder) -> None:
        """Let what is left of an order rest in the book, an iceberg with its first slice."""
        display_size = order.command.display_size
        if display_size is not None:
            order.hidden = max(order.remaining - display_size, 0)
        level = own.add(order, order.price)
        order.peers[order.order_id] = order
        self.touched[own.sign * order.price] = level
        self.events.append(telling.opened(order, self.book, self.at))

    def tell_levels(self) -> None:
        """What is shown at the levels that were touched, absolutely."""
        book = self.book
        for level in self.touched.values():
            self.events.append(
                LevelChanged(self.at, book.sequence, book.product_id, level.ladder.side, level.price, level.size)
            )


def lay(order: WorkingOrder, own: Ladder, book: Book, at: int) -> list[AnyEvent]:
    """Take on one order that rests at once: what a turn would do, in a straight line, for so do most orders."""
    price = order.price
    display_size = order.command.display_size
    if display_size is not None:
        order.hidden = max(order.remaining - display_size, 0)
    level = own.add(order, price)
    order.peers[order.order_id] = order
    return [
        telling.received(order, book, at, order.command),
        telling.opened(order, book, at),
        LevelChanged(at, book.sequence, book.product_id, own.side, price, level.size),
    ]


def cancel(order: WorkingOrder, book: Book, at: int) -> list[AnyEvent]:
    """Close one order that rests: what a turn would do, in a straight line, for it is half of all commands."""
    level = order.level
    assert level is not None
    ladder = level.ladder
    ladder.remove(order, level)
    book.sequence += 1
    sequence = book.sequence
    return [
        order.close("canceled", at, sequence),
        LevelChanged(at, sequence, book.product_id, ladder.side, level.price, level.size),
    ]
