"""What a shard tells CloudWatch: every line as the embedded metric format wants it, and nothing counted twice."""

import json
import logging
from typing import Any

import pytest

from matcher.core.engine import Engine
from matcher.shell.log import JsonLines
from matcher.shell.metrics import COMMITS_MAX, VALUES_MAX, Metrics, spread
from tests.cluster.entries import entry
from tests.unit.shell.test_sequencer import PRODUCT, Clock, HeldJournal, order
from venue import wire
from venue.commands import AnyCommand, ListProduct
from venue.events import AnyEvent


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock: Clock, caplog: pytest.LogCaptureFixture) -> Metrics:
    caplog.set_level(logging.INFO, "matcher.metrics")
    return Metrics(3, clock)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What was logged, as CloudWatch reads it."""
    return [json.loads(JsonLines().format(record)) for record in caplog.records]


def batch(sequence: int, *, at: int) -> wire.Batch:
    return wire.Batch(shard=3, sequence=sequence, at=at, events=[], postings=[])


def events_of(*commands: AnyCommand) -> list[AnyEvent]:
    engine = Engine()
    return [event for command in (ListProduct(product=PRODUCT), *commands) for event in engine.apply(command)]


def test_orders_are_counted_as_taken_on_or_by_the_rule_that_they_broke(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    refused = [order(3).__replace__(size=0), order(4).__replace__(size=0), order(5).__replace__(hold=0)]
    metrics.committed(entry(1), events_of(order(1), order(2), *refused))
    metrics.tell()
    taken, *broken = lines(caplog)
    assert taken["OrdersAcknowledged"] == 2
    assert {line["Reason"]: line["OrdersRefused"] for line in broken} == {"size_too_small": 2, "insufficient_hold": 1}


def test_a_line_is_in_the_embedded_metric_format(
    metrics: Metrics, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.now = 5_000_000
    metrics.committed(entry(1), events_of(order(1)))
    metrics.tell()
    (line,) = lines(caplog)
    (described,) = line["_aws"]["CloudWatchMetrics"]
    assert line["_aws"]["Timestamp"] == 5_000
    assert described["Namespace"] == "Venue"
    assert all(name in line for dimensions in described["Dimensions"] for name in dimensions)
    assert {metric["Name"]: metric["Unit"] for metric in described["Metrics"]} == {
        "OrdersAcknowledged": "Count",
        "AcknowledgeLatency": "Milliseconds",
    }
    assert line["AcknowledgeLatency"] == [5_000.0]
    assert line["Shard"] == "3"


def test_what_was_told_is_not_told_again(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    metrics.count("EpochChanges")
    metrics.tell()
    metrics.tell()
    assert [line["EpochChanges"] for line in lines(caplog)] == [1]


async def test_appends_are_timed(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    journal = HeldJournal()
    await metrics.appending(journal).append(entry(1))
    metrics.tell()
    (line,) = lines(caplog)
    assert journal.entries == [entry(1)]
    assert len(line["JournalAppend"]) == 1


def test_every_batch_that_is_published_is_timed_from_its_commit_and_from_its_last_command(
    metrics: Metrics, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    published = list[wire.Batch]()
    clock.now = 4_000
    metrics.committed(entry(2), events_of())
    clock.now = 6_000
    metrics.committed(entry(3), events_of())
    metrics.tell()
    caplog.clear()
    clock.now = 9_000
    metrics.publishing(published.extend)([batch(2, at=2_000), batch(3, at=5_000)])
    metrics.tell()
    (line,) = lines(caplog)
    assert [each.sequence for each in published] == [2, 3]
    assert line["OutboxLag"] == [3.0, 5.0]
    assert line["PublishLatency"] == [4.0, 7.0]


def test_a_batch_whose_commit_is_not_known_counts_from_its_last_command(
    metrics: Metrics, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.now = 1_000
    for sequence in range(2, COMMITS_MAX + 3):
        metrics.committed(entry(sequence), events_of())
    metrics.tell()
    caplog.clear()
    clock.now = 9_000
    of_another, of_long_ago, of_late = batch(1, at=0), batch(2, at=0), batch(3, at=0)
    metrics.publishing(list[wire.Batch]().extend)([of_another, of_long_ago, of_late])
    metrics.tell()
    (line,) = lines(caplog)
    assert line["OutboxLag"] == [8.0, 9.0, 9.0]


async def test_an_append_that_fails_is_no_append(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    journal = HeldJournal()
    journal.failure = ConnectionError()
    with pytest.raises(ConnectionError):
        await metrics.appending(journal).append(None)  # type: ignore[arg-type]
    metrics.tell()
    assert lines(caplog) == []


def test_many_values_become_a_hundred_that_keep_their_ends() -> None:
    kept = spread([float(value) for value in range(10_000, 0, -1)])
    assert len(kept) == VALUES_MAX
    assert (kept[0], kept[-1]) == (1.0, 10_000.0)
    assert kept == sorted(kept)
    assert spread([2.0, 1.0]) == [1.0, 2.0]
