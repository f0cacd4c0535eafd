"""Long campaigns, for a night rather than for every commit.

    python -m tests.campaigns differential --n 20000000 [--seed 0]

Prints how far it is, writes .local/prove/differential.json, and ends with 1 at the first violation.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec

from tests.campaigns.differential import Report, commands_of, play, violation_of

REPORTS = Path(__file__).parents[2] / ".local" / "prove"


def differential(*, n: int, seed: int, reports: Path = REPORTS) -> Report:
    """Play run after run until `n` commands are done or one run fails."""
    report = Report("differential", first_seed=seed)
    told: Counter[str] = Counter()
    started = said = time.perf_counter()
    while report.commands < n and not report.violations:
        commands = commands_of(seed + report.runs)
        try:
            play(commands, told)
        except Exception:
            report.violations = 1
            report.violation = violation_of(seed + report.runs)
        report.runs += 1
        report.commands += len(commands)
        report.seconds = round(time.perf_counter() - started, 1)
        if time.perf_counter() - said > 10:
            said = time.perf_counter()
            print(f"{report.commands:>12,} commands  {report.commands / report.seconds:,.0f}/s", flush=True)
            _write(report, told, reports)
    _write(report, told, reports)
    return report


def _write(report: Report, told: Counter[str], reports: Path) -> None:
    report.told = dict(told.most_common())
    report.events = told.total()
    reports.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(report), indent=2)
    (reports / f"{report.campaign}.json").write_bytes(text + b"\n")


def main() -> int:
    """Run the campaign that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns", description=main.__doc__)
    parser.add_argument("campaign", choices=["differential"])
    parser.add_argument("--n", type=int, default=200_000, help="how many commands at least")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    report = differential(n=arguments.n, seed=arguments.seed)
    print(f"runs {report.runs:,}  commands {report.commands:,}  events {report.events:,}  in {report.seconds} s")
    for kind, count in report.told.items():
        print(f"  {count:>12,} {kind}")
    if report.violation is None:
        print("violations 0")
        return 0
    print(f"VIOLATION with seed {report.violation['seed']}: {report.violation['failure']}")
    for command in report.violation["commands"]:
        print("  ", command)
    return 1


if __name__ == "__main__":
    sys.exit(main())
