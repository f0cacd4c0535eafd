"""One run after the other on a ground of real processes: what they have in common."""

import traceback
from collections.abc import Callable, Sequence

from tests.campaigns.report import Log, Report, Violation
from tests.cluster.ground import Ground

# What was done in one run, a line each: it is told when the run fails.
type Steps = list[str]


def rounds(report: Report, log: Log, ground: Ground, *, n: int, one: Callable[[int, Steps], None]) -> None:
    """Do `one` run after the other with seeds of their own, until `n` are done or one of them raises."""
    for seed in range(report.first_seed, report.first_seed + n):
        steps: Steps = []
        try:
            one(seed, steps)
        except Exception as error:
            ground.is_kept = True
            where = traceback.extract_tb(error.__traceback__)[-1]
            steps += [f"failed in {where.name}, {where.filename}:{where.lineno}", f"logs and data: {ground.folder}"]
            report.violations = 1
            report.violation = Violation(seed=seed, failure=f"{type(error).__name__}: {error}"[:2000], run=steps)
            return
        report.runs += 1
        log.note(report, f"{report.runs} of {n} runs")


def fired(report: Report, fault: str) -> None:
    """Count a fault that really happened."""
    report.faults[fault] = report.faults.get(fault, 0) + 1


def demand(report: Report, faults: Sequence[str], *, runs_min: int) -> None:
    """A campaign of at least `runs_min` runs in which one of these faults never fired has shown nothing of it."""
    missing = [fault for fault in faults if not report.faults.get(fault)]
    if missing and report.runs >= runs_min and report.violation is None:
        report.violations = 1
        report.violation = Violation(seed=report.first_seed, failure=f"never fired: {', '.join(missing)}")


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed; 0 where there are none."""
    ordered = sorted(values)
    return round(ordered[max(0, -int(-share * len(ordered) // 1) - 1)], 3) if ordered else 0.0
