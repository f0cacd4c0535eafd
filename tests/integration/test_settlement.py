"""Settlement on a real DynamoDB API: whatever is delivered again, late, at once or by halves, is settled once."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from venue.ledger import WORLD, Posting
from venue.wire import Batch, WalletChanged
from venue_aws.settlement import PROGRESS_ASSET, Settlement, overdrawn

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Balances = dict[tuple[str, str], tuple[int, int]]


class Table:
    """A wallets table of its own for one test."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.client = client
        self.name = f"wallets-{uuid4()}"
        client.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "account", "AttributeType": "S"},
                {"AttributeName": "asset", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "account", "KeyType": "HASH"},
                {"AttributeName": "asset", "KeyType": "RANGE"},
            ],
        )
        client.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig={"Delay": 1})

    def settlement(self) -> Settlement:
        """As one process of the function has it."""
        return Settlement(self.client, self.name)

    def balances(self) -> Balances:
        items = self.client.scan(TableName=self.name, ConsistentRead=True)["Items"]
        return {
            (item["account"]["S"], item["asset"]["S"]): (int(item["free"]["N"]), int(item["held"]["N"]))
            for item in items
            if item["asset"]["S"] != PROGRESS_ASSET
        }


@pytest.fixture
def table(aws: str) -> Table:
    return Table(boto3.client("dynamodb", endpoint_url=aws))


def deposit(account: str, asset: str, amount: int) -> list[Posting]:
    return [Posting(WORLD, asset, "deposit", -amount, 0), Posting(account, asset, "deposit", amount, 0)]


def batch(sequence: int, *postings: Posting, shard: int = 0) -> Batch:
    return Batch(shard=shard, sequence=sequence, at=sequence * 1000, events=[], postings=list(postings))


def random_batches(seed: int, count: int) -> list[Batch]:
    """Batches that move amounts between a few wallets, so that they meet often."""
    chance = random.Random(seed)  # noqa: S311
    batches = []
    for sequence in range(1, count + 1):
        postings = []
        for _ in range(chance.randint(1, 4)):
            payer, payee = chance.sample(["ann", "bob", "cid", "dan"], 2)
            asset, amount = chance.choice(["USD", "BTC"]), chance.randint(1, 1000)
            postings += [
                Posting(payer, asset, "match", 0, -amount),
                Posting(payee, asset, "match", amount, 0),
                Posting(payee, asset, "hold", -amount, amount),
            ]
        batches.append(batch(sequence, *postings))
    return batches


def once_only(batches: Sequence[Batch]) -> Balances:
    """What the wallets are when every batch is settled once: plain sums."""
    sums: Balances = {}
    for each in batches:
        for posting in each.postings or ():
            free, held = sums.get((posting.account, posting.asset), (0, 0))
            moves = posting.kind != "hold"
            sums[posting.account, posting.asset] = (free + posting.free * moves, held + posting.held * moves)
    return sums


def test_a_deposit_is_settled_and_told(table: Table) -> None:
    changes = table.settlement().settle([batch(1, *deposit("ann", "USD", 700))])
    assert table.balances() == {("ann", "USD"): (700, 0), (WORLD, "USD"): (-700, 0)}
    assert WalletChanged(account="ann", asset="USD", free=700, held=0, shard=0, sequence=1, at=1000) in changes


def test_a_batch_that_is_delivered_again_changes_nothing(table: Table) -> None:
    batches = random_batches(seed=1, count=5)
    first = table.settlement().settle(batches)
    settled = table.balances()
    assert settled == once_only(batches)
    again = table.settlement().settle(batches)
    assert table.balances() == settled
    # The wallets as they are now are told again all the same: the tape may have missed them.
    assert sorted(again, key=str) == sorted(first, key=str)


def test_a_batch_that_comes_late_after_newer_ones_changes_nothing(table: Table) -> None:
    batches = random_batches(seed=2, count=6)
    table.settlement().settle(batches)
    settled = table.balances()
    for late in (batches[0], batches[3], batches[5]):
        table.settlement().settle([late])
        assert table.balances() == settled


def test_a_run_of_which_a_part_is_known_settles_the_rest(table: Table) -> None:
    batches = random_batches(seed=3, count=8)
    table.settlement().settle(batches[:5])
    table.settlement().settle(batches[2:])
    assert table.balances() == once_only(batches)


def test_how_batches_are_grouped_makes_no_difference(table: Table) -> None:
    batches = random_batches(seed=4, count=12)
    chance = random.Random(4)  # noqa: S311
    rest = batches
    while rest:
        size = chance.randint(1, 4)
        table.settlement().settle(rest[:size])
        rest = rest[size:]
    assert table.balances() == once_only(batches)


