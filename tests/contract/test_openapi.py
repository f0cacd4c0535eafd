"""docs/api/openapi.yaml says what the functions do, all of it, and nothing else."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from docs.api.generate import DOCUMENT, document, text

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    return found


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert method in METHODS
            yield path, method, operation


def test_the_document_is_what_the_code_says() -> None:
    assert DOCUMENT.read_text() == text(), "run: make api"


def test_the_text_reads_back_as_the_document(committed: dict[str, Any]) -> None:
    assert committed == document()


def test_every_route_of_the_dialect_is_there(committed: dict[str, Any]) -> None:
    assert {(method, path) for path, method, _ in operations(committed)} == {
        ("get", "/time"),
        ("get", "/currencies"),
        ("get", "/products"),
        ("get", "/products/{product_id}"),
        ("get", "/products/{product_id}/book"),
        ("get", "/products/{product_id}/ticker"),
        ("get", "/products/{product_id}/trades"),
        ("post", "/products"),
        ("post", "/products/{product_id}/status"),
        ("post", "/orders"),
        ("post", "/orders/batch"),
        ("post", "/orders/cancel-all-after"),
        ("patch", "/orders/{order_id}"),
        ("patch", "/orders/client:{client_oid}"),
        ("get", "/orders"),
        ("delete", "/orders"),
        ("get", "/orders/{order_id}"),
        ("delete", "/orders/{order_id}"),
        ("get", "/orders/client:{client_oid}"),
        ("delete", "/orders/client:{client_oid}"),
        ("get", "/products/{product_id}/candles"),
        ("get", "/products/{product_id}/stats"),
        ("get", "/fees"),
        ("get", "/fills"),
        ("get", "/accounts"),
        ("get", "/accounts/{account_id}"),
        ("get", "/accounts/{account_id}/ledger"),
        ("get", "/accounts/{account_id}/holds"),
        ("post", "/deposits"),
    }


def test_every_reference_leads_somewhere(committed: dict[str, Any]) -> None:
    for reference in re.findall(r"\$ref: '#/(.+)'", DOCUMENT.read_text()):
        node: Any = committed
        for part in reference.split("/"):
            node = node[part]
        assert node


def test_operation_ids_are_unique(committed: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(committed)]
    assert sorted(set(ids)) == sorted(ids)


def test_every_parameter_of_a_path_is_described(committed: dict[str, Any]) -> None:
    for path, _, operation in operations(committed):
        named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), path


def test_everything_but_market_data_needs_a_token(committed: dict[str, Any]) -> None:
    for path, method, operation in operations(committed):
        public = method == "get" and path.startswith(("/time", "/currencies", "/products"))
        assert operation.get("security", []) == ([] if public else [{"Cognito": []}]), path


def test_no_money_is_a_number(committed: dict[str, Any]) -> None:
    # Sequences, counts, checksums and trade ids are whole numbers; the clock's epoch is the one fraction there is.
    fractions = {
        (name, member)
        for name, schema in committed["components"]["schemas"].items()
        for member, kind in schema.get("properties", {}).items()
        if kind.get("type") == "number"
    }
    assert fractions == {("TimeView", "epoch")}


@pytest.mark.parametrize("name", ["NewOrder", "NewDeposit", "CancelScope"])
def test_what_clients_send_is_closed(committed: dict[str, Any], name: str) -> None:
    assert committed["components"]["schemas"][name]["additionalProperties"] is False
