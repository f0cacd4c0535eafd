"""DELETE /orders in all its forms, also as ccxt writes them."""

import pytest

from functions.cancel_order import app
from tests.rest import Answer, call, event, refusal
from tests.venue_in_memory import ALICE, BOB, MemoryVenue
from venue.tickets import Ticket
from venue_aws.api import Api

OID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
BUY = Ticket(product_id="ACME-USD", side="buy", price="1.000", size="10", client_oid=OID)


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


@pytest.fixture
def order_id(venue: MemoryVenue) -> str:
    return venue.desk.place(BUY, account=ALICE).order.order_id


@pytest.fixture
def handler(venue: MemoryVenue) -> Api:
    return app.build(lambda: venue.desk)


def delete(handler: Api, path: str, *, account: str | None = ALICE, body: object = None, prefer: str = "") -> Answer:
    return call(handler, event("DELETE", path, account=account, body=body, headers={"Prefer": prefer}))


def test_a_cancel_is_answered_with_the_orders_id(handler: Api, venue: MemoryVenue, order_id: str) -> None:
    answer = delete(handler, f"/orders/{order_id}")
    assert (answer.status, answer.body) == (200, order_id)
    assert venue.wallets.balance(ALICE, "USD").held == 0


def test_an_order_is_cancelled_by_its_client_oid(handler: Api, order_id: str) -> None:
    assert delete(handler, f"/orders/client:{OID}").body == order_id


def test_a_percent_encoded_colon_is_a_colon(handler: Api, order_id: str) -> None:
    assert delete(handler, f"/orders/client%3A{OID}").body == order_id


@pytest.mark.parametrize("body", [{"product_id": "ACME/USD"}, {"product_id": "ACME-USD"}, {}, None])
def test_the_product_may_stand_in_the_body_as_ccxt_writes_it(handler: Api, order_id: str, body: object) -> None:
    assert delete(handler, f"/orders/{order_id}", body=body).status == 200


def test_all_orders_of_a_product_are_cancelled(handler: Api, order_id: str) -> None:
    assert delete(handler, "/orders?product_id=BTC-USD").body == []
    assert delete(handler, "/orders", body={"product_id": "ACME/USD"}).body == [order_id]


def test_all_orders_are_cancelled(handler: Api, order_id: str) -> None:
    assert delete(handler, "/orders").body == [order_id]


def test_anothers_order_an_unknown_one_and_a_done_one_are_refused(handler: Api, order_id: str) -> None:
    assert refusal(delete(handler, f"/orders/{order_id}", account=BOB)) == (404, "not_found")
    assert refusal(delete(handler, f"/orders/client:{OID}", account=BOB)) == (404, "not_found")
    assert refusal(delete(handler, "/orders/00000000-0000-4000-8000-00000000dead")) == (404, "not_found")
    delete(handler, f"/orders/{order_id}")
    assert refusal(delete(handler, f"/orders/{order_id}")) == (422, "order_done")


@pytest.mark.parametrize(
    "path",
    [
        "/orders/mine",
        "/orders/client:mine",
        "/orders?product_id=%00",
        "/orders?products=ACME-USD",
        "/orders/00000000-0000-4000-8000-00000000dead?x=1",
    ],
)
def test_what_cannot_be_read_is_refused(handler: Api, path: str) -> None:
    assert refusal(delete(handler, path)) == (400, "malformed")


def test_a_body_with_anything_else_in_it_is_refused(handler: Api, order_id: str) -> None:
    assert refusal(delete(handler, f"/orders/{order_id}", body={"account": BOB})) == (400, "malformed")


def test_without_a_token_nothing_is_cancelled(handler: Api, venue: MemoryVenue, order_id: str) -> None:
    for path in (f"/orders/{order_id}", f"/orders/client:{OID}", "/orders"):
        assert refusal(delete(handler, path, account=None)) == (401, "unauthenticated")
    assert venue.wallets.balance(ALICE, "USD").held > 0


@pytest.mark.parametrize("groups", [None, "[operators]", "[auditors]"])
def test_only_traders_cancel_orders(handler: Api, venue: MemoryVenue, order_id: str, groups: str | None) -> None:
    for path in (f"/orders/{order_id}", f"/orders/client:{OID}", "/orders"):
        assert refusal(call(handler, event("DELETE", path, account=ALICE, groups=groups))) == (403, "forbidden")
    assert venue.wallets.balance(ALICE, "USD").held > 0


def test_a_cancel_that_is_queued_is_answered_with_202(handler: Api, venue: MemoryVenue, order_id: str) -> None:
    answer = delete(handler, f"/orders/{order_id}", prefer="respond-async")
    assert (answer.status, answer.body) == (202, order_id)
    assert (delete(handler, "/orders", prefer="respond-async").body) == []
    assert len(venue.queue.waiting) == 2


# The dead-man switch.


def arm(handler: Api, body: object, groups: str = "traders") -> Answer:
    return call(handler, event("POST", "/orders/cancel-all-after", account=ALICE, body=body, groups=groups))


def test_a_dead_mans_switch_is_answered_with_its_time(handler: Api) -> None:
    armed = arm(handler, {"timeout": 30})
    assert armed.status == 200
    assert armed.body == {
        "current_time": "2027-01-15T08:00:00.000000Z",
        "trigger_time": "2027-01-15T08:00:30.000000Z",
    }
    assert arm(handler, {"timeout": 0}).body["trigger_time"] is None


@pytest.mark.parametrize(
    "body", [{}, {"timeout": -1}, {"timeout": 86_401}, {"timeout": "30"}, {"timeout": 1.5}], ids=str
)
def test_a_timeout_is_a_number_of_seconds_up_to_a_day(handler: Api, body: object) -> None:
    assert refusal(arm(handler, body)) == (400, "malformed")


def test_only_traders_have_one(handler: Api) -> None:
    assert refusal(arm(handler, {"timeout": 30}, groups="operators")) == (403, "forbidden")
