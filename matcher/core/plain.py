"""The straight road: a plain limit order that meets nobody, and the cancel of an order that rests.

Nearly all commands are one of these. Each is done here in one go, reading and writing as little as can be, and exactly
as matcher.core.matching and matcher.core.turn would do it. Whatever is not plain is left to them, untouched.
"""

from matcher.core.admission import rates, rules
from matcher.core.book import Book
from matcher.core.register import Register
from matcher.core.working import Trader, WorkingOrder
from venue.commands import CancelOrder, PlaceOrder
from venue.events import AnyEvent, OrderDone, OrderReceived, OrderRested
from venue.holds import fee_on
from venue.money import UNITS_MAX
from venue.orders import Side


def place(command: PlaceOrder, book: Book, trader: Trader, register: Register) -> list[AnyEvent] | None:
    """Take on an order of a new id, and let it rest or, where it may not, end it. None: it is not plain.

    What is not refused here matcher.core.admission would not refuse either.
    """
    price = command.price
    if price is None or book.status != "trading":
        return None
    if command.side == "buy":
        buy, lot, own, keys, reached = True, book.lot_value, book.bids, book.asks.keys, -price
        worth = price * lot
    else:
        buy, lot, own, keys, reached = False, book.lot_units, book.asks, book.bids.keys, price
        worth = lot
    if keys and keys[-1] >= reached:
        return None
    size, hold, product = command.size, command.hold, book.product
    if (
        size is None
        or command.type != "limit"
        or command.funds is not None
        or command.expire_at is not None
        or command.stop is not None
        or command.stop_price is not None
        or command.display_size is not None
        or not 0 < price <= product.price_max
        or not product.size_min <= size <= product.size_max
        or hold > UNITS_MAX
        or book.triggered.keys
    ):
        return None
    at, needed = command.at, size * worth
    if command.maker_bps or command.taker_bps:
        if rates(command) is not None:
            return None
        if buy:
            needed += fee_on(needed * max(command.maker_bps, command.taker_bps, 0))
    if needed > hold or (command.deadline is not None and not at <= command.deadline <= UNITS_MAX):
        return None
    if book.ruled and rules(command, book, trader) is not None:
        return None
    time_in_force = command.time_in_force
    if time_in_force != "GTC" and (time_in_force != "IOC" or command.post_only):
        return None
    orders, order_id = register.orders, command.order_id
    order = orders[order_id] = WorkingOrder(trader, buy, price, size, hold, size, lot, len(orders), command)
    account = trader.account
    book.sequence = sequence = book.sequence + 2
    account.sequence = private = account.sequence + 2
    if time_in_force == "GTC":
        trader.orders[order_id] = order
        return [OrderRested(at, command, sequence, private, own.add(order, price).size)]
    order.done_at = at
    done = register.done
    done.append(order)
    if len(done) > register.done_max:
        register.forget()
    received = OrderReceived(at, command, sequence - 1, private - 1)
    product_id, side, name = command.product_id, command.side, account.name
    return [
        received,
        OrderDone(at, sequence, private, order_id, name, product_id, side, price, size, "canceled", hold),
    ]


def cancel(command: CancelOrder, order: WorkingOrder, book: Book, register: Register) -> list[AnyEvent]:
    """Close an order that rests; its level, if it was alone there, goes with it.

    The order's own command is not looked at: it is far away in memory by now, and that takes longer than all the rest.
    """
    at, order_id, trader, price = command.at, command.order_id, order.trader, order.price
    account = trader.account
    side: Side
    if order.buy:
        side, own = "buy", book.bids
    else:
        side, own = "sell", book.asks
    level = own.levels[price]
    if level.count == 1:
        # Nobody will look at this level any more.
        own.close(price)
        level_size = 0
    else:
        own.remove(order, level)
        level_size = level.size
    del trader.orders[order_id]
    order.done_at = at
    if register.timed_open and order.command.expire_at is not None:
        register.untime()
    done = register.done
    done.append(order)
    if len(done) > register.done_max:
        register.forget()
    book.sequence = sequence = book.sequence + 1
    account.sequence = private = account.sequence + 1
    return [
        OrderDone(
            at,
            sequence,
            private,
            order_id,
            account.name,
            book.product_id,
            side,
            price,
            order.remaining,
            "canceled",
            order.hold,
            level_size,
        )
    ]
