"""@connections on the real protocol, as far as it can be met without a client: the end-to-end tests have clients."""

from typing import Any

import boto3
import pytest

from local.processes import free_port
from venue_aws.sockets import Gone, PushFailed, Sockets


@pytest.fixture
def endpoint(aws: str) -> str:
    gateway: Any = boto3.client("apigatewayv2", endpoint_url=aws)
    api = gateway.create_api(Name="stream", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.type")
    gateway.create_stage(ApiId=api["ApiId"], StageName="local", AutoDeploy=True)
    return f"{aws}/_aws/execute-api/{api['ApiId']}/local"


def test_a_connection_that_is_closed_is_gone(endpoint: str) -> None:
    with pytest.raises(Gone):
        Sockets.connect(endpoint).post("L0SM9cOFvHcCIhw=", b"{}")


def test_dropping_a_connection_that_is_closed_is_fine(endpoint: str) -> None:
    Sockets.connect(endpoint).drop("L0SM9cOFvHcCIhw=")


def test_an_endpoint_that_does_not_answer_is_no_reason_to_forget_a_client(aws: str) -> None:
    del aws  # only its credentials
    nobody = Sockets.connect(f"http://127.0.0.1:{free_port()}/local")
    with pytest.raises(PushFailed):
        nobody.post("L0SM9cOFvHcCIhw=", b"{}")
    nobody.drop("L0SM9cOFvHcCIhw=")
