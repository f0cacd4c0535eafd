"""A run is reckoned up when nothing is on its way any more, however long after the faults that is."""

from collections import Counter

import pytest

from tests.simulation.plan import Arm, Fault, Plan, Step
from tests.simulation.venue import play


@pytest.mark.parametrize("kinds", [("http_request_late", "http_request_doubled"), ("commit_stuck",)], ids=" ".join)
def test_what_the_last_faults_held_up_is_settled_before_the_reckoning(kinds: tuple[str, ...]) -> None:
    # Just before the faults cease. The caller has given up before its request, or its batch, comes through.
    steps: list[Step] = [Fault(at=8.9, kind=kind, seconds=1.0, owner=True) for kind in kinds]
    steps.append(Arm(at=8.95, number=0, account="ann", timeout_s=1))
    fired = Counter[str]()
    for seed in range(24):
        result = play(Plan(seed=seed, steps=steps))
        assert result.violation is None, seed
        fired += result.fired
    assert fired.keys() >= set(kinds)
