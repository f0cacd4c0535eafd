"""Batches cut into records, and records put on a stream that refuses some."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from tests.unit.stream import tape as example
from venue import wire
from venue.errors import Unavailable
from venue.events import AnyEvent
from venue.products import Product
from venue.wire import Batch, TapeRecord, WalletChanged
from venue_aws.rules import ASK_AGAIN_S, FRESH_S, Rules, RulesUnknown
from venue_aws.tape import ATTEMPTS_MAX, EVENTS_MAX, PACK_BYTES_MAX, Tape, TapeDown, cut, wallet_records


def rules(*products: Product) -> Rules:
    return Rules(lambda: products, clock=lambda: 0.0)


def batch(*events: AnyEvent) -> Batch:
    return Batch(shard=2, sequence=9, at=example.AT, events=list(events), postings=[])


def test_a_batch_is_cut_by_product_in_the_order_of_each() -> None:
    acme = example.opened(5, product_id="ACME-USD")
    events: list[AnyEvent] = [example.received(1), acme, example.deposited(), example.opened(2)]
    events.append(example.cancel_refused())
    records = cut(batch(*events), rules(example.BTC_USD, example.ACME_USD))
    assert [(r.product.id if r.product else None, r.part) for r in records] == [
        ("BTC-USD", 0),
        ("ACME-USD", 1),
        (None, 2),
    ]
    assert [r.events for r in records] == [[events[0], events[3]], [acme], [events[2], events[4]]]
    assert all((r.shard, r.batch, r.at) == (2, 9, example.AT) for r in records)


def test_a_record_brings_the_assets_of_its_deposits() -> None:
    (record,) = cut(batch(example.deposited()), rules(example.BTC_USD))
    assert record.assets == [example.USD]


def test_no_record_holds_more_events_than_its_limit_nor_begins_with_a_level() -> None:
    events: list[AnyEvent] = []
    for n in range(400):
        events += [example.opened(n + 1), example.level(n + 1, n + 1, 1), example.level(n + 1, n + 2, 1)]
    records = cut(batch(*events), rules(example.BTC_USD))
    assert [event for record in records for event in record.events] == events
    assert max(len(record.events) for record in records) <= EVENTS_MAX
    assert all(record.events[0].__struct_config__.tag == "open" for record in records)


def test_levels_without_end_are_cut_all_the_same() -> None:
    events = [example.level(1, n + 1, 1) for n in range(1201)]
    assert [len(record.events) for record in cut(batch(*events), rules(example.BTC_USD))] == [500, 500, 201]


def test_a_listed_product_is_known_from_its_event_on() -> None:
    listed, order = cut(batch(example.listed(), example.received()), rules())[0].events
    assert (listed.__struct_config__.tag, order.__struct_config__.tag) == ("listed", "received")


def test_an_event_of_a_product_without_rules_is_not_passed_over() -> None:
    with pytest.raises(RulesUnknown):
        cut(batch(example.received()), rules())


@pytest.mark.parametrize("event", [example.refused(reason="unknown_product"), example.deposited()])
def test_no_record_lacks_its_product_or_asset_because_nobody_could_say(event: AnyEvent) -> None:
    source = Source(example.BTC_USD)
    source.down = True
    with pytest.raises(RulesUnknown):
        cut(batch(event), Rules(source))


def test_an_order_refused_for_another_reason_is_of_a_product_that_there_is() -> None:
    with pytest.raises(RulesUnknown):
        cut(batch(example.refused(reason="price_not_positive")), rules())


def test_a_refusal_may_be_of_an_unknown_product() -> None:
    refused, listing = example.refused(product_id="XXX-USD", reason="unknown_product"), example.listing_refused()
    (record,) = cut(batch(refused, listing), rules())
    assert record.product is None
    assert record.events == [refused, listing]


def test_wallets_come_in_records_of_their_own_after_the_events() -> None:
    changes = [
        WalletChanged(account=str(n), asset="USD", free=n, held=0, shard=2, sequence=9, at=1)
        for n in range(EVENTS_MAX + 1)
    ]
    records = wallet_records(changes, last=batch(), first_part=3, rules=rules(example.BTC_USD))
    assert [(r.part, len(r.wallets), r.assets) for r in records] == [
        (3, EVENTS_MAX, [example.USD]),
        (4, 1, [example.USD]),
    ]


class Stream:
    """Kinesis as far as the tape sees it: takes records, or refuses those that a test names, a number of times."""

    def __init__(self, refusals: Iterable[str] = ()) -> None:
        self.refusals = list(refusals)
        self.taken: list[tuple[str, TapeRecord]] = []
        self.packs: list[bytes] = []

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        assert StreamName == "tape"
        results: list[dict[str, Any]] = []
        for entry in Records:
            if entry["PartitionKey"] in self.refusals:
                self.refusals.remove(entry["PartitionKey"])
                results.append({"ErrorCode": "ProvisionedThroughputExceededException"})
            else:
                self.packs.append(entry["Data"])
                self.taken += [(entry["PartitionKey"], record) for record in wire.records(entry["Data"])]
                results.append({"SequenceNumber": "1"})
        return {"Records": results}

    def order(self, key: str) -> list[tuple[int, int]]:
        return [(record.batch, record.part) for name, record in self.taken if name == key]


def put(stream: Stream, records: list[TapeRecord]) -> list[float]:
    """Put the records; give how long was waited."""
    waits: list[float] = []
    Tape(stream, "tape", sleep=waits.append).put(records)  # type: ignore[arg-type]
    return waits


def records(product: Product, *parts: int, events: int = 1) -> list[TapeRecord]:
    return [example.record(*[example.opened()] * events, product=product, part=part) for part in parts]


def test_refused_records_are_put_again_and_only_they() -> None:
    stream = Stream(refusals=["BTC-USD", "BTC-USD"])
    waits = put(stream, [*records(example.BTC_USD, 0), *records(example.ACME_USD, 1)])
    assert sorted(key for key, _ in stream.taken) == ["ACME-USD", "BTC-USD"]
    assert len(waits) == 2
    assert waits == sorted(waits)


def test_a_refused_record_is_never_overtaken_by_a_later_one_of_its_product() -> None:
    stream = Stream(refusals=["BTC-USD"] * 3)
    large = PACK_BYTES_MAX // len(wire.encode(example.opened()))
    put(stream, [*records(example.BTC_USD, 0, 1, 2, events=large), *records(example.ACME_USD, 3)])
    assert stream.order("BTC-USD") == [(1, 0), (1, 1), (1, 2)]
    assert len(stream.packs) == 4


def test_small_records_of_one_product_travel_together_in_order() -> None:
    stream = Stream()
    put(stream, [*records(example.BTC_USD, *range(20), events=100), *records(example.ACME_USD, 20)])
    assert stream.order("BTC-USD") == [(1, part) for part in range(20)]
    assert 3 <= len(stream.packs) < 10
    assert all(len(pack) <= PACK_BYTES_MAX + 2 for pack in stream.packs)


def test_a_stream_that_keeps_refusing_is_given_up() -> None:
    stream = Stream(refusals=["BTC-USD"] * ATTEMPTS_MAX)
    with pytest.raises(TapeDown):
        put(stream, records(example.BTC_USD, 0, 1))
    assert stream.taken == []


def test_nothing_to_put_makes_no_call() -> None:
    stream = Stream()
    put(stream, [])
    assert stream.taken == []


def test_keys_tell_products_wallets_and_the_rest_apart() -> None:
    stream = Stream()
    change = WalletChanged(account="a", asset="USD", free=1, held=0, shard=0, sequence=1, at=1)
    put(
        stream,
        [
            example.record(product=example.BTC_USD),
            example.record(product=None, part=1),
            msgspec.structs.replace(example.record(product=None, part=2), wallets=[change]),
        ],
    )
    assert {key for key, _ in stream.taken} == {"BTC-USD", "-", "wallets"}


class Source:
    def __init__(self, *products: Product) -> None:
        self.products = products
        self.asked = 0
        self.down = False

    def __call__(self) -> tuple[Product, ...]:
        self.asked += 1
        if self.down:
            raise Unavailable("away")
        return self.products


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rules_are_read_once_and_again_when_they_are_old() -> None:
    source, clock = Source(example.BTC_USD), Clock()
    known = Rules(source, clock=clock)
    assert known.product("BTC-USD") == example.BTC_USD
    assert known.asset("BTC") == example.BTC
    assert source.asked == 1
    source.products = (msgspec.structs.replace(example.BTC_USD, taker_bps=5),)
    clock.now += FRESH_S
    found = known.product("BTC-USD")
    assert found is not None
    assert found.taker_bps == 5


def test_an_unknown_product_is_asked_for_again_but_not_by_every_event() -> None:
    source, clock = Source(), Clock()
    known = Rules(source, clock=clock)
    assert known.product("BTC-USD") is None
    assert known.product("BTC-USD") is None
    assert source.asked == 1
    source.products = (example.BTC_USD,)
    clock.now += ASK_AGAIN_S
    assert known.product("BTC-USD") == example.BTC_USD


def test_known_rules_stay_in_use_while_their_source_is_away() -> None:
    source, clock = Source(example.BTC_USD), Clock()
    known = Rules(source, clock=clock)
    known.product("BTC-USD")
    source.down = True
    clock.now += FRESH_S
    assert known.product("BTC-USD") == example.BTC_USD
