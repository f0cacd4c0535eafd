"""The HTTP server: uvicorn on httptools, with nothing that costs time on every request."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CONNECTIONS_MAX: Final = 4096
# Callers keep their connections; a frozen Lambda is away for longer than uvicorn's own five seconds.
KEEP_ALIVE_S: Final = 75


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

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))


class _Protocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", _Gathering(transport, self.loop)))


def http_server(app: ASGIApp, *, host: str, port: int) -> Server:
    """Build the server; `serve()` runs it until `should_exit` is set."""
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=_Protocol,
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
