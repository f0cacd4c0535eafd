"""What an order does to its book, from its arrival to its last event."""

from matcher.core.book import Book, Ladder, Level
from matcher.core.working import WorkingOrder
from venue.events import AnyEvent, LevelChanged, OrderOpened, OrderReceived, Traded
from venue.orders import DoneReason


def execute(order: WorkingOrder, book: Book, events: list[AnyEvent]) -> list[WorkingOrder]:
    """Trade what can trade at once, let the rest rest or end it. Gives the orders that are done, the makers first.

    Events in order: received; each trade, with the maker's done behind it if that filled it; the order's own open or
    done; one level change for every level touched.
    """
    command = order.command
    at = command.at
    own, against = (book.bids, book.asks) if order.buy else (book.asks, book.bids)
    events.append(_received(order, book))
    done: list[WorkingOrder] = []
    swept = _match(order, against, book, events, done) if against.crosses(command.price) else []
    rested: Level | None = None
    if order.remaining and command.type == "limit" and command.time_in_force == "GTC":
        rested = own.add(order, order.price)
        order.account.orders[order.order_id] = order
        events.append(_opened(order, book))
    else:
        book.sequence += 1
        events.append(order.close(_end_of(order, against, swept), at, book.sequence))
        done.append(order)
    if swept:
        events.extend([changed(level, against, book, at) for level in swept])
    if rested is not None:
        events.append(changed(rested, own, book, at))
    return done


def withdraw(order: WorkingOrder, book: Book, at: int, events: list[AnyEvent]) -> tuple[Ladder, Level]:
    """Take a resting order out of its book: where it stood. The level change is the caller's to tell, once for all."""
    ladder = book.bids if order.buy else book.asks
    level = ladder.levels[order.price]
    ladder.remove(order, level)
    book.sequence += 1
    events.append(order.close("canceled", at, book.sequence))
    return ladder, level


def changed(level: Level, ladder: Ladder, book: Book, at: int) -> LevelChanged:
    """What rests at `level` after the command."""
    return LevelChanged(
        at=at,
        sequence=book.sequence,
        product_id=book.product_id,
        side=ladder.side,
        price=level.price,
        size=level.size,
    )


def _match(
    taker: WorkingOrder, against: Ladder, book: Book, events: list[AnyEvent], done: list[WorkingOrder]
) -> list[Level]:
    """Trade until the taker, its price, its funds or the book is at an end. Gives the levels touched, best first.

    Every trade is at the maker's price, with the oldest maker at the best price.
    """
    at = taker.command.at
    limit = taker.command.price
    touched: list[Level] = []
    while against.crosses(limit):
        level = against.best()
        price = level.price
        wanted = taker.wants(price)
        if not wanted:
            break
        touched.append(level)
        while wanted and (maker := level.head) is not None:
            size = min(wanted, maker.remaining)
            events.append(_trade(maker, taker, book, price, size))
            level.size -= size
            if not maker.remaining:
                against.remove(maker, level)
                book.sequence += 1
                events.append(maker.close("filled", at, book.sequence))
                done.append(maker)
            wanted = taker.wants(price)
    return touched


def _trade(maker: WorkingOrder, taker: WorkingOrder, book: Book, price: int, size: int) -> Traded:
    value = price * size * book.lot_value
    maker_fee, maker_released = maker.fill(size, value, maker.command.maker_bps)
    taker_fee, taker_released = taker.fill(size, value, taker.command.taker_bps)
    book.sequence += 1
    book.trade_id += 1
    # Each side takes its own number: an account that trades with itself takes two.
    maker_sequence = maker.account.next_sequence()
    taker_sequence = taker.account.next_sequence()
    trade = Traded(
        at=taker.command.at,
        sequence=book.sequence,
        trade_id=book.trade_id,
        product_id=book.product_id,
        side=maker.command.side,
        price=price,
        size=size,
        maker_order_id=maker.order_id,
        maker_account=maker.account.name,
        maker_account_sequence=maker_sequence,
        maker_fee=maker_fee,
        maker_released=maker_released,
        taker_order_id=taker.order_id,
        taker_account=taker.account.name,
        taker_account_sequence=taker_sequence,
        taker_fee=taker_fee,
        taker_released=taker_released,
    )
    maker.keep(trade)
    taker.keep(trade)
    return trade


def _end_of(order: WorkingOrder, against: Ladder, swept: list[Level]) -> DoneReason:
    """Why an order that cannot rest is done.

    One by funds is filled when it bought something and its funds, not the book or its worst price, were the end of it.
    """
    command = order.command
    if command.funds is None:
        return "canceled" if order.remaining else "filled"
    if swept and (against.crosses(command.price) or not order.wants(swept[-1].price)):
        return "filled"
    return "canceled"


def _received(order: WorkingOrder, book: Book) -> OrderReceived:
    command = order.command
    account = order.account
    book.sequence += 1
    account.sequence += 1
    return OrderReceived(
        at=command.at,
        sequence=book.sequence,
        account_sequence=account.sequence,
        order_id=command.order_id,
        account=command.account,
        product_id=command.product_id,
        side=command.side,
        type=command.type,
        time_in_force=command.time_in_force,
        post_only=command.post_only,
        client_oid=command.client_oid,
        price=command.price,
        size=command.size,
        funds=command.funds,
        hold=command.hold,
    )


def _opened(order: WorkingOrder, book: Book) -> OrderOpened:
    account = order.account
    book.sequence += 1
    account.sequence += 1
    return OrderOpened(
        at=order.command.at,
        sequence=book.sequence,
        account_sequence=account.sequence,
        order_id=order.order_id,
        account=account.name,
        product_id=book.product_id,
        side=order.command.side,
        price=order.price,
        remaining=order.remaining,
    )
