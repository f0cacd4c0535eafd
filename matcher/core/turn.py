"""One command's work on one book, as it goes on: what it tells, which levels it touched, which orders it ended."""

from matcher.core import telling
from matcher.core.book import Book
from matcher.core.ladder import Ladder, Level
from matcher.core.working import WorkingOrder
from venue.events import AnyEvent, LevelChanged, OrderOpened, OrderReceived
from venue.orders import DoneReason


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
        order.trader.orders[order.command.order_id] = order
        self.touched[own.sign * order.price] = level
        self.events.append(telling.opened(order, self.book, self.at))

    def tell_levels(self) -> None:
        """What is shown at the levels that were touched, absolutely."""
        book = self.book
        for level in self.touched.values():
            self.events.append(
                LevelChanged(self.at, book.sequence, book.product_id, level.ladder.side, level.price, level.size)
            )


def lay(order: WorkingOrder, own: Ladder, book: Book) -> list[AnyEvent]:
    """Take on one order that rests at once: what a turn would do, in a straight line, for so do most orders."""
    command = order.command
    trader = order.trader
    price = order.price
    remaining = order.remaining
    order_id = command.order_id
    account = trader.account
    shown = None
    if command.display_size is not None:
        shown = min(remaining, command.display_size)
        order.hidden = remaining - shown
    level = own.add(order, price)
    trader.orders[order_id] = order
    book.sequence = sequence = book.sequence + 2
    account.sequence = account_sequence = account.sequence + 2
    at, product_id, side = command.at, command.product_id, command.side
    return [
        OrderReceived(at, command, sequence - 1, account_sequence - 1),
        OrderOpened(at, sequence, account_sequence, order_id, account.name, product_id, side, price, remaining, shown),
        LevelChanged(at, sequence, product_id, side, price, level.size),
    ]


def miss(order: WorkingOrder, book: Book) -> list[AnyEvent]:
    """Take on and end one order that finds nobody and may not rest."""
    command = order.command
    account = order.trader.account
    account.sequence += 1
    book.sequence = sequence = book.sequence + 2
    received = OrderReceived(command.at, command, sequence - 1, account.sequence)
    return [received, order.close("canceled", command.at, sequence)]


def cancel(order: WorkingOrder, book: Book, at: int) -> list[AnyEvent]:
    """Close one order that rests: what a turn would do, in a straight line, for it is half of all commands."""
    level = order.level
    assert level is not None
    ladder = level.ladder
    if level.count == 1:
        # Nobody will look at this level any more.
        ladder.close(level.price)
        order.level = None
        size = 0
    else:
        ladder.remove(order, level)
        size = level.size
    book.sequence = sequence = book.sequence + 1
    done = order.close("canceled", at, sequence)
    return [done, LevelChanged(at, sequence, book.product_id, ladder.side, level.price, size)]
