"""One command's work on one book, as it goes on: what it tells, which levels it touched, which orders it ended."""

from collections.abc import Mapping

from matcher.core import telling
from matcher.core.book import Book
from matcher.core.ladder import Ladder, Level
from matcher.core.working import WorkingOrder
from venue.events import AnyEvent, LevelChanged
from venue.orders import DoneReason, Side


class Turn:
    """`at` is the command's time. `events` may be shared by the turns of one command; its level changes come last."""

    __slots__ = ("at", "book", "done", "events", "met", "touched")

    def __init__(self, book: Book, at: int, events: list[AnyEvent], done: list[WorkingOrder]) -> None:
        self.book = book
        self.at = at
        self.events = events
        self.done = done
        # How many makers its orders have met.
        self.met = 0
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
        ladder, level = self.book.standing(order)
        ladder.remove(order, level)
        if order.waiting is None:
            self.touched[ladder.sign * level.price] = level

    def rest(self, order: WorkingOrder, own: Ladder) -> None:
        """Let what is left of an order rest in the book, an iceberg with its first slice."""
        display_size = order.command.display_size
        if display_size is not None:
            order.hidden = max(order.remaining - display_size, 0)
        level = own.add(order, order.price)
        order.trader.orders[order.command.order_id] = order
        self.touched[own.sign * order.price] = level
        self.events.append(telling.opened(order, self.book, self.at))

    def tell_levels(self) -> None:
        """What is shown at the levels that were touched, absolutely."""
        book = self.book
        for key, level in self.touched.items():
            side: Side = "buy" if key > 0 else "sell"
            self.events.append(LevelChanged(self.at, book.sequence, book.product_id, side, level.price, level.size))


class Turns:
    """The turns of one command that may concern several books."""

    def __init__(self, books: Mapping[str, Book], at: int) -> None:
        self._books = books
        self._at = at
        self.events: list[AnyEvent] = []
        self.done: list[WorkingOrder] = []
        self.taken: dict[str, Turn] = {}

    def of(self, product_id: str) -> Turn:
        turn = self.taken.get(product_id)
        if turn is None:
            turn = self.taken[product_id] = Turn(self._books[product_id], self._at, self.events, self.done)
        return turn
