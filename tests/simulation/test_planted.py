"""The simulation finds every bug that is planted in it; otherwise its silence would say nothing."""

from pathlib import Path

from tests.campaigns import planted
from tests.campaigns.report import Log
from tests.simulation.planted import BUGS

SEEDS = 250


def test_every_planted_bug_is_found(tmp_path: Path) -> None:
    report = planted.run(n=SEEDS, seed=0, log=Log(tmp_path), aimed=True)
    assert report.runs == len(BUGS)
    assert [name for name, found in report.found.items() if found.seeds is None] == []
