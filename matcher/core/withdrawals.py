"""Orders that leave by the many: an account's, a market's, those whose time is up, those of an account not heard of.

No command takes out more than it says, or than `EXPIRED_MAX`: what is left is for the next one.
"""

from collections.abc import Iterable, Mapping
from heapq import merge, nsmallest
from itertools import islice
from typing import Final

from matcher.core import switch
from matcher.core.book import Book
from matcher.core.register import Register
from matcher.core.turn import Turns
from matcher.core.working import WorkingOrder
from venue.commands import CancelAll, CancelProduct

# How many orders one Expire takes out, fallen switches counted; those that are left are due at once.
EXPIRED_MAX: Final = 1_000


def withdraw(orders: Iterable[WorkingOrder], books: Mapping[str, Book], at: int) -> Turns:
    """Cancel open orders, one after the other."""
    turns = Turns(books, at)
    for order in orders:
        turns.of(order.command.product_id).withdraw(order, "canceled")
    return turns


def cancel_all(command: CancelAll, books: Mapping[str, Book], register: Register) -> Turns:
    """Cancel an account's oldest orders."""
    # Each trader's orders stand by age.
    found = merge(*cancellable(command, books, register), key=_number)
    return withdraw(list(islice(found, max(command.limit, 0))), books, command.at)


def cancellable(command: CancelAll, books: Mapping[str, Book], register: Register) -> list[Iterable[WorkingOrder]]:
    """An account's open orders in one market or in all, market by market: none in a halted one."""
    known, asked = register.accounts.get(command.account), command.product_id
    traders = {} if known is None else known.traders
    return [
        trader.orders.values()
        for listed, trader in traders.items()
        if asked in (None, listed) and books[listed].status != "halted"
    ]


def cancel_product(command: CancelProduct, books: Mapping[str, Book]) -> Turns:
    """Cancel a market's oldest orders, be it halted or not."""
    book = books.get(command.product_id)
    found = () if book is None else book.orders()
    return withdraw(nsmallest(command.limit, found, key=_number), books, command.at)


def expire(at: int, books: Mapping[str, Book], register: Register) -> Turns:
    """End the orders whose time is up, and those of the accounts whose switches fall."""
    turns = Turns(books, at)
    left = EXPIRED_MAX
    for order in register.expired(at, EXPIRED_MAX):
        turns.of(order.command.product_id).withdraw(order, "expired")
        left -= 1
    _let_fall(turns, register, at, left)
    return turns


def _let_fall(turns: Turns, register: Register, at: int, left: int) -> None:
    """End the orders of the accounts whose switches fall, at most `left` of them."""
    switches = register.switches
    while left > 0 and (first := switches.first()) is not None and first[0] <= at:
        account = register.account(first[1])
        open_ = [trader.orders.values() for trader in account.traders.values()]
        orders = list(islice(merge(*open_, key=_number), left))
        for order in orders:
            turns.of(order.command.product_id).withdraw(order, "canceled")
        if not any(trader.orders for trader in account.traders.values()):
            switches.disarm(account.name)
            turns.events.append(switch.told(account, at, None, fell=True))
        left -= len(orders) + 1


def _number(order: WorkingOrder) -> int:
    return order.number
