"""Bad input is answered with a clear 4xx in the API's own form, holds nothing and loses nothing."""

import base64
from collections.abc import Callable
from uuid import uuid4

import msgspec
import pytest

from tests.e2e.market import Answer, Market, Trader

pytestmark = pytest.mark.venue

OpenAccount = Callable[..., Trader]

GOOD = {"product_id": "ACME-USD", "side": "buy", "price": "40", "size": "1"}

BAD_ORDERS: dict[str, tuple[object, int, str]] = {
    "malformed JSON": ('{"product_id": "ACME-USD", ', 400, "malformed"),
    "an array": ("[1, 2]", 400, "malformed"),
    "nothing": ("", 400, "malformed"),
    "bytes that are not text": (b"\xff\xfe\x00", 400, "malformed"),
    "no side": ({"product_id": "ACME-USD", "price": "40", "size": "1"}, 400, "malformed"),
    "a number for the size": ({**GOOD, "size": 1}, 400, "malformed"),
    "a list for the price": ({**GOOD, "price": ["40"]}, 400, "malformed"),
    "an unknown side": ({**GOOD, "side": "hold"}, 400, "malformed"),
    "an unknown field": ({**GOOD, "leverage": "100"}, 400, "malformed"),
    "an unknown product": ({**GOOD, "product_id": "NOPE-USD"}, 404, "unknown_product"),
    "a price off the tick": ({**GOOD, "price": "40.001"}, 400, "malformed"),
    "a size off the lot": ({**GOOD, "size": "1.5"}, 400, "malformed"),
    "a negative size": ({**GOOD, "size": "-1"}, 400, "malformed"),
    "a size of zero": ({**GOOD, "size": "0"}, 400, "malformed"),
    "a price of NaN": ({**GOOD, "price": "NaN"}, 400, "malformed"),
    "a bare NaN": ('{"product_id": "ACME-USD", "side": "buy", "price": NaN, "size": "1"}', 400, "malformed"),
    "an infinite price": ({**GOOD, "price": "1e999"}, 400, "malformed"),
    "ten megabytes": ({**GOOD, "client_oid": "a" * 10_000_000}, 413, "too_large"),
    "a client_oid that is no UUID": ({**GOOD, "client_oid": "mine"}, 400, "malformed"),
    "more than the wallet has": ({**GOOD, "size": "1000000"}, 422, "insufficient_funds"),
    "a sale of what is not there": ({**GOOD, "side": "sell"}, 422, "insufficient_funds"),
}


def assert_refused(answer: Answer, status: int, code: str) -> None:
    """The API's error form: a message for people, a stable code, the request's id."""
    assert (answer.status, answer.body["code"]) == (status, code), answer
    assert answer.body["message"]
    assert answer.body["request_id"]


@pytest.fixture(scope="module")
def poor(market: Market) -> Trader:
    """A trader with a hundred dollars."""
    return market.open_account("poor", USD="100")


@pytest.mark.parametrize("what", BAD_ORDERS)
def test_a_bad_order_is_refused_and_holds_nothing(poor: Trader, what: str) -> None:
    body, status, code = BAD_ORDERS[what]
    assert_refused(poor.call("POST", "/orders", body=body), status, code)
    assert poor.balances() == {"USD": ("100.00000000", "0.00000000")}


def _with_other_claims(token: str) -> str:
    header, payload, signature = token.split(".")
    claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=="))
    forged = base64.urlsafe_b64encode(msgspec.json.encode({**claims, "sub": str(uuid4())})).decode().rstrip("=")
    return f"{header}.{forged}.{signature}"


def _without_signature(token: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


FORGERIES: dict[str, Callable[[str], str]] = {
    "no token": lambda _: "",
    "no JWT at all": lambda _: "let-me-in",
    "a changed signature": lambda token: token[:-8] + "AAAAAAAA",
    "another account's claims": _with_other_claims,
    "no signature": _without_signature,
}


@pytest.mark.parametrize("how", FORGERIES)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/orders"), ("DELETE", "/orders/x"), ("GET", "/accounts"), ("POST", "/deposits")]
)
def test_a_forged_token_opens_no_route(market: Market, poor: Trader, method: str, path: str, how: str) -> None:
    assert poor.token
    forged = FORGERIES[how](poor.token)
    headers = {"Authorization": f"Bearer {forged}"} if forged else {}
    body = GOOD if method == "POST" else None
    assert_refused(market.nobody.call(method, path, headers=headers, body=body), 401, "unauthenticated")


def test_market_data_need_no_token(market: Market) -> None:
    assert market.nobody.call("GET", "/products").status == 200


def test_another_accounts_order_is_not_there(trader: OpenAccount, poor: Trader) -> None:
    owner = trader(USD="100")
    order_id = owner.place("buy", "1", "41").id
    for method in ("GET", "DELETE"):
        assert_refused(poor.call(method, f"/orders/{order_id}"), 404, "not_found")
        assert_refused(poor.call(method, f"/orders/{uuid4()}"), 404, "not_found")
    assert owner.order(order_id)["status"] == "open"
    assert owner.call("DELETE", f"/orders/{order_id}").status == 200


def test_a_client_oid_names_one_order_only(market: Market, trader: OpenAccount) -> None:
    buyer, oid = trader(USD="100"), str(uuid4())
    first = buyer.place("buy", "1", "42", client_oid=oid)
    held = buyer.balances()
    assert_refused(buyer.place("buy", "2", "42", client_oid=oid), 409, "conflict")
    assert buyer.balances() == held
    assert buyer.call("DELETE", f"/orders/{first.id}").status == 200
    market.assert_books_balance()


def test_a_trader_cannot_deposit(poor: Trader) -> None:
    body = {"key": str(uuid4()), "account_id": poor.account, "currency": "USD", "amount": "1"}
    assert_refused(poor.call("POST", "/deposits", body=body), 403, "forbidden")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("PUT", "/orders"), ("GET", "/orders/x/y")])
def test_an_unknown_route_is_not_found(poor: Trader, method: str, path: str) -> None:
    assert_refused(poor.call(method, path), 404, "not_found")
