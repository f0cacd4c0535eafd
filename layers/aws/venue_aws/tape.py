"""The tape: journal batches cut into records by product, and put on Kinesis in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import boto3
import msgspec
from botocore.config import Config

from venue import wire
from venue.events import (
    AmendRefused,
    AnyEvent,
    CancelRefused,
    Deposited,
    DepositRefused,
    LevelChanged,
    ListingRefused,
    OrderRefused,
    ProductListed,
    StatusRefused,
    SwitchChanged,
)
from venue.products import Asset, Product
from venue.wire import TapeRecord, WalletChanged
from venue_aws.rules import Rules, RulesUnknown

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

EVENTS_MAX = 500  # in one record
# Records of one key that travel as one, so that they cost one call; Kinesis takes 1 MiB.
PACK_BYTES_MAX = 250_000
# PutRecords takes 500 records and 5 MiB; half of that leaves room for keys and encoding.
PUT_RECORDS_MAX = 500
PUT_BYTES_MAX = 2_500_000
ATTEMPTS_MAX = 6
BACKOFF_S = 0.05

NO_PRODUCT = "-"
WALLETS = "wallets"


class _Entry(msgspec.Struct, frozen=True):
    key: str
    data: bytes


class TapeDown(Exception):
    """Kinesis did not take every record in time. Putting the same records again is safe."""


def cut(batch: wire.Batch, rules: Rules) -> list[TapeRecord]:
    """Cut a batch's events into records: by product, in order, at most EVENTS_MAX each.

    The same batch always gives the same parts. Raises RulesUnknown for a product without rules, or when nobody can say.
    """
    groups: dict[str, list[AnyEvent]] = {}
    products: dict[str, Product] = {}
    for event in batch.events or ():
        product = _product_of(event, rules)
        key = NO_PRODUCT if product is None else product.id
        if product is not None:
            products[key] = product
        groups.setdefault(key, []).append(event)
    runs = [(key, run) for key, events in groups.items() for run in _runs(events)]
    return [
        TapeRecord(
            shard=batch.shard,
            batch=batch.sequence,
            part=part,
            at=batch.at,
            product=products.get(key),
            assets=[] if key in products else _assets(_deposited(run), rules),
            events=run,
        )
        for part, (key, run) in enumerate(runs)
    ]


def wallet_records(
    changes: Sequence[WalletChanged], *, last: wire.Batch, first_part: int, rules: Rules
) -> list[TapeRecord]:
    """Give records of settled wallets, which follow the parts of `last`, the batch that closed the settlement."""
    return [
        TapeRecord(
            shard=last.shard,
            batch=last.sequence,
            part=first_part + n,
            at=last.at,
            assets=_assets((change.asset for change in changes[start : start + EVENTS_MAX]), rules),
            wallets=list(changes[start : start + EVENTS_MAX]),
        )
        for n, start in enumerate(range(0, len(changes), EVENTS_MAX))
    ]


class Tape:
    """Kinesis, written so that the records of one partition key never change their order."""

    def __init__(self, client: KinesisClient, stream: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._stream = stream
        self._sleep = sleep

    @classmethod
    def connect(cls, stream: str) -> Tape:
        """Make a client with short timeouts; region and endpoint as the environment has them."""
        config = Config(
            connect_timeout=1,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 3},
            tcp_keepalive=True,
        )
        return cls(boto3.client("kinesis", config=config), stream)

    def put(self, records: Sequence[TapeRecord]) -> None:
        """Put all records, in order per product. Raises TapeDown when some could not be put; others may have been."""
        lanes: dict[str, list[TapeRecord]] = {}
        for record in records:
            lanes.setdefault(_key_of(record), []).append(record)
        packed = [
            [_Entry(key, wire.array(run)) for run in wire.runs(map(wire.encode, lane), bytes_max=PACK_BYTES_MAX)]
            for key, lane in lanes.items()
        ]
        # PutRecords may take the second of two records and refuse the first. So each call carries one record a key.
        for turn in zip_longest(*packed):
            for entries in _calls(entry for entry in turn if entry is not None):
                self._put(entries)

    def _put(self, entries: list[_Entry]) -> None:
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                self._sleep(BACKOFF_S * 2**attempt)
            answer = self._client.put_records(
                StreamName=self._stream, Records=[{"Data": entry.data, "PartitionKey": entry.key} for entry in entries]
            )
            entries = [
                entry for entry, result in zip(entries, answer["Records"], strict=True) if result.get("ErrorCode")
            ]
            if not entries:
                return
        raise TapeDown(f"{len(entries)} records were not taken after {ATTEMPTS_MAX} attempts")


def _product_of(event: AnyEvent, rules: Rules) -> Product | None:
    match event:
        case ProductListed():
            rules.learn(event.product)
            return event.product
        case Deposited() | DepositRefused() | CancelRefused() | SwitchChanged():
            return None
        case OrderRefused(reason="unknown_product") | AmendRefused() | ListingRefused() | StatusRefused():
            # It may have been refused for the very reason that there is no such product.
            return rules.product(event.product_id)
        case _:
            product = rules.product(event.product_id)
            if product is None:
                raise RulesUnknown(event.product_id)
            return product


def _runs(events: list[AnyEvent]) -> Iterator[list[AnyEvent]]:
    """Cut where no level stands first: a level belongs with the trades that changed it."""
    start = 0
    while start < len(events):
        end = min(start + EVENTS_MAX, len(events))
        cut_at = end
        while cut_at < len(events) and cut_at > start and isinstance(events[cut_at], LevelChanged):
            cut_at -= 1
        end = cut_at if cut_at > start else end
        yield events[start:end]
        start = end


def _calls(entries: Iterable[_Entry]) -> Iterator[list[_Entry]]:
    call: list[_Entry] = []
    size = 0
    for entry in entries:
        if call and (len(call) == PUT_RECORDS_MAX or size + len(entry.data) > PUT_BYTES_MAX):
            yield call
            call, size = [], 0
        call.append(entry)
        size += len(entry.data)
    if call:
        yield call


def _key_of(record: TapeRecord) -> str:
    if record.wallets:
        return WALLETS
    return NO_PRODUCT if record.product is None else record.product.id


def _deposited(events: Iterable[AnyEvent]) -> Iterator[str]:
    return (event.asset for event in events if isinstance(event, Deposited | DepositRefused))


def _assets(ids: Iterable[str], rules: Rules) -> list[Asset]:
    return [asset for asset in map(rules.asset, sorted(set(ids))) if asset is not None]
