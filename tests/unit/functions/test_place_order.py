"""POST /orders, as API Gateway sends it and as the client reads the answer."""

from typing import Any

import pytest

from functions.place_order import app
from tests.rest import Answer, call, event, log_lines, refusal
from tests.venue_in_memory import ALICE, BOB, MemoryVenue
from venue.identity import order_id_of
from venue.ports import Balance
from venue_aws.api import Api

OID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
BUY = {"product_id": "ACME-USD", "side": "buy", "price": "1.000", "size": "10", "client_oid": OID}


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


@pytest.fixture
def handler(venue: MemoryVenue) -> Api:
    return app.build(lambda: venue.desk)


def place(handler: Api, body: object, account: str = ALICE, **headers: str) -> Answer:
    return call(handler, event("POST", "/orders", body=body, account=account, headers=headers))


def test_an_order_is_answered_as_the_matcher_left_it(handler: Api) -> None:
    answer = place(handler, BUY)
    assert answer.status == 200
    assert answer.headers == {"content-type": "application/json", "cache-control": "no-store"}
    assert answer.body == {
        "id": order_id_of(ALICE, OID),
        "client_oid": OID,
        "product_id": "ACME-USD",
        "side": "buy",
        "type": "limit",
        "time_in_force": "GTC",
        "post_only": False,
        "price": "1.000",
        "size": "10",
        "funds": None,
        "created_at": "2027-01-15T08:00:00.000000Z",
        "status": "open",
        "done_at": None,
        "done_reason": None,
        "reject_reason": None,
        "filled_size": "0",
        "executed_value": "0.00000000",
        "fill_fees": "0.00000000",
        "settled": False,
        "stp": "dc",
        "expire_time": None,
        "stop": None,
        "stop_price": None,
        "display_size": None,
        "fills": [],
    }


def test_a_filled_order_brings_its_fills(handler: Api) -> None:
    place(handler, {"product_id": "ACME-USD", "side": "sell", "price": "0.995", "size": "4"}, BOB)
    body = place(handler, BUY | {"size": "4"}).body
    assert (body["status"], body["done_reason"], body["settled"]) == ("done", "filled", True)
    assert (body["filled_size"], body["executed_value"], body["fill_fees"]) == ("4", "3.98000000", "0.00796000")
    (fill,) = body["fills"]
    assert fill["order_id"] == body["id"]
    assert (fill["price"], fill["size"], fill["fee"], fill["liquidity"]) == ("0.995", "4", "0.00796000", "T")


def test_a_repeat_is_answered_alike_and_other_content_is_a_conflict(handler: Api) -> None:
    first = place(handler, BUY)
    assert place(handler, BUY) == first
    assert place(handler, BUY | {"client_oid": OID.upper()}) == first
    assert refusal(place(handler, BUY | {"size": "11"})) == (409, "conflict")


def test_too_little_money_is_refused_by_name(handler: Api, venue: MemoryVenue) -> None:
    answer = place(handler, BUY | {"size": "10000000"})
    assert refusal(answer) == (422, "insufficient_funds")
    assert answer.body["reject_reason"] == "insufficient_funds"
    assert answer.body["message"] == "Insufficient funds"
    assert venue.wallets.balance(ALICE, "USD").held == 0


def test_a_refusal_by_the_matcher_names_its_reason(handler: Api) -> None:
    place(handler, {"product_id": "ACME-USD", "side": "sell", "price": "0.995", "size": "4"}, BOB)
    assert refusal(place(handler, BUY | {"post_only": True})) == (422, "post_only")


def test_a_worst_price_is_not_shown(handler: Api) -> None:
    place(handler, {"product_id": "ACME-USD", "side": "sell", "price": "0.995", "size": "4"}, BOB)
    body = place(handler, {"product_id": "ACME-USD", "side": "buy", "type": "market", "size": "4"}).body
    assert (body["type"], body["price"], body["time_in_force"]) == ("market", None, "IOC")


def test_who_prefers_not_to_wait_gets_202(handler: Api, venue: MemoryVenue) -> None:
    answer = place(handler, BUY, Prefer="handling=lenient, respond-async")
    assert (answer.status, answer.body["status"], answer.body["id"]) == (202, "pending", order_id_of(ALICE, OID))
    assert venue.matcher.asked == []


