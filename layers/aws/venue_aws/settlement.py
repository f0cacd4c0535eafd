"""Settlement: a shard's batches applied to the wallets in DynamoDB, once each, however often they are delivered.

Every wallet remembers the last batch of each shard that it has seen (`seen_<shard>`), and an update is conditional on
it. A batch of which some wallets were settled before a crash is finished by settling it again. pynamodb cannot ask for
the item that failed a condition, which spares a read here; so this speaks to the client itself.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import ClientError

from venue.ledger import WORLD
from venue.wire import Batch, WalletChanged

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

WRITERS_MAX = 16
# An order that takes its hold from the same wallet meanwhile makes DynamoDB refuse the update; no SDK retries that.
ATTEMPTS_MAX = 10
BACKOFF_S = 0.02
# The item that says how far a shard is settled and on the tape. It is no wallet; zeros keep it out of every sum.
PROGRESS_ASSET = "settled"


class WalletBusy(Exception):
    """Orders took this wallet ATTEMPTS_MAX times in a row. Settling again finishes what is left."""


class Touch(msgspec.Struct, frozen=True):
    """What one batch does to one wallet: minor units, summed."""

    sequence: int
    at: int
    free: int
    held: int


class Settlement:
    """The wallets table, as settlement writes it. `settle` may be called by several processes at once.

    writers: who writes a batch's wallets side by side.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        writers: Executor | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._writers = writers or ThreadPoolExecutor(WRITERS_MAX, thread_name_prefix="settle")
        self._sleep = sleep

    @classmethod
    def connect(cls, table: str) -> Settlement:
        """Make a client with short timeouts; region and endpoint as the environment has them."""
        config = Config(
            connect_timeout=1,
            read_timeout=2,
            retries={"mode": "standard", "total_max_attempts": 4},
            max_pool_connections=WRITERS_MAX,
            tcp_keepalive=True,
        )
        return cls(boto3.client("dynamodb", config=config), table)

    def settle(self, batches: Sequence[Batch]) -> list[WalletChanged]:
        """Apply consecutive batches of one shard, ascending; give every wallet they touch as it is now.

        A wallet that has seen a batch is not changed by it again. Raises ClientError or WalletBusy when DynamoDB
        does not take it all: some wallets may have been settled then, and calling again finishes the rest.
        """
        shard = batches[0].shard
        jobs = [
            self._writers.submit(self._apply, account, asset, shard, touches)
            for (account, asset), touches in touches_of(batches).items()
        ]
        return [job.result() for job in jobs]

    def progress(self, shard: int) -> int:
        """Give the last batch that is known to be settled and on the tape: 0 before the first."""
        item = self._client.get_item(TableName=self._table, Key=_key(*progress_key(shard)), ConsistentRead=True).get(
            "Item", {}
        )
        return int(item["settled"]["N"]) if "settled" in item else 0

    def advance(self, shard: int, sequence: int) -> None:
        """Note that everything up to `sequence` is settled and on the tape. Never goes back."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(*progress_key(shard)),
                UpdateExpression="SET settled = :sequence, #free = :zero, held = :zero",
                ConditionExpression="attribute_not_exists(settled) OR settled < :sequence",
                ExpressionAttributeNames={"#free": "free"},
                ExpressionAttributeValues={":sequence": _number(sequence), ":zero": _number(0)},
            )
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise

    def _apply(self, account: str, asset: str, shard: int, touches: list[Touch]) -> WalletChanged:
        while True:
            wallet = self._update(account, asset, shard, touches)
            seen = int(wallet[f"seen_{shard}"]["N"])
            rest = [touch for touch in touches if touch.sequence > seen]
            if not rest:
                break
            # Some touches were applied before. `seen` only grows, so each round has fewer left.
            touches = rest
        return WalletChanged(
            account=account,
            asset=asset,
            free=int(wallet["free"]["N"]),
            held=int(wallet["held"]["N"]),
            shard=shard,
            sequence=seen,
            at=touches[-1].at,
        )

    def _update(
        self, account: str, asset: str, shard: int, touches: Sequence[Touch]
    ) -> Mapping[str, AttributeValueTypeDef]:
        """Apply the touches if the wallet has seen none of them; give it as it is now, applied or not."""
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                # Chance only spreads competitors out in time; no result depends on it.
                self._sleep(BACKOFF_S * attempt * (0.5 + random.random()))  # noqa: S311
            try:
                return self._client.update_item(
                    TableName=self._table,
                    Key=_key(account, asset),
                    UpdateExpression="ADD #free :free, held :held SET #seen = :last",
                    ConditionExpression="attribute_not_exists(#seen) OR #seen < :first",
                    ExpressionAttributeNames={"#free": "free", "#seen": f"seen_{shard}"},
                    ExpressionAttributeValues={
                        ":free": _number(sum(touch.free for touch in touches)),
                        ":held": _number(sum(touch.held for touch in touches)),
                        ":first": _number(touches[0].sequence),
                        ":last": _number(touches[-1].sequence),
                    },
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )["Attributes"]
            except ClientError as error:
                code = _code(error)
                if code == "ConditionalCheckFailedException":
                    return error.response["Item"]  # type: ignore[typeddict-item,no-any-return]  # ALL_OLD was asked for
                if code != "TransactionConflictException":
                    raise
        raise WalletBusy(f"{asset} of {account}")


def touches_of(batches: Iterable[Batch]) -> dict[tuple[str, str], list[Touch]]:
    """Give what the batches do to each (account, asset), one touch a batch, ascending.

    A hold was taken from the wallet before its order was sent: it counts as zero, but the wallet is touched, so that
    its owner is told.
    """
    touched: dict[tuple[str, str], list[Touch]] = {}
    for batch in batches:
        sums: dict[tuple[str, str], tuple[int, int]] = {}
        for posting in batch.postings or ():
            free, held = sums.get((posting.account, posting.asset), (0, 0))
            if posting.kind != "hold":
                free, held = free + posting.free, held + posting.held
            sums[posting.account, posting.asset] = free, held
        for wallet, (free, held) in sums.items():
            touched.setdefault(wallet, []).append(Touch(batch.sequence, batch.at, free, held))
    return touched


def overdrawn(changes: Iterable[WalletChanged]) -> list[WalletChanged]:
    """Give the wallets that are below zero, which only the world's may be: the books are wrong somewhere."""
    return [change for change in changes if change.account != WORLD and (change.free < 0 or change.held < 0)]


def progress_key(shard: int) -> tuple[str, str]:
    """Give the key of the item that says how far a shard is settled."""
    return f"venue:shard-{shard}", PROGRESS_ASSET


def _key(account: str, asset: str) -> dict[str, AttributeValueTypeDef]:
    return {"account": {"S": account}, "asset": {"S": asset}}


def _number(value: int) -> AttributeValueTypeDef:
    return {"N": str(value)}


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]
