"""The small end of `make prove CAMPAIGN=redelivery`, and that it would notice."""

from pathlib import Path
from typing import Any

import pytest

from local.state import State
from tests.campaigns.redelivery import ROUND, Venue, deliver
from tests.campaigns.report import Log
from tests.cluster.deliveries import FAULTS


class Forgetful:
    """DynamoDB, without the condition that keeps a wallet from seeing a batch twice."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **asked: Any) -> Any:
        del asked["ConditionExpression"]
        asked["ExpressionAttributeValues"] = {
            name: value for name, value in asked["ExpressionAttributeValues"].items() if name != ":first"
        }
        return self._client.update_item(**asked)


@pytest.mark.usefixtures("aws")
def test_wallets_are_as_after_one_delivery_whatever_the_queue_does(postgres: str, state: State, tmp_path: Path) -> None:
    report = deliver(Venue(postgres, state), n=ROUND, seed=7, log=Log(tmp_path))
    assert report.violation is None
    assert report.runs >= ROUND
    assert {fault for fault, times in report.faults.items() if times} == set(FAULTS)


@pytest.mark.usefixtures("aws")
def test_a_settlement_that_forgets_what_it_has_seen_is_found(postgres: str, state: State, tmp_path: Path) -> None:
    report = deliver(Venue(postgres, state, settling=Forgetful), n=ROUND, seed=7, log=Log(tmp_path))
    assert report.violation is not None
    assert "once-only delivery gives" in report.violation.failure
    assert report.violation.run[0].endswith("batches")
