"""A bare book: what CPython can do at most with dicts, deques and heaps, and nothing of what a venue needs.

No accounts, holds, fees, events, sequence or rules: only the benchmark's own reports (bench.flow), as tuples, so that
it can be seen to be right. bench.flow tells what they mean.
"""

from collections import deque
from heapq import heappop, heappush
from typing import Any

type Report = tuple[Any, ...]


class BareBook:
    """Bids and asks: price -> queue of [order id, quantity, side, price], with a heap of prices.

    A cancelled order stays in its queue with quantity 0 until it comes to the front.
    """

    def __init__(self) -> None:
        self.levels: tuple[dict[int, deque[list[Any]]], dict[int, deque[list[Any]]]] = ({}, {})
        # Signed so that the best price is the smallest.
        self.heaps: tuple[list[int], list[int]] = ([], [])
        self.orders: dict[str, list[Any]] = {}

    def new(self, seq: int, order_id: str, side: int, price: int, quantity: int, ioc: bool) -> list[Report]:  # noqa: FBT001
        """Trade, and let the rest rest. side: 0 buys, 1 sells."""
        reports: list[Report] = [(0, seq, side, order_id, price, quantity)]
        left = self._match(seq, order_id, side, price, quantity, reports)
        if left:
            if ioc:
                reports.append((2, seq, side, order_id, price))
            else:
                self._rest(order_id, side, price, left)
        return reports

    def cancel(self, seq: int, order_id: str) -> list[Report]:
        """Take an order out."""
        order = self.orders.pop(order_id, None)
        if order is None:
            return [(4, seq, order_id)]
        order[1] = 0
        return [(2, seq, order[2], order_id, order[3])]

    def modify(self, seq: int, order_id: str, side: int, price: int, quantity: int) -> list[Report]:
        """Cancel and new."""
        order = self.orders.pop(order_id, None)
        if order is None:
            return [(5, seq, order_id)]
        order[1] = 0
        reports: list[Report] = []
        left = self._match(seq, order_id, side, price, quantity, reports)
        if left:
            self._rest(order_id, side, price, left)
        reports.append((3, seq, side, order_id, price, quantity))
        return reports

    def _match(self, seq: int, order_id: str, side: int, price: int, left: int, reports: list[Report]) -> int:
        levels, heap, sign = self.levels[1 - side], self.heaps[1 - side], 1 - 2 * side
        limit = sign * price
        while heap and left and heap[0] <= limit:
            best = sign * heap[0]
            queue = levels[best]
            while queue and left:
                maker = queue[0]
                there = maker[1]
                if there > left:
                    maker[1] = there - left
                    reports.append((1, seq, best, left, maker[0], order_id))
                    return 0
                queue.popleft()
                if there:
                    left -= there
                    reports.append((1, seq, best, there, maker[0], order_id))
                    del self.orders[maker[0]]
            if not queue:
                del levels[best]
                heappop(heap)
        return left

    def _rest(self, order_id: str, side: int, price: int, left: int) -> None:
        resting = self.orders[order_id] = [order_id, left, side, price]
        queue = self.levels[side].get(price)
        if queue is None:
            self.levels[side][price] = deque((resting,))
            heappush(self.heaps[side], (2 * side - 1) * price)
        else:
            queue.append(resting)
