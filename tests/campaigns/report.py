"""What a campaign found, and where it is written: `.local/prove/<campaign>.json`."""

import time
from pathlib import Path
from typing import Any, Protocol

import msgspec

REPORTS = Path(__file__).parents[2] / ".local" / "prove"
# How often a long campaign says how far it is.
SAID_EVERY_S = 10.0


class Violation(msgspec.Struct, kw_only=True):
    """The first thing that did not hold: all that one needs to see it fail again.

    run: the shortest run that still fails, one step a line.
    """

    seed: int
    failure: str
    run: list[Any] = msgspec.field(default_factory=list)


class Report(msgspec.Struct, kw_only=True):
    """`faults`: how often each class of fault was fired. A campaign adds figures of its own by a subclass."""

    campaign: str
    first_seed: int = 0
    runs: int = 0
    violations: int = 0
    faults: dict[str, int] = msgspec.field(default_factory=dict)
    seconds: float = 0.0
    violation: Violation | None = None


class Campaign(Protocol):
    """A module of this folder: how many runs by default, and how to do them."""

    DEFAULT: int

    def run(self, *, n: int, seed: int, log: "Log") -> Report:
        """Do `n` runs (or commands, or batches), from `seed` on; give up at the first violation."""
        ...


class Log:
    """Tells how far a campaign is, and keeps its report on the disk. `folder`: where to."""

    def __init__(self, folder: Path = REPORTS) -> None:
        self.folder = folder
        self._started = self._said = time.perf_counter()

    def note(self, report: Report, progress: str) -> None:
        """Call it after each run; it says something every few seconds."""
        now = time.perf_counter()
        report.seconds = round(now - self._started, 1)
        if now - self._said >= SAID_EVERY_S:
            self._said = now
            print(f"{report.seconds:>8,.0f} s  {progress}", flush=True)
            self.write(report)

    def write(self, report: Report) -> None:
        """Write the report as it stands."""
        self.folder.mkdir(parents=True, exist_ok=True)
        report.seconds = round(time.perf_counter() - self._started, 1)
        text = msgspec.json.format(msgspec.json.encode(report), indent=2)
        (self.folder / f"{report.campaign}.json").write_bytes(text + b"\n")
