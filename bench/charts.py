"""Charts of measurements, as SVG."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.figure import Figure


def bars(path: Path, values: Mapping[str, float], *, title: str) -> None:
    """One bar for each value, the largest on top."""
    ordered = sorted(values.items(), key=lambda item: item[1])
    figure, axes = pyplot.subplots(figsize=(8, 0.6 * len(ordered) + 1.2))
    drawn = axes.barh([name for name, _ in ordered], [value for _, value in ordered])
    axes.bar_label(drawn, labels=[f"{value:,.0f}" for _, value in ordered], padding=4)
    axes.margins(x=0.15)
    axes.set_title(title)
    _write(path, figure)


def lines(path: Path, at: Sequence[float], values: Mapping[str, Sequence[float]], *, title: str, units: str) -> None:
    """One line for each row of values, over a logarithmic axis."""
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for name, row in values.items():
        axes.plot(at, row, marker="o", label=name)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_ylabel(units)
    axes.set_xlabel("resting orders")
    axes.legend()
    axes.set_title(title)
    _write(path, figure)


def shares(path: Path, values: Mapping[str, Sequence[float]], *, title: str, units: str) -> None:
    """For each row of values: which share of them (percent) is at most so large."""
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for name, row in values.items():
        ordered = sorted(row)
        axes.step(
            [ordered[0], *ordered], [100 * rank / len(row) for rank in range(len(row) + 1)], where="post", label=name
        )
    axes.set_xlim(left=0)
    axes.set_ylim(0, 100)
    axes.set_xlabel(units)
    axes.set_ylabel("% of runs")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    axes.set_title(title)
    _write(path, figure)


def _write(path: Path, figure: Figure) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    print(f"drawn: {path}")
