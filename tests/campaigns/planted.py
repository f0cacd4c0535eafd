"""Planted bugs: does the simulation find what it is there to find? Each is looked for on seed after seed.

A violation is a bug that was not found. `found` says for each at which seed it was, and by which check.
"""

from concurrent.futures import as_completed

import msgspec

from tests.campaigns.report import Log, Report, Violation
from tests.campaigns.workers import workers
from tests.simulation.bugs.bug import Bug, planted
from tests.simulation.draw import plan_of
from tests.simulation.planted import BUGS
from tests.simulation.venue import play

# Seeds for each bug.
DEFAULT = 2_000


class Found(msgspec.Struct, kw_only=True):
    """How a bug was found. seeds: so many it took; None: it was not found in as many as were allowed."""

    says: str
    seeds: int | None
    check: str = ""


class Planted(Report, kw_only=True):
    """`runs`: bugs that were looked for."""

    found: dict[str, Found] = msgspec.field(default_factory=dict)


def run(*, n: int, seed: int, log: Log, jobs: int | None = None, aimed: bool = False) -> Planted:
    """Look for each bug on at most `n` seeds from `seed` on. aimed: with the faults alone by which it shows soonest."""
    report = Planted(campaign="planted", first_seed=seed)
    with workers(jobs) as pool:
        looked_for = {pool.submit(find, number, seed, n, aimed=aimed): bug for number, bug in enumerate(BUGS)}
        for future in as_completed(looked_for):
            bug, found = looked_for[future], future.result()
            report.runs += 1
            report.found[bug.name] = found
            report.faults[bug.name] = 1
            if found.seeds is None:
                report.violations += 1
                report.violation = Violation(seed=seed, failure=f"{bug.name} was not found: {bug.says}")
            log.note(report, f"{report.runs} of {len(BUGS)} bugs")
    return report


def find(number: int, seed: int, n: int, *, aimed: bool = False) -> Found:
    """Look for one bug."""
    bug = BUGS[number]
    for tried in range(n):
        check = violated(bug, seed + tried, aimed=aimed)
        if check is not None:
            return Found(says=bug.says, seeds=tried + 1, check=check)
    return Found(says=bug.says, seeds=None)


def violated(bug: Bug, seed: int, *, aimed: bool = False) -> str | None:
    """What a seed finds wrong while a bug is planted; None when it finds nothing."""
    plan = plan_of(seed, trouble=bug.trouble if aimed else ())
    with planted(bug):
        violation = play(plan).violation
    return None if violation is None else violation.check
