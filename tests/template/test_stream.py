"""The WebSocket API: who may open a socket, and how fast anyone may send."""

import pytest

from tests.template.model import STAGES, deployed, of_type


@pytest.mark.parametrize("stage", STAGES)
def test_a_socket_opens_through_the_authorizer_only(stage: str) -> None:
    routes = {route["RouteKey"]: route for route in of_type(deployed(stage), "AWS::ApiGatewayV2::Route").values()}
    assert set(routes) == {"$connect", "$disconnect", "$default"}
    assert routes["$connect"]["AuthorizationType"] == "CUSTOM"
    authorizers = of_type(deployed(stage), "AWS::ApiGatewayV2::Authorizer")
    authorizer = authorizers[routes["$connect"]["AuthorizerId"]["Ref"]]
    assert authorizer["AuthorizerType"] == "REQUEST"
    assert "AuthorizeStream" in str(authorizer["AuthorizerUri"])


@pytest.mark.parametrize("stage", STAGES)
def test_every_socket_route_is_throttled(stage: str) -> None:
    (resource,) = of_type(deployed(stage), "AWS::ApiGatewayV2::Stage").values()
    settings = resource["DefaultRouteSettings"]
    assert 0 < settings["ThrottlingRateLimit"] <= 5_000
    assert 0 < settings["ThrottlingBurstLimit"] <= 5_000
    assert settings["DataTraceEnabled"] is False


@pytest.mark.parametrize("stage", STAGES)
def test_only_this_api_may_call_the_functions_behind_it(stage: str) -> None:
    permissions = of_type(deployed(stage), "AWS::Lambda::Permission")
    assert permissions
    for name, permission in permissions.items():
        if permission["Principal"] in {"events.amazonaws.com", "secretsmanager.amazonaws.com"}:
            continue  # clocks', see test_functions.py and test_stores.py
        assert permission["Principal"] == "apigateway.amazonaws.com", name
        assert "RestApi" in str(permission["SourceArn"]) or "StreamApi" in str(permission["SourceArn"]), name
