"""The uncross of an auction: one price for everyone.

It is the price at which most lots trade; among those the one that leaves least over; among those the one nearest to
the reference price (without one, to the middle between best bid and best ask). Any tick can be the price, not only
those of orders. No two are equally good: demand falls and supply grows with the price, so what lies between two prices
is no worse than they are. At the price, better-priced orders trade first, then older ones. One command makes no more
than `MAKERS_MAX` trades of it.
"""

from collections.abc import Iterator

import msgspec

from matcher.core import stops
from matcher.core.book import Book
from matcher.core.ladder import Ladder
from matcher.core.trade import MAKERS_MAX, exhausted, trade
from matcher.core.turn import Turn
from venue.events import AuctionIndicated


class Balance(msgspec.Struct, frozen=True):
    """What a price would do: ticks; lots that trade; lots bid for less lots offered at that price."""

    price: int
    volume: int
    surplus: int


def balance(book: Book) -> Balance | None:
    """Where an uncross would trade now; None where bids and asks do not meet."""
    if not book.is_crossed():
        return None
    best_bid, best_ask = book.bids.best().price, book.asks.best().price
    reference = (best_bid + best_ask) // 2 if book.reference is None else book.reference
    return min(
        _balances(book, best_ask, best_bid, reference),
        key=lambda at: (-at.volume, abs(at.surplus), abs(at.price - reference)),
    )


def _balances(book: Book, low: int, high: int, reference: int) -> Iterator[Balance]:
    """Every price from `low` to `high` that may be the one: those of orders, and between two of them the tick nearest
    to the reference, for nothing changes there. From low to high, in one pass."""
    bids, asks = _lots(book.bids, low), _lots(book.asks, high)
    prices = sorted(bids.keys() | asks.keys())
    demand, supply = sum(bids.values()), 0
    for index, price in enumerate(prices):
        supply += asks.get(price, 0)
        yield Balance(price, min(demand, supply), demand - supply)
        demand -= bids.get(price, 0)
        above = prices[index + 1] if index + 1 < len(prices) else price
        if above - price > 1:
            between = min(max(reference, price + 1), above - 1)
            yield Balance(between, min(demand, supply), demand - supply)


def _lots(ladder: Ladder, limit: int) -> dict[int, int]:
    return {level.price: level.size + level.hidden for level in ladder.reach(limit)}


def indicate(turn: Turn) -> None:
    """Tell where the auction stands, if that has changed since it was told."""
    book = turn.book
    found = balance(book)
    told = (None, 0, 0) if found is None else (found.price, found.volume, found.surplus)
    if told == book.indicated:
        return
    book.indicated = told
    price, volume, surplus = told
    turn.events.append(
        AuctionIndicated(at=turn.at, product_id=book.product_id, price=price, volume=volume, surplus=surplus)
    )


def uncross(turn: Turn, price: int) -> bool:
    """Trade what meets at `price`, which becomes the reference price; whether it was all, and not just what may be."""
    book = turn.book
    bids, asks = book.bids, book.asks
    is_through = True
    while bids.crosses(price) and asks.crosses(price):
        if turn.met >= MAKERS_MAX:
            is_through = False
            break
        turn.met += 1
        levels = bids.best(), asks.best()
        bid, ask = levels[0].head, levels[1].head
        assert bid is not None
        assert ask is not None
        maker, taker = (bid, ask) if bid.number < ask.number else (ask, bid)
        size = min(bid.remaining - bid.hidden, ask.remaining - ask.hidden)
        turn.events.append(trade(maker, taker, turn, price, size))
        for order in (maker, taker):
            own, level = (bids, levels[0]) if order.buy else (asks, levels[1])
            level.size -= size
            turn.touched[own.sign * level.price] = level
            if order.remaining == order.hidden:
                exhausted(order, level, own, turn)
    book.refer_to(price)
    stops.printed(book, price, price)
    return is_through
