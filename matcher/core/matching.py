"""What an order does to its book, from its arrival to its last event."""

from typing import Literal

from matcher.core import halts, selftrade, stops, telling
from matcher.core.admission import RESTING
from matcher.core.ladder import Ladder
from matcher.core.trade import MAKERS_MAX, exhausted, trade
from matcher.core.turn import Turn
from matcher.core.working import WorkingOrder


def place(order: WorkingOrder, turn: Turn) -> None:
    """Take an order on. Events: received and those of `execute`, or accepted where it waits for its stop price."""
    if order.command.stop is not None:
        stops.accept(order, turn)
        return
    turn.events.append(telling.received(order, turn.book, turn.at, order.command))
    execute(order, turn)


def settle(turn: Turn) -> None:
    """After a command's own work: wake the stop orders whose price was reached, one after the other.

    When the orders of one command have met `MAKERS_MAX` makers, the others stay in line.
    """
    line = stops.awake(turn.book)
    while turn.met < MAKERS_MAX and (order := next(line, None)) is not None:
        turn.events.append(telling.activated(order, at=turn.at))
        turn.events.append(telling.received(order, turn.book, turn.at, telling.as_it_woke(order)))
        execute(order, turn)


def execute(order: WorkingOrder, turn: Turn) -> None:
    """Trade what can trade at once; let the rest rest, or end it.

    Events in order: each trade, with the maker's done behind it if that filled it (or its open, if that took the last
    slice shown of an iceberg); the order's own open or done.
    """
    book = turn.book
    own, against = (book.bids, book.asks) if order.buy else (book.asks, book.bids)
    stopped, last = None, 0
    if against.crosses(order.price or None) and book.status != "auction":
        stopped, last = _match(order, against, turn)
        if order.done_at is not None:
            return
    command = order.command
    if order.remaining and stopped is None and command.type == "limit" and command.time_in_force in RESTING:
        turn.rest(order, own)
        return
    by_size = order.funds is None
    filled = not order.remaining if by_size else stopped is None and _is_spent(order, against, last)
    turn.end(order, "filled" if filled else "canceled")
    if stopped == "breaker":
        halts.trip(turn)


def _match(taker: WorkingOrder, against: Ladder, turn: Turn) -> tuple[Literal["breaker", "makers"] | None, int]:
    """Trade until the taker, its price, its funds or the book is at an end. The oldest maker at the best price is next.

    Tells what else stopped it (the next trade would have been too far from the reference price, or it met as many
    makers as it may), and the price of the last trade.
    """
    book = turn.book
    events = turn.events
    limit = taker.price or None
    own = None if taker.command.stp is None else taker.trader
    by_size = taker.funds is None
    stopped: Literal["breaker", "makers"] | None = None
    first = last = met = 0
    while stopped is None and against.crosses(limit):
        level = against.best()
        price = level.price
        wanted = taker.remaining if by_size else taker.wants(price)
        if not wanted:
            break
        allowed = book.low <= price <= book.high
        while wanted and (maker := level.head) is not None:
            if met == MAKERS_MAX:
                stopped = "makers"
                break
            met += 1
            if maker.trader is own:
                selftrade.prevent(taker, maker, level, turn)
                if taker.done_at is not None:
                    break
            elif not allowed:
                stopped = "breaker"
                break
            else:
                shown = maker.remaining - maker.hidden
                size = wanted if wanted < shown else shown
                events.append(trade(maker, taker, turn, price, size))
                level.size -= size
                if size == shown:
                    exhausted(maker, level, against, turn)
                first = first or price
                last = price
            wanted = taker.remaining if by_size else taker.wants(price)
        if last == price:
            turn.touched[against.sign * price] = level
        if not wanted or taker.done_at is not None:
            break
    turn.met += met
    if last:
        stops.printed(book, first, last)
    return stopped, last


def _is_spent(order: WorkingOrder, against: Ladder, last: int) -> bool:
    """Whether an order by funds is filled: it bought something, lastly at `last`, and its funds were the end of it."""
    return last != 0 and (against.crosses(order.price or None) or not order.wants(last))
