"""The production book beside a bare one and beside engines from PyPI, interleaved in one run on the same file."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bench import charts
from bench.flow import load
from bench.rivals import RIVALS, floor, hash_of, run_steps

SCRIPT = Path(__file__).parent / "rivals.py"
# How long one engine may take for one round; the slow ones do a part of the file, and are rated on that.
SECONDS_MAX = 10.0
OURS, BARE = "this core", "bare book"


class Timed(msgspec.Struct):
    """The best round of one engine: messages taken, in how many seconds, and the fingerprint of all its trades."""

    messages: int
    seconds: float
    fingerprint: str

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


def compare(
    workload: Path,
    ours: Callable[[], float],
    *,
    trades: list[tuple[int, int]],
    rounds: int,
    rivals: Path | None,
    charts_in: Path,
) -> dict[str, Timed]:
    """Take the time of all, print it with the ratios, and draw it. `ours` gives our seconds, `trades` are ours."""
    messages = load(workload)
    best: dict[str, Timed] = {}
    for _ in range(rounds):
        _keep(best, OURS, Timed(len(messages), ours(), hash_of(trades)))
        _keep(best, BARE, _timed(run_steps(floor(messages), float("inf"))))
        for name in RIVALS if rivals is not None else ():
            if name != "floor":
                found = _rival(name, workload, rivals or Path())
                if found is not None:
                    _keep(best, name, found)
    core = best[OURS]
    print(f"\n{'engine':<22}{'messages':>10}{'messages/s':>13}{'of bare':>9}{'ours is':>9}  same trades")
    for name, timed in sorted(best.items(), key=lambda item: -item[1].rate):
        whole = timed.messages == len(messages)
        same = ("yes" if timed.fingerprint == core.fingerprint else "NO") if whole else "part of the file"
        of_bare, ours_is = timed.rate / best[BARE].rate, core.rate / timed.rate
        print(f"{name:<22}{timed.messages:>10,}{timed.rate:>13,.0f}{of_bare:>9.2f}{ours_is:>8.2f}x  {same}")
    charts.bars(
        charts_in / "engine.svg",
        {name: timed.rate for name, timed in best.items()},
        title=f"Messages a second on {workload.name}, best of {rounds}",
    )
    return best


def _keep(best: dict[str, Timed], name: str, timed: Timed) -> None:
    if name not in best or timed.rate > best[name].rate:
        best[name] = timed


def _timed(found: dict[str, Any]) -> Timed:
    return Timed(found["messages"], found["seconds"], found["hash"])


def _rival(name: str, workload: Path, python: Path) -> Timed | None:
    command = [str(python), str(SCRIPT), name, str(workload), str(SECONDS_MAX)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        reason = run.stderr.strip().splitlines()[-1:] or ["no reason given"]
        print(f"{name}: left out, it does not run here ({reason[0]})")
        return None
    return _timed(json.loads(run.stdout))
