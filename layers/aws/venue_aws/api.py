"""What all REST functions share: routing, who is asking, one form of error, one line of log for each call."""

import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import msgspec
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from aws_lambda_powertools.utilities.typing import LambdaContext

from venue.errors import Forbidden, Malformed, NotFound, TooLarge, Unauthenticated, VenueError
from venue_aws import correlation
from venue_aws.answers import error_body
from venue_aws.wiring import settings

# Far more than any order needs; API Gateway itself would let 10 MB through.
BODY_CHARACTERS_MAX = 16_384

# As the WebSocket's door (venue_aws.tokens), and below what API Gateway takes for all headers together.
TOKEN_BYTES_MAX = 8_192

JSON = "application/json"

logger = Logger(serialize_stacktrace=False)
# Answers are left out of the trace: they carry what is only their owner's business.
tracer = Tracer(auto_patch=False)
metrics = Metrics(namespace="Venue")


class Api:
    """A function's routes, as a Lambda handler. Register routes on `app`; what they raise becomes the error form."""

    def __init__(self, *, cache_control: str = "no-store") -> None:
        """`cache_control`: what a success tells the edge; an error is never kept."""
        self.app = APIGatewayRestResolver(
            enable_validation=True,
            json_body_deserializer=_read_object,
            response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
        )
        self._cache_control = cache_control
        self._failure: Exception | None = None
        self._told: dict[str, object] = {}
        self.app.use(middlewares=[_follow, _refuse_unknown_parameters])
        self.app.exception_handler(VenueError)(self._refused)
        self.app.exception_handler(RequestValidationError)(self._malformed)
        self.app.exception_handler(UnicodeDecodeError)(self._unreadable)
        self.app.exception_handler(NotFoundError)(self._no_route)
        self.app.exception_handler(Exception)(self._failed)
        traced = tracer.capture_lambda_handler(self._serve, capture_response=False)
        self._handle = logger.inject_lambda_context(traced, correlation_id_path="requestContext.requestId")

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one request of API Gateway's REST proxy."""
        answer: dict[str, Any] = self._handle(event, context)
        return answer

    def tell(self, **fields: object) -> None:
        """Add fields to the request's line of log, and what it was about to its trace."""
        self._told |= fields
        if isinstance(order := fields.get("order_id"), str):
            tracer.put_annotation("order_id", order)

    def _serve(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        started = time.perf_counter()
        self._failure, self._told = None, {}
        correlation.followed.set(None)
        answer = self.app.resolve(_readable(event), context)
        status = int(answer["statusCode"])
        answer["statusCode"] = status
        kept = self._cache_control if status < HTTPStatus.BAD_REQUEST else "no-store"
        answer["multiValueHeaders"]["Cache-Control"] = [kept]
        if followed := correlation.followed.get():
            answer["multiValueHeaders"][correlation.HEADER] = [followed]
        self._log(event, status, (time.perf_counter() - started) * 1000)
        if metrics.metric_set:
            metrics.flush_metrics()
        return answer

    def _log(self, event: Mapping[str, Any], status: int, elapsed_ms: float) -> None:
        line: dict[str, object] = {
            "method": event.get("httpMethod"),
            "route": event.get("resource"),
            "status": status,
            "ms": round(elapsed_ms, 1),
            "request_id": (event.get("requestContext") or {}).get("requestId"),
        }
        failure = self._failure
        line |= self._told
        if isinstance(failure, VenueError):
            line["error"] = failure.code
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("answered", extra=line, exc_info=failure)
        else:
            logger.info("answered", extra=line)

    def _refused(self, error: VenueError) -> Response[Any]:
        self._failure = error
        body = error_body(error, self.app.current_event.request_context.request_id)
        headers: dict[str, str | list[str]] = {}
        if error.retryable:
            headers["Retry-After"] = str(error.retry_after_s or 1)
        return Response(error.status, content_type=JSON, body=json.dumps(body), headers=headers)

    def _malformed(self, error: RequestValidationError) -> Response[Any]:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"]]
        # The first part says where (body, query, path); a union's branches come after the field's name.
        field = place[1] if len(place) > 1 else place[0]
        return self._refused(Malformed(f"{field}: {_reason(first)}", field=field))

    def _unreadable(self, error: UnicodeDecodeError) -> Response[Any]:
        del error
        return self._refused(Malformed("body: not UTF-8", field="body"))

    def _no_route(self, error: NotFoundError) -> Response[Any]:
        del error
        return self._refused(NotFound("there is nothing at this address"))

    def _failed(self, error: Exception) -> Response[Any]:
        answer = self._refused(VenueError("something went wrong here; the outcome is unknown"))
        self._failure = error
        return answer


def caller(event: APIGatewayProxyEvent) -> str:
    """Who is asking: the account (Cognito `sub`), from the authorizer and nowhere else. Raises Unauthenticated."""
    claims = _claims(event)
    account = claims.get("sub")
    if not isinstance(account, str) or not account or not _is_for(claims, settings().user_pool_client_id):
        raise Unauthenticated("a valid token is needed")
    if len(event.headers.get("authorization", "")) > TOKEN_BYTES_MAX:
        raise Unauthenticated("the token is too long")
    return account


def trader(event: APIGatewayProxyEvent) -> str:
    """Who is asking, when they may trade: the account. Raises Unauthenticated, Forbidden outside `traders`."""
    account = caller(event)
    require_group(event, "traders")
    return account


def require_group(event: APIGatewayProxyEvent, group: str) -> None:
    """Raise Forbidden unless the caller is in this Cognito group."""
    groups = _claims(event).get("cognito:groups", "")
    # API Gateway hands a list claim over as text: "a,b" from some authorizers, "[a b]" from others.
    names = groups if isinstance(groups, list) else str(groups).strip("[]").replace(",", " ").split()
    if group not in names:
        raise Forbidden(f"only {group} may do this")


def wants_to_wait(event: APIGatewayProxyEvent) -> bool:
    """Whether the client wants the outcome in this answer (RFC 7240: `Prefer: respond-async` says no)."""
    preferences = event.headers.get("prefer", "").lower().split(",")
    return "respond-async" not in {preference.strip() for preference in preferences}


def answered[Body](body: Body, *, pending: bool = False, headers: Mapping[str, str] | None = None) -> Response[Body]:
    """A success: 200, or 202 while the outcome is still to come."""
    status = HTTPStatus.ACCEPTED if pending else HTTPStatus.OK
    return Response(status.value, content_type=JSON, body=body, headers=dict(headers or {}))


def answered_id(order_id: str, *, pending: bool = False) -> Response[str]:
    """A success that is told with nothing but an id, as a JSON string."""
    return answered(json.dumps(order_id), pending=pending)


def count(name: str) -> None:
    """Count a business event in CloudWatch."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


def page_headers(cursors: list[str]) -> dict[str, str]:
    """CB-BEFORE and CB-AFTER for a page, from the cursors of its items."""
    return {"CB-BEFORE": cursors[0], "CB-AFTER": cursors[-1]} if cursors else {}


def _is_for(claims: Mapping[str, Any], client: str | None) -> bool:
    """Whether the token was made for this client, to be used here, and ends.

    API Gateway's authorizer knows pools but no clients, so it lets the pool's tokens for others in. client: None where
    there is no pool, in tests of a function alone; the template gives it to every function.
    """
    if client is None:
        return True
    made_for = {"id": "aud", "access": "client_id"}.get(str(claims.get("token_use")))
    return made_for is not None and claims.get(made_for) == client and "exp" in claims


def _claims(event: APIGatewayProxyEvent) -> Mapping[str, Any]:
    authorizer = event.raw_event.get("requestContext", {}).get("authorizer") or {}
    claims = authorizer.get("claims")
    return claims if isinstance(claims, Mapping) else {}


def _readable(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event as the router should see it."""
    # Whatever its label, a body is read as JSON: curl calls every body a form.
    headers = {**(event.get("headers") or {}), "content-type": JSON}
    # Some clients write the colon of client:<oid> as %3A.
    return {**event, "headers": headers, "path": unquote(event["path"])}


def _read_object(text: str) -> dict[str, Any]:
    """Decode a request's JSON object. Raises TooLarge, Malformed."""
    if len(text) > BODY_CHARACTERS_MAX:
        raise TooLarge(f"body: longer than {BODY_CHARACTERS_MAX} characters")
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise Malformed("body: not a JSON object", field="body") from error


def _follow(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    given = app.current_event.headers.get(correlation.HEADER.lower())
    if given is not None:
        correlation.followed.set(correlation.read(given))
        logger.set_correlation_id(given)
    return next_middleware(app)


def _refuse_unknown_parameters(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    known = {name for param in app.context["_route"].dependant.query_params for name in _names(param)}
    for name in app.current_event.query_string_parameters:
        if name not in known:
            raise Malformed(f"{name}: no such parameter here", field=name)
    return next_middleware(app)


def _names(param: Any) -> list[str]:
    model = getattr(param.type_, "model_fields", None)
    return [param.alias] if model is None else list(model)


def _reason(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "no such field here"
    text = str(error.get("msg", "not valid")).removeprefix("Value error, ")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
