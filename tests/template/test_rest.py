"""The REST API: who gets in, how fast, and with what body. Routes hide in the OpenAPI body that SAM writes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.template.model import STAGES, deployed, of_type

PUBLIC = {
    ("get", "/currencies"),
    ("get", "/products"),
    ("get", "/products/{id}"),
    ("get", "/products/{id}/book"),
    ("get", "/products/{id}/ticker"),
    ("get", "/products/{id}/candles"),
    ("get", "/products/{id}/stats"),
    ("get", "/products/{id}/trades"),
    ("get", "/time"),
}
PRIVATE = {
    ("delete", "/orders"),
    ("delete", "/orders/{id}"),
    ("get", "/accounts"),
    ("get", "/accounts/{id}"),
    ("get", "/accounts/{id}/holds"),
    ("get", "/accounts/{id}/ledger"),
    ("get", "/fees"),
    ("get", "/fills"),
    ("get", "/orders"),
    ("get", "/orders/{id}"),
    ("post", "/deposits"),
    ("patch", "/orders/{id}"),
    ("post", "/orders"),
    ("post", "/orders/batch"),
    ("post", "/orders/cancel-all-after"),
    ("post", "/products"),
    ("post", "/products/{id}/status"),
}


def api(stage: str) -> dict[str, Any]:
    """The one REST API's properties."""
    (found,) = of_type(deployed(stage), "AWS::ApiGateway::RestApi").values()
    return found


def routes(stage: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every (method, path, operation)."""
    for path, methods in api(stage)["Body"]["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


@pytest.mark.parametrize("stage", STAGES)
def test_the_routes_are_those_that_are_known(stage: str) -> None:
    assert {(method, path) for method, path, _ in routes(stage)} == PUBLIC | PRIVATE


@pytest.mark.parametrize("stage", STAGES)
def test_every_route_but_the_public_market_data_asks_cognito(stage: str) -> None:
    for method, path, operation in routes(stage):
        schemes = [name for requirement in operation.get("security", []) for name in requirement]
        assert schemes == ([] if (method, path) in PUBLIC else ["Cognito"]) or (
            (method, path) in PUBLIC and schemes == ["NONE"]
        ), (method, path, schemes)


@pytest.mark.parametrize("stage", STAGES)
def test_the_authorizer_is_the_user_pool(stage: str) -> None:
    scheme = api(stage)["Body"]["securityDefinitions"]["Cognito"]
    assert scheme["x-amazon-apigateway-authtype"] == "cognito_user_pools"
    authorizer = scheme["x-amazon-apigateway-authorizer"]
    assert authorizer["type"] == "cognito_user_pools"
    assert authorizer["providerARNs"] == [{"Fn::GetAtt": ["UserPool", "Arn"]}]
    assert scheme["name"] == "Authorization"
    assert scheme["in"] == "header"


@pytest.mark.parametrize("stage", STAGES)
def test_every_route_is_throttled(stage: str) -> None:
    (settings,) = [s["MethodSettings"] for s in of_type(deployed(stage), "AWS::ApiGateway::Stage").values()]
    (everything,) = [s for s in settings if (s["ResourcePath"], s["HttpMethod"]) == ("/*", "*")]
    assert 0 < everything["ThrottlingRateLimit"] <= 5_000
    assert everything["ThrottlingRateLimit"] <= everything["ThrottlingBurstLimit"] <= 5_000
    assert all(s["ThrottlingRateLimit"] > 0 for s in settings)


@pytest.mark.parametrize("stage", STAGES)
def test_every_body_has_a_model_that_is_enforced(stage: str) -> None:
    body = api(stage)["Body"]
    with_body = [(method, path, o) for method, path, o in routes(stage) if method in ("post", "put", "patch")]
    assert with_body
    for method, path, operation in with_body:
        (parameter,) = [p for p in operation["parameters"] if p["in"] == "body"]
        model = body["definitions"][parameter["schema"]["$ref"].rpartition("/")[2]]
        assert parameter["required"], (method, path)
        assert model["type"] == "object"
        assert set(model.get("required", ())) <= set(model["properties"])
        validator = body["x-amazon-apigateway-request-validators"][operation["x-amazon-apigateway-request-validator"]]
        assert validator["validateRequestBody"], (method, path)


@pytest.mark.parametrize("stage", STAGES)
def test_no_request_is_logged_with_its_body(stage: str) -> None:
    for resource in of_type(deployed(stage), "AWS::ApiGateway::Stage").values():
        assert not any(settings.get("DataTraceEnabled") for settings in resource["MethodSettings"])
        assert "requestBody" not in resource["AccessLogSetting"]["Format"]
        assert "authorization" not in resource["AccessLogSetting"]["Format"].lower()


@pytest.mark.parametrize("stage", STAGES)
def test_the_gateways_own_refusals_have_the_form_of_ours(stage: str) -> None:
    responses = api(stage)["Body"]["x-amazon-apigateway-gateway-responses"]
    assert {"UNAUTHORIZED", "BAD_REQUEST_BODY", "THROTTLED", "DEFAULT_4XX", "DEFAULT_5XX"} <= set(responses)
    for kind, response in responses.items():
        text = response["responseTemplates"]["application/json"]
        assert all(f'"{field}":' in text for field in ("message", "code", "request_id")), kind
        if response.get("statusCode") in (429, 503, 504):
            assert "gatewayresponse.header.Retry-After" in response["responseParameters"], kind
