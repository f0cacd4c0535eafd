"""The whole venue in one process, faults and all, on many seeds; and that a run is the same whenever it is played."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaigns import simulation
from tests.campaigns.report import Log
from tests.simulation.draw import plan_of
from tests.simulation.trouble import KINDS
from tests.simulation.venue import play

SEEDS = 2_000


@pytest.mark.timeout(900)
def test_the_promises_hold_on_many_seeds(tmp_path: Path) -> None:
    report = simulation.run(n=SEEDS, seed=0, log=Log(tmp_path))
    assert report.violation is None
    assert report.runs == SEEDS
    assert report.faults.keys() >= set(KINDS)
    assert [kind for kind, times in (report.faults | report.events).items() if not times] == []


def test_a_run_is_the_same_in_another_process_and_under_another_order_of_hashes() -> None:
    here = [play(plan_of(seed)).digest for seed in range(5)]
    code = "from tests.simulation.venue import play; from tests.simulation.draw import plan_of\n"
    code += "print(*(play(plan_of(seed)).digest for seed in range(5)))"
    for hashes in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hashes}
        there = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert there.stdout.split() == here


def test_another_seed_is_another_run() -> None:
    assert len({play(plan_of(seed)).digest for seed in range(5)}) == 5
