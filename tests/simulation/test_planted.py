"""The simulation finds every bug that is planted in it; otherwise its silence would say nothing."""

from pathlib import Path

from tests.campaigns import planted, simulation
from tests.campaigns.report import Log
from tests.simulation.bugs.bug import planted as plant
from tests.simulation.planted import BUGS

SEEDS = 250


def test_every_planted_bug_is_found(tmp_path: Path) -> None:
    report = planted.run(n=SEEDS, seed=0, log=Log(tmp_path), aimed=True)
    assert report.runs == len(BUGS)
    assert [name for name, found in report.found.items() if found.seeds is None] == []


def test_a_failing_run_is_cut_down_to_what_fails() -> None:
    bug = next(bug for bug in BUGS if bug.name == "answer_before_commit")
    with plant(bug):
        violation = simulation.violation_of(0)
    assert violation.failure.startswith("nothing acknowledged is lost")
    assert 0 < len(violation.run) < 5
