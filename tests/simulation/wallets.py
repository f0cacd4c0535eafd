"""DynamoDB's tables of wallets and holds: conditional updates and transactions, each at one moment or not at all."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from botocore.exceptions import EndpointConnectionError

from tests.simulation.loop import pause
from tests.simulation.process import Process
from tests.simulation.trouble import Trouble
from venue.commands import AmendOrder, Deposit, PlaceOrder
from venue.errors import RuleBroken, Unavailable

# The index of the holds by account follows its table so much later, at most.
INDEX_LAG_S: Final = 0.3

type Key = tuple[str, str]


class Wallet(msgspec.Struct):
    """A wallet's item. seen: the last batch of each shard that it has seen. taken: what holds took from it."""

    free: int = 0
    held: int = 0
    seen: dict[int, int] = msgspec.field(default_factory=dict)
    taken: int = 0


class Taken(msgspec.Struct, frozen=True):
    """A hold's item. at: µs. shown_at: when the index has it, in the loop's time."""

    command: PlaceOrder | AmendOrder
    asset: str
    at: int
    shown_at: float

    @property
    def key(self) -> Key:
        """The wallet that it was taken from."""
        return self.command.account, self.asset


class Table:
    """The tables. `changed` is told of each change to a wallet at the moment it is made, `freed` of each hold that is
    given back here."""

    def __init__(self) -> None:
        self.wallets: dict[Key, Wallet] = {}
        self.settled: dict[str, int] = {}
        self.holds: dict[str, Taken] = {}
        self.claims: dict[str, Deposit] = {}
        self.changed: Callable[[Key, Wallet], None] = _ignored
        self.freed: Callable[[str], None] = _ignored

    def settle(self, key: Key, shard: int, *, free: int, held: int, first: int, last: int) -> bool:
        """Apply a sum of postings unless the wallet has seen its first batch."""
        wallet = self.wallets.setdefault(key, Wallet())
        if wallet.seen.get(shard, 0) >= first:
            return False
        wallet.free += free
        wallet.held += held
        wallet.seen[shard] = last
        self.changed(key, wallet)
        return True

    def take(self, name: str, hold: Taken) -> PlaceOrder | AmendOrder | None:
        """Take a hold once; gives the command that took it before. Raises RuleBroken."""
        if name in self.holds:
            return self.holds[name].command
        wallet = self.wallets.setdefault(hold.key, Wallet())
        amount = hold.command.hold
        if wallet.free < amount:
            raise RuleBroken("Insufficient funds", code="insufficient_funds")
        self.holds[name] = hold
        wallet.free -= amount
        wallet.held += amount
        wallet.taken += amount
        self.changed(hold.key, wallet)
        return None

    def free(self, name: str, *, at: int, amount: int) -> bool:
        """Give a hold back and forget it, unless it is gone, or another."""
        hold = self.holds.get(name)
        if hold is None or (hold.at, hold.command.hold) != (at, amount) or self.wallets[hold.key].held < amount:
            return False
        del self.holds[name]
        wallet = self.wallets[hold.key]
        wallet.free += amount
        wallet.held -= amount
        wallet.taken -= amount
        self.freed(name)
        self.changed(hold.key, wallet)
        return True


class Holds:
    """The wallets as the order desk, the amend desk and the cashier see them."""

    def __init__(self, process: Process, table: Table, trouble: Trouble) -> None:
        self._process = process
        self._table = table
        self._trouble = trouble

    def hold(self, order: PlaceOrder, *, asset: str, at: int) -> PlaceOrder | None:
        """See venue.ports.Wallets."""
        known = self._take(order.order_id, order, asset, at)
        assert known is None or isinstance(known, PlaceOrder)
        return known

    def hold_more(self, amend: AmendOrder, *, asset: str, at: int) -> AmendOrder | None:
        """See venue.ports.AmendHolds."""
        known = self._take(amend.amend_id, amend, asset, at)
        assert known is None or isinstance(known, AmendOrder)
        return known

    def held_order(self, order_id: str) -> PlaceOrder | None:
        """See venue.ports.Holds."""
        found = self._held(order_id)
        return found if isinstance(found, PlaceOrder) else None

    def held_amend(self, amend_id: str) -> AmendOrder | None:
        """See venue.ports.AmendHolds."""
        found = self._held(amend_id)
        return found if isinstance(found, AmendOrder) else None

    def claim(self, deposit: Deposit, *, at: int) -> Deposit:
        """See venue.ports.Transfers."""
        del at
        self._ask()
        first = self._table.claims.setdefault(deposit.transfer_id, deposit)
        self._hear()
        return first

    def _take(self, name: str, command: PlaceOrder | AmendOrder, asset: str, at: int) -> PlaceOrder | AmendOrder | None:
        self._ask()
        shown_at = asyncio.get_running_loop().time() + self._trouble.between(0, INDEX_LAG_S)
        known = self._table.take(name, Taken(command, asset, at, shown_at))
        self._hear()
        return known

    def _held(self, name: str) -> PlaceOrder | AmendOrder | None:
        self._ask()
        found = self._table.holds.get(name)
        self._hear()
        return found.command if found else None

    def _ask(self) -> None:
        try:
            reach(self._process, self._trouble)
        except EndpointConnectionError as error:
            raise Unavailable("the wallets do not answer now", retry_after_s=1) from error

    def _hear(self) -> None:
        try:
            back(self._process, self._trouble)
        except EndpointConnectionError as error:
            raise Unavailable("the wallets do not answer now", retry_after_s=1) from error


def reach(process: Process, trouble: Trouble) -> None:
    """One way to the tables. Raises EndpointConnectionError while they are away."""
    process.check()
    pause(trouble.way())
    process.check()
    if trouble.lasts("wallets_away"):
        raise EndpointConnectionError(endpoint_url="wallets")


def back(process: Process, trouble: Trouble) -> None:
    """And back. Raises EndpointConnectionError when the answer gets lost."""
    pause(trouble.way())
    process.check()
    if trouble.takes("wallet_answer_lost"):
        raise EndpointConnectionError(endpoint_url="wallets")


def _ignored(*_: Any) -> None:
    """Nobody listens."""
