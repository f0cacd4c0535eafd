"""Sizes and bills for a rate: what they must say whatever the prices are."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.plan import conventional, latency, picture
from infra.plan.bill import bill_for
from infra.plan.conventional import TOTALS
from infra.plan.prices import load
from infra.plan.traffic import Traffic

PRICES = load()
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("peak", TOTALS)
def test_the_same_things_cost_less_than_in_the_conventional_sizing(peak: int) -> None:
    bill = bill_for(Traffic.of_peak(peak), PRICES)

    assert bill.total - bill.of("forgotten") < TOTALS[peak]


def test_two_matcher_tasks_do_for_500_a_second_and_four_for_5000() -> None:
    assert bill_for(Traffic.of_peak(500), PRICES).sizes.tasks == 2
    assert 2 <= bill_for(Traffic.of_peak(5_000), PRICES).sizes.tasks <= 4


def test_there_is_always_a_standby() -> None:
    for peak in picture.PEAKS:
        sizes = bill_for(Traffic.of_peak(peak), PRICES).sizes
        assert sizes.tasks > sizes.shards


def test_more_requests_cost_more() -> None:
    totals = [bill_for(Traffic.of_peak(peak), PRICES).total for peak in picture.PEAKS]

    assert totals == sorted(totals)


def test_the_mix_is_the_callers() -> None:
    usual = bill_for(Traffic.of_peak(500), PRICES)
    readers = bill_for(Traffic.of_peak(500, orders=0.1, cancels=0.05, public=0.6), PRICES)
    traders = bill_for(Traffic.of_peak(500, fills=2.0), PRICES)

    assert readers.of("DynamoDB") < usual.of("DynamoDB") < traders.of("DynamoDB")
    assert readers.of("API Gateway") < usual.of("API Gateway") == traders.of("API Gateway")


def test_every_line_belongs_to_a_service_that_is_compared() -> None:
    bill = bill_for(Traffic.of_peak(50_000), PRICES)

    assert sum(bill.of(service) for service in conventional.SERVICES) == pytest.approx(bill.total)
    assert set(conventional.WHY) == set(conventional.SERVICES)
    assert sum(conventional.LINES[500].values()) == TOTALS[500]


@pytest.mark.parametrize("peak", [100, 500, 5_000, 50_000])
def test_an_order_stays_within_its_time(peak: int) -> None:
    traffic = Traffic.of_peak(peak)
    hops = latency.hops(traffic, bill_for(traffic, PRICES).sizes)

    assert sum(hop.p99_ms for hop in hops) <= latency.BUDGET_MS


@pytest.mark.parametrize(
    "wrong",
    [{"orders": 0.9, "cancels": 0.9}, {"public": 1.5}, {"requests": 0.0}, {"requests": 10_000.0}, {"cached": -0.1}],
)
def test_a_mix_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Traffic.of_peak(500, **wrong)


def test_the_command_prints_the_plan_and_draws_it(tmp_path: Path) -> None:
    drawn = tmp_path / "cost.svg"
    command = [sys.executable, "-m", "infra.plan", "--rps", "500", "--picture", str(drawn)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)

    assert "2 tasks for 1 shards" in done.stdout
    assert drawn.read_text().startswith("<?xml")
