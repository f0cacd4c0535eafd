"""WebSocket clients that listen while the flow runs. A message's receipt time is taken before anything else."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from local.demo.failures import NotSubscribed

Json = dict[str, Any]


class Heard(msgspec.Struct, frozen=True):
    """One message and when it came, in seconds since 1970."""

    at: float
    message: Json


class Listener:
    """One WebSocket session with its subscription; `heard` grows until it is closed."""

    def __init__(self, *, name: str, url: str, token: str | None, channel: str, product_id: str) -> None:
        self.name = name
        self.heard: list[Heard] = []
        self.lost = ""  # why the venue closed the session, if it did
        self._url, self._token = url, token
        self._subscribe = {"type": "subscribe", "product_ids": [product_id], "channels": [channel]}
        # A book cannot be followed before it has begun.
        self._first = "snapshot" if channel == "level2" else "subscriptions"
        self._answered = asyncio.Event()
        self._leaving = False
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self, *, patience_s: float = 20) -> None:
        """Connect, subscribe, and go on listening. Raises NotSubscribed when no confirmation comes."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            self._socket = await connect(self._url, additional_headers=headers, max_size=2**20, proxy=None)
        except (OSError, WebSocketException) as error:
            raise NotSubscribed(f"{self.name}: the venue's WebSocket did not open: {error}") from error
        self._reader = asyncio.create_task(self._read(self._socket))
        await self._socket.send(msgspec.json.encode(self._subscribe).decode())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._answered.wait(), patience_s)
        if not self.of_type(self._first):
            said = self.heard[-1].message if self.heard else self.lost or "nothing"
            raise NotSubscribed(f"{self.name}: no {self._first} after the subscription; the venue said {said}")

    async def close(self) -> None:
        """Leave; what was heard stays."""
        self._leaving = True
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader

    def of_type(self, *types: str) -> list[Heard]:
        """Give what was heard of these message types, in order of receipt."""
        return [heard for heard in self.heard if heard.message.get("type") in types]

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for frame in socket:
                at = time.time()
                message = msgspec.json.decode(frame)
                self.heard.append(Heard(at, message))
                if message.get("type") in {self._first, "error"}:
                    self._answered.set()
        except ConnectionClosed as closed:
            self.lost = str(closed)
        if not self._leaving:
            self.lost = self.lost or f"closed with {socket.close_code} {socket.close_reason or ''}".strip()
            self._answered.set()
