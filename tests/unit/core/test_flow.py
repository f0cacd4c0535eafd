"""Real order flow through the engine: the first 2,000 messages of a public benchmark, and its canonical reports."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.engine import Replay, canonical, read

ROOT = Path(__file__).parents[3]
FLOW = ROOT / "local" / "demo" / "flow.csv"
# SHA-256 of the reports of these messages. They are the first lines of the reports of 200,000 messages whose hash the
# benchmark itself publishes: 95581e86b8613e6c57987cce0bb8bd9c6fa2aae2f00c1b39d6d2ed9fa4506b21 (python -m bench.engine).
REPORTS = "27354d9323877b0fd4caa548be215f59aa5d63be40f4d2b76d885452a4fe9a81"


def replayed() -> Replay:
    replay = Replay()
    with FLOW.open() as flow:
        for message in read(flow):
            replay.take(message)
    return replay


def test_real_flow_gives_the_benchmarks_reports() -> None:
    reports = canonical(replayed().reports)
    assert len(reports.splitlines()) == 2_217
    assert hashlib.sha256(reports.encode()).hexdigest() == REPORTS


@pytest.mark.parametrize("seed", ["1", "2"])
def test_real_flow_gives_the_same_state_in_every_process(seed: str) -> None:
    # Another seed, another order of every set of strings: none of it may show.
    program = "from tests.unit.core.test_flow import replayed; print(replayed().engine.digest())"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    answer = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, check=True)
    assert answer.stdout.decode().strip() == replayed().engine.digest()
