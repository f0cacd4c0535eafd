"""POST /deposits: operators only, once for each key."""

import pytest

from functions.deposit import app
from tests.rest import Answer, call, event, refusal
from tests.venue_in_memory import ALICE, BOB, MemoryVenue
from venue.identity import transfer_id_of
from venue_aws.api import Api

FIVE = {"key": "wire-1", "account_id": ALICE, "currency": "USD", "amount": "5.00"}


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


@pytest.fixture
def handler(venue: MemoryVenue) -> Api:
    return app.build(lambda: venue.cashier)


def deposit(handler: Api, body: object, groups: str | list[str] | None = "operators") -> Answer:
    return call(handler, event("POST", "/deposits", body=body, account=BOB, groups=groups))


@pytest.mark.parametrize("groups", ["operators", "[traders operators]", "traders,operators", ["operators", "traders"]])
def test_an_operator_credits_an_account(handler: Api, venue: MemoryVenue, groups: str | list[str]) -> None:
    before = venue.wallets.balance(ALICE, "USD").free
    answer = deposit(handler, FIVE, groups)
    assert answer.status == 200
    assert answer.body == {
        "id": transfer_id_of("wire-1"),
        "account_id": ALICE,
        "currency": "USD",
        "amount": "5.00000000",
        "status": "done",
    }
    assert venue.wallets.balance(ALICE, "USD").free == before + 5 * 10**8


@pytest.mark.parametrize("groups", [None, "", "[]", "traders", "[traders auditors]", ["traders"], "co-operators"])
def test_nobody_else_may(handler: Api, venue: MemoryVenue, groups: str | list[str] | None) -> None:
    assert refusal(deposit(handler, FIVE, groups)) == (403, "forbidden")
    assert venue.matcher.asked == []


def test_without_a_token_there_is_no_deposit(handler: Api) -> None:
    assert refusal(call(handler, event("POST", "/deposits", body=FIVE))) == (401, "unauthenticated")


def test_a_repeat_is_answered_alike_and_other_content_is_a_conflict(handler: Api, venue: MemoryVenue) -> None:
    first = deposit(handler, FIVE)
    credited = venue.wallets.balance(ALICE, "USD")
    assert deposit(handler, FIVE) == first
    assert refusal(deposit(handler, FIVE | {"amount": "6"})) == (409, "conflict")
    assert refusal(deposit(handler, FIVE | {"account_id": BOB})) == (409, "conflict")
    assert venue.wallets.balance(ALICE, "USD") == credited


def test_an_unknown_currency_is_refused(handler: Api) -> None:
    assert refusal(deposit(handler, FIVE | {"currency": "XYZ"})) == (422, "unknown_asset")


def test_with_the_matcher_away_a_deposit_is_pending(handler: Api, venue: MemoryVenue) -> None:
    venue.matcher.url = None
    answer = deposit(handler, FIVE)
    assert (answer.status, answer.body["status"]) == (202, "pending")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": 5}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "0.000000001"}, "amount"),
        ({"amount": "92233720369"}, "amount"),
        ({"account_id": "venue:fees"}, "account_id"),
        ({"key": ""}, "key"),
        ({"key": "k" * 129}, "key"),
        ({"key": "a b"}, "key"),
        ({"currency": "usd"}, "currency"),
        ({"note": "x"}, "note"),
    ],
)
def test_what_cannot_be_read_is_refused(handler: Api, change: dict[str, object], field: str) -> None:
    answer = deposit(handler, FIVE | change)
    assert refusal(answer) == (400, "malformed")
    assert answer.body["field"] == field
