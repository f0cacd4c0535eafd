"""The figures are what was measured, under names that programs may rely on."""

import json

from local.demo import figures
from local.demo.figures import Percentiles, per_second, percentiles
from local.demo.flow import read
from tests.unit.demo.sample import sample


def test_percentiles_lie_between_the_nearest_ranks() -> None:
    assert percentiles([float(value) for value in range(101)]) == Percentiles(50, 95, 99)
    assert percentiles([3, 1, 2, 4]) == Percentiles(2.5, 3.85, 3.97)


def test_one_value_is_every_percentile_and_none_is_none() -> None:
    assert percentiles([7.0]) == Percentiles(7, 7, 7)
    assert percentiles([]) == Percentiles(None, None, None)


def test_rates_count_every_second_of_the_run_the_quiet_ones_too() -> None:
    assert per_second([100.1, 100.9, 103.0, 99.9], start=100, seconds=3.5) == [2, 0, 0, 1]


def test_the_summary_has_the_agreed_keys_and_is_json() -> None:
    run = sample(read(limit=200))
    summary = json.loads(json.dumps(figures.summary(run)))
    agreed = {
        "orders_sent",
        "orders_acknowledged",
        "trades_journal",
        "trades_websocket",
        "trades_tape",
        "ledger_imbalance",
        "rest_ms_p50",
        "rest_ms_p95",
        "rest_ms_p99",
        "fill_to_websocket_ms_p50",
        "seconds",
        "refused",
    }
    assert agreed <= summary.keys()
    assert summary["trades_journal"] == len(run.prints)
    assert summary["rest_ms_p50"] == percentiles([call.ms for call in run.calls]).p50
    assert summary["seconds"] == round(run.own_s, 2)
