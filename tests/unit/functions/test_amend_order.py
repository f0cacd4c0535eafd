"""PATCH /orders and POST /orders/batch, as API Gateway sends them and as the client reads the answer."""

import pytest

from functions.amend_order import app as amending
from functions.place_order import app as placing
from tests.rest import Answer, call, event, refusal
from tests.venue_in_memory import ALICE, BOB, MemoryVenue
from venue.identity import order_id_of
from venue_aws.api import Api
from venue_aws.requests import BATCH_MAX

OID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
AMEND = "9a0e6679-7425-40de-944b-e07fc1f90ae7"
BUY = {"product_id": "ACME-USD", "side": "buy", "price": "1.000", "size": "10"}


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


@pytest.fixture
def place(venue: MemoryVenue) -> Api:
    return placing.build(lambda: venue.desk)


@pytest.fixture
def handler(venue: MemoryVenue, place: Api) -> Api:
    assert call(place, event("POST", "/orders", body=BUY | {"client_oid": OID}, account=ALICE)).status == 200
    return amending.build(lambda: venue.amends)


def amend(
    handler: Api, body: object, path: str = f"/orders/client:{OID}", account: str = ALICE, groups: str = "traders"
) -> Answer:
    return call(handler, event("PATCH", path, body=body, account=account, groups=groups))


def test_an_order_is_answered_as_the_amend_left_it(handler: Api) -> None:
    answer = amend(handler, {"price": "1.005", "size": "12", "amend_id": AMEND})
    assert (answer.status, answer.body["price"], answer.body["size"]) == (200, "1.005", "12")
    assert (answer.body["status"], answer.body["fills"]) == ("open", [])
    by_id = amend(handler, {"price": "1.005", "size": "12", "amend_id": AMEND}, f"/orders/{order_id_of(ALICE, OID)}")
    assert by_id == answer


def test_an_amend_that_waits_is_told_with_202(handler: Api, venue: MemoryVenue) -> None:
    venue.matcher.url = None
    answer = amend(handler, {"size": "12"})
    assert (answer.status, answer.body["size"]) == (202, "10")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "price"),
        ({"price": 1}, "price"),
        ({"price": "0.0001"}, "price"),
        ({"size": "0"}, "size"),
        ({"amend_id": "mine", "size": "1"}, "amend_id"),
        ({"side": "sell", "size": "1"}, "side"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_refused_by_the_name_of_its_field(handler: Api, body: object, field: str) -> None:
    answer = amend(handler, body)
    assert refusal(answer) == (400, "malformed")
    assert answer.body["field"] == field


def test_another_accounts_order_is_not_found_and_who_may_not_trade_is_refused(handler: Api) -> None:
    path = f"/orders/{order_id_of(ALICE, OID)}"
    assert refusal(amend(handler, {"size": "1"}, path, account=BOB)) == (404, "not_found")
    assert refusal(amend(handler, {"size": "1"}, path, groups="auditors")) == (403, "forbidden")


def test_an_id_that_names_another_amend_is_a_conflict(handler: Api) -> None:
    amend(handler, {"size": "12", "amend_id": AMEND})
    assert refusal(amend(handler, {"size": "13", "amend_id": AMEND})) == (409, "conflict")


# Batches.


def batch(place: Api, *orders: object) -> Answer:
    return call(place, event("POST", "/orders/batch", body={"orders": list(orders)}, account=ALICE))


def test_each_order_of_a_batch_has_its_own_answer(place: Api) -> None:
    answer = batch(place, BUY, BUY | {"price": "1.0001"}, BUY | {"size": "10000000"})
    assert answer.status == 200
    placed, malformed, poor = answer.body
    assert (placed["status"], placed["order"]["status"], placed["error"]) == (200, "open", None)
    assert (malformed["status"], malformed["error"]["field"], malformed["order"]) == (400, "price", None)
    assert (poor["status"], poor["error"]["reject_reason"]) == (422, "insufficient_funds")
    assert poor["error"]["request_id"] == "request-1"


@pytest.mark.parametrize("count", [0, BATCH_MAX + 1])
def test_a_batch_has_a_bound(place: Api, venue: MemoryVenue, count: int) -> None:
    assert refusal(batch(place, *[BUY] * count)) == (400, "malformed")
    assert venue.wallets.holds == {}


def test_what_cannot_be_read_is_refused_whole(place: Api, venue: MemoryVenue) -> None:
    assert refusal(batch(place, BUY, BUY | {"side": "hold"})) == (400, "malformed")
    assert refusal(batch(place, BUY, BUY | {"product_id": "BTC-USD"})) == (400, "malformed")
    assert venue.wallets.holds == {}
