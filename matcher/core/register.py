"""What a shard remembers: its accounts, every id it has ever seen, and what becomes due when."""

from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from matcher.core.switch import Switches
from matcher.core.working import Account, WorkingOrder

# So few orders that are done need not be looked for.
_STALE_MAX: Final = 64


class Register:
    """Order, transfer and amend ids are known for ever, some 150 bytes each; the last `done_max` orders that are done
    are known in full, at some 600 bytes each, and so is every open one.
    """

    def __init__(self, done_max: int) -> None:
        self.done_max = done_max
        self.accounts: dict[str, Account] = {}
        # Every order id ever seen, in order of arrival; None for those that left the window of done orders.
        self.orders: dict[str, WorkingOrder | None] = {}
        self.done: deque[WorkingOrder] = deque()
        # Insertion order is state: it makes the saved state the same on every machine.
        self.transfers: dict[str, None] = {}
        self.amends: dict[str, None] = {}
        # Asset -> all that ever came in from outside: no account can have more.
        self.deposited: dict[str, int] = {}
        self.switches = Switches()
        # (time, number, order), with some that are done already: they are dropped when they outnumber the others.
        self._timed: list[tuple[int, int, WorkingOrder]] = []
        self.timed_open = 0

    def account(self, name: str) -> Account:
        """The account of this name."""
        account = self.accounts.get(name)
        if account is None:
            account = self.accounts[name] = Account(name)
        return account

    def retire(self, order: WorkingOrder) -> None:
        """Know a done order in full for a while, then by its id only."""
        if order.command.expire_at is not None and order.reject_reason is None:
            self.untime()
        self.done.append(order)
        if len(self.done) > self.done_max:
            self.forget()

    def forget(self) -> None:
        """Let the oldest done order go: it is one more than may be known in full."""
        self.orders[self.done.popleft().command.order_id] = None

    def time(self, order: WorkingOrder) -> None:
        """Remember when an order that is taken on expires."""
        expire_at = order.command.expire_at
        assert expire_at is not None
        heappush(self._timed, (expire_at, order.number, order))
        self.timed_open += 1

    def untime(self) -> None:
        """Know that one of those that would expire is done."""
        self.timed_open -= 1
        if len(self._timed) > 2 * self.timed_open + _STALE_MAX:
            self._timed = [entry for entry in self._timed if entry[2].done_at is None]
            heapify(self._timed)

    def due(self) -> int | None:
        """When the next order expires or the next switch falls, µs."""
        expiry, switch = self.next_expiry(), self.switches.first()
        if switch is None:
            return expiry
        return switch[0] if expiry is None else min(expiry, switch[0])

    def next_expiry(self) -> int | None:
        """When the next open order expires, µs."""
        while self._timed and self._timed[0][2].done_at is not None:
            heappop(self._timed)
        return self._timed[0][0] if self._timed else None

    def expired(self, at: int, limit: int) -> Iterator[WorkingOrder]:
        """The open orders whose time is up at `at`, the earliest first, at most `limit`; each is to be closed."""
        for _ in range(limit):
            due = self.next_expiry()
            if due is None or due > at:
                return
            yield heappop(self._timed)[2]
