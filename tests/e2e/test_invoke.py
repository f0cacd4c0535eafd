"""Every function, by Lambda's real runtime interface, on the event recorded for it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local import events
from local.invoke import fund
from local.runtime import Deployed, on_host
from local.venue import OPERATOR, Venue
from tests.e2e.market import Market

pytestmark = pytest.mark.venue

# What each answers: of an HTTP answer the status, else the whole. What PlaceOrder placed is amended and cancelled.
ANSWERS: dict[str, Any] = {
    "PlaceOrder": 200,
    "AmendOrder": 200,
    "CancelOrder": 200,
    "GetOrders": 200,
    "GetAccounts": 200,
    "MarketData": 200,
    "Deposit": 200,
    "OperateMarket": 200,
    "Connect": 200,
    "Subscribe": 200,
    "Disconnect": 200,
    "FanOut": {"batchItemFailures": []},
    "Broadcast": {"batchItemFailures": []},
    "RecordTape": None,
    "Reconcile": None,
    "TryOrder": None,
    "RotateDatabase": None,
    "RotateRedis": None,
}


@pytest.fixture(scope="module")
def funded(market: Market) -> Iterator[Venue]:
    """The venue with enough in the recorded trader's wallet; its market, which the operator restricts, open again."""
    venue = market.venue
    fund(venue)
    yield venue
    operator = market.client(token=venue.token(OPERATOR))
    assert operator.call("POST", "/products/ACME-USD/status", body={"status": "trading"}).status == 200


def run(venue: Venue, function: str) -> Any:
    """Give what the function answers to its event."""
    return json.loads(on_host(Deployed.find(venue, function), events.event_for(function, venue)).answer)


@pytest.mark.parametrize("function", ANSWERS)
def test_a_function_answers_its_recorded_event(funded: Venue, function: str) -> None:
    answer = run(funded, function)
    http = isinstance(answer, dict) and "statusCode" in answer
    assert (answer["statusCode"] if http else answer) == ANSWERS[function], answer


def test_the_authorizer_knows_the_recorded_trader(venue: Venue) -> None:
    answer = run(venue, "AuthorizeStream")
    assert answer["principalId"] == venue.account(events.TRADER)
    assert [each["Effect"] for each in answer["policyDocument"]["Statement"]] == ["Allow"]


def test_every_function_has_an_event_and_every_event_a_function(venue: Venue) -> None:
    resources = venue.client("cloudformation").describe_stack_resources(StackName="venue-local")["StackResources"]
    functions = {each["LogicalResourceId"] for each in resources if each["ResourceType"] == "AWS::Lambda::Function"}
    # For TryVersion, see test_rollout.py.
    assert functions == {*ANSWERS, "AuthorizeStream", "TryVersion"}
    assert {events.path_of(function) for function in functions} == set(events.FOLDER.glob("*.json"))
