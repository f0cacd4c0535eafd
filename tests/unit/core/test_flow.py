"""Real order flow through the engine: the first 2,000 messages of a public benchmark, and its canonical reports."""

import hashlib
from pathlib import Path

from bench.engine import Replay
from bench.flow import canonical, read

FLOW = Path(__file__).parents[3] / "local" / "demo" / "flow.csv"
# SHA-256 of the reports of these messages. They are the first lines of the reports of 200,000 messages whose hash the
# benchmark itself publishes: 95581e86b8613e6c57987cce0bb8bd9c6fa2aae2f00c1b39d6d2ed9fa4506b21 (python -m bench.engine).
REPORTS = "27354d9323877b0fd4caa548be215f59aa5d63be40f4d2b76d885452a4fe9a81"


def test_real_flow_gives_the_benchmarks_reports() -> None:
    replay = Replay()
    with FLOW.open() as flow:
        for message in read(flow):
            replay.take(message)
    reports = canonical(replay.reports)
    assert len(reports.splitlines()) == 2_217
    assert hashlib.sha256(reports.encode()).hexdigest() == REPORTS