def test_with_the_matcher_away_an_order_is_pending(handler: Api, venue: MemoryVenue) -> None:
    venue.matcher.url = None
    assert place(handler, BUY).status == 202


def test_with_both_roads_closed_it_may_be_sent_again(handler: Api, venue: MemoryVenue) -> None:
    venue.matcher.url, venue.queue.down = None, True
    answer = place(handler, BUY)
    assert refusal(answer) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"


def test_the_account_comes_from_the_token_alone(handler: Api, venue: MemoryVenue) -> None:
    assert refusal(call(handler, event("POST", "/orders", body=BUY))) == (401, "unauthenticated")
    assert refusal(place(handler, BUY | {"account": BOB})) == (400, "malformed")
    place(handler, BUY, BOB)
    assert venue.wallets.balance(ALICE, "USD").held == 0
    assert venue.wallets.balance(BOB, "USD").held > 0


@pytest.mark.parametrize("groups", [None, "", "[operators]", "[auditors]", "co-traders"])
def test_only_traders_place_orders(handler: Api, venue: MemoryVenue, groups: str | None) -> None:
    request = event("POST", "/orders", body=BUY, account=ALICE, groups=groups)
    assert refusal(call(handler, request)) == (403, "forbidden")
    assert venue.wallets.holds == {}
    assert venue.matcher.asked == []


def test_an_operator_who_is_a_trader_too_places_orders(handler: Api) -> None:
    request = event("POST", "/orders", body=BUY, account=ALICE, groups="[operators traders]")
    assert call(handler, request).status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", "body"),
        ("{", "body"),
        ("null", "body"),
        ("[]", "body"),
        ('"text"', "body"),
        ('[{"product_id":"ACME-USD"}]', "body"),
        ('{"price": NaN}', "body"),
        ("[" * 5000, "body"),
        ("\ud800", "body"),
        ({}, "product_id"),
        (BUY | {"product_id": "ACME USD"}, "product_id"),
        (BUY | {"product_id": "A" * 50 + "-USD"}, "product_id"),
        (BUY | {"product_id": None}, "product_id"),
        (BUY | {"side": "hold"}, "side"),
        (BUY | {"side": ["buy"]}, "side"),
        (BUY | {"type": "stop"}, "type"),
        (BUY | {"price": 1}, "price"),
        (BUY | {"price": 1.0}, "price"),
        (BUY | {"price": True}, "price"),
        (BUY | {"price": {}}, "price"),
        (BUY | {"price": "1e0"}, "price"),
        (BUY | {"price": "NaN"}, "price"),
        (BUY | {"price": "Infinity"}, "price"),
        (BUY | {"price": "-1"}, "price"),
        (BUY | {"price": "+1"}, "price"),
        (BUY | {"price": "0x10"}, "price"),
        (BUY | {"price": "1,0"}, "price"),
        (BUY | {"price": "1_0"}, "price"),
        (BUY | {"price": "1.000\n"}, "price"),
        (BUY | {"price": "١"}, "price"),
        (BUY | {"price": ""}, "price"),
        (BUY | {"price": "0.001"}, "price"),
        (BUY | {"price": "9" * 31}, "price"),
        (BUY | {"size": 10}, "size"),
        (BUY | {"size": "0.5"}, "size"),
        (BUY | {"size": "0"}, "size"),
        (BUY | {"post_only": "true"}, "post_only"),
        (BUY | {"post_only": 1}, "post_only"),
        (BUY | {"client_oid": "mine"}, "client_oid"),
        (BUY | {"client_oid": "7c9e6679742540de944be07fc1f90ae7"}, "client_oid"),
        (BUY | {"time_in_force": "GTT"}, "cancel_after"),
        (BUY | {"cancel_after": "hour"}, "cancel_after"),
        (BUY | {"time_in_force": "GTT", "cancel_after": "week"}, "cancel_after"),
        (BUY | {"time_in_force": "GTT", "cancel_after": 60}, "cancel_after"),
        (BUY | {"stp": "xx"}, "stp"),
        (BUY | {"stop": "loss"}, "stop_price"),
        (BUY | {"stop": "below", "stop_price": "1.000"}, "stop"),
        (BUY | {"stop_price": "1.000"}, "stop_price"),
        (BUY | {"stop": "entry", "stop_price": "0.001"}, "stop_price"),
        (BUY | {"stop": "entry", "stop_price": "1.000", "post_only": True}, "stop"),
        (BUY | {"stop": "entry", "stop_price": "1.000", "time_in_force": "FOK"}, "stop"),
        (BUY | {"display_size": "0.5"}, "display_size"),
        (BUY | {"display_size": 5}, "display_size"),
        (BUY | {"display_size": "5", "time_in_force": "IOC"}, "display_size"),
        (BUY | {"time_in_force": "gtc"}, "time_in_force"),
        (BUY | {"unheard_of": "1"}, "unheard_of"),
        *[(BUY | {name: "1"}, name) for name in ("stop_limit_price", "max_floor", "profile_id")],
    ],
)
def test_what_cannot_be_read_is_refused_by_the_name_of_its_field(
    handler: Api, venue: MemoryVenue, body: object, field: str
) -> None:
    answer = place(handler, body)
    assert refusal(answer) == (400, "malformed")
    assert answer.body["field"] == field
    assert venue.wallets.holds == {}


