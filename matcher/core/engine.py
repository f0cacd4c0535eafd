"""One shard's matching: commands in, events out, in price-time priority."""

from collections import deque
from collections.abc import Mapping
from types import MappingProxyType

from matcher.core import reasons
from matcher.core.admission import refusal
from matcher.core.book import Book, Ladder, Level
from matcher.core.digest import digest_of
from matcher.core.matching import changed, execute, withdraw
from matcher.core.working import Account, WorkingOrder
from venue.commands import AnyCommand, CancelAll, CancelOrder, Deposit, ListProduct, PlaceOrder
from venue.events import (
    AnyEvent,
    CancelRefused,
    Deposited,
    DepositRefused,
    ListingRefused,
    ProductListed,
)
from venue.money import UNITS_MAX
from venue.orders import Fill, Order
from venue.products import Product

# How many orders that are done the engine knows in full. Older ones it knows by id only.
DONE_MAX = 100_000


class Engine:
    """All products of one shard. The same commands give the same events and the same digest on every run.

    Nothing raises and nothing is rolled back: what a rule refuses becomes an event (see matcher.core.reasons). An
    order id, once seen, is known for ever, at some 150 bytes each; the last `done_max` orders that are done are known
    in full, at some 600 bytes each, and so is every resting one.
    """

    def __init__(self, shard: int = 0, *, done_max: int = DONE_MAX) -> None:
        self.shard = shard
        self._done_max = done_max
        self._products: dict[str, Product] = {}
        self._books: dict[str, Book] = {}
        self._accounts: dict[str, Account] = {}
        # Every order id ever seen, in order of arrival; None for those that left the window of done orders.
        self._orders: dict[str, WorkingOrder | None] = {}
        self._done: deque[WorkingOrder] = deque()
        self._transfers: set[str] = set()

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        """Do what the command asks and tell, in order, what happened.

        No events mean that there was nothing to do: an order or transfer id that is known already (`order` tells what
        it became), a CancelAll without orders, a product that is listed with these very rules.
        """
        if isinstance(command, PlaceOrder):
            return self._place(command)
        if isinstance(command, CancelOrder):
            return self._cancel(command)
        if isinstance(command, CancelAll):
            return self._cancel_all(command)
        if isinstance(command, Deposit):
            return self._deposit(command)
        return self._list(command)

    @property
    def products(self) -> Mapping[str, Product]:
        """The listed products by id, always as they are now."""
        return MappingProxyType(self._products)

    def product(self, product_id: str) -> Product | None:
        """The rules of one market."""
        return self._products.get(product_id)

    def order(self, order_id: str) -> Order | None:
        """What became of an order; None when it was never seen, or was done too long ago (`done_max`)."""
        order = self._orders.get(order_id)
        return order.view() if order else None

    def fills(self, order_id: str) -> list[Fill]:
        """An order's side of its trades, oldest first; known as long as `order` knows it."""
        order = self._orders.get(order_id)
        return order.fills() if order else []

    def sequence(self, product_id: str) -> int:
        """The number of the product's last public event; 0 before the first."""
        book = self._books.get(product_id)
        return book.sequence if book else 0

    def depth(self, product_id: str, limit: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """Bids and asks, best first, at most `limit` levels a side: (ticks, lots, orders)."""
        book = self._books.get(product_id)
        return book.depth(limit) if book else ([], [])

    def resting(self, product_id: str, limit: int) -> tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]]:
        """Bids and asks in the order in which they trade, at most `limit` orders a side: (ticks, lots, order id)."""
        book = self._books.get(product_id)
        return book.resting(limit) if book else ([], [])

    def digest(self) -> str:
        """SHA-256 in hex over the whole state: engines with the same digest go on alike. Takes time with the state."""
        return digest_of(
            books=self._books,
            accounts=self._accounts,
            transfers=self._transfers,
            order_ids=self._orders,
            done=self._done,
        )

    def _place(self, command: PlaceOrder) -> list[AnyEvent]:
        if command.order_id in self._orders:
            return []
        book = self._books.get(command.product_id)
        account = self._account(command.account)
        reason = refusal(command, book)
        if book is None or reason is not None:
            order = self._orders[command.order_id] = WorkingOrder(command, account, 0)
            self._retire(order)
            return [order.refuse(reason or reasons.UNKNOWN_PRODUCT)]
        lot = book.lot_value if command.side == "buy" else book.lot_units
        order = self._orders[command.order_id] = WorkingOrder(command, account, lot)
        events: list[AnyEvent] = []
        for done in execute(order, book, events):
            self._retire(done)
        return events

    def _cancel(self, command: CancelOrder) -> list[AnyEvent]:
        order = self._orders.get(command.order_id)
        # Another account's order is not found either: its existence is not leaked.
        if order is None or order.command.account != command.account:
            return [self._refuse_cancel(command, reasons.NOT_FOUND)]
        if order.done_at is not None:
            return [self._refuse_cancel(command, reasons.ORDER_DONE)]
        book = self._books[order.command.product_id]
        events: list[AnyEvent] = []
        ladder, level = withdraw(order, book, command.at, events)
        self._retire(order)
        events.append(changed(level, ladder, book, command.at))
        return events

    def _cancel_all(self, command: CancelAll) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        account = self._accounts.get(command.account)
        if account is None:
            return events
        touched: dict[tuple[str, str, int], tuple[Level, Ladder, Book]] = {}
        for order in list(account.orders.values()):
            book = self._books[order.command.product_id]
            if command.product_id not in (None, book.product_id):
                continue
            ladder, level = withdraw(order, book, command.at, events)
            self._retire(order)
            touched[book.product_id, ladder.side, level.price] = (level, ladder, book)
        events.extend(changed(level, ladder, book, command.at) for level, ladder, book in touched.values())
        return events

    def _deposit(self, command: Deposit) -> list[AnyEvent]:
        if command.transfer_id in self._transfers:
            return []
        account_sequence = self._account(command.account).next_sequence()
        if not 0 < command.amount <= UNITS_MAX:
            return [
                DepositRefused(
                    at=command.at,
                    transfer_id=command.transfer_id,
                    account=command.account,
                    account_sequence=account_sequence,
                    asset=command.asset,
                    reason=reasons.BAD_AMOUNT,
                )
            ]
        self._transfers.add(command.transfer_id)
        return [
            Deposited(
                at=command.at,
                transfer_id=command.transfer_id,
                account=command.account,
                account_sequence=account_sequence,
                asset=command.asset,
                amount=command.amount,
            )
        ]

    def _list(self, command: ListProduct) -> list[AnyEvent]:
        product = command.product
        book = self._books.get(product.id)
        if product.shard != self.shard:
            return [ListingRefused(at=command.at, product_id=product.id, reason=reasons.WRONG_SHARD)]
        if book is None:
            self._books[product.id] = Book(product)
        elif book.product == product:
            return []
        elif _grid(book.product) != _grid(product):
            return [ListingRefused(at=command.at, product_id=product.id, reason=reasons.GRID_CHANGED)]
        else:
            book.product = product
        self._products[product.id] = product
        return [ProductListed(at=command.at, product=product)]

    def _account(self, name: str) -> Account:
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = Account(name)
        return account

    def _refuse_cancel(self, command: CancelOrder, reason: str) -> CancelRefused:
        return CancelRefused(
            at=command.at,
            account_sequence=self._account(command.account).next_sequence(),
            order_id=command.order_id,
            account=command.account,
            reason=reason,
        )

    def _retire(self, order: WorkingOrder) -> None:
        """Know a done order in full for a while, then by its id only."""
        self._done.append(order)
        if len(self._done) > self._done_max:
            self._orders[self._done.popleft().order_id] = None


def _grid(product: Product) -> tuple[object, ...]:
    """What the numbers of a market's orders and trades are counted in."""
    base, quote = product.base, product.quote
    return base.id, base.scale, quote.id, quote.scale, product.tick_units, product.lot_units
