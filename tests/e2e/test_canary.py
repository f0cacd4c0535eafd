"""The canary flies through the deployed venue, and falls when nobody takes its order."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from local.venue import OPERATOR, Venue
from tests.e2e.market import Market, Trader, eventually

pytestmark = pytest.mark.venue

CANARY = "CANARY-USD"
MARKET = {
    "base_currency": "CANARY",
    "base_name": "A test, nobody has any",
    "base_scale": 0,
    "quote_currency": "USD",
    "quote_increment": "0.005",
    "base_increment": "1",
}


@pytest.fixture
def canary(venue: Venue, market: Market) -> Trader:
    """What docs/runbooks/the-canary-fails.md says that it needs: a user, a market, a dollar. Its account at the API."""
    secret = venue.client("secretsmanager").get_secret_value(SecretId=venue.outputs["CanarySecretArn"])
    who, cognito, pool = json.loads(secret["SecretString"]), venue.client("cognito-idp"), venue.outputs["UserPoolId"]
    with suppress(cognito.exceptions.UsernameExistsException):
        cognito.admin_create_user(
            UserPoolId=pool,
            Username=who["username"],
            TemporaryPassword=who["password"],
            MessageAction="SUPPRESS",
        )
    cognito.admin_set_user_password(UserPoolId=pool, Username=who["username"], Password=who["password"], Permanent=True)
    cognito.admin_add_user_to_group(UserPoolId=pool, Username=who["username"], GroupName="traders")
    signed_in = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=venue.outputs["UserPoolClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": who["username"], "PASSWORD": who["password"]},
    )
    trader = market.client(token=signed_in["AuthenticationResult"]["IdToken"])
    (sub,) = [
        each["Value"]
        for each in cognito.admin_get_user(UserPoolId=pool, Username=who["username"])["UserAttributes"]
        if each["Name"] == "sub"
    ]
    operator = market.client(token=venue.token(OPERATOR))
    assert operator.call("POST", "/products", body=MARKET).status == 200
    deposit = {"key": "canary", "account_id": sub, "currency": "USD", "amount": "1"}
    assert operator.call("POST", "/deposits", body=deposit).status == 200
    eventually(trader.balances)
    return trader


def fly(venue: Venue) -> dict[str, Any]:
    """Let it fly once, as its clock would; give the log line of the trip with the metrics that it told."""
    log, mark = venue.folder / "log" / "emulator.log", str(uuid4())
    (name,) = [
        each["PhysicalResourceId"]
        for each in venue.client("cloudformation").describe_stack_resources(StackName="venue-local")["StackResources"]
        if each["LogicalResourceId"] == "TryOrder"
    ]
    before = log.stat().st_size
    answer = venue.client("lambda").invoke(FunctionName=name, Payload=json.dumps({"id": mark}))
    assert "FunctionError" not in answer, answer["Payload"].read()

    def lines() -> Iterator[dict[str, Any]]:
        for line in log.read_bytes()[before:].decode().splitlines():
            with suppress(ValueError):
                told = json.loads(line)
                if isinstance(told, dict) and told.get("service") == "try_order":
                    yield told

    eventually(lambda: {"message", "CanaryFailed"} <= {name for line in lines() for name in line})
    return {name: value for line in lines() for name, value in line.items()}


def orders(canary: Trader) -> list[Any]:
    return list(canary.call("GET", f"/orders?status=all&product_id={CANARY}").body)


def test_the_canary_places_an_order_and_takes_it_back(venue: Venue, market: Market, canary: Trader) -> None:
    known = {each["id"] for each in orders(canary)}
    told = fly(venue)
    assert told["CanaryFailed"] == [0.0]
    assert told["CanaryAcknowledge"][0] > 0
    (order,) = [each for each in orders(canary) if each["id"] not in known]
    assert order["id"] == told["order_id"]
    assert (order["done_reason"], order["post_only"], Decimal(order["price"])) == ("canceled", True, Decimal("0.005"))
    market.assert_books_balance()


def test_nobody_can_sell_what_the_canary_buys(canary: Trader, trader: Callable[..., Trader]) -> None:
    del canary
    seller = trader(USD="100", ACME="5")
    refused = seller.place("sell", "1", "0.005", product_id=CANARY)
    assert (refused.status, refused.body["reject_reason"]) == (422, "insufficient_funds")


def test_the_canary_falls_when_nobody_takes_its_order_and_clears_up_when_it_flies_again(
    venue: Venue, market: Market, canary: Trader
) -> None:
    venue.stop_matcher()
    try:
        told = fly(venue)
        assert (told["CanaryFailed"], told["level"]) == ([1.0], "ERROR")
        assert told["step"] in {"clear", "place"}
    finally:
        venue.start_matcher()
    eventually(lambda: fly(venue)["CanaryFailed"] == [0.0])
    eventually(lambda: not canary.call("GET", f"/orders?product_id={CANARY}").body)
    market.assert_books_balance()
