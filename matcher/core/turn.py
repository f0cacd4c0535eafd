"""One command's work on one book, as it goes on: what it tells, which levels it touched, which orders it ended."""

from matcher.core import telling
from matcher.core.book import Book, Ladder
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
        # Signed prices (Ladder.keys), in the order in which the levels were first touched.
        self.touched: dict[int, None] = {}

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
            self.touched[ladder.sign * level.price] = None

    def rest(self, order: WorkingOrder, own: Ladder) -> None:
        """Let what is left of an order rest in the book, an iceberg with its first slice."""
        display_size = order.command.display_size
        if display_size is not None:
            order.hidden = max(order.remaining - display_size, 0)
        own.add(order, order.price)
        order.peers[order.order_id] = order
        self.touched[own.sign * order.price] = None
        self.events.append(telling.opened(order, self.book, at=self.at))

    def tell_levels(self) -> None:
        """What is shown at the levels that were touched, absolutely."""
        book = self.book
        for key in self.touched:
            ladder = book.bids if key > 0 else book.asks
            price = abs(key)
            level = ladder.levels.get(price)
            self.events.append(
                LevelChanged(
                    at=self.at,
                    sequence=book.sequence,
                    product_id=book.product_id,
                    side=ladder.side,
                    price=price,
                    size=0 if level is None else level.size,
                )
            )
