"""The archived tape: events as gzipped JSON lines in S3, by day, hour and product.

The same records always give the same objects, byte for byte, under the same names: a retry overwrites itself. A reader
that wants every event exactly once keeps one line for each (shard, batch, part, line): two deliveries that were grouped
differently can leave an event in two objects.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import boto3
import msgspec
from botocore.config import Config

from venue import wire
from venue.events import AnyEvent
from venue.instants import rfc3339
from venue.products import Asset, Product
from venue.wire import TapeRecord
from venue_aws.correlation import orders_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LEVEL = 6
# No Content-Encoding: a reader would get it unpacked from some clients and packed from others.
_CONTENT_TYPE = "application/gzip"


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event with all that is needed to read it: where it stands, and the rules that give its numbers units."""

    shard: int
    batch: int
    part: int
    line: int
    product_id: str | None
    event: AnyEvent
    product: Product | None = None
    assets: list[Asset] = []


class Object(msgspec.Struct, frozen=True):
    """What goes to S3."""

    key: str
    body: bytes
    events: int


LINE = msgspec.json.Decoder(Line)


def objects(records: Iterable[TapeRecord]) -> list[Object]:
    """Give the objects that hold the events of `records`; wallets are no events and are left out."""
    once = {(record.shard, record.batch, record.part): record for record in records if record.events}
    groups: dict[tuple[str, int], list[TapeRecord]] = {}
    for _, record in sorted(once.items()):
        groups.setdefault((_folder(record), record.shard), []).append(record)
    return [_object(folder, group) for (folder, _), group in groups.items()]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What one call wrote."""

    objects: int
    events: int
    unreadable: int
    orders: list[str]

    def as_log(self) -> dict[str, object]:
        """Give the fields of its log line."""
        return msgspec.structs.asdict(self)


class Archive:
    """A bucket that keeps the tape."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @classmethod
    def connect(cls, bucket: str) -> Archive:
        """Make a client with bounded waits; region and endpoint as the environment has them."""
        config = Config(
            connect_timeout=2,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 3},
            tcp_keepalive=True,
        )
        return cls(boto3.client("s3", config=config), bucket)

    def keep(self, raw: Mapping[str, bytes]) -> Kept:
        """Write the events of Kinesis records, given by sequence number; one that cannot be read as it came.

        Raises ClientError when S3 fails: then keep the very same records again.
        """
        records: list[TapeRecord] = []
        unreadable: list[Object] = []
        for number, data in raw.items():
            try:
                records += wire.records(data)
            except msgspec.DecodeError:
                # It would never be readable, and must not stop the tape behind it.
                unreadable.append(Object(f"tape/unreadable/{number}", data, 0))
        written = objects(records)
        for each in [*written, *unreadable]:
            self._client.put_object(Bucket=self._bucket, Key=each.key, Body=each.body, ContentType=_CONTENT_TYPE)
        return Kept(
            objects=len(written),
            events=sum(each.events for each in written),
            unreadable=len(unreadable),
            orders=orders_of(event for record in records for event in record.events),
        )


def _folder(record: TapeRecord) -> str:
    at = rfc3339(record.at)
    product = "-" if record.product is None else record.product.id
    return f"tape/day={at[:10]}/hour={at[11:13]}/product={product}"


def _object(folder: str, records: list[TapeRecord]) -> Object:
    first, last = records[0], records[-1]
    name = f"{first.shard}-{first.batch:012d}-{first.part}-{last.batch:012d}-{last.part}"
    lines = [
        wire.encode(
            Line(
                shard=record.shard,
                batch=record.batch,
                part=record.part,
                line=line,
                product_id=None if record.product is None else record.product.id,
                event=event,
                product=record.product,
                assets=record.assets,
            )
        )
        for record in records
        for line, event in enumerate(record.events)
    ]
    # mtime is part of the bytes: a clock in it would make every retry another object.
    body = gzip.compress(b"\n".join(lines) + b"\n", compresslevel=_LEVEL, mtime=0)
    return Object(f"{folder}/{name}.jsonl.gz", body, len(lines))
