"""The figures of a run, from what was measured: counts, percentiles in milliseconds, and rates."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from local.demo.audit import Check
from local.demo.book import Change, Levels
from local.demo.drive import Call


class Delay(msgspec.Struct, frozen=True):
    """A fill's way from its commit to a client's socket: `at` in seconds since 1970, the delay in milliseconds."""

    at: float
    ms: float


class Print(msgspec.Struct, frozen=True):
    """A trade as it is drawn: when (s since 1970), its price and size, and whether the buyer crossed the spread."""

    at: float
    price: float
    size: float
    bought: bool


class Trader(msgspec.Struct, frozen=True, kw_only=True):
    """One account's part of the run. Amounts are decimals in whole units of their asset."""

    name: str
    orders: int
    fills: int
    bought: str
    sold: str
    fees: str
    base: str  # what its wallet holds now, free and held
    quote: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """All that the summary and the report tell. Times in seconds since 1970, durations in seconds."""

    product_id: str
    base: str
    quote: str
    started: float
    up_s: float  # bringing the venue up, or finding it
    flow_s: float  # first message to last answer
    drain_s: float
    own_s: float  # all of the demo but bringing the venue up
    messages: int
    clients: int
    orders_sent: int
    orders_acknowledged: int
    orders_pending: int
    refused: Mapping[str, int]
    cancels_sent: int
    cancels_refused: Mapping[str, int]
    modifies_void: int
    trades_journal: int
    trades_websocket: int
    trades_tape: int
    ledger_imbalance: int
    checks: Sequence[Check]
    calls: Sequence[Call]
    owner_delays: Sequence[Delay]  # fill to its owner's user channel
    public_delays: Sequence[Delay]  # fill to the matches channel
    prints: Sequence[Print]
    changes: Sequence[Change]
    bids: Levels
    asks: Levels
    traders: Sequence[Trader]
    websocket_messages: int
    tape_objects: int

    @property
    def passed(self) -> bool:
        """True when every check passed."""
        return all(check.passed for check in self.checks)


class Percentiles(msgspec.Struct, frozen=True):
    """Milliseconds; None where nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


def percentiles(values: Sequence[float]) -> Percentiles:
    """Give the 50th, 95th and 99th percentile, interpolated between the nearest ranks."""
    if not values:
        return Percentiles(None, None, None)
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    return Percentiles(round(cuts[49], 2), round(cuts[94], 2), round(cuts[98], 2))


def per_second(times: Sequence[float], *, start: float, seconds: float) -> list[int]:
    """Count the times (s) that fall into each whole second from `start`, for as many seconds as the run lasted."""
    counts = Counter(int(at - start) for at in times if at >= start)
    return [counts[second] for second in range(int(seconds) + 1)]


def summary(run: Run) -> dict[str, object]:
    """Give the run's figures under stable names, for programs."""
    rest = percentiles([call.ms for call in run.calls])
    place = percentiles([call.ms for call in run.calls if call.route == "place"])
    cancel = percentiles([call.ms for call in run.calls if call.route == "cancel"])
    owner = percentiles([delay.ms for delay in run.owner_delays])
    public = percentiles([delay.ms for delay in run.public_delays])
    counts = (
        "messages",
        "clients",
        "orders_sent",
        "orders_acknowledged",
        "orders_pending",
        "refused",
        "cancels_sent",
        "cancels_refused",
        "modifies_void",
        "trades_journal",
        "trades_websocket",
        "trades_tape",
        "ledger_imbalance",
        "websocket_messages",
        "tape_objects",
    )
    return {
        "passed": run.passed,
        **{name: getattr(run, name) for name in counts},
        **_named("rest_ms", rest),
        **_named("place_ms", place),
        **_named("cancel_ms", cancel),
        **_named("fill_to_websocket_ms", owner),
        **_named("fill_to_matches_ms", public),
        "requests_per_s": round(len(run.calls) / run.flow_s, 1) if run.flow_s else None,
        "seconds": round(run.own_s, 2),
        "flow_seconds": round(run.flow_s, 2),
        "drain_seconds": round(run.drain_s, 2),
        "up_seconds": round(run.up_s, 2),
        "checks": [msgspec.to_builtins(check) for check in run.checks],
    }


def _named(name: str, of: Percentiles) -> dict[str, float | None]:
    return {f"{name}_p50": of.p50, f"{name}_p95": of.p95, f"{name}_p99": of.p99}
