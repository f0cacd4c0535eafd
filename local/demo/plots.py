"""The report's plots: inline SVG in the page's own colours and type, so that they follow its light and dark dress."""

import io
import re
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from local.demo.book import Change, Levels
from local.demo.figures import Print, Run, per_second, percentiles

# Colours that stand for the page's CSS variables: replaced by them once the plot is drawn.
INK, MUTED, RULE, PAPER = "#010101", "#020202", "#030303", "#040404"
BID, ASK, ACCENT = "#050505", "#060606", "#070707"
_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper", BID: "bid", ASK: "ask", ACCENT: "accent"}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0,
    "xtick.major.size": 3,
    "figure.facecolor": "none",
}

_WIDE, _HALF = (13.4, 5.4), (6.5, 4.0)


def market(run: Run) -> str:
    """Price over the run: what rested in the book, the touch, and every trade, drawn as large as it was."""

    def draw(axes: Axes) -> None:
        _resting(axes, run.changes, until=run.started + run.flow_s, start=run.started)
        for sale in (True, False):
            of = [print_ for print_ in run.prints if print_.bought is sale]
            axes.scatter(
                [print_.at - run.started for print_ in of],
                [print_.price for print_ in of],
                s=[14 + 2.2 * print_.size for print_ in of],
                c=BID if sale else ASK,
                edgecolors=PAPER,
                linewidths=1.0,
                zorder=4,
            )
        _price_line(axes, run.prints, run.started)
        axes.set_xlim(0, run.flow_s)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda price, _: f"{price:.2f}"))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda second, _: f"{second:.0f} s"))
        axes.grid(visible=False)

    return _svg("market", draw, size=_WIDE, label="Price over the run, resting orders and trades")


def _price_line(axes: Axes, prints: Sequence[Print], start: float) -> None:
    ordered = sorted(prints, key=lambda print_: print_.at)
    axes.plot(
        [print_.at - start for print_ in ordered],
        [print_.price for print_ in ordered],
        color=INK,
        linewidth=0.9,
        alpha=0.55,
        drawstyle="steps-post",
        zorder=3,
    )


def _resting(axes: Axes, changes: Sequence[Change], *, start: float, until: float) -> None:
    """Draw each level as a bar through time, the stronger the more rested there."""
    since: dict[tuple[str, float], Change] = {}
    bars: list[tuple[Change, float]] = []
    for change in sorted(changes, key=lambda each: each.at):
        before = since.pop((change.side, change.price), None)
        if before is not None and before.size:
            bars.append((before, change.at))
        since[change.side, change.price] = change
    bars += [(change, until) for change in since.values() if change.size]
    largest = max((change.size for change, _ in bars), default=1)
    for side, color in (("buy", BID), ("sell", ASK)):
        of = [(change, end) for change, end in bars if change.side == side]
        if not of:
            continue
        axes.add_collection(
            LineCollection(
                [[(change.at - start, change.price), (end - start, change.price)] for change, end in of],
                colors=color,
                alpha=[0.12 + 0.5 * change.size / largest for change, _ in of],
                linewidths=2.6,
                capstyle="butt",
                zorder=2,
            )
        )


def latency(run: Run) -> str:
    """How long REST requests took."""
    place = [call.ms for call in run.calls if call.route == "place"]
    cancel = [call.ms for call in run.calls if call.route == "cancel"]
    return _distribution("latency", [("new order", place, ACCENT), ("cancel", cancel, MUTED)], "REST latency")


def delivery(run: Run) -> str:
    """How long fills travelled from the commit to a client's socket."""
    owner = [delay.ms for delay in run.owner_delays]
    public = [delay.ms for delay in run.public_delays]
    series = [("to its owner", owner, ACCENT), ("to everyone", public, MUTED)]
    return _distribution("delivery", series, "Fill to WebSocket")


