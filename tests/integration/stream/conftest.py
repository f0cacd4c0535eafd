"""The stream functions' surroundings: tables, tape, bucket and journal of one test, on real servers."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import psycopg
import pytest
from psycopg import sql

from local.state import State
from venue import wire
from venue.events import AnyEvent
from venue.ledger import postings
from venue.products import Product
from venue.wire import Batch, TapeRecord
from venue_aws import wiring
from venue_aws.settlement import PROGRESS_ASSET

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

_numbers = itertools.count(1)
MIGRATIONS = Path(__file__).parents[3] / "matcher" / "shell" / "migrations"


class _Context:
    """What Lambda tells a handler about its call."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:function"
    aws_request_id = "request-1"


CONTEXT: Any = _Context()


class WalletsTable:
    """The wallets of one test."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.client = client
        self.name = f"stream-wallets-{next(_numbers)}"
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

    def balances(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Free and held of every (account, asset)."""
        items = self.client.scan(TableName=self.name, ConsistentRead=True)["Items"]
        return {
            (item["account"]["S"], item["asset"]["S"]): (int(item["free"]["N"]), int(item["held"]["N"]))
            for item in items
            if item["asset"]["S"] != PROGRESS_ASSET
        }


class TapeStream:
    """The tape of one test, with one shard so that its order can be seen."""

    def __init__(self, client: "KinesisClient") -> None:
        self.client = client
        self.name = f"tape-{next(_numbers)}"
        client.create_stream(StreamName=self.name, ShardCount=1)
        client.get_waiter("stream_exists").wait(StreamName=self.name, WaiterConfig={"Delay": 1})

    def records(self) -> list[TapeRecord]:
        """All that was put, in order."""
        (shard,) = self.client.list_shards(StreamName=self.name)["Shards"]
        iterator = self.client.get_shard_iterator(
            StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found: list[TapeRecord] = []
        while page := self.client.get_records(ShardIterator=iterator, Limit=1000):
            found += [each for record in page["Records"] for each in wire.records(record["Data"])]
            if not page["Records"]:
                break
            iterator = page["NextShardIterator"]
        return found


class Journal:
    """A journal database of one test, as the matcher's migrations make it."""

    def __init__(self, postgres: str) -> None:
        self.name = f"stream_{next(_numbers)}"
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.name)))
        self.url = f"{postgres.rpartition('/')[0]}/{self.name}"
        with psycopg.connect(self.url) as connection:
            for migration in sorted(MIGRATIONS.glob("*.sql")):
                connection.execute(migration.read_bytes())

    def commit(self, *batches: Batch) -> None:
        """Write batches as the matcher does: each its row and its postings."""
        with psycopg.connect(self.url) as connection:
            for batch in batches:
                self._write(connection, batch)

    def _write(self, connection: psycopg.Connection[Any], batch: Batch) -> None:
        connection.execute(
            "INSERT INTO batches (shard, sequence, epoch, at, commands, events) VALUES (%s, %s, 1, %s, %s, %s)",
            (batch.shard, batch.sequence, batch.at, b"[]", wire.encode(batch.events)),
        )
        for ordinal, each in enumerate(batch.postings or ()):
            row = (batch.shard, batch.sequence, ordinal, batch.at, *msgspec.structs.astuple(each))
            connection.execute(
                "INSERT INTO postings (shard, sequence, ordinal, at, account, asset, kind, free, held, order_id,"
                " trade_id, product_id, amend_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                row,
            )

    def list_product(self, product: Product) -> None:
        """Write a product's rules."""
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "INSERT INTO products (id, rules) VALUES (%s, %s)", (product.id, wire.encode(product).decode())
            )


def batch_of(sequence: int, *events: AnyEvent, product: Product, shard: int = 0, at: int = 0) -> Batch:
    """A batch with the postings that its events make."""
    made = [posting for event in events for posting in postings(event, product)]
    return Batch(shard=shard, sequence=sequence, at=at or events[0].at, events=list(events), postings=made)


@pytest.fixture
def wallets_table(aws: str) -> WalletsTable:
    return WalletsTable(boto3.client("dynamodb", endpoint_url=aws))


@pytest.fixture
def tape_stream(aws: str) -> TapeStream:
    return TapeStream(boto3.client("kinesis", endpoint_url=aws))


@pytest.fixture
def journal(postgres: str) -> Journal:
    return Journal(postgres)


@pytest.fixture
def environment(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Sets what a function reads from its environment; every adapter is built anew from it, and forgotten after."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    _forget_adapters()
    yield monkeypatch
    if wiring.database.cache_info().currsize:
        wiring.database().close()
    _forget_adapters()


def secret(aws: str, name: str, content: object) -> str:
    """Make a secret; give its ARN."""
    client = boto3.client("secretsmanager", endpoint_url=aws)
    made = client.create_secret(Name=f"{name}-{next(_numbers)}", SecretString=msgspec.json.encode(content).decode())
    return made["ARN"]


def database_secret(aws: str, journal: Journal, state: State) -> str:
    """Make the secret that leads to a journal; give its ARN."""
    login = {
        "host": "127.0.0.1",
        "port": state.ports.postgres,
        "username": "postgres",
        "password": state.database_password,
        "dbname": journal.name,
    }
    return secret(aws, "database", login)


def _forget_adapters() -> None:
    for each in vars(wiring).values():
        if hasattr(each, "cache_clear"):
            each.cache_clear()
