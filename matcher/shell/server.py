"""The HTTP server: uvicorn on httptools, without what costs time on every request, and a shortcut for most of them."""

import asyncio
import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, Protocol, cast

import msgspec
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

CONNECTIONS_MAX: Final = 4096
# Callers keep their connections; a frozen Lambda is away for longer than uvicorn's own five seconds.
KEEP_ALIVE_S: Final = 75


class Answer(msgspec.Struct, frozen=True):
    """What a request is answered with: a JSON body, and whether to come again in a second."""

    status: int
    body: bytes
    retry: bool = False

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Give its headers."""
        found = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self.body))]
        return [*found, (b"retry-after", b"1")] if self.retry else found


class Shortcut(Protocol):
    """Answers requests that came whole, without ASGI: no task, no messages, no routes."""

    def take(self, scope: Scope, body: bytes) -> asyncio.Future[bytes] | None:
        """Begin with a request; None leaves it to the ASGI application."""

    def answer(self, outcome: asyncio.Future[bytes]) -> Answer:
        """Give the answer for what `take` gave, once that is done."""
        ...


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the matcher drains first, and then stops the server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the matcher."""
        yield


class _Gathering:
    """A transport that sends what is written within one turn of the loop as one packet.

    uvicorn writes the head and the body of an answer one after the other, and uvloop makes a system call of each:
    together they would take a third of the matcher's time.
    """

    __slots__ = ("_loop", "_parts", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        # Asked for with every answer.
        self.is_closing = transport.is_closing
        self._loop = loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def send(self, data: bytes) -> None:
        """Write what is whole by itself."""
        if self._parts:
            self._flush()
        self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        # Of requests that were sent ahead, uvicorn tells only the last that its client is gone.
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))


class _Protocol(HttpToolsProtocol):
    transport: Any  # a _Gathering

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", _Gathering(transport, self.loop)))


class _ShortProtocol(_Protocol):
    """A request that came whole in one read goes by the shortcut, where that takes it.

    Everything around it stays uvicorn's: parsing, limits, requests that are sent ahead, keep-alive, closing.
    """

    def __init__(self, *arguments: Any, shortcut: Shortcut, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._shortcut = shortcut
        self._is_fed = False
        # The request that is being read just now.
        self._reading: RequestResponseCycle | None = None

    def data_received(self, data: bytes) -> None:
        self._is_fed = True
        super().data_received(data)
        self._is_fed = False
        if self._reading is not None:
            cycle, self._reading = self._reading, None
            super()._start_asgi_task(cycle, self.app)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._reading is not None:
            cycle, self._reading = self._reading, None
            self._start(cycle)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if app is not self.app or cycle.waiting_for_100_continue or self.flow.write_paused:
            super()._start_asgi_task(cycle, app)
        elif not cycle.more_body:
            self._start(cycle)
        elif self._is_fed:
            self._reading = cycle
        else:
            super()._start_asgi_task(cycle, app)

    def _start(self, cycle: RequestResponseCycle) -> None:
        """Begin with a request whose body is all there."""
        try:
            outcome = self._shortcut.take(cast("Scope", cycle.scope), bytes(cycle.body))
        except Exception as error:  # as of an application: uvicorn logs it, answers 500 and closes
            super()._start_asgi_task(cycle, partial(_fail, error))
            return
        if outcome is None:
            super()._start_asgi_task(cycle, self.app)
        else:
            outcome.add_done_callback(partial(self._answer, cycle))

    def _answer(self, cycle: RequestResponseCycle, outcome: asyncio.Future[bytes]) -> None:
        try:
            answer = self._shortcut.answer(outcome)
        except Exception as error:
            super()._start_asgi_task(cycle, partial(_fail, error))
            return
        if cycle.disconnected or self.transport.is_closing():
            return
        cycle.response_started = cycle.response_complete = True
        self.transport.send(_message(answer, keep_alive=cycle.keep_alive))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


async def _fail(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """An application that fails in this way."""
    del scope, receive, send
    raise error


# The head of nearly every answer.
_GOOD: Final = STATUS_LINE[200] + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


def _message(answer: Answer, *, keep_alive: bool) -> bytes:
    """The answer as it goes over the wire."""
    if answer.status == 200 and keep_alive:
        return _GOOD % (len(answer.body), answer.body)
    headers = answer.headers() if keep_alive else [*answer.headers(), (b"connection", b"close")]
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    return b"%b%b\r\n%b" % (STATUS_LINE[answer.status], lines, answer.body)


def http_server(app: ASGIApp, *, shortcut: Shortcut | None = None, host: str, port: int) -> Server:
    """Build the server; `serve()` runs it until `should_exit` is set."""
    protocol = _Protocol if shortcut is None else cast("type[_Protocol]", partial(_ShortProtocol, shortcut=shortcut))
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=KEEP_ALIVE_S,
            backlog=CONNECTIONS_MAX,
        )
    )
