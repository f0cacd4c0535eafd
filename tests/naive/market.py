"""The naive market: what matcher.core.engine promises, written only to be seen to be right, and slow."""

from collections.abc import Iterable

from msgspec.structs import replace

from matcher.core import reasons
from matcher.core.state import ORDER_COLUMNS, TRADE_COLUMNS, VERSION, State, digest, row
from tests.naive.book import NaiveBook
from tests.naive.deposits import NaiveDeposits
from tests.naive.orders import NaiveOrder
from tests.naive.rules import MAKERS_MAX, amend_refusal, refusal
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
    ListingRefused,
    OrderRefused,
    ProductListed,
    StatusRefused,
    SwitchChanged,
)
from venue.money import UNITS_MAX
from venue.orders import DoneReason


class NaiveMarket:
    """All products of shard 0."""

    def __init__(self, *, done_max: int = 100_000) -> None:
        self.done_max = done_max
        self.books: dict[str, NaiveBook] = {}
        self.accounts: dict[str, int] = {}
        self.orders: dict[str, NaiveOrder] = {}
        self.done: list[NaiveOrder] = []
        self.deposits = NaiveDeposits()
        self.amends: list[str] = []
        self.switches: dict[str, int] = {}
        # Where the command at work took orders out, in that order.
        self.came: list[str] = []

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        events = self._events = list[AnyEvent]()
        for book in self.books.values():
            book.begin(command.at, events, self.done)
        refused = self._do(command)
        if refused is not None:
            events.append(refused)
        for book in self._in_order(command):
            book.tell_levels()
        return events

    def _in_order(self, command: AnyCommand) -> Iterable[NaiveBook]:
        """The books in the order in which the command came to them."""
        if not isinstance(command, Expire | CancelAll):
            return self.books.values()
        return [self.books[product_id] for product_id in dict.fromkeys([*self.came, *sorted(self.books)])]

    def _do(self, command: AnyCommand) -> AnyEvent | None:
        self.came = []
        match command:
            case PlaceOrder():
                return self._place(command)
            case AmendOrder():
                return self._amend(command)
            case CancelOrder():
                return self._cancel(command)
            case CancelAll():
                open_ = [one for one in self.orders.values() if one.where != "nowhere"]
                mine = [
                    one
                    for one in open_
                    if one.command.account == command.account
                    and command.product_id in (None, one.command.product_id)
                    and self.books[one.command.product_id].status != "halted"
                ]
                self._withdraw(mine[: command.limit], "canceled")
            case CancelAllAfter():
                return self._switch(command)
            case CancelProduct():
                open_here = [one for one in self.orders.values() if one.where != "nowhere"]
                here = [one for one in open_here if one.command.product_id == command.product_id]
                for order in here[: command.limit]:
                    self.books[command.product_id].close(order, "canceled")
            case Expire():
                self._expire(command.at)
            case SetStatus():
                return self._set_status(command)
            case Deposit():
                return self._deposit(command)
            case ListProduct():
                return self._list(command)
        return None

    def _place(self, command: PlaceOrder) -> AnyEvent | None:
        if command.order_id in self.orders:
            return None
        book = self.books.get(command.product_id)
        self.accounts.setdefault(command.account, 0)
        reason = refusal(command, book)
        order = NaiveOrder(
            command=command,
            number=len(self.orders),
            price=command.price or 0,
            size=command.size or 0,
            remaining=command.size or 0,
            shown=command.size or 0,
            hold=command.hold,
            funds=command.funds,
            tick_lot=1 if book is None else book.product.tick_lot_value,
            lot_units=1 if book is None else book.product.lot_units,
        )
        self.orders[command.order_id] = order
        if book is not None and reason is None:
            book.place(order)
            book.settle()
            return None
        order.hold = order.price = order.size = order.remaining = order.shown = 0
        order.funds = None
        order.done_at, order.reject_reason = command.at, reason
        self.done.append(order)
        return OrderRefused(
            at=command.at,
            order=replace(command, hold=max(command.hold, 0)),
            account_sequence=self._next(command.account),
            reason=reason or "",
        )

    def _amend(self, command: AmendOrder) -> AnyEvent | None:
        if command.amend_id in self.amends:
            return None
        self.amends.append(command.amend_id)
        order = self._known().get(command.order_id)
        book = self.books.get(command.product_id)
        meant = (command.account, command.product_id, command.side)
        if order is None or book is None:
            reason: str | None = reasons.NOT_FOUND
        elif (order.command.account, order.command.product_id, order.command.side) != meant:
            reason = reasons.NOT_FOUND
        elif order.where == "nowhere":
            reason = reasons.ORDER_DONE
        else:
            reason = amend_refusal(command, order, book)
        if order is not None and book is not None and reason is None:
            price = order.price if command.price is None else command.price
            size = order.size if command.size is None else command.size
            book.amend(order, price=price, size=size, hold=command.hold, amend_id=command.amend_id)
            book.settle()
            return None
        return AmendRefused(
            at=command.at,
            account_sequence=self._next(command.account),
            amend_id=command.amend_id,
            order_id=command.order_id,
            account=command.account,
            product_id=command.product_id,
            side=command.side,
            hold=max(command.hold, 0),
            reason=reason or "",
        )

    def _cancel(self, command: CancelOrder) -> AnyEvent | None:
        order = self._known().get(command.order_id)
        if order is None or order.command.account != command.account:
            reason = reasons.NOT_FOUND
        elif order.where == "nowhere":
            reason = reasons.ORDER_DONE
        elif self.books[order.command.product_id].status == "halted":
            reason = reasons.HALTED
        else:
            self.books[order.command.product_id].close(order, "canceled")
            return None
        return CancelRefused(
            at=command.at,
            account_sequence=self._next(command.account),
            order_id=command.order_id,
            account=command.account,
            reason=reason,
        )

    def _expire(self, at: int) -> None:
        open_ = [one for one in self.orders.values() if one.where != "nowhere"]
        due = [one for one in open_ if one.command.expire_at is not None and one.command.expire_at <= at]
        expired = sorted(due, key=lambda one: (one.command.expire_at, one.number))[:1_000]
        self._withdraw(expired, "expired")
        self._let_fall(at, 1_000 - len(expired))
        for product_id in sorted(self.books):
            if sum(book.met for book in self.books.values()) < MAKERS_MAX:
                self.books[product_id].pass_time()
                self.books[product_id].settle()

    def _withdraw(self, orders: Iterable[NaiveOrder], reason: DoneReason) -> None:
        for order in orders:
            self.came.append(order.command.product_id)
            self.books[order.command.product_id].close(order, reason)

    def _switch(self, command: CancelAllAfter) -> AnyEvent | None:
        was_on = self.switches.pop(command.account, None) is not None
        if command.timeout <= 0 and not was_on:
            return None
        if command.timeout > 0:
            self.switches[command.account] = min(command.at + command.timeout, UNITS_MAX)
        return self._switched(command.at, command.account, fell=False)

    def _switched(self, at: int, account: str, *, fell: bool) -> AnyEvent:
        sequence, deadline = self._next(account), self.switches.get(account)
        return SwitchChanged(at=at, account_sequence=sequence, account=account, deadline=deadline, fell=fell)

    def _let_fall(self, at: int, left: int) -> None:
        for deadline, account in sorted((deadline, account) for account, deadline in self.switches.items()):
            if deadline > at or left <= 0:
                return
            orders = [one for one in self.orders.values() if one.where != "nowhere" and one.command.account == account]
            self._withdraw(orders[:left], "canceled")
            if len(orders) <= left:
                del self.switches[account]
                self._events.append(self._switched(at, account, fell=True))
            left -= min(len(orders), left) + 1

    def _set_status(self, command: SetStatus) -> AnyEvent | None:
        book = self.books.get(command.product_id)
        ends = command.status in ("halted", "auction")
        if book is None:
            reason = reasons.UNKNOWN_PRODUCT
        elif command.until is not None and (not ends or command.until <= command.at):
            reason = reasons.BAD_UNTIL
        elif command.reference is not None and not 1 <= command.reference <= book.product.price_max:
            reason = reasons.BAD_REFERENCE
        else:
            if command.reference is not None:
                book.reference = command.reference
            is_so = (command.status, command.until) == (book.status, book.until) and book.uncrossing is None
            if command.reference is not None or not is_so:
                book.change(command.status, command.until, "command")
            book.settle()
            return None
        return StatusRefused(at=command.at, product_id=command.product_id, reason=reason)

    def _deposit(self, command: Deposit) -> AnyEvent | None:
        if command.transfer_id in self.deposits.transfers():
            return None
        return self.deposits.take(command, self._next(command.account))

    def _list(self, command: ListProduct) -> AnyEvent | None:
        product = command.product
        book = self.books.get(product.id)
        if product.shard != 0:
            return ListingRefused(at=command.at, product_id=product.id, reason=reasons.WRONG_SHARD)
        if book is None:
            self.books[product.id] = NaiveBook(product, self.accounts)
        elif book.product == product:
            return None
        else:
            same = ("base", "quote", "tick_units", "lot_units")
            if any(getattr(book.product, name) != getattr(product, name) for name in same):
                return ListingRefused(at=command.at, product_id=product.id, reason=reasons.GRID_CHANGED)
            book.product = product
        return ProductListed(at=command.at, product=product)

    def _next(self, account: str) -> int:
        self.accounts[account] = self.accounts.get(account, 0) + 1
        return self.accounts[account]

    def _known(self) -> dict[str, NaiveOrder]:
        """The orders that are still known in full."""
        forgotten = {one.command.order_id for one in self.done[: -self.done_max]}
        return {order_id: one for order_id, one in self.orders.items() if order_id not in forgotten}

    def digest(self) -> str:
        return digest(self.state())

    def state(self) -> State:
        known = list(self._known().values())
        trades = {(trade.product_id, trade.trade_id): trade for order in known for trade in order.trades}
        places = {key: place for place, key in enumerate(trades)}
        return State(
            version=VERSION,
            shard=0,
            order_columns=ORDER_COLUMNS,
            trade_columns=TRADE_COLUMNS,
            books=[self.books[product_id].saved() for product_id in sorted(self.books)],
            accounts=sorted(self.accounts.items()),
            transfers=self.deposits.transfers(),
            amends=self.amends,
            order_ids=list(self.orders),
            orders=[one.saved([places[trade.product_id, trade.trade_id] for trade in one.trades]) for one in known],
            done=[one.number for one in self.done[-self.done_max :]],
            trades=[row(trade) for trade in trades.values()],
            deposited=self.deposits.totals(),
            switches=sorted(self.switches.items()),
        )
