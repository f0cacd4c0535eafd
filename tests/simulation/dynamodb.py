"""boto3's client of DynamoDB, as settlement and reconciliation use it. Blocking: it runs by `blocking`.

It knows each question by its text: another text is another question, and has to be modelled first.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.simulation.process import Process
from tests.simulation.trouble import Trouble
from tests.simulation.wallets import Key, Table, Taken, Wallet, back, reach
from venue import wire
from venue_aws.settlement import PROGRESS_ASSET
from venue_aws.wallets import BY_ACCOUNT

_SETTLE: Final = "ADD #free :free, held :held SET #seen = :last"
_UNSEEN: Final = "attribute_not_exists(#seen) OR #seen < :first"
_ADVANCE: Final = "SET settled = :sequence, #free = :zero, held = :zero"
_LATER: Final = "attribute_not_exists(settled) OR settled < :sequence"
_UNCHANGED: Final = "created_at = :at AND amount = :amount"
_GIVE_BACK: Final = "SET #free = #free + :amount, held = held - :amount"
_ENOUGH: Final = "held >= :amount"


class DynamoDb:
    """The client of one process. `troubled` happens at each question, before it is carried out."""

    def __init__(
        self, process: Process, table: Table, trouble: Trouble, *, troubled: Callable[[], None] | None = None
    ) -> None:
        self._process = process
        self._table = table
        self._trouble = trouble
        self._troubled = troubled

    # Settlement.

    def update_item(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        key = _key(asked["Key"])
        values = {name: int(value["N"]) for name, value in asked["ExpressionAttributeValues"].items()}
        self._reach()
        # At any of a batch's wallets, not only at the first.
        if self._trouble.rng.randrange(3) == 0 and self._trouble.takes("settlement_killed"):
            self._process.kill()
        self._process.check()
        match asked["UpdateExpression"], asked["ConditionExpression"]:
            case (update, condition) if (update, condition) == (_SETTLE, _UNSEEN):
                shard = int(asked["ExpressionAttributeNames"]["#seen"].removeprefix("seen_"))
                answer = self._settle(key, shard, values)
            case (update, condition) if (update, condition) == (_ADVANCE, _LATER):
                if self._table.settled.get(key[0], 0) >= values[":sequence"]:
                    raise _refused("ConditionalCheckFailedException")
                self._table.settled[key[0]] = values[":sequence"]
                answer = {}
            case _:
                raise _unknown(asked)
        back(self._process, self._trouble)
        return answer

    def _settle(self, key: Key, shard: int, values: dict[str, int]) -> dict[str, Any]:
        if self._trouble.takes("wallet_contended"):
            raise _refused("TransactionConflictException")
        done = self._table.settle(
            key, shard, free=values[":free"], held=values[":held"], first=values[":first"], last=values[":last"]
        )
        item = _item(key, self._table.wallets[key])
        if not done:
            raise _refused("ConditionalCheckFailedException", Item=item)
        return {"Attributes": item}

    # Reconciliation, which reads whole items.

    def get_item(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        self._reach()
        item = self._hold(asked["Key"]["order_id"]["S"]) if "order_id" in asked["Key"] else self._found(asked["Key"])
        back(self._process, self._trouble)
        return {} if item is None else {"Item": item}

    def batch_get_item(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        self._reach()
        ((table, wanted),) = asked["RequestItems"].items()
        items = [item for key in wanted["Keys"] if (item := self._found(key)) is not None]
        back(self._process, self._trouble)
        return {"Responses": {table: items}}

    def scan(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        self._reach()
        after = _key(asked["ExclusiveStartKey"]) if "ExclusiveStartKey" in asked else ("", "")
        marks = [(account, PROGRESS_ASSET) for account in self._table.settled]
        keys = sorted(key for key in (*self._table.wallets, *marks) if key > after)
        page = keys[: asked["Limit"]]
        answer: dict[str, Any] = {"Items": [self._found(_named(key)) for key in page]}
        if len(keys) > len(page):
            answer["LastEvaluatedKey"] = _named(page[-1])
        back(self._process, self._trouble)
        return answer

    def query(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        if (asked["IndexName"], asked["KeyConditionExpression"]) != (BY_ACCOUNT, "account = :account"):
            raise _unknown(asked)
        self._reach()
        account, now = asked["ExpressionAttributeValues"][":account"]["S"], asyncio.get_running_loop().time()
        shown = [
            (hold.at, name)
            for name, hold in self._table.holds.items()
            if hold.command.account == account and hold.shown_at <= now
        ]
        items = [self._hold(name) for _, name in sorted(shown, reverse=True)]
        assert len(items) <= asked["Limit"]
        back(self._process, self._trouble)
        return {"Items": items}

    def transact_write_items(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        self._reach()
        delete, update = asked["TransactItems"][0]["Delete"], asked["TransactItems"][1]["Update"]
        if (delete["ConditionExpression"], update["UpdateExpression"], update["ConditionExpression"]) != (
            _UNCHANGED,
            _GIVE_BACK,
            _ENOUGH,
        ):
            raise _unknown(asked)
        values = delete["ExpressionAttributeValues"]
        if not self._table.free(
            delete["Key"]["order_id"]["S"], at=int(values[":at"]["N"]), amount=int(values[":amount"]["N"])
        ):
            raise _refused("TransactionCanceledException")
        back(self._process, self._trouble)
        return {}

    def _reach(self) -> None:
        reach(self._process, self._trouble)
        if self._troubled is not None:
            self._troubled()
            self._process.check()

    def _found(self, named: dict[str, Any]) -> dict[str, Any] | None:
        key = _key(named)
        if key[1] == PROGRESS_ASSET:
            settled = self._table.settled.get(key[0])
            return None if settled is None else named | {"settled": {"N": str(settled)}}
        wallet = self._table.wallets.get(key)
        return None if wallet is None else _item(key, wallet)

    def _hold(self, name: str) -> dict[str, Any] | None:
        hold = self._table.holds.get(name)
        return None if hold is None else _hold_item(name, hold)


def _key(named: dict[str, Any]) -> Key:
    return named["account"]["S"], named["asset"]["S"]


def _named(key: Key) -> dict[str, Any]:
    return {"account": {"S": key[0]}, "asset": {"S": key[1]}}


def _item(key: Key, wallet: Wallet) -> dict[str, Any]:
    seen = {f"seen_{shard}": {"N": str(sequence)} for shard, sequence in wallet.seen.items()}
    return _named(key) | {"free": {"N": str(wallet.free)}, "held": {"N": str(wallet.held)}} | seen


def _hold_item(name: str, hold: Taken) -> dict[str, Any]:
    return _named(hold.key) | {
        "order_id": {"S": name},
        "amount": {"N": str(hold.command.hold)},
        "created_at": {"N": str(hold.at)},
        "command": {"S": wire.encode(hold.command).decode()},
    }


def _refused(code: str, **more: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, **more}
    return ClientError(answer, "UpdateItem")


def _unknown(asked: object) -> LookupError:
    return LookupError(f"the simulated table does not know this question: {asked}")
