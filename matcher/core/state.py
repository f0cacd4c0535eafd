"""A shard's whole state as data: to be saved, to be restored, and to be fingerprinted.

Orders and trades are rows without names; their columns are named once. So the saved state is compact, and a version of
the program that knows further columns reads it with their defaults.
"""

import hashlib
from typing import Any, Final

import msgspec

from matcher.core.book import Book, Uncrossing
from matcher.core.ladder import Ladder
from matcher.core.register import Register
from matcher.core.working import Trader, WorkingOrder, working
from venue.commands import PlaceOrder
from venue.events import Traded
from venue.holds import fee_on
from venue.orders import DoneReason
from venue.products import Asset, MarketStatus, Product

VERSION: Final = 1
# What `restore` reads: its own version and, once there was one, the version before. Otherwise a deployment of the next
# one would have to replay everything from the first row.
VERSIONS: Final = frozenset({VERSION})
ORDER_COLUMNS: Final = PlaceOrder.__struct_fields__
TRADE_COLUMNS: Final = Traded.__struct_fields__


class SavedOrder(msgspec.Struct, array_like=True, frozen=True):
    """A WorkingOrder. number: its place among all order ids. trades: places among the saved trades. The two numbers
    that may need more than 64 bits are text."""

    number: int
    command: list[Any]
    price: int
    size: int
    remaining: int
    hidden: int
    funds: int | None
    hold: int
    value: str
    weighted: str
    waiting: bool
    done_at: int | None
    done_reason: DoneReason | None
    reject_reason: str | None
    trades: list[int]


class SavedBook(msgspec.Struct, array_like=True, frozen=True):
    """A Book. Bids, asks and those in line in their order, waiting stop orders by age: each by its order's number."""

    product: Product
    sequence: int
    trade_id: int
    status: MarketStatus
    until: int | None
    reference: int | None
    last_price: int
    indicated: tuple[int | None, int, int] | None
    bids: list[int]
    asks: list[int]
    stops: list[int]
    line: list[int]
    uncrossing: Uncrossing | None = None


class State(msgspec.Struct, array_like=True, frozen=True):
    """An engine. accounts: (name, sequence) by name. order_ids in order of arrival. orders: those known in full, by
    number. done: the numbers of those that are done, in the order in which they came to their end. deposited: (asset,
    minor units) by asset. switches: (account, deadline) by account."""

    version: int
    shard: int
    order_columns: tuple[str, ...]
    trade_columns: tuple[str, ...]
    books: list[SavedBook]
    accounts: list[tuple[str, int]]
    transfers: list[str]
    amends: list[str]
    order_ids: list[str]
    orders: list[SavedOrder]
    done: list[int]
    trades: list[list[Any]]
    deposited: list[tuple[str, int]] = []
    switches: list[tuple[str, int]] = []


_SAVED: Final = (State, SavedBook, Uncrossing, SavedOrder, PlaceOrder, Traded, Product, Asset)
_COLUMNS: Final = repr([kind.__struct_fields__ for kind in _SAVED])
# Changes with the columns of anything that is saved: states of one format have equal digests when they are equal.
FORMAT: Final = f"{VERSION}-{hashlib.sha256(_COLUMNS.encode()).hexdigest()[:12]}"


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(State).decode


def digest(state: State) -> str:
    """SHA-256 in hex: the same for the same state on every machine, another for any other."""
    return hashlib.sha256(encode(state)).hexdigest()


def state_of(shard: int, books: dict[str, Book], register: Register) -> State:
    """Take down all that decides how an engine goes on."""
    known = [order for order in register.orders.values() if order is not None]
    trades: dict[tuple[str, int], tuple[int, Traded]] = {}
    for order in known:
        for trade in order.trades or ():
            trades.setdefault((trade.product_id, trade.trade_id), (len(trades), trade))
    return State(
        version=VERSION,
        shard=shard,
        order_columns=ORDER_COLUMNS,
        trade_columns=TRADE_COLUMNS,
        books=[_saved_book(books[product_id]) for product_id in sorted(books)],
        accounts=[(name, register.accounts[name].sequence) for name in sorted(register.accounts)],
        transfers=list(register.transfers),
        amends=list(register.amends),
        order_ids=list(register.orders),
        orders=[
            _saved_order(order, [trades[trade.product_id, trade.trade_id][0] for trade in order.trades or ()])
            for order in known
        ],
        done=[order.number for order in register.done],
        trades=[row(trade) for _, trade in trades.values()],
        deposited=sorted(register.deposited.items()),
        switches=sorted(register.switches.deadlines.items()),
    )