def _distribution(name: str, series: Sequence[tuple[str, Sequence[float], str]], label: str) -> str:
    """Histograms over one axis in milliseconds, with the median and the tail of all values marked."""
    values = sorted(value for _, of, _ in series for value in of)

    def draw(axes: Axes) -> None:
        if not values:
            return
        least, most = 0.0, values[int(len(values) * 0.995)] * 1.08
        edges = [least + (most - least) * step / 48 for step in range(49)]
        for title, of, color in series:
            axes.hist(
                [min(value, most) for value in of],
                bins=edges,
                histtype="stepfilled",
                facecolor=(color, 0.22),
                edgecolor=color,
                linewidth=1.2,
                label=title,
            )
        top = axes.get_ylim()[1]
        cuts = percentiles(values)
        for mark, (text, at) in enumerate((("p50", cuts.p50), ("p95", cuts.p95), ("p99", cuts.p99))):
            if at is None:
                continue
            height = top * (1.02 + 0.09 * (2 - mark))
            axes.plot([at, at], [0, height], color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
            words = f"{text} {at:,.0f} ms"
            axes.annotate(words, (at, height), (5, -3), textcoords="offset points", va="center", fontsize=10)
        axes.set_ylim(0, top * 1.28)
        axes.set_xlim(least, most * 1.1)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:,.0f} ms"))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))

    return _svg(name, draw, size=_HALF, label=label)


def depth(run: Run) -> str:
    """The book that the run left behind: lots that rest at each price or better."""

    def draw(axes: Axes) -> None:
        prices = [float(price) for price in (*run.bids, *run.asks)]
        least, most = min(prices, default=0), max(prices, default=1)
        margin = (most - least) * 0.04 or 1
        for levels, color, edge in ((run.bids, BID, least - margin), (run.asks, ASK, most + margin)):
            steps, totals = _cumulated(levels, best_first=levels is run.bids, edge=edge)
            axes.fill_between(steps, totals, step="post", color=color, alpha=0.18, linewidth=0)
            axes.plot(steps, totals, color=color, drawstyle="steps-post", linewidth=1.6)
        axes.set_xlim(least - margin, most + margin)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda price, _: f"{price:.2f}"))
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))

    return _svg("depth", draw, size=_HALF, label="Depth of the book at the end")


def _cumulated(levels: Levels, *, best_first: bool, edge: float) -> tuple[list[float], list[float]]:
    """Lots at each price or better, from nothing at the best price to all at the edge of the plot."""
    ordered = sorted(((float(price), float(size)) for price, size in levels.items()), reverse=best_first)
    if not ordered:
        return [edge], [0.0]
    totals = list(accumulate((size for _, size in ordered), initial=0.0))
    prices = [price for price, _ in ordered]
    return [*prices[:1], *prices, edge], [*totals, totals[-1]]


def throughput(run: Run) -> str:
    """Requests answered in each second, and fills delivered."""
    requests = per_second([call.at for call in run.calls], start=run.started, seconds=run.flow_s)
    fills = per_second([delay.at for delay in run.owner_delays], start=run.started, seconds=run.flow_s)

    def draw(axes: Axes) -> None:
        seconds = range(len(requests))
        axes.bar(seconds, requests, width=0.82, align="edge", color=ACCENT, alpha=0.35, linewidth=0, label="requests")
        axes.bar(seconds, fills, width=0.82, align="edge", color=INK, alpha=0.75, linewidth=0, label="fills")
        axes.set_xlim(0, len(requests))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda second, _: f"{second:.0f} s"))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))

    return _svg("throughput", draw, size=_HALF, label="Requests and fills in each second")


def _svg(name: str, draw: Callable[[Axes], None], *, size: tuple[float, float], label: str) -> str:
    """Draw into an SVG element that stands in the page's own text: its ids are its own, its colours the page's."""
    with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=size, dpi=72, layout="constrained")
        draw(figure.add_subplot())
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var(--{variable})")
    return re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg \1 role="img" aria-label="{label}">', svg, count=1)
