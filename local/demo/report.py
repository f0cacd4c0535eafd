"""The report of one run: one HTML file that needs nothing else, for a person to read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template

from local.demo import plots
from local.demo.figures import Run, percentiles

PAGE = Path(__file__).with_name("page.html")


def page(run: Run) -> str:
    """Give the whole page as text."""
    when = datetime.fromtimestamp(run.started, UTC)
    words = _words(run)
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=f"{run.product_id}: {run.messages:,} messages through the venue",
        product=escape(run.product_id),
        when=f"{when:%-d %B %Y, %H:%M} UTC",
        headline=f"{run.messages:,} messages, {run.trades_journal:,} trades, {_verdict_in_headline(run)}",
        story=words["story"],
        verdict_class="good" if run.passed else "bad",
        verdict=_verdict(run),
        tiles=_tiles(run),
        market_story=words["market"],
        market=plots.market(run),
        latency=plots.latency(run),
        delivery=plots.delivery(run),
        depth=plots.depth(run),
        left=words["left"],
        throughput=plots.throughput(run),
        checks=_checks(run),
        counts=_table(("Orders and messages", ""), _counts(run)),
        timings=_table(("Milliseconds", "p50", "p95", "p99"), _timings(run)),
        traders_story=words["traders"],
        traders=_table(
            ("Account", "Orders", "Fills", "Bought", "Sold", f"Fees, {run.quote}", run.base, run.quote),
            [(t.name, f"{t.orders:,}", f"{t.fills:,}", t.bought, t.sold, t.fees, t.base, t.quote) for t in run.traders],
        ),
        footer=words["footer"],
    )


def _words(run: Run) -> Mapping[str, str]:
    rate = len(run.calls) / run.flow_s if run.flow_s else 0
    prices = [print_.price for print_ in run.prints]
    span = f"between {min(prices):,.3f} and {max(prices):,.3f} {run.quote}" if prices else "at no price at all"
    lots = sum(print_.size for print_ in run.prints)
    return {
        "story": (
            f"Recorded order flow of one liquid share, sent by {run.clients} clients at once through the public API: "
            f"{len(run.calls):,} requests in {run.flow_s:.0f} seconds, {rate:.0f} a second, while "
            "WebSocket sessions listened to every account and to the market. "
            "Each order walked the whole road: gateway, hold, matcher, journal, settlement, tape."
        ),
        "market": (
            f"{run.trades_journal:,} trades of {lots:,.0f} {run.base} {span}. "
            "A circle is a trade, as large as it was; the line is the last price. Behind them, what rested in the book."
        ),
        "left": _left(run),
        "traders": (
            "Every order of the recording was dealt to one of eight accounts. Wallets as they stand now, "
            "what is held for resting orders included."
        ),
        "footer": (
            f"Venue up after {run.up_s:.1f} s. Accounts, flow, draining and audit: {run.own_s:.1f} s, of which "
            f"{run.drain_s:.1f} s to let the last fill reach the archive. "
            f"{run.websocket_messages:,} WebSocket messages heard, {run.tape_objects:,} tape objects read. "
            "Order flow: first messages of the scenario “normal” of Flash One Technologies’ matching-engine benchmark "
            "(MIT licence), see NOTICE.md beside it."
        ),
    }


def _left(run: Run) -> str:
    bid, ask = max(map(float, run.bids), default=None), min(map(float, run.asks), default=None)
    if bid is None or ask is None:
        return "Lots at each price or better; one side of the book was empty when the flow had ended."
    return f"Lots at each price or better when the flow had ended: best bid {bid:,.3f}, best offer {ask:,.3f}."


def _verdict_in_headline(run: Run) -> str:
    return "and every account agrees" if run.passed else "and something does not add up"


def _verdict(run: Run) -> str:
    failed = sum(not check.passed for check in run.checks)
    if failed:
        return f"✗ {failed} of {len(run.checks)} checks failed"
    return f"✓ All {len(run.checks)} checks passed"


def _tiles(run: Run) -> str:
    rest = percentiles([call.ms for call in run.calls])
    fill = percentiles([delay.ms for delay in run.owner_delays])
    tiles = (
        (f"{run.orders_acknowledged:,}", "", f"of {run.orders_sent:,} orders acknowledged"),
        (f"{run.trades_journal:,}", "", "trades: Aurora, WebSocket and S3"),
        (_ms(rest.p50), "ms", f"REST median, p99 {_ms(rest.p99)} ms"),
        (_ms(fill.p50), "ms", f"fill to its owner, p99 {_ms(fill.p99)} ms"),
    )
    return "".join(
        f"<div><dd>{value}{f'<small>{unit}</small>' if unit else ''}</dd><dt>{text}</dt></div>"
        for value, unit, text in tiles
    )


def _checks(run: Run) -> str:
    return "".join(
        f'<tr class="{"good" if check.passed else "bad"}"><td class="mark">{"✓" if check.passed else "✗"}</td>'
        f'<td>{escape(check.question)}</td><td class="finding">{escape(check.finding)}</td></tr>'
        for check in run.checks
    )


def _counts(run: Run) -> list[tuple[str, ...]]:
    return [
        ("Messages of the recording", f"{run.messages:,}"),
        ("Orders sent", f"{run.orders_sent:,}"),
        ("Orders acknowledged", f"{run.orders_acknowledged:,}"),
        *((f"Orders refused: {_spelled(reason)}", f"{count:,}") for reason, count in sorted(run.refused.items())),
        ("Cancels sent", f"{run.cancels_sent:,}"),
        *((f"Cancels refused: {_spelled(why)}", f"{count:,}") for why, count in sorted(run.cancels_refused.items())),
        ("Modifies that came too late", f"{run.modifies_void:,}"),
        ("Trades in Aurora", f"{run.trades_journal:,}"),
        ("Trades by WebSocket", f"{run.trades_websocket:,}"),
        ("Trades in S3", f"{run.trades_tape:,}"),
    ]


def _timings(run: Run) -> list[tuple[str, ...]]:
    rows = (
        ("Any request", [call.ms for call in run.calls]),
        ("New order", [call.ms for call in run.calls if call.route == "place"]),
        ("Cancel", [call.ms for call in run.calls if call.route == "cancel"]),
        ("Fill to its owner", [delay.ms for delay in run.owner_delays]),
        ("Fill to everyone", [delay.ms for delay in run.public_delays]),
    )
    cuts = [(name, percentiles(values)) for name, values in rows]
    return [(name, _ms(cut.p50), _ms(cut.p95), _ms(cut.p99)) for name, cut in cuts]


def _spelled(reason: str) -> str:
    return reason.replace("_", " ")


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column is text, the others are numbers. Everything is escaped."""
    lines = [("th", head), *(("td", row) for row in rows)]
    return "".join(
        "<tr>"
        + "".join(f"<{tag}{' class="n"' if column else ''}>{escape(cell)}</{tag}>" for column, cell in enumerate(cells))
        + "</tr>"
        for tag, cells in lines
    )
