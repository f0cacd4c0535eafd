"""One shard's matching: commands in, events out, in price-time priority."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Self

import msgspec

from matcher.core import (
    amendment,
    deposits,
    halts,
    listing,
    matching,
    plain,
    reasons,
    state,
    switch,
    telling,
    withdrawals,
)
from matcher.core.admission import refusal
from matcher.core.book import Book
from matcher.core.register import Register
from matcher.core.trade import MAKERS_MAX
from matcher.core.turn import Turn, Turns
from matcher.core.working import Trader, WorkingOrder, storable, working
from venue.commands import (
    AmendOrder,
    AnyCommand,
    CancelAll,
    CancelAllAfter,
    CancelOrder,
    CancelProduct,
    Deposit,
    Expire,
    ListProduct,
    PlaceOrder,
    SetStatus,
)
from venue.events import (
    AmendRefused,
    AnyEvent,
    CancelRefused,
    StatusRefused,
)
from venue.orders import Fill, Order
from venue.products import Product

# How many orders that are done the engine knows in full. Older ones it knows by id only.
DONE_MAX: Final = 100_000


class Engine:
    """All products of one shard. The same commands give the same events and the same digest on every run.

    Nothing raises and nothing is rolled back: what a rule refuses becomes an event (see matcher.core.reasons). What it
    remembers, and for how long, says matcher.core.register.
    """

    def __init__(self, shard: int = 0, *, done_max: int = DONE_MAX) -> None:
        self.shard = shard
        self._products: dict[str, Product] = {}
        self._books: dict[str, Book] = {}
        # Those of the books where something is to be done at once, or at a time.
        self._timed: dict[str, Book] = {}
        self._register = Register(done_max)
        self._does: dict[type[AnyCommand], Callable[[Any], list[AnyEvent]]] = {
            PlaceOrder: self._place,
            CancelOrder: self._cancel,
            AmendOrder: self._amend,
            CancelAll: self._cancel_all,
            CancelAllAfter: self._cancel_all_after,
            CancelProduct: self._cancel_product,
            Expire: self._expire,
            Deposit: self._deposit,
            SetStatus: self._set_status,
            ListProduct: self._list,
        }

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        """Do what the command asks and tell, in order, what happened.

        No events mean that there was nothing to do: an order, amend or transfer id that is known already (`order` tells
        what it became), a CancelAll without orders, nothing that is due, a product that is listed with these very
        rules and in this very state.
        """
        # Nearly all commands are one of these two, and the interpreter calls a method that it sees faster.
        kind = type(command)
        if kind is PlaceOrder:
            return self._place(command)  # type: ignore[arg-type]
        if kind is CancelOrder:
            return self._cancel(command)  # type: ignore[arg-type]
        return self._does[kind](command)

    def __del__(self) -> None:
        for book in self._books.values():
            book.dissolve()

    @classmethod
    def restore(cls, saved: bytes, *, done_max: int = DONE_MAX) -> Self:
        """An engine that goes on exactly as the one that was saved. Raises ValueError for what `save` did not write."""
        try:
            read = state.decode(saved)
        except msgspec.MsgspecError as error:
            raise ValueError(f"not a saved state: {error}") from error
        engine = cls(read.shard, done_max=done_max)
        state.restore(read, engine._books, engine._register)
        for book in engine._books.values():
            engine._time(book)
        engine._products = {product_id: book.product for product_id, book in engine._books.items()}
        return engine

    def save(self) -> bytes:
        """The whole state, to be restored; some 200 bytes for each order that is known in full."""
        return state.encode(self.state())

    def digest(self) -> str:
        """SHA-256 in hex over the whole state: engines with the same digest go on alike. Takes time with the state."""
        return state.digest(self.state())

    def state(self) -> state.State:
        """The whole state as data."""
        return state.state_of(self.shard, self._books, self._register)

    @property
    def products(self) -> Mapping[str, Product]:
        """The listed products by id, always as they are now."""
        return MappingProxyType(self._products)

    @property
    def due(self) -> int | None:
        """When the next Expire has something to do, µs; 0 for at once, None when nothing is to come.

        An auction is told of by any Expire, whenever it is sent.
        """
        # Asked before each command, and hardly ever is there anything to come.
        due = self._register.due()
        for book in self._timed.values():
            if book.is_due():
                return 0
            if book.until is not None and (due is None or book.until < due):
                due = book.until
        return due

    def product(self, product_id: str) -> Product | None:
        """The rules of one market."""
        return self._products.get(product_id)

    def book(self, product_id: str) -> Book | None:
        """One market as it stands, to be looked at only."""
        return self._books.get(product_id)

    def order(self, order_id: str) -> Order | None:
        """What became of an order; None when it was never seen, or was done too long ago (`done_max`)."""
        order = self._register.orders.get(order_id)
        return order.view() if order else None

    def fills(self, order_id: str) -> list[Fill]:
        """An order's side of its trades, oldest first; known as long as `order` knows it."""
        order = self._register.orders.get(order_id)
        return order.fills() if order else []

    def leaves_more(self, command: CancelAll | CancelProduct) -> bool:
        """Whether the same command again would find another order to cancel: its `limit` may have left some."""
        if isinstance(command, CancelAll):
            return any(withdrawals.cancellable(command, self._books, self._register))
        book = self._books.get(command.product_id)
        return book is not None and any(True for _ in book.orders())

    def sequence(self, product_id: str) -> int:
        """The number of the product's last public event; 0 before the first."""
        book = self._books.get(product_id)
        return book.sequence if book else 0

    def depth(self, product_id: str, limit: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """Bids and asks, best first, at most `limit` levels a side: (ticks, lots shown, orders)."""
        book = self._books.get(product_id)
        return book.depth(limit) if book else ([], [])

    def resting(self, product_id: str, limit: int) -> tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]]:
        """Bids and asks in the order in which they trade, at most `limit` a side: (ticks, lots shown, order id)."""
        book = self._books.get(product_id)
        return book.resting(limit) if book else ([], [])

    def _place(self, command: PlaceOrder) -> list[AnyEvent]:
        register = self._register
        if command.order_id in register.orders:
            return []
        book = self._books.get(command.product_id)
        if book is None:
            return self._refuse(command, Trader(register.account(command.account), None), reasons.UNKNOWN_PRODUCT)
        trader = book.traders.get(command.account)
        if trader is None:
            trader = book.let_in(register.account(command.account))
        events = plain.place(command, book, trader, register)
        if events is not None:
            return events
        reason = refusal(command, book, trader)
        if reason is not None:
            return self._refuse(command, trader, reason)
        order = working(command, trader, book.lot_of(command.side), len(register.orders))
        register.orders[command.order_id] = order
        if command.expire_at is not None:
            register.time(order)
        turn = Turn(book, command.at, [], [])
        matching.place(order, turn)
        return self._finish(turn)

    def _amend(self, command: AmendOrder) -> list[AnyEvent]:
        register = self._register
        if command.amend_id in register.amends:
            return []
        register.amends[command.amend_id] = None
        order = register.orders.get(command.order_id)
        book = self._books.get(command.product_id)
        if order is None or book is None or not _is_meant(command, order):
            return [self._refuse_amend(command, reasons.NOT_FOUND)]
        if order.done_at is not None:
            return [self._refuse_amend(command, reasons.ORDER_DONE)]
        reason = amendment.refusal(command, order, book)
        if reason is not None:
            return [self._refuse_amend(command, reason)]
        turn = Turn(book, command.at, [], [])
        amendment.amend(command, order, turn)
        return self._finish(turn)

    def _cancel(self, command: CancelOrder) -> list[AnyEvent]:
        order = self._register.orders.get(command.order_id)
        # Another account's order is not found either: its existence is not leaked.
        if order is None or order.trader.account.name != command.account:
            return [self._refuse_cancel(command, reasons.NOT_FOUND)]
        book = order.trader.book
        if order.done_at is not None or book is None:
            return [self._refuse_cancel(command, reasons.ORDER_DONE)]
        if book.status == "halted":
            return [self._refuse_cancel(command, reasons.HALTED)]
        if order.waiting is not None:
            return self._finish_all(withdrawals.withdraw([order], self._books, command.at))
        return plain.cancel(command, order, book, self._register)

    def _cancel_all(self, command: CancelAll) -> list[AnyEvent]:
        return self._finish_all(withdrawals.cancel_all(command, self._books, self._register))

    def _cancel_product(self, command: CancelProduct) -> list[AnyEvent]:
        return self._finish_all(withdrawals.cancel_product(command, self._books))

    def _cancel_all_after(self, command: CancelAllAfter) -> list[AnyEvent]:
        return switch.change(command, self._register)

    def _expire(self, command: Expire) -> list[AnyEvent]:
        turns = withdrawals.expire(command.at, self._books, self._register)
        met = 0
        for product_id in sorted(self._books):
            if met < MAKERS_MAX:
                turn = turns.of(product_id)
                halts.pass_time(turn)
                matching.settle(turn)
                met += turn.met
        return self._finish_all(turns)

    def _set_status(self, command: SetStatus) -> list[AnyEvent]:
        book = self._books.get(command.product_id)
        if book is None:
            return [_refuse_status(command, reasons.UNKNOWN_PRODUCT)]
        reason = halts.refusal(command, book)
        if reason is not None:
            return [_refuse_status(command, reason)]
        turn = Turn(book, command.at, [], [])
        halts.command(command, turn)
        return self._finish(turn)

    def _deposit(self, command: Deposit) -> list[AnyEvent]:
        return deposits.deposit(command, self._register)

    def _list(self, command: ListProduct) -> list[AnyEvent]:
        events = listing.list_product(command, self._books, shard=self.shard)
        self._products = {product_id: book.product for product_id, book in self._books.items()}
        return events

    def _finish(self, turn: Turn) -> list[AnyEvent]:
        if turn.book.triggered.keys:
            matching.settle(turn)
        turn.tell_levels()
        self._time(turn.book)
        for order in turn.done:
            self._register.retire(order)
        return turn.events

    def _finish_all(self, turns: Turns) -> list[AnyEvent]:
        for turn in turns.taken.values():
            turn.tell_levels()
            self._time(turn.book)
        for order in turns.done:
            self._register.retire(order)
        return turns.events

    def _time(self, book: Book) -> None:
        """Know whether time has anything to do with a book."""
        if book.until is not None or book.uncrossing is not None or book.triggered.keys:
            self._timed[book.product_id] = book
        elif self._timed:
            self._timed.pop(book.product_id, None)

    def _refuse(self, command: PlaceOrder, trader: Trader, reason: str) -> list[AnyEvent]:
        register = self._register
        order = register.orders[command.order_id] = working(command, trader, 0, len(register.orders))
        register.retire(order)
        return [telling.refused(order, reason)]

    def _refuse_cancel(self, command: CancelOrder, reason: str) -> CancelRefused:
        return CancelRefused(
            at=command.at,
            account_sequence=self._register.account(command.account).next_sequence(),
            order_id=command.order_id,
            account=command.account,
            reason=reason,
        )

    def _refuse_amend(self, command: AmendOrder, reason: str) -> AmendRefused:
        return AmendRefused(
            at=command.at,
            account_sequence=self._register.account(command.account).next_sequence(),
            amend_id=command.amend_id,
            order_id=command.order_id,
            account=command.account,
            product_id=command.product_id,
            side=command.side,
            hold=max(storable(command.hold) or 0, 0),
            reason=reason,
        )


def _refuse_status(command: SetStatus, reason: str) -> StatusRefused:
    return StatusRefused(at=command.at, product_id=command.product_id, reason=reason)


def _is_meant(command: AmendOrder, order: WorkingOrder) -> bool:
    """Whether the amend names its order rightly: otherwise its hold might be counted in another asset."""
    placed = order.command
    return (placed.account, placed.product_id, placed.side) == (command.account, command.product_id, command.side)