@pytest.mark.parametrize("seed", range(3))
def test_concurrent_deliveries_leave_the_wallets_as_one_delivery(table: Table, seed: int) -> None:
    batches = random_batches(seed, count=24)
    together = threading.Barrier(4)

    def deliver(consumer: int) -> None:
        chance = random.Random(seed * 10 + consumer)  # noqa: S311
        settlement, rest = table.settlement(), batches
        together.wait(timeout=20)
        while rest:
            size = chance.randint(1, 5)
            settlement.settle(rest[:size])
            rest = rest[size:]

    with ThreadPoolExecutor(4) as consumers:
        list(consumers.map(deliver, range(4)))
    assert table.balances() == once_only(batches)


def test_shards_do_not_know_each_others_sequences(table: Table) -> None:
    settlement = table.settlement()
    settlement.settle([batch(9, *deposit("ann", "USD", 5), shard=0)])
    settlement.settle([batch(1, *deposit("ann", "USD", 7), shard=1)])
    assert table.balances()["ann", "USD"] == (12, 0)


def test_a_hold_is_not_applied_again_but_its_wallet_is_told(table: Table) -> None:
    settlement = table.settlement()
    settlement.settle([batch(1, *deposit("ann", "USD", 100))])
    # The order took this from the wallet itself, before its command was sent.
    table.client.update_item(
        TableName=table.name,
        Key={"account": {"S": "ann"}, "asset": {"S": "USD"}},
        UpdateExpression="ADD #free :less, held :more",
        ExpressionAttributeNames={"#free": "free"},
        ExpressionAttributeValues={":less": {"N": "-40"}, ":more": {"N": "40"}},
    )
    (told,) = settlement.settle([batch(2, Posting("ann", "USD", "hold", -40, 40))])
    assert (told.free, told.held, told.sequence) == (60, 40, 2)
    settlement.settle([batch(3, Posting("ann", "USD", "release", 40, -40))])
    assert table.balances()["ann", "USD"] == (100, 0)


class Failing:
    """A DynamoDB client whose update fails when its turn comes, before or after it was carried out."""

    def __init__(self, client: "DynamoDBClient", *, at: int, carried_out: bool) -> None:
        self._client = client
        self._carried_out = carried_out
        self._left = at
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        real: Callable[..., Any] = getattr(self._client, name)
        if name != "update_item":
            return real

        def update_item(**arguments: Any) -> Any:
            with self._lock:
                self._left -= 1
                fails = self._left == 0
            answer = real(**arguments) if self._carried_out or not fails else None
            if fails:
                raise ClientError({"Error": {"Code": "InternalServerError", "Message": "lost"}}, "UpdateItem")
            return answer

        return update_item


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("at", range(1, 9))
def test_a_settlement_that_broke_off_anywhere_is_finished_by_the_next(
    table: Table, at: int, *, carried_out: bool
) -> None:
    batches = random_batches(seed=6, count=12)
    assert len(once_only(batches)) == 8
    broken = Settlement(Failing(table.client, at=at, carried_out=carried_out), table.name)  # type: ignore[arg-type]
    with pytest.raises(ClientError):
        broken.settle(batches)
    changes = table.settlement().settle(batches)
    assert table.balances() == once_only(batches)
    assert {(each.account, each.asset): (each.free, each.held) for each in changes} == once_only(batches)


def test_orders_that_hold_from_the_same_wallet_meanwhile_lose_nothing(table: Table) -> None:
    settlement = table.settlement()
    settlement.settle([batch(1, *deposit("ann", "USD", 10_000))])

    def hold() -> Iterator[None]:
        for _ in range(20):
            table.client.transact_write_items(
                TransactItems=[
                    {
                        "Update": {
                            "TableName": table.name,
                            "Key": {"account": {"S": "ann"}, "asset": {"S": "USD"}},
                            "UpdateExpression": "ADD #free :less, held :more",
                            "ConditionExpression": "#free >= :more",
                            "ExpressionAttributeNames": {"#free": "free"},
                            "ExpressionAttributeValues": {":less": {"N": "-10"}, ":more": {"N": "10"}},
                        }
                    }
                ]
            )
            yield

    with ThreadPoolExecutor(2) as both:
        holding = both.submit(lambda: sum(1 for _ in hold()))
        settling = both.submit(lambda: [settlement.settle([batch(n, *deposit("ann", "USD", 1))]) for n in range(2, 22)])
        assert (holding.result(), len(settling.result())) == (20, 20)
    assert table.balances()["ann", "USD"] == (10_000 + 20 - 200, 200)


def test_progress_is_remembered_and_never_goes_back(table: Table) -> None:
    settlement = table.settlement()
    assert settlement.progress(0) == 0
    settlement.advance(0, 7)
    settlement.advance(0, 5)
    settlement.advance(1, 2)
    assert (settlement.progress(0), settlement.progress(1)) == (7, 2)
    assert table.balances() == {}


def test_only_the_world_may_be_below_zero(table: Table) -> None:
    changes = table.settlement().settle([batch(1, *deposit("ann", "USD", 5), Posting("bob", "USD", "fee", -1, 0))])
    assert [each.account for each in overdrawn(changes)] == ["bob"]
