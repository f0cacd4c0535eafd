"""The archived tape: which objects hold what, and that the same records give the same bytes."""

import gzip

from tests.unit.stream import tape as example
from venue.wire import TapeRecord, WalletChanged
from venue_aws.archive import LINE, Line, objects

HOUR = 3_600_000_000


def lines(body: bytes) -> list[Line]:
    return [LINE.decode(line) for line in gzip.decompress(body).splitlines()]


def at(at: int, *, batch: int, part: int = 0) -> TapeRecord:
    event = example.opened(batch)
    return TapeRecord(shard=0, batch=batch, part=part, at=at, product=example.BTC_USD, events=[event])


def test_events_lie_by_day_hour_and_product_under_the_sequences_they_span() -> None:
    records = [
        at(example.AT, batch=7, part=1),
        at(example.AT, batch=8),
        example.record(example.deposited(), product=None, batch=8, part=3),
    ]
    assert [each.key for each in objects(records)] == [
        "tape/day=2023-11-14/hour=22/product=BTC-USD/0-000000000007-1-000000000008-0.jsonl.gz",
        "tape/day=2023-11-14/hour=22/product=-/0-000000000008-3-000000000008-3.jsonl.gz",
    ]


def test_a_change_of_the_hour_begins_another_object() -> None:
    keys = [each.key for each in objects([at(example.AT, batch=1), at(example.AT + 2 * HOUR, batch=2)])]
    assert "day=2023-11-14/hour=22" in keys[0]
    assert "day=2023-11-15/hour=00" in keys[1]


def test_the_same_records_give_the_same_objects_byte_for_byte() -> None:
    records = [example.record(example.traded(), example.level(3, 1, 0)), at(example.AT, batch=2)]
    assert objects(records) == objects(records)
    # Twice in one delivery, or in another order: still the same.
    assert objects([records[1], records[0], records[0]]) == objects(records)


def test_no_clock_is_in_the_bytes() -> None:
    (found,) = objects([example.record(example.traded())])
    modified_at = found.body[4:8]  # RFC 1952: MTIME
    assert modified_at == b"\0\0\0\0"


def test_every_event_is_one_line_that_explains_itself() -> None:
    trade, deposit = example.traded(), example.deposited()
    found = objects([example.record(trade, example.done(), part=4), example.record(deposit, product=None, part=5)])
    first, second, third = [line for each in found for line in lines(each.body)]
    assert (first.shard, first.batch, first.part, first.line) == (0, 1, 4, 0)
    assert (first.product_id, first.event, first.product) == ("BTC-USD", trade, example.BTC_USD)
    assert (second.line, second.event) == (1, example.done())
    assert (third.product_id, third.event, third.assets) == (None, deposit, [example.USD])
    assert [each.events for each in found] == [2, 1]


def test_wallets_are_not_events() -> None:
    change = WalletChanged(account="a", asset="USD", free=1, held=0, shard=0, sequence=1, at=1)
    assert objects([TapeRecord(shard=0, batch=1, part=1, at=1, wallets=[change])]) == []
