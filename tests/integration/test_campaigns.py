"""The campaigns that use real processes, each with a few runs of every kind of fault: `make prove` does many."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.campaigns import damage, database, failover, kill, zombie
from tests.campaigns.report import Log


@pytest.mark.parametrize(("campaign", "n"), [(kill, 10), (zombie, 5), (database, 3), (failover, 5), (damage, 81)])
def test_nothing_acknowledged_is_lost(campaign: ModuleType, n: int, tmp_path: Path) -> None:
    report = campaign.run(n=n, seed=0, log=Log(tmp_path))
    assert report.violation is None
    assert report.runs == n
    assert set(report.faults) == set(campaign.FAULTS)
