"""python -m local up [--forget] | down [--forget] | status | logs [name]: the venue on this machine."""

import argparse
import os
import sys

from local.processes import tail
from local.servers import ENDINGS, aws_url
from local.venue import FOLDER, LocalError, Venue


def main() -> int:
    """Do what was asked. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status", "logs"))
    parser.add_argument("name", nargs="?", choices=tuple(ENDINGS), help="whose log (all of them without a name)")
    parser.add_argument("--forget", action="store_true", help="begin or end without the data of earlier runs")
    asked = parser.parse_args()
    venue = Venue(FOLDER, say=lambda text: print(f"venue: {text}", flush=True))
    try:
        if asked.command == "logs":
            logs(asked.name)
        elif asked.command == "down":
            venue.down(forget=asked.forget)
            print("venue: down" + (", and forgotten" if asked.forget else "; its data are kept"))
        else:
            if asked.command == "up":
                if asked.forget:
                    venue.down(forget=True)
                venue.up()
            return status(venue)
    except LocalError as failure:
        print(f"\nvenue: {failure}", file=sys.stderr)
        return 1
    return 0


def status(venue: Venue) -> int:
    """Print what runs, where, and a token. Gives 0 when all of it runs, else 3."""
    running = venue.running
    for name, alive in running.items():
        print(f"  {name:<10} {'running' if alive else 'stopped'}")
    if not all(running.values()):
        print("  make up starts it")
        return 3
    state = venue.state
    print(f"\n  REST       {venue.rest_url}\n  WebSocket  {venue.stream_url}\n  AWS        {aws_url(state)}")
    print(f"  Matcher    {venue.matcher_url}\n  PostgreSQL 127.0.0.1:{state.ports.postgres}")
    print(f"  Redis      127.0.0.1:{state.ports.redis}\n\n  trader-1's token, for an hour:\n  {venue.token()}")
    return 0


def logs(name: str | None) -> None:
    """Follow one log; without a name print the end of each."""
    folder = FOLDER / "log"
    if name:
        os.execvp("tail", ["tail", "-n", "100", "-F", str(folder / f"{name}.log")])  # noqa: S606
    for each in ENDINGS:
        print(f"--- {folder / each}.log\n{tail(folder / f'{each}.log')}")


if __name__ == "__main__":
    raise SystemExit(main())
