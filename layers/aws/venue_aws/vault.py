"""Wallets and holds as reconciliation sees them: whole, with the marks of settlement, page by page.

pynamodb's model of a wallet does not know the marks, of which there is one for each shard; so this speaks to the client
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from venue import wire
from venue.commands import AnyCommand
from venue.errors import Unavailable
from venue.reconciliation import Hold, Key, Wallet
from venue_aws.settlement import PROGRESS_ASSET, progress_key
from venue_aws.wallets import BY_ACCOUNT, CLAIM

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# DynamoDB gives no more than this in one call.
READ_MAX: Final = 100
PAGE_WALLETS: Final = 200
PAGE_HOLDS: Final = 1_000
# Of a batch that DynamoDB gives in parts, so many parts.
PARTS_MAX: Final = 20
_SEEN: Final = "seen_"


class Vault:
    """See venue.reconciliation.Vault. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, client: DynamoDBClient, *, wallets: str, holds: str, page: int = PAGE_WALLETS) -> None:
        self._client = client
        self._wallets = wallets
        self._holds = holds
        self._page = page

    @classmethod
    def connect(cls, *, wallets: str, holds: str) -> Vault:
        """Make a client; region and endpoint as the environment has them."""
        config = Config(
            connect_timeout=1,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 4},
            tcp_keepalive=True,
        )
        return cls(boto3.client("dynamodb", config=config), wallets=wallets, holds=holds)

    def settled(self, shard: int) -> int:
        """Give the last batch of the shard that is known to be settled: 0 before the first."""
        account, asset = progress_key(shard)
        (item,) = self._get([(account, asset)]) or [{}]
        return int(item["settled"]["N"]) if "settled" in item else 0

    def read(self, keys: Sequence[Key]) -> list[Wallet]:
        """Give wallets as they are now; one that there is not is empty and has seen nothing."""
        found: dict[Key, Wallet] = {}
        for start in range(0, len(keys), READ_MAX):
            for item in self._get(keys[start : start + READ_MAX]):
                wallet = _wallet(item)
                found[wallet.key] = wallet
        return [found.get((account, asset), Wallet(account=account, asset=asset)) for account, asset in keys]

    def page(self, cursor: str | None) -> tuple[list[Wallet], str | None]:
        """Give the wallets that follow the cursor, and the next cursor; None before the first and after the last."""
        begin: Any = {} if cursor is None else {"ExclusiveStartKey": msgspec.json.decode(cursor)}
        answer = _answered(
            lambda: self._client.scan(TableName=self._wallets, Limit=self._page, ConsistentRead=True, **begin)
        )
        last = answer.get("LastEvaluatedKey")
        wallets = [_wallet(item) for item in answer["Items"] if item["asset"]["S"] != PROGRESS_ASSET]
        return wallets, msgspec.json.encode(last).decode() if last else None

    def holds(self, account: str) -> Iterator[list[Hold]]:
        """Give the account's holds, the newest first, a page at a time. What was taken just now may be missing."""
        begin: Any = {}
        while True:
            answer = _answered(partial(self._query, account, begin))
            yield [_hold(item) for item in answer["Items"] if not item["order_id"]["S"].startswith(CLAIM)]
            if "LastEvaluatedKey" not in answer:
                return
            begin = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def command(self, order_id: str) -> AnyCommand | None:
        """Give what holds under this id, as first handed over; None when nothing does, or nothing readable."""
        item = _answered(
            lambda: self._client.get_item(TableName=self._holds, Key={"order_id": {"S": order_id}}, ConsistentRead=True)
        ).get("Item")
        if item is None:
            return None
        try:
            command: AnyCommand = wire.COMMAND.decode(item["command"]["S"])
        except msgspec.DecodeError:
            return None
        return command

    def free(self, hold: Hold) -> bool:
        """Move a hold back from held to free, once: whoever deletes its item moves it. False when it is gone."""
        amount = {"N": str(hold.amount)}
        delete: Any = {
            "TableName": self._holds,
            "Key": {"order_id": {"S": hold.order_id}},
            "ConditionExpression": "created_at = :at AND amount = :amount",
            "ExpressionAttributeValues": {":at": {"N": str(hold.created_at)}, ":amount": amount},
        }
        move: Any = {
            "TableName": self._wallets,
            "Key": {"account": {"S": hold.account}, "asset": {"S": hold.asset}},
            "UpdateExpression": "SET #free = #free + :amount, held = held - :amount",
            "ConditionExpression": "held >= :amount",
            "ExpressionAttributeNames": {"#free": "free"},
            "ExpressionAttributeValues": {":amount": amount},
        }
        try:
            self._client.transact_write_items(TransactItems=[{"Delete": delete}, {"Update": move}])
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise _unavailable() from error
            return False  # another run was faster, or an order has the wallet just now: the next run looks again
        except BotoCoreError as error:
            raise _unavailable() from error
        return True

    def _get(self, keys: Sequence[Key]) -> list[dict[str, Any]]:
        wanted: Any = [{"account": {"S": account}, "asset": {"S": asset}} for account, asset in keys]
        items: list[dict[str, Any]] = []
        for _ in range(PARTS_MAX):
            if not wanted:
                return items
            asked: Any = {self._wallets: {"Keys": wanted, "ConsistentRead": True}}
            answer = _answered(partial(self._client.batch_get_item, RequestItems=asked))
            items += answer["Responses"].get(self._wallets, [])
            wanted = answer.get("UnprocessedKeys", {}).get(self._wallets, {}).get("Keys", [])
        raise _unavailable()

    def _query(self, account: str, begin: Any) -> Any:
        return self._client.query(
            TableName=self._holds,
            IndexName=BY_ACCOUNT,
            KeyConditionExpression="account = :account",
            ExpressionAttributeValues={":account": {"S": account}},
            ScanIndexForward=False,
            Limit=PAGE_HOLDS,
            **begin,
        )


def _wallet(item: dict[str, Any]) -> Wallet:
    return Wallet(
        account=item["account"]["S"],
        asset=item["asset"]["S"],
        free=int(item["free"]["N"]) if "free" in item else 0,
        held=int(item["held"]["N"]) if "held" in item else 0,
        seen={int(name.removeprefix(_SEEN)): int(value["N"]) for name, value in item.items() if name.startswith(_SEEN)},
    )


def _hold(item: dict[str, Any]) -> Hold:
    return Hold(
        order_id=item["order_id"]["S"],
        account=item["account"]["S"],
        asset=item["asset"]["S"],
        amount=int(item["amount"]["N"]),
        created_at=int(item["created_at"]["N"]),
    )


def _answered(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (ClientError, BotoCoreError) as error:
        raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable("wallets and holds do not answer now", retry_after_s=1)