def test_what_is_not_supported_yet_is_said_to_be_so(handler: Api) -> None:
    assert place(handler, BUY | {"max_floor": "1"}).body["message"] == "max_floor: not supported yet"


def test_a_number_for_money_is_told_to_be_written_as_text(handler: Api) -> None:
    assert "written as a string" in place(handler, BUY | {"price": 1.5}).body["message"]


def test_a_body_of_ten_megabytes_is_too_large(handler: Api, venue: MemoryVenue) -> None:
    assert refusal(place(handler, "x" * 10_000_000)) == (413, "too_large")
    assert refusal(place(handler, BUY | {"client_oid": "x" * 10_000_000})) == (413, "too_large")
    assert venue.wallets.holds == {}


def test_a_body_in_base64_is_read(handler: Api) -> None:
    request = event("POST", "/orders", account=ALICE)
    request |= {"body": "eyJwcm9kdWN0X2lkIjoiTk8tVVNEIiwic2lkZSI6ImJ1eSJ9", "isBase64Encoded": True}
    assert refusal(call(handler, request)) == (404, "unknown_product")
    assert refusal(call(handler, request | {"body": "/w=="})) == (400, "malformed")
    assert refusal(call(handler, request | {"body": "%"})) == (400, "malformed")


@pytest.mark.parametrize("label", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""])
def test_a_body_is_json_whatever_its_label(handler: Api, label: str) -> None:
    request = event("POST", "/orders", body=BUY, account=ALICE, headers={"Content-Type": label})
    assert call(handler, request).status == 200


def test_a_request_without_any_header_is_read(handler: Api) -> None:
    request = event("POST", "/orders", body=BUY, account=ALICE) | {"headers": None, "multiValueHeaders": None}
    assert call(handler, request).status == 200


def test_unknown_parameters_and_routes_are_refused(handler: Api) -> None:
    request = event("POST", "/orders?dry_run=1", body=BUY, account=ALICE)
    assert refusal(call(handler, request)) == (400, "malformed")
    assert refusal(call(handler, event("PUT", "/orders", account=ALICE))) == (404, "not_found")


def test_each_call_logs_one_line_that_names_no_secret(handler: Api) -> None:
    secret = {"Authorization": "Bearer eyJhbGciOi"}
    request = event("POST", "/orders", body={}, account=ALICE, headers=secret)
    with log_lines() as lines:
        call(handler, request)
    (line,) = lines
    assert '"correlation_id":"request-1"' in line
    assert '"status":400' in line
    assert "eyJhbGciOi" not in line


def test_a_fault_of_our_own_is_told_as_such_and_nothing_more() -> None:
    def broken() -> Any:
        raise RuntimeError("the password is swordfish")

    with log_lines() as lines:
        answer = place(app.build(broken), BUY)
    assert refusal(answer) == (500, "internal")
    assert "swordfish" not in str(answer.body)
    (line,) = lines
    assert '"level":"ERROR"' in line
    assert "RuntimeError" in line


def test_nothing_is_held_by_what_was_refused(handler: Api, venue: MemoryVenue) -> None:
    for change in ({"price": "0.001"}, {"size": "10000000"}, {"product_id": "NO-USD"}):
        assert place(handler, BUY | change).status >= 400
    assert venue.wallets.balance(ALICE, "USD") == Balance(asset="USD", free=1_000_000 * 10**8, held=0)
