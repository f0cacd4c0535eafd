"""HTTP: POST /shards/<n>/commands, and what a load balancer and an operator ask. The sequencer does the work.

With one order a request every layer in between shows: commands take the server's shortcut where they can, and otherwise
go to a bare ASGI application inside Starlette. Both say the same.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from matcher.shell.errors import MatcherError, UnknownShard
from matcher.shell.request import BODY_BYTES_MAX, Unreadable, read_many, read_one
from matcher.shell.sequencer import Sequencer
from matcher.shell.server import Answer
from venue.commands import AnyCommand
from venue_aws import correlation

log = logging.getLogger("matcher.intake")

_encode = msgspec.json.Encoder().encode

_FOLLOWED: Final = correlation.HEADER.lower().encode()
# A path of the shortcut; what is written otherwise goes by Starlette's routes.
_COMMANDS: Final = re.compile(r"/shards/([0-9]{1,9})/commands").fullmatch


class Service(Protocol):
    """Who serves: the sequencers of the shards that this process owns."""

    def sequencer(self, shard: int) -> Sequencer:
        """Give a shard's. Raises Refused when this process does not own it, UnknownShard when nobody could."""
        ...

    def check(self) -> None:
        """Raise MatcherError unless this process owns a shard and all is well with the others too."""
        ...

    def warm(self) -> None:
        """Raise MatcherError until this process could take over any shard with next to nothing to read."""
        ...

    async def state(self, shard: int, *, digest: bool = False) -> dict[str, Any]:
        """Where a shard stands here, for operators. `digest`: with a digest of its books, which costs time."""
        ...


class Intake:
    """One command or an array of them; answered after the journal has them. The server's Shortcut for them, too."""

    def __init__(self, sequencer: Callable[[int], Sequencer]) -> None:
        self._sequencer = sequencer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body") or len(body) > BODY_BYTES_MAX:
            whole = await _rest(body, receive)
            if whole is None:
                await _send(send, Answer(413, _problem("too_large", f"a body has at most {BODY_BYTES_MAX} bytes")))
                return
            body = whole
        outcome = self.submit(scope["path_params"]["shard"], scope["headers"], body)
        with suppress(Unreadable, MatcherError):
            await outcome
        await _send(send, self.answer(outcome))

    def take(self, scope: Scope, body: bytes) -> asyncio.Future[bytes] | None:
        """Put in line what a request brings, as Shortcut promises; None for one to somewhere else, or too large."""
        found = _COMMANDS(scope["path"]) if scope["method"] == "POST" and len(body) <= BODY_BYTES_MAX else None
        return None if found is None else self.submit(int(found[1]), scope["headers"], body)

    def submit(self, shard: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> asyncio.Future[bytes]:
        """Put the body's commands in line. The future gives the outcomes, or Unreadable or MatcherError."""
        try:
            sequencer = self._sequencer(shard)
            is_one = body[:1] == b"{"
            commands = [read_one(body)] if is_one else read_many(body)
            for name, value in headers:
                if name == _FOLLOWED:
                    tell(value.decode("ascii", "replace")[:64], commands)
            return sequencer.submit(commands[0]) if is_one else sequencer.submit_all(commands)
        except (Unreadable, MatcherError) as error:
            refused: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    def answer(self, outcome: asyncio.Future[bytes]) -> Answer:
        """Give the answer for what `submit` gave, once that is done."""
        match outcome.exception():
            case None:
                return Answer(200, outcome.result())
            case Unreadable() as error:
                return Answer(400, _problem("malformed", str(error)))
            case UnknownShard() as error:
                return Answer(404, _problem(error.code, str(error)))
            case MatcherError() as error:
                return Answer(503, _problem(error.code, str(error)), retry=True)
            case error:
                raise error


def tell(followed: str, commands: Sequence[AnyCommand]) -> None:
    """Write a line for commands whose client follows them; there is none for any other."""
    orders = [order for command in commands if (order := getattr(command, "order_id", None))]
    log.info("commands_taken", extra={"correlation_id": followed, "orders": orders})


async def _rest(body: bytes, receive: Receive) -> bytes | None:
    """Read the body to its end; None when it is too large."""
    chunks, size = [body], len(body)
    while size <= BODY_BYTES_MAX:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if not message.get("more_body"):
            break
    return b"".join(chunks) if size <= BODY_BYTES_MAX else None


def _problem(code: str, message: str) -> bytes:
    return _encode({"code": code, "message": message})


async def _send(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers()})
    await send({"type": "http.response.body", "body": answer.body})


def application(service: Service) -> Starlette:
    """Build the ASGI application."""

    async def live(_: Request) -> Response:
        return Response(b'{"live":true}', media_type="application/json")

    async def ready(_: Request) -> Response:
        return _verdict(service.check)

    async def warm(_: Request) -> Response:
        return _verdict(service.warm, b'{"warm":true}')

    async def shard_ready(request: Request) -> Response:
        return _verdict(partial(service.sequencer, request.path_params["shard"]))

    async def state(request: Request) -> Response:
        digest = request.query_params.get("digest") == "1"
        try:
            found = await service.state(request.path_params["shard"], digest=digest)
        except UnknownShard as error:
            return Response(_problem(error.code, str(error)), 404, media_type="application/json")
        except MatcherError as error:  # it stepped down while it looked
            return _unavailable(error)
        return Response(_encode(found), media_type="application/json")

    return Starlette(
        routes=[
            Route("/shards/{shard:int}/commands", Intake(service.sequencer), methods=["POST"]),
            Route("/shards/{shard:int}/ready", shard_ready),
            Route("/shards/{shard:int}/state", state),
            Route("/live", live),
            Route("/ready", ready),
            Route("/warm", warm),
        ]
    )


def _verdict(check: Callable[[], object], good: bytes = b'{"ready":true}') -> Response:
    try:
        check()
    except MatcherError as error:
        return _unavailable(error)
    return Response(good, media_type="application/json")


def _unavailable(error: MatcherError) -> Response:
    return Response(_problem(error.code, str(error)), 503, {"retry-after": "1"}, "application/json")
