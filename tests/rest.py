"""Requests as API Gateway's REST proxy hands them to a function, and answers as a client reads them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from logging import StreamHandler, getLogger
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import msgspec

from venue_aws.answers import Error
from venue_aws.api import Api, logger


class Context:
    """What Lambda tells a function about the invocation."""

    function_name = "test"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:000000000000:function:test"

    def __init__(self) -> None:
        self.aws_request_id = str(uuid4())


class Answer(msgspec.Struct, frozen=True):
    """Status, headers (lower-case names), and the decoded body."""

    status: int
    headers: dict[str, str]
    body: Any


def event(
    method: str,
    path: str,
    *,
    body: object = None,
    account: str | None = None,
    groups: str | list[str] | None = "traders",
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write a proxy event. `body`: text goes as it is, anything else as JSON; `path` may have a query.

    account None: nobody is signed in; groups None: whoever is belongs to none.
    """
    path, _, query = path.partition("?")
    parameters: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name, []).append(value)
    sent = {"Content-Type": "application/json", **(headers or {})}
    claims: dict[str, object] = {} if account is None else {"sub": account}
    if account is not None and groups is not None:
        claims["cognito:groups"] = groups
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": "request-1",
            "stage": "v1",
            "path": f"/v1{path}",
            "httpMethod": method,
            "resourcePath": path,
            "identity": {"sourceIp": "203.0.113.1"},
            **({"authorizer": {"claims": claims}} if claims else {}),
        },
        "body": text,
        "isBase64Encoded": False,
    }


def call(handler: Api, request: dict[str, Any]) -> Answer:
    """Invoke a handler and read its answer."""
    context: Any = Context()
    answer = handler(request, context)
    headers = {name.lower(): values[0] for name, values in answer["multiValueHeaders"].items()}
    assert not answer["isBase64Encoded"]
    return Answer(answer["statusCode"], headers, json.loads(answer["body"]))


@contextmanager
def log_lines() -> Iterator[list[str]]:
    """Everything that the handlers log meanwhile, a line each."""
    stream, lines = StringIO(), list[str]()
    copy = StreamHandler(stream)
    copy.setFormatter(logger.registered_formatter)
    beneath = getLogger(logger.name)
    beneath.addHandler(copy)
    try:
        yield lines
    finally:
        beneath.removeHandler(copy)
        lines += stream.getvalue().splitlines()


def refusal(answer: Answer) -> tuple[int, str]:
    """The status and code of an answer in the error form; fails for any other answer."""
    error = Error.model_validate(answer.body)
    assert (error.request_id, answer.headers["cache-control"]) == ("request-1", "no-store")
    assert (error.reject_reason is not None) == (answer.status == 422)
    assert ("retry-after" in answer.headers) == (answer.status in {429, 503})
    return answer.status, error.code
