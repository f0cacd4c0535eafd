"""What the stores are asked, and what is made of it."""

import gzip
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_s3 import S3Client

from local.demo.witnesses import Tape, Wallets, sequences_of
from tests.unit.demo.test_heard import DONE, LEVEL, RECEIVED, TRADED
from venue import wire
from venue.events import AnyEvent
from venue_aws.archive import Line

REGION = "us-east-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


@pytest.fixture
def s3(aws: None) -> S3Client:  # noqa: ARG001
    client = boto3.client("s3", region_name=REGION)
    client.create_bucket(Bucket="tape")
    return client


@pytest.fixture
def dynamodb(aws: None) -> DynamoDBClient:  # noqa: ARG001
    client = boto3.client("dynamodb", region_name=REGION)
    client.create_table(
        TableName="wallets",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "account", "AttributeType": "S"},
            {"AttributeName": "asset", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "account", "KeyType": "HASH"}, {"AttributeName": "asset", "KeyType": "RANGE"}],
    )
    return client


def line(number: int, event: AnyEvent = TRADED, *, batch: int = 1) -> Line:
    return Line(shard=0, batch=batch, part=0, line=number, product_id="ACME-USD", event=event)


def put(s3: S3Client, name: str, *lines: Line) -> None:
    body = b"\n".join(wire.encode(each) for each in lines) + b"\n"
    s3.put_object(Bucket="tape", Key=f"tape/day=2026-11-23/{name}.jsonl.gz", Body=gzip.compress(body))


def test_a_line_that_lies_in_two_objects_is_told_once(s3: S3Client) -> None:
    put(s3, "0-1", line(0, RECEIVED), line(1, TRADED))
    put(s3, "0-2", line(1, TRADED), line(2, DONE))
    tape = Tape(s3, "tape")
    assert sorted(tape.lines(), key=lambda each: each.line) == [line(0, RECEIVED), line(1, TRADED), line(2, DONE)]
    assert tape.objects == 2


def test_the_same_trade_on_two_lines_is_told_twice(s3: S3Client) -> None:
    put(s3, "0-1", line(0), line(1))
    assert [each.event for each in Tape(s3, "tape").lines()] == [TRADED, TRADED]


def test_what_lay_there_before_the_run_is_passed_over(s3: S3Client) -> None:
    tape = Tape(s3, "tape")
    put(s3, "0-1", line(0))
    tape.pass_over()
    put(s3, "0-2", line(0, batch=2))
    s3.put_object(Bucket="tape", Key="tape/unreadable/7", Body=b"not gzip")
    assert tape.lines() == [line(0, batch=2)]
    assert tape.objects == 1


def test_only_events_that_took_a_number_tell_one() -> None:
    assert sequences_of([RECEIVED, TRADED, DONE, LEVEL], "ACME-USD") == [8, 9, 10]
    assert sequences_of([RECEIVED, TRADED, DONE, LEVEL], "BTC-USD") == []


def test_how_far_a_shard_is_settled_is_no_wallet(dynamodb: DynamoDBClient) -> None:
    wallets = Wallets(dynamodb, "wallets")
    assert wallets.settled(0) == 0
    for account, asset, more in (("ann", "USD", {}), ("venue:shard-0", "settled", {"settled": {"N": "41"}})):
        item = {"account": {"S": account}, "asset": {"S": asset}, "free": {"N": "7"}, "held": {"N": "3"}, **more}
        dynamodb.put_item(TableName="wallets", Item=item)
    assert wallets.balances() == {("ann", "USD"): (7, 3)}
    assert wallets.settled(0) == 41
