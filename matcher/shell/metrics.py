"""What CloudWatch is told of a shard: counts and durations, as lines of the log in its embedded metric format.

The names are fixed, for alarms and dashboards hang on them; docs/metrics.md lists them.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from matcher.shell.journal import Entry, Journal
from matcher.shell.sequencer import Clock
from venue import wire
from venue.events import AnyEvent, OrderReceived, OrderRefused, OrderRested, StopAccepted

log = logging.getLogger("matcher.metrics")

EVERY_S: Final = 10.0
NAMESPACE: Final = "Venue"
# As many values as one metric of a line may have.
VALUES_MAX: Final = 100
# Of so many batches it knows when they were committed.
COMMITS_MAX: Final = 1_000

type Counted = Literal["OrdersAcknowledged", "EpochChanges", "CheckpointsDamaged", "CheckpointsFailed"]
type Duration = Literal["AcknowledgeLatency", "JournalAppend", "OutboxLag", "PublishLatency"]


class Metrics:
    """One shard's figures since they were last told. `clock`: µs since 1970 UTC, as the sequencer's."""

    def __init__(self, shard: int, clock: Clock) -> None:
        self._shard = shard
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._durations: dict[Duration, list[float]] = {}
        # By sequence.
        self._commits: dict[int, int] = {}

    def count(self, name: Counted, number: int = 1) -> None:
        """Count what happened."""
        self._counts[name] += number

    def took(self, name: Duration, ms: float) -> None:
        """Note how long something took."""
        self._durations.setdefault(name, []).append(ms)

    def committed(self, entry: Entry, events: Sequence[AnyEvent]) -> None:
        """Note a batch that is in the journal now: its orders, and how long the oldest of its commands has waited."""
        self._commits[entry.sequence] = self._clock()
        self._commits.pop(entry.sequence - COMMITS_MAX, None)
        for event in events:
            kind = type(event)
            if kind is OrderRested or kind is OrderReceived or kind is StopAccepted:
                self._counts["OrdersAcknowledged"] += 1
            elif isinstance(event, OrderRefused):
                self._refused[event.reason] += 1
        self.took("AcknowledgeLatency", self._since(events[0].at))

    def appending(self, journal: Journal) -> Journal:
        """The same journal, with the time of each append noted."""
        return _Timed(journal, self)

    def publishing(self, put: Callable[[Sequence[wire.Batch]], None]) -> Callable[[Sequence[wire.Batch]], None]:
        """The same way to the events queue, with the age of each batch noted when it is there.

        A batch whose commit is not known, for another process made it or it was long ago, counts from its last command.
        """

        def publish(batches: Sequence[wire.Batch]) -> None:
            put(batches)
            for batch in batches:
                self.took("OutboxLag", self._since(self._commits.pop(batch.sequence, batch.at)))
                self.took("PublishLatency", self._since(batch.at))

        return publish

    async def run(self) -> None:
        """Tell for ever, and a last time when cancelled."""
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                self.tell()
        finally:
            self.tell()

    def tell(self) -> None:
        """Log what has come together, and begin anew."""
        counts, self._counts = self._counts, Counter()
        durations, self._durations = self._durations, {}
        refused, self._refused = self._refused, Counter()
        if counts or durations:
            values: dict[str, Any] = {name: spread(each) for name, each in durations.items()}
            units = {**dict.fromkeys(values, "Milliseconds"), **dict.fromkeys(counts, "Count")}
            self._say(units, {**values, **counts})
        for reason, number in refused.items():
            self._say({"OrdersRefused": "Count"}, {"OrdersRefused": number}, Reason=reason)

    def _say(self, units: dict[str, str], values: dict[str, Any], **dimensions: str) -> None:
        named = {"Shard": str(self._shard), **dimensions}
        described = {
            "Namespace": NAMESPACE,
            "Dimensions": [[], list(named)],
            "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
        }
        line = {"_aws": {"Timestamp": self._clock() // 1000, "CloudWatchMetrics": [described]}}
        log.info("measured", extra={**line, **named, **values})

    def _since(self, at: int) -> float:
        return max(0.0, (self._clock() - at) / 1000)


class _Timed:
    def __init__(self, journal: Journal, metrics: Metrics) -> None:
        self._journal = journal
        self._metrics = metrics

    async def append(self, entry: Entry) -> None:
        now = asyncio.get_running_loop().time
        started = now()
        await self._journal.append(entry)
        self._metrics.took("JournalAppend", (now() - started) * 1000)


def tell_at_once(name: Counted, *, shard: int) -> None:
    """Count something that happened once, also where nobody owns the shard."""
    once = Metrics(shard, lambda: time.time_ns() // 1000)
    once.count(name)
    once.tell()


def spread(values: Sequence[float]) -> list[float]:
    """At most VALUES_MAX of the values, spread evenly over them in order of size: the least and the greatest stay."""
    ordered = [round(value, 3) for value in sorted(values)]
    if len(ordered) <= VALUES_MAX:
        return ordered
    return [ordered[round(step * (len(ordered) - 1) / (VALUES_MAX - 1))] for step in range(VALUES_MAX)]