def row(values: PlaceOrder | Traded) -> list[Any]:
    """The values of a command or an event in the order of its columns."""
    return list(msgspec.structs.astuple(values))


def _saved_order(order: WorkingOrder, trades: list[int]) -> SavedOrder:
    return SavedOrder(
        number=order.number,
        command=row(order.command),
        price=order.price,
        size=order.size,
        remaining=order.remaining,
        hidden=order.hidden if order.done_at is None else 0,
        funds=order.funds,
        hold=order.held,
        value=str(order.value),
        weighted=str(order.weighted),
        waiting=order.waiting is not None,
        done_at=order.done_at,
        done_reason=order.done_reason,
        reject_reason=order.reject_reason,
        trades=trades,
    )


def _saved_book(book: Book) -> SavedBook:
    return SavedBook(
        product=book.product,
        sequence=book.sequence,
        trade_id=book.trade_id,
        status=book.status,
        until=book.until,
        reference=book.reference,
        last_price=book.last_price,
        indicated=book.indicated,
        bids=_numbers(book.bids),
        asks=_numbers(book.asks),
        stops=sorted(_numbers(book.entries) + _numbers(book.losses)),
        line=_numbers(book.triggered),
        uncrossing=book.uncrossing,
    )


def _numbers(ladder: Ladder) -> list[int]:
    return [order.number for level in ladder for order in level]


def restore(state: State, books: dict[str, Book], register: Register) -> None:
    """Fill an engine's empty `books` and `register` with what was saved. Raises ValueError for another version."""
    if state.version not in VERSIONS:
        raise ValueError(f"a state of version {state.version}; this program reads {sorted(VERSIONS)}")
    for saved in state.books:
        books[saved.product.id] = _book(saved)
    for name, sequence in state.accounts:
        register.account(name).sequence = sequence
    register.transfers = dict.fromkeys(state.transfers)
    register.deposited = dict(state.deposited)
    register.amends = dict.fromkeys(state.amends)
    for name, deadline in state.switches:
        register.switches.arm(name, deadline)
    register.orders = dict.fromkeys(state.order_ids)
    trades = [msgspec.convert(dict(zip(state.trade_columns, told, strict=True)), Traded) for told in state.trades]
    orders: dict[int, WorkingOrder] = {}
    for kept in state.orders:
        command = msgspec.convert(dict(zip(state.order_columns, kept.command, strict=True)), PlaceOrder)
        orders[kept.number] = _order(kept, command, books, register)
        orders[kept.number].trades = [trades[index] for index in kept.trades] or None
    register.done.extend(orders[number] for number in state.done)
    for saved in state.books:
        book = books[saved.product.id]
        for ladder, numbers in ((book.bids, saved.bids), (book.asks, saved.asks), (book.triggered, saved.line)):
            for number in numbers:
                if ladder is book.triggered:
                    book.wait(orders[number], ladder)
                else:
                    ladder.add(orders[number], orders[number].price)
        for number in saved.stops:
            book.wait(orders[number], book.stops_of(orders[number]))


def _book(saved: SavedBook) -> Book:
    book = Book(saved.product)
    book.sequence = saved.sequence
    book.trade_id = saved.trade_id
    book.enter(saved.status, saved.until)
    book.refer_to(saved.reference)
    book.last_price = saved.last_price
    book.indicated = saved.indicated
    book.uncrossing = saved.uncrossing
    return book


def _order(saved: SavedOrder, command: PlaceOrder, books: dict[str, Book], register: Register) -> WorkingOrder:
    account = register.account(command.account)
    book = books.get(command.product_id)
    trader = Trader(account, None) if book is None else book.let_in(account)
    order = working(command, trader, 0 if book is None else book.lot_of(command.side), saved.number)
    order.price = saved.price
    order.size = saved.size
    order.remaining = saved.remaining
    order.hidden = saved.hidden
    order.funds = saved.funds
    order.hold = saved.hold
    order.value = int(saved.value)
    order.weighted = int(saved.weighted)
    order.fees = fee_on(order.weighted)
    order.done_at = saved.done_at
    order.ended = saved.done_reason or order.ended
    order.reject_reason = saved.reject_reason
    register.orders[command.order_id] = order
    if order.done_at is None:
        trader.orders[command.order_id] = order
        if command.expire_at is not None:
            register.time(order)
    return order
