"""Long campaigns, for a night rather than for every commit.

    python -m tests.campaigns differential --n 20000000 [--seed 0]

Prints how far it is, writes .local/prove/<campaign>.json, and ends with 1 at the first violation. A campaign is a
module of this folder (tests.campaigns.report.Campaign).
"""

import argparse
import signal
import sys
from importlib import import_module
from typing import cast

import msgspec

from tests.campaigns.report import Campaign, Log

CAMPAIGNS = (
    "damage",
    "database",
    "differential",
    "failover",
    "kill",
    "mutation",
    "planted",
    "redelivery",
    "simulation",
    "zombie",
)


def main() -> int:
    """Run the campaign that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns", description=main.__doc__)
    parser.add_argument("campaign", choices=CAMPAIGNS)
    parser.add_argument("--n", type=int, help="how many runs, or commands; each campaign has a small number of its own")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    # Whoever ends a campaign ends its processes as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    campaign, log = cast("Campaign", import_module(f"tests.campaigns.{arguments.campaign}")), Log()
    report = campaign.run(n=arguments.n or campaign.DEFAULT, seed=arguments.seed, log=log)
    log.write(report)
    figures = msgspec.to_builtins(report)
    violation = figures.pop("violation")
    for name, figure in figures.items():
        print(f"{name:<12} {_told(figure)}")
    if violation is None:
        return int(report.violations > 0)
    print(f"VIOLATION with seed {violation['seed']}: {violation['failure']}")
    for step in violation["run"]:
        print("  ", step)
    return 1


def _told(figure: object) -> str:
    if isinstance(figure, dict):
        return "".join(f"\n  {name:<40} {_told(each)}" for name, each in figure.items())
    return f"{figure:,}" if isinstance(figure, int | float) else str(figure)


if __name__ == "__main__":
    sys.exit(main())
