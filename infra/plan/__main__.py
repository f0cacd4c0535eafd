"""Sizes, cost and latency for a rate of requests.

python -m infra.plan --rps 500 [--requests 300] [--orders 0.3] [--cancels 0.25] [--public 0.3] [--fills 0.3]
"""

import argparse
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from infra.plan import conventional, latency, picture
from infra.plan.bill import Bill, bill_for
from infra.plan.prices import Prices, load
from infra.plan.traffic import Traffic

PICTURE = Path(__file__).parents[2] / ".local" / "plan" / "cost.svg"
_MIX = {
    "requests": "requests a month, millions (default: 600,000 for each request a second of the peak)",
    "orders": "share of new orders among the requests",
    "cancels": "share of cancels",
    "public": "share of public market data reads",
    "cached": "share of the public reads that the edge answers",
    "fills": "fills an order",
    "clients": "WebSocket sessions (default: a fifth of the peak)",
    "market_pushes": "public messages a second to each session",
}


def main() -> None:
    """Print the plan and draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m infra.plan", description=main.__doc__)
    parser.add_argument("--rps", type=float, default=500, help="the peak, requests a second")
    for name, meaning in _MIX.items():
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, type=float, help=meaning)
    parser.add_argument("--picture", type=Path, default=PICTURE, help="where to draw cost against rate")
    arguments = parser.parse_args()
    changed = {name: getattr(arguments, name) for name in _MIX if getattr(arguments, name) is not None}
    try:
        traffic = Traffic.of_peak(arguments.rps, **changed)
    except ValueError as error:
        parser.error(str(error))
    prices, console = load(), Console()
    bill = bill_for(traffic, prices)
    console.print(_sizes(bill))
    console.print(_costs(bill, prices))
    console.print(_comparison(bill))
    console.print(_latency(bill))
    picture.draw(arguments.picture, prices)
    console.print(f"drawn: {arguments.picture}", soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if column in {"USD", "theirs", "ours", "p50 ms", "p99 ms"} else "left")
        table.columns[number].overflow = "fold"
    return table


def _sizes(bill: Bill) -> Table:
    sizes, traffic = bill.sizes, bill.traffic
    table = _table(f"{traffic.peak:,.0f} requests/s at peak, {traffic.requests:,.0f} million a month", "part", "size")
    table.add_row("matcher", f"{sizes.tasks} tasks for {sizes.shards} shards, {traffic.commands_peak:,.0f} commands/s")
    table.add_row("Aurora", f"{sizes.database_clusters} x 3 instances of {sizes.database_vcpu} vCPU")
    table.add_row("Redis", f"{sizes.redis_nodes} nodes, {'large' if sizes.redis_large else 'medium'}")
    table.add_row(
        "queues",
        f"{sizes.queues}, events in {sizes.groups} groups"
        + (f", and {sizes.brokers} MSK brokers" if sizes.brokers else ""),
    )
    table.add_row("tape", f"{sizes.tape_shards} Kinesis shards")
    table.add_row("functions", f"{sizes.concurrency} environments kept warm")
    return table


def _costs(bill: Bill, prices: Prices) -> Table:
    table = _table(f"A month, list prices of {prices.dated}, {prices.region}", "service", "what", "USD")
    for line in bill.lines:
        table.add_row(line.service, line.what, f"{line.usd:,.0f}")
    table.add_section()
    table.add_row("all", "", f"{bill.total:,.0f}")
    return table


def _comparison(bill: Bill) -> Table:
    peak = bill.traffic.peak
    theirs = conventional.total_at(peak)
    known = conventional.lines_at(peak)
    table = _table("Beside the conventional sizing", "service", "theirs", "ours", "why")
    for service in conventional.SERVICES:
        usd = known.get(service)
        table.add_row(
            service, "" if usd is None else f"{usd:,.0f}", f"{bill.of(service):,.0f}", conventional.WHY[service]
        )
    table.add_section()
    same = bill.total - bill.of("forgotten")
    table.add_row("what it counts", "" if theirs is None else f"{theirs:,.0f}", f"{same:,.0f}", "")
    table.add_row("everything", "" if theirs is None else f"{theirs:,.0f}", f"{bill.total:,.0f}", "")
    return table


def _latency(bill: Bill) -> Table:
    hops = latency.hops(bill.traffic, bill.sizes)
    table = _table("Where an order's time goes", "hop", "p50 ms", "p99 ms", "source")
    for hop in hops:
        table.add_row(hop.name, f"{hop.p50_ms:,.1f}", f"{hop.p99_ms:,.1f}", hop.source)
    table.add_section()
    slow = sum(hop.p99_ms for hop in hops)
    verdict = "within" if slow <= latency.BUDGET_MS else "OVER"
    table.add_row(
        "all",
        f"{sum(hop.p50_ms for hop in hops):,.1f}",
        f"{slow:,.1f}",
        f"{verdict} the budget of {latency.BUDGET_MS:.0f} ms",
    )
    return table


if __name__ == "__main__":
    main()
