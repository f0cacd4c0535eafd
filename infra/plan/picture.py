"""Cost against rate, from 100 to 100,000 requests a second, beside the conventional sizing."""

from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter

from infra.plan.bill import bill_for
from infra.plan.conventional import TOTALS
from infra.plan.prices import Prices
from infra.plan.traffic import Traffic

PEAKS = [100 * 10 ** (step / 8) for step in range(25)]


def draw(path: Path, prices: Prices) -> None:
    """Write the picture, as SVG or PNG by the path's ending."""
    bills = [bill_for(Traffic.of_peak(peak), prices) for peak in PEAKS]
    figure, axes = pyplot.subplots(figsize=(9, 5.5))
    whole = [bill.total for bill in bills]
    same = [bill.total - bill.of("forgotten") for bill in bills]
    axes.plot(PEAKS, whole, color="#1f5fbf", label="this venue, everything")
    axes.plot(PEAKS, same, color="#1f5fbf", linestyle="--", label="this venue, what the conventional sizing counts")
    axes.plot(list(TOTALS), list(TOTALS.values()), color="#c04a1f", marker="o", label="conventional sizing")
    for peak, usd in TOTALS.items():
        axes.annotate(
            f"${usd:,.0f}", (peak, usd), textcoords="offset points", xytext=(-6, 8), ha="right", color="#c04a1f"
        )
        bill = bill_for(Traffic.of_peak(peak), prices)
        counted = bill.total - bill.of("forgotten")
        axes.annotate(f"${counted:,.0f}", (peak, counted), textcoords="offset points", xytext=(6, -14), color="#1f5fbf")
    axes.set(xscale="log", yscale="log", xlabel="peak requests a second", ylabel="US dollars a month")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_title(f"What a month costs, list prices of {prices.dated}, {prices.region}")
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.legend(frameon=False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
