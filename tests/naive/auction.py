"""The price of an auction, found by trying every tick."""

from collections.abc import Sequence
from typing import NamedTuple

from tests.naive.orders import NaiveOrder


class Outcome(NamedTuple):
    """What a price would do: ticks; lots that trade; lots bid for at it less lots offered."""

    price: int
    volume: int
    surplus: int


def outcome(bids: Sequence[NaiveOrder], asks: Sequence[NaiveOrder], price: int) -> Outcome:
    demand = sum(one.remaining for one in bids if one.price >= price)
    supply = sum(one.remaining for one in asks if one.price <= price)
    return Outcome(price, min(demand, supply), demand - supply)


def auction(bids: Sequence[NaiveOrder], asks: Sequence[NaiveOrder], reference: int | None) -> Outcome | None:
    """The most lots; then the least left over; then the nearest to the reference, or to the middle without one.

    Both sides come best first. None where they do not meet.
    """
    if not bids or not asks or bids[0].price < asks[0].price:
        return None
    near = (bids[0].price + asks[0].price) // 2 if reference is None else reference
    every_tick = [outcome(bids, asks, price) for price in range(asks[0].price, bids[0].price + 1)]
    return min(every_tick, key=lambda one: (-one.volume, abs(one.surplus), abs(one.price - near)))
