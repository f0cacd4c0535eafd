"""The tape on its way to S3: what comes again overwrites what it left, and a broken record stops nothing."""

import base64
import gzip
import itertools
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.record_tape import app
from tests.integration.stream.conftest import CONTEXT
from tests.unit.stream import tape as example
from venue import wire
from venue.events import AnyEvent, Traded
from venue_aws.archive import LINE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_numbers = itertools.count(1)


class Bucket:
    """The bucket of one test, and the function that writes to it."""

    def __init__(self, client: "S3Client") -> None:
        self.client = client
        self.name = f"tape-bucket-{next(_numbers)}"
        client.create_bucket(Bucket=self.name)

    def record(self, *data: bytes) -> None:
        """Deliver Kinesis records."""
        records = [
            {
                "eventSource": "aws:kinesis",
                "kinesis": {"sequenceNumber": str(n), "data": base64.b64encode(each).decode(), "partitionKey": "k"},
            }
            for n, each in enumerate(data)
        ]
        app.handler({"Records": records}, CONTEXT)

    def objects(self) -> dict[str, bytes]:
        """Everything in it."""
        listed = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {
            each["Key"]: self.client.get_object(Bucket=self.name, Key=each["Key"])["Body"].read() for each in listed
        }

    def events(self) -> list[AnyEvent]:
        """All events, in the order of their objects' names."""
        tape = [body for key, body in sorted(self.objects().items()) if key.endswith(".jsonl.gz")]
        return [LINE.decode(line).event for body in tape for line in gzip.decompress(body).splitlines()]


@pytest.fixture
def bucket(aws: str, environment: pytest.MonkeyPatch) -> Bucket:
    made = Bucket(boto3.client("s3", endpoint_url=aws))
    environment.setenv("TAPE_BUCKET", made.name)
    return made


def record(*events: AnyEvent, **other: Any) -> bytes:
    return wire.encode([example.record(*events, **other)])


def test_every_event_is_in_the_bucket_once(bucket: Bucket) -> None:
    trades: list[Traded] = [example.traded(n, trade_id=n) for n in range(1, 11)]
    bucket.record(record(*trades[:5]), record(*trades[5:], batch=2), record(example.deposited(), product=None, batch=3))
    assert bucket.events() == [example.deposited(), *trades]
    assert {key.rpartition("/")[0] for key in bucket.objects()} == {
        "tape/day=2023-11-14/hour=22/product=BTC-USD",
        "tape/day=2023-11-14/hour=22/product=-",
    }


def test_a_delivery_that_comes_again_overwrites_itself(bucket: Bucket) -> None:
    delivery = [record(example.traded()), record(example.done(), batch=2)]
    bucket.record(*delivery)
    first = bucket.objects()
    bucket.record(*delivery)
    assert bucket.objects() == first
    assert len(first) == 1


def test_a_record_that_cannot_be_read_is_kept_as_it_came_and_the_rest_goes_on(bucket: Bucket) -> None:
    bucket.record(record(example.traded()), b"\xff not a record", record(example.done(), batch=2))
    assert bucket.events() == [example.traded(), example.done()]
    assert bucket.objects()["tape/unreadable/1"] == b"\xff not a record"


def test_a_bucket_that_is_away_fails_the_call_so_that_it_comes_again(
    bucket: Bucket, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("TAPE_BUCKET", "no-such-bucket")
    with pytest.raises(Exception, match="NoSuchBucket"):
        bucket.record(record(example.traded()))
    assert bucket.objects() == {}


def test_only_wallets_leave_nothing(bucket: Bucket) -> None:
    bucket.record(wire.encode([wire.TapeRecord(shard=0, batch=1, part=0, at=example.AT)]))
    assert bucket.objects() == {}
