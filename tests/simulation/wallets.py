"""DynamoDB's tables of wallets and holds: conditional updates and transactions, each at one moment or not at all.

Settlement speaks to it as to boto3's client, the order desk by its port (venue.ports.Wallets, Transfers).
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.simulation.loop import wait
from tests.simulation.process import Process
from tests.simulation.trouble import Trouble
from venue.commands import Deposit, PlaceOrder
from venue.errors import RuleBroken, Unavailable

# What settlement asks for, as text: another text is another question, and has to be modelled first.
_SETTLE: Final = "ADD #free :free, held :held SET #seen = :last"
_UNSEEN: Final = "attribute_not_exists(#seen) OR #seen < :first"
_ADVANCE: Final = "SET settled = :sequence, #free = :zero, held = :zero"
_LATER: Final = "attribute_not_exists(settled) OR settled < :sequence"

type Key = tuple[str, str]


class Wallet(msgspec.Struct):
    """A wallet's item. seen: the last batch of each shard that it has seen. taken: what holds took from it."""

    free: int = 0
    held: int = 0
    seen: dict[int, int] = msgspec.field(default_factory=dict)
    taken: int = 0


class Table:
    """The tables. `changed` is told of each change to a wallet at the moment it is made."""

    def __init__(self) -> None:
        self.wallets: dict[Key, Wallet] = {}
        self.settled: dict[str, int] = {}
        self.holds: dict[str, tuple[PlaceOrder, str]] = {}
        self.claims: dict[str, Deposit] = {}
        self.changed: Callable[[Key, Wallet], None] = _ignored

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

    def take(self, order: PlaceOrder, asset: str) -> PlaceOrder | None:
        """Take a hold once; gives the order that took it before. Raises RuleBroken."""
        if order.order_id in self.holds:
            return self.holds[order.order_id][0]
        wallet = self.wallets.setdefault((order.account, asset), Wallet())
        if wallet.free < order.hold:
            raise RuleBroken("Insufficient funds", code="insufficient_funds")
        self.holds[order.order_id] = order, asset
        wallet.free -= order.hold
        wallet.held += order.hold
        wallet.taken += order.hold
        self.changed((order.account, asset), wallet)
        return None


class DynamoDb:
    """boto3's client, as settlement uses it. Blocking: it runs by `blocking`."""

    def __init__(self, process: Process, table: Table, trouble: Trouble) -> None:
        self._process = process
        self._table = table
        self._trouble = trouble

    def update_item(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        key = asked["Key"]["account"]["S"], asked["Key"]["asset"]["S"]
        values = {name: int(value["N"]) for name, value in asked["ExpressionAttributeValues"].items()}
        reach(self._process, self._trouble)
        # At any of a batch's wallets, not only at the first.
        if self._trouble.rng.randrange(3) == 0 and self._trouble.takes("settlement_killed"):
            self._process.kill()
        self._process.check()
        match asked["UpdateExpression"], asked["ConditionExpression"]:
            case (update, condition) if (update, condition) == (_SETTLE, _UNSEEN):
                answer = self._settle(
                    key, int(asked["ExpressionAttributeNames"]["#seen"].removeprefix("seen_")), values
                )
            case (update, condition) if (update, condition) == (_ADVANCE, _LATER):
                if self._table.settled.get(key[0], 0) >= values[":sequence"]:
                    raise _refused("ConditionalCheckFailedException")
                self._table.settled[key[0]] = values[":sequence"]
                answer = {}
            case _:
                raise LookupError(f"the simulated table does not know this update: {asked}")
        back(self._process, self._trouble)
        return answer

    def get_item(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        reach(self._process, self._trouble)
        settled = self._table.settled.get(asked["Key"]["account"]["S"])
        back(self._process, self._trouble)
        return {} if settled is None else {"Item": {"settled": {"N": str(settled)}}}

    def _settle(self, key: Key, shard: int, values: dict[str, int]) -> dict[str, Any]:
        if self._trouble.takes("wallet_contended"):
            raise _refused("TransactionConflictException")
        done = self._table.settle(
            key, shard, free=values[":free"], held=values[":held"], first=values[":first"], last=values[":last"]
        )
        item = _item(self._table.wallets[key])
        if not done:
            raise _refused("ConditionalCheckFailedException", Item=item)
        return {"Attributes": item}


class Holds:
    """The wallets as the order desk and the cashier see them."""

    def __init__(self, process: Process, table: Table, trouble: Trouble) -> None:
        self._process = process
        self._table = table
        self._trouble = trouble

    def hold(self, order: PlaceOrder, *, asset: str, at: int) -> PlaceOrder | None:
        """See venue.ports.Wallets."""
        del at
        self._ask()
        known = self._table.take(order, asset)
        self._hear()
        return known

    def held_order(self, order_id: str) -> PlaceOrder | None:
        """See venue.ports.Holds."""
        self._ask()
        found = self._table.holds.get(order_id)
        self._hear()
        return found[0] if found else None

    def claim(self, deposit: Deposit, *, at: int) -> Deposit:
        """See venue.ports.Transfers."""
        del at
        self._ask()
        first = self._table.claims.setdefault(deposit.transfer_id, deposit)
        self._hear()
        return first

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
    wait(asyncio.sleep(trouble.way()))
    process.check()
    if trouble.lasts("wallets_away"):
        raise EndpointConnectionError(endpoint_url="wallets")


def back(process: Process, trouble: Trouble) -> None:
    """And back. Raises EndpointConnectionError when the answer gets lost."""
    wait(asyncio.sleep(trouble.way()))
    process.check()
    if trouble.takes("wallet_answer_lost"):
        raise EndpointConnectionError(endpoint_url="wallets")


def _ignored(*_: Any) -> None:
    """Nobody listens."""


def _item(wallet: Wallet) -> dict[str, Any]:
    seen = {f"seen_{shard}": {"N": str(sequence)} for shard, sequence in wallet.seen.items()}
    return {"free": {"N": str(wallet.free)}, "held": {"N": str(wallet.held)}, **seen}


def _refused(code: str, **more: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, **more}
    return ClientError(answer, "UpdateItem")
