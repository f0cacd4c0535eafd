"""Every route, asked by everybody: what each may do, cell by cell."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
import pytest
import yaml

from local.venue import OPERATOR
from tests.e2e.market import Market, Trader

OPENAPI = Path(__file__).parents[2] / "docs" / "api" / "openapi.yaml"
ROLES: Final = ("anonymous", "the owner", "another trader", "an operator", "an auditor")

ORDER: Final = {"product_id": "ACME-USD", "side": "buy", "price": "40", "size": "1"}


class Cell(msgspec.Struct, frozen=True):
    """One route: what is sent, and the status that each of ROLES gets.

    In a path, `{order}` is a fresh order of the owner's, `{oid}` its client_oid, `{account}` their account in USD.
    """

    statuses: tuple[int, int, int, int, int]
    path: str
    body: Callable[[Mapping[str, str]], Any] = lambda _: None


def _order(_: Mapping[str, str]) -> Any:
    return {**ORDER, "client_oid": str(uuid4())}


def _deposit(names: Mapping[str, str]) -> Any:
    return {"key": str(uuid4()), "account_id": names["owner"], "currency": "USD", "amount": "1"}


def _batch(names: Mapping[str, str]) -> Any:
    return {"orders": [_order(names)]}


def _amend(_: Mapping[str, str]) -> Any:
    return {"size": "2"}


def _switch(_: Mapping[str, str]) -> Any:
    return {"timeout": 0}


def _market(_: Mapping[str, str]) -> Any:
    increments = {"base_increment": "0.0001", "quote_increment": "0.01"}
    return {"base_currency": "BTC", "quote_currency": "USD", "maker_bps": 10, "taker_bps": 20, **increments}


def _state(_: Mapping[str, str]) -> Any:
    return {"status": "trading"}


PUBLIC: Final = (200, 200, 200, 200, 200)
OWN: Final = (401, 200, 200, 200, 200)
THEIRS: Final = (401, 200, 404, 404, 404)
TRADERS: Final = (401, 200, 200, 403, 403)
OPERATORS: Final = (401, 403, 403, 200, 403)

# The route as docs/api/openapi.yaml names it.
MATRIX: Final[dict[tuple[str, str], Cell]] = {
    ("get", "/time"): Cell(PUBLIC, "/time"),
    ("get", "/currencies"): Cell(PUBLIC, "/currencies"),
    ("get", "/products"): Cell(PUBLIC, "/products"),
    ("get", "/products/{product_id}"): Cell(PUBLIC, "/products/ACME-USD"),
    ("get", "/products/{product_id}/book"): Cell(PUBLIC, "/products/ACME-USD/book"),
    ("get", "/products/{product_id}/ticker"): Cell(PUBLIC, "/products/ACME-USD/ticker"),
    ("get", "/products/{product_id}/trades"): Cell(PUBLIC, "/products/ACME-USD/trades"),
    ("get", "/products/{product_id}/candles"): Cell(PUBLIC, "/products/ACME-USD/candles"),
    ("get", "/products/{product_id}/stats"): Cell(PUBLIC, "/products/ACME-USD/stats"),
    ("post", "/products"): Cell(OPERATORS, "/products", _market),
    ("post", "/products/{product_id}/status"): Cell(OPERATORS, "/products/ACME-USD/status", _state),
    ("post", "/orders/batch"): Cell(TRADERS, "/orders/batch", _batch),
    ("post", "/orders/cancel-all-after"): Cell(TRADERS, "/orders/cancel-all-after", _switch),
    ("patch", "/orders/{order_id}"): Cell((401, 200, 404, 403, 403), "/orders/{order}", _amend),
    ("patch", "/orders/client:{client_oid}"): Cell((401, 200, 404, 403, 403), "/orders/client:{oid}", _amend),
    ("get", "/fees"): Cell(OWN, "/fees"),
    ("post", "/orders"): Cell(TRADERS, "/orders", _order),
    ("get", "/orders"): Cell(OWN, "/orders"),
    ("get", "/orders/{order_id}"): Cell(THEIRS, "/orders/{order}"),
    ("get", "/orders/client:{client_oid}"): Cell(THEIRS, "/orders/client:{oid}"),
    ("delete", "/orders/{order_id}"): Cell((401, 200, 404, 403, 403), "/orders/{order}"),
    ("delete", "/orders/client:{client_oid}"): Cell((401, 200, 404, 403, 403), "/orders/client:{oid}"),
    ("delete", "/orders"): Cell(TRADERS, "/orders"),
    ("get", "/fills"): Cell(OWN, "/fills"),
    ("get", "/accounts"): Cell(OWN, "/accounts"),
    ("get", "/accounts/{account_id}"): Cell(THEIRS, "/accounts/{account}"),
    ("get", "/accounts/{account_id}/holds"): Cell(THEIRS, "/accounts/{account}/holds"),
    ("get", "/accounts/{account_id}/ledger"): Cell(THEIRS, "/accounts/{account}/ledger"),
    ("post", "/deposits"): Cell(OPERATORS, "/deposits", _deposit),
}


def test_no_route_is_missing_from_the_matrix() -> None:
    paths = yaml.safe_load(OPENAPI.read_text())["paths"]
    assert set(MATRIX) == {(method, path) for path, methods in paths.items() for method in methods}


@pytest.fixture(scope="module")
def everybody(market: Market) -> dict[str, Trader]:
    """One client for each role; the owner and the other trader have money."""
    market.venue.people.add("an-auditor", group="auditors")
    return {
        "anonymous": market.nobody,
        "the owner": market.open_account("an-owner", USD="100000"),
        "another trader": market.open_account("another-trader", USD="100000"),
        "an operator": market.client(token=market.venue.token(OPERATOR)),
        "an auditor": market.client(token=market.venue.token("an-auditor")),
    }


@pytest.fixture
def names(everybody: dict[str, Trader]) -> dict[str, str]:
    """What is the owner's and nobody else's: a fresh order, and the account in USD."""
    owner, oid = everybody["the owner"], str(uuid4())
    placed = owner.place("buy", "1", "40", client_oid=oid)
    [usd] = [each["id"] for each in owner.call("GET", "/accounts").body if each["currency"] == "USD"]
    return {"order": placed.id, "oid": oid, "account": usd, "owner": owner.account}


@pytest.mark.venue
@pytest.mark.parametrize(("method", "route"), MATRIX)
@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_it_may(
    everybody: dict[str, Trader], names: dict[str, str], role: str, method: str, route: str
) -> None:
    cell = MATRIX[method, route]
    answer = everybody[role].call(method.upper(), cell.path.format(**names), body=cell.body(names))
    assert answer.status == cell.statuses[ROLES.index(role)], answer
