"""What a person sees at the terminal: the run's progress, and its table at the end."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from local.demo.figures import Percentiles, Run, percentiles


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """Show steps and bars while the block runs; on no terminal, only their last state."""
    with Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=36),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as bars:
        yield bars


def show(console: Console, run: Run) -> None:
    """Print the checks and the figures of a run."""
    console.print()
    console.print(_checks(run))
    console.print()
    console.print(_figures(run))


def _checks(run: Run) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="The audit", title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("")
    table.add_column("Question")
    table.add_column("Finding", justify="right", overflow="fold")
    for check in run.checks:
        mark = Text("✓", "green") if check.passed else Text("✗", "bold red")
        style = "" if check.passed else "red"
        table.add_row(mark, Text(check.question, style), Text(check.finding, style or "dim"))
    return table


def _figures(run: Run) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="The figures", title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("")
    for name in ("", "p50", "p95", "p99"):
        table.add_column(name, justify="right")
    refused = sum(run.refused.values())
    table.add_row("Orders sent", f"{run.orders_sent:,}")
    table.add_row("Orders acknowledged", f"{run.orders_acknowledged:,}")
    table.add_row("Orders refused", f"{refused:,}")
    for reason, count in sorted(run.refused.items()):
        table.add_row(f"  {reason}", f"{count:,}", style="dim")
    table.add_row("Cancels sent", f"{run.cancels_sent:,}")
    for reason, count in sorted(run.cancels_refused.items()):
        table.add_row(f"  refused: {reason}", f"{count:,}", style="dim")
    table.add_section()
    table.add_row("Trades in Aurora", f"{run.trades_journal:,}")
    table.add_row("Trades by WebSocket", f"{run.trades_websocket:,}")
    table.add_row("Trades in S3", f"{run.trades_tape:,}")
    table.add_section()
    table.add_row("REST, ms", f"{len(run.calls):,}", *_cuts(percentiles([call.ms for call in run.calls])))
    for title, delays in (("Fill to its owner, ms", run.owner_delays), ("Fill to everyone, ms", run.public_delays)):
        table.add_row(title, f"{len(delays):,}", *_cuts(percentiles([delay.ms for delay in delays])))
    table.add_section()
    rate = len(run.calls) / run.flow_s if run.flow_s else 0
    table.add_row("Requests a second", f"{rate:,.0f}")
    table.add_row("Seconds, all but bringing the venue up", f"{run.own_s:,.1f}")
    return table


def _cuts(of: Percentiles) -> tuple[str, str, str]:
    p50, p95, p99 = ("–" if cut is None else f"{cut:,.1f}" for cut in (of.p50, of.p95, of.p99))
    return p50, p95, p99
