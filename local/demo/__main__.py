"""`make demo`: brings the venue up, plays recorded order flow through it, and checks that everything agrees."""

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from local.demo import console, figures, flow, report
from local.demo.failures import DemoStopped
from local.demo.figures import Run
from local.demo.outcome import outcome
from local.demo.run import Addresses, Demo
from local.demo.traders import Account
from local.demo.witnesses import Journal, Tape, Wallets, Witnesses
from local.setup import ROOT
from local.venue import FOLDER, OPERATOR, TRADERS, LocalError, Venue

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

PRODUCT = "ACME-USD"
RESULTS = ROOT / ".local" / "demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. Gives 0 when every check passed, 1 when not, 130 when it was interrupted."""
    asked = _asked(arguments)
    terminal = Console()
    venue = Venue(asked.folder.resolve(), say=lambda text: terminal.print(f"  [dim]{text}[/]", highlight=False))
    found_up = all(venue.running.values())
    try:
        if asked.forget:
            venue.down(forget=True)
            found_up = False
        begun = time.monotonic()
        terminal.print("[bold]Bringing the venue up[/]")
        venue.up()
        run = asyncio.run(_demo(venue, terminal, asked, up_s=time.monotonic() - begun))
    except (LocalError, DemoStopped) as failure:
        terminal.print(f"\n[bold red]The demo could not go on:[/] {failure}", highlight=False)
        terminal.print("[dim]make logs shows what the venue's servers say; make up starts it by itself.[/]")
        return 1
    except (psycopg.Error, BotoCoreError, ClientError) as failure:
        terminal.print(f"\n[bold red]A part of the venue does not answer:[/] {failure}", highlight=False)
        return 1
    except KeyboardInterrupt:
        terminal.print("\nInterrupted; nothing was checked.")
        return 130
    finally:
        if not (found_up or asked.keep):
            venue.down()
    return _told(run, terminal, asked.results, left_up=found_up or asked.keep)


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the venue running afterwards")
    parser.add_argument("--forget", action="store_true", help="begin without the data of earlier runs")
    parser.add_argument("--messages", type=int, default=2000, help="how much of the recording to play (2000: all)")
    parser.add_argument("--clients", type=int, default=8, help="how many clients send at the same time")
    parser.add_argument("--pace", type=float, default=40, help="messages offered a second; inf: as fast as they go")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the venue keeps its data")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the report and the figures go")
    asked = parser.parse_args(arguments)
    if asked.messages < 1 or asked.clients < 1 or not asked.pace > 0:
        parser.error("at least one message and one client are needed, at some pace")
    return asked


async def _demo(venue: Venue, terminal: Console, asked: argparse.Namespace, *, up_s: float) -> Run:
    begun = time.monotonic()
    messages = flow.read(limit=asked.messages)
    accounts = [Account(name, venue.account(name), venue.token(name)) for name in TRADERS]
    journal = Journal(venue.database_url)
    witnesses = Witnesses(
        journal=journal,
        wallets=Wallets(cast("DynamoDBClient", venue.client("dynamodb")), venue.outputs["WalletsTable"]),
        tape=Tape(cast("S3Client", venue.client("s3")), venue.outputs["TapeBucketName"]),
    )
    product = journal.product(PRODUCT)
    terminal.print("[bold]Playing recorded order flow[/]")
    try:
        with console.progress(terminal) as bars:
            demo = Demo(
                addresses=Addresses(rest=venue.rest_url, stream=venue.stream_url),
                witnesses=witnesses,
                accounts=accounts,
                operator=venue.token(OPERATOR),
                product=product,
                bars=bars,
            )
            played = await demo.play(messages, clients=asked.clients, pace=asked.pace)
        return await asyncio.to_thread(
            outcome,
            played,
            witnesses=witnesses,
            accounts=accounts,
            product=product,
            messages=len(messages),
            clients=asked.clients,
            up_s=up_s,
            begun=begun,
        )
    finally:
        journal.close()


def _told(run: Run, terminal: Console, results: Path, *, left_up: bool) -> int:
    results.mkdir(parents=True, exist_ok=True)
    summary, page = results / "summary.json", results / "report.html"
    summary.write_bytes(msgspec.json.format(msgspec.json.encode(figures.summary(run))) + b"\n")
    page.write_text(report.page(run), encoding="utf-8")
    console.show(terminal, run)
    failed = [check for check in run.checks if not check.passed]
    if failed:
        terminal.print(f"\n[bold red]{len(failed)} of {len(run.checks)} checks failed:[/]")
        for check in failed:
            terminal.print(f"[red]  {check.question}: {check.finding}[/]", highlight=False)
    else:
        terminal.print(f"\n[bold green]All {len(run.checks)} checks passed.[/]")
    shown = Path(os.path.relpath(results))
    terminal.print(f"  report   {shown / page.name}\n  figures  {shown / summary.name}", highlight=False)
    terminal.print(
        f"  venue    {'up; make down stops it' if left_up else 'stopped; its data are kept'}", highlight=False
    )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
