"""New versions of the functions behind REST, each asked something before clients reach it.

What is asked has no effect, and takes the function as far as it goes without one: it starts, reads its secrets and asks
the stores that it lives on, with the rights that it has.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from venue_aws.patience import GATEWAY_S, once

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# The claim that says what a token is for.
_USE = "token_use"
# An account that nobody has, and an order of it.
NOBODY = "00000000-0000-4000-8000-000000000000"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A request, in whose name it is made, and the status that a healthy version answers it with."""

    method: str
    path: str
    body: Mapping[str, str] | None = None
    group: str = "traders"
    status: HTTPStatus


_BUY = {"product_id": "NO-PRODUCT", "side": "buy", "price": "1", "size": "1"}
_CREDIT = {"key": "none", "account_id": NOBODY, "currency": "NOTHING", "amount": "1"}

QUESTIONS: Mapping[str, Question] = {
    "place_order": Question(method="POST", path="/orders", body=_BUY, status=HTTPStatus.NOT_FOUND),
    "amend_order": Question(method="PATCH", path=f"/orders/{NOBODY}", body={"size": "1"}, status=HTTPStatus.NOT_FOUND),
    "cancel_order": Question(method="DELETE", path=f"/orders/{NOBODY}", status=HTTPStatus.NOT_FOUND),
    "get_orders": Question(method="GET", path=f"/orders/{NOBODY}", status=HTTPStatus.NOT_FOUND),
    "get_accounts": Question(method="GET", path="/accounts", status=HTTPStatus.OK),
    "market_data": Question(method="GET", path="/products", status=HTTPStatus.OK),
    "deposit": Question(
        method="POST", path="/deposits", body=_CREDIT, group="operators", status=HTTPStatus.UNPROCESSABLE_ENTITY
    ),
    "operate_market": Question(
        method="POST",
        path="/products/NO-PRODUCT/status",
        body={"status": "trading"},
        group="operators",
        status=HTTPStatus.NOT_FOUND,
    ),
}


class Deployments(Protocol):
    """CodeDeploy's client, as far as it is asked anything here."""

    def put_lifecycle_event_hook_execution_status(self, **told: str) -> object: ...


class Rollout:
    """`versions`: the ARN of each function's newest version, by its folder; `app`: the client tokens are made for."""

    def __init__(
        self, functions: LambdaClient, deployments: Deployments, *, versions: Mapping[str, str], app: str
    ) -> None:
        self._functions = functions
        self._deployments = deployments
        self._versions = versions
        self._app = app

    @classmethod
    def connect(cls, *, versions: Mapping[str, str], app: str) -> Rollout:
        """Make the clients; region and endpoint as the environment has them."""
        retried = Config(retries={"mode": "standard", "total_max_attempts": 5})
        functions = boto3.client("lambda", config=once(read_s=GATEWAY_S))
        deployments: Deployments = boto3.client("codedeploy", config=retried)
        return cls(functions, deployments, versions=versions, app=app)

    def try_all(self) -> dict[str, str]:
        """Ask every version. Gives what is wrong with each that did not answer as it should."""
        answers = {name: self._said(version, QUESTIONS[name]) for name, version in self._versions.items()}
        return {name: said for name, said in answers.items() if said is not None}

    def report(self, deployment: str, execution: str, *, passed: bool) -> None:
        """Tell CodeDeploy. Raises ClientError when it does not take it."""
        self._deployments.put_lifecycle_event_hook_execution_status(
            deploymentId=deployment,
            lifecycleEventHookExecutionId=execution,
            status="Succeeded" if passed else "Failed",
        )

    def _said(self, version: str, question: Question) -> str | None:
        try:
            called = self._functions.invoke(FunctionName=version, Payload=msgspec.json.encode(self._event(question)))
            answer = msgspec.json.decode(called["Payload"].read())
        except (ClientError, BotoCoreError, msgspec.DecodeError) as error:
            return str(error)
        status = answer.get("statusCode") if isinstance(answer, dict) else None
        return None if status == question.status else f"{question.status} was expected of it, not {answer}"[:500]

    def _event(self, question: Question) -> dict[str, Any]:
        """The question as API Gateway would bring it: who calls a function past the gateway vouches for the caller."""
        claims = {
            "sub": NOBODY,
            "cognito:groups": question.group,
            "aud": self._app,
            _USE: "id",
            "exp": str(int(time.time()) + 60),
        }
        return {
            "httpMethod": question.method,
            "path": question.path,
            "resource": question.path,
            "headers": {},
            "multiValueHeaders": {},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "pathParameters": None,
            "stageVariables": None,
            "body": None if question.body is None else msgspec.json.encode(question.body).decode(),
            "isBase64Encoded": False,
            "requestContext": {"requestId": str(uuid4()), "authorizer": {"claims": claims}},
        }
