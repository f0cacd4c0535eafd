"""The whole venue in one process, seed by seed: callers, matchers, journal, queues, settlement, and what goes wrong.

Each run is one seed (see docs/simulation.md). Every tenth is played twice and must be the same, event by event. Runs
are spread over processes; what they find is the same whatever their number.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import batched
from typing import get_args

import msgspec

from tests.campaigns.report import Log, Report, Violation
from tests.campaigns.workers import workers
from tests.simulation.draw import plan_of
from tests.simulation.plan import Plan, shortest
from tests.simulation.trouble import KINDS
from tests.simulation.venue import Result, play
from venue.events import AnyEvent

DEFAULT = 2_000
# Of whatever kinds of events there are; these three are what a matcher says to rules and deposits that make no sense.
_EVENTS = {str(kind.__struct_config__.tag) for kind in get_args(AnyEvent)} - {
    "deposit_refused",
    "listing_refused",
    "status_refused",
}
# From so many runs on, a class of faults, or a kind of events, that never came about is a fault of the campaign.
FAULTS_DUE = 1_000
_TWICE_EVERY = 10
_CHUNK = 20


class Simulation(Report, kw_only=True):
    """`virtual_s`: how long the venue lived, all runs together. `replays`: runs that were played twice.

    `events`: how many of each kind the journals have.
    """

    batches: int = 0
    answers: int = 0
    replays: int = 0
    virtual_s: float = 0.0
    events: dict[str, int] = msgspec.field(default_factory=dict)


class Chunk(msgspec.Struct, kw_only=True):
    """What came of some seeds, up to the first that failed."""

    runs: int = 0
    replays: int = 0
    batches: int = 0
    answers: int = 0
    virtual_s: float = 0.0
    fired: dict[str, int] = msgspec.field(default_factory=dict)
    told: dict[str, int] = msgspec.field(default_factory=dict)
    failed: int | None = None


def run(*, n: int, seed: int, log: Log, jobs: int | None = None) -> Simulation:
    """Play `n` seeds from `seed` on, until one fails."""
    report = Simulation(
        campaign="simulation", first_seed=seed, faults=dict.fromkeys(KINDS, 0), events=dict.fromkeys(sorted(_EVENTS), 0)
    )
    for chunk in _chunks(n, seed, jobs):
        _add(report, chunk)
        if chunk.failed is not None:
            report.violations = 1
            report.violation = violation_of(chunk.failed)
            break
        log.note(report, f"{report.runs:,} seeds")
    missing = [kind for kind, times in (report.faults | report.events).items() if not times]
    if report.violation is None and report.runs >= FAULTS_DUE and missing:
        report.violations = 1
        report.violation = Violation(seed=seed, failure=f"never happened: {', '.join(missing)}")
    return report


def _chunks(n: int, seed: int, jobs: int | None) -> Iterator[Chunk]:
    parts = list(batched(range(seed, seed + n), _CHUNK, strict=False))
    if jobs == 1:
        yield from map(play_all, parts)
        return
    with workers(jobs) as pool:
        try:
            yield from pool.map(play_all, parts)
        finally:
            pool.shutdown(cancel_futures=True)


def play_all(seeds: tuple[int, ...]) -> Chunk:
    """Play some seeds, up to the first that fails."""
    chunk, fired, told = Chunk(), Counter[str](), Counter[str]()
    for seed in seeds:
        twice = seed % _TWICE_EVERY == 0
        result = play(plan_of(seed))
        chunk.runs += 1
        chunk.replays += twice
        chunk.batches += result.batches
        chunk.answers += result.acknowledged
        chunk.virtual_s += result.virtual_s
        fired += result.fired
        told += result.told
        if result.violation is not None or (twice and play(plan_of(seed)).digest != result.digest):
            chunk.failed = seed
            break
    chunk.fired, chunk.told = dict(fired), dict(told)
    return chunk


def _add(report: Simulation, chunk: Chunk) -> None:
    report.runs += chunk.runs
    report.replays += chunk.replays
    report.batches += chunk.batches
    report.answers += chunk.answers
    report.virtual_s = round(report.virtual_s + chunk.virtual_s, 1)
    for kind, times in chunk.fired.items():
        report.faults[kind] += times
    for kind, times in chunk.told.items():
        report.events[kind] = report.events.get(kind, 0) + times


def failure_of(plan: Plan) -> str | None:
    """What is wrong with a run; None when nothing is."""
    result = play(plan)
    if result.violation is not None:
        return str(result.violation)
    return None if _same(result, play(plan)) else "every run replays to the same digest: this one does not"


def _same(one: Result, other: Result) -> bool:
    return one.digest == other.digest


def violation_of(seed: int) -> Violation:
    """All that one needs to see a failing seed fail."""
    plan = plan_of(seed)
    check = (failure_of(plan) or "").partition(":")[0]
    plan = shortest(plan, lambda fewer: (failure_of(fewer) or "").partition(":")[0] == check)
    return Violation(
        seed=seed,
        failure=failure_of(plan) or "it holds when it is played again",
        run=[msgspec.to_builtins(step) for step in plan.steps],
    )
