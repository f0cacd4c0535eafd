"""The door itself: what API Gateway is answered."""

from typing import Any

import pytest

from functions.authorize_stream import app
from tests.rest import Context
from tests.unit.stream.test_tokens import FORGERIES, access, signed, verifier

ARN = "arn:aws:execute-api:eu-west-1:000000000000:api/dev/$connect"
CONTEXT: Any = Context()


def knock(**request: Any) -> dict[str, Any]:
    made = verifier()
    return app.build(lambda: made)({"type": "REQUEST", "methodArn": ARN, **request}, CONTEXT)


def effect(answer: dict[str, Any]) -> tuple[str, str]:
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    return statement["Effect"], statement["Resource"]


def test_without_a_token_one_is_let_in_without_an_account() -> None:
    for request in ({}, {"headers": None, "queryStringParameters": None}, {"headers": {"Host": "x"}}):
        answer = knock(**request)
        assert effect(answer) == ("Allow", ARN)
        assert answer["context"] == {}


@pytest.mark.parametrize("place", ["header", "query"])
def test_with_a_token_one_is_let_in_as_its_account(place: str) -> None:
    claims = access()
    token = signed(claims)
    request = {"headers": {"Authorization": f"Bearer {token}"}}
    answer = knock(**(request if place == "header" else {"queryStringParameters": {"token": token}}))
    assert effect(answer) == ("Allow", ARN)
    assert answer["principalId"] == "account-1"
    assert answer["context"] == {
        "account": "account-1",
        "groups": "traders,operators",
        "expires_at": str(claims["exp"]),
    }


@pytest.mark.parametrize("forgery", FORGERIES)
def test_with_a_bad_token_one_is_not_let_in_not_even_without_an_account(
    forgery: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    token = FORGERIES[forgery]()
    answer = knock(queryStringParameters={"token": token})
    assert effect(answer) == ("Deny", ARN)
    assert answer["context"] == {}
    said = capsys.readouterr().out + str([vars(record) for record in caplog.records])
    assert not any(part in said for part in token.split(".") if len(part) > 16)
