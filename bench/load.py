"""A load generator that costs little: prebuilt requests over kept-alive sockets, one in flight per connection.

Run as its own process, with a JSON of Load on stdin; it writes a JSON of Measured to stdout.
"""

import asyncio
import random
import sys
import time
from collections.abc import Iterator
from itertools import batched
from typing import cast
from uuid import UUID

import msgspec
import uvloop

from venue import wire
from venue.commands import PlaceOrder
from venue.holds import hold_for
from venue.orders import Side
from venue.products import Product

_DONE_WAIT_S = 5
_MID = 1_000_000
# So many that none comes near the open orders that it may have.
_ACCOUNTS = 256


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: at most `requests` in at most `seconds`, over so many connections. `seed` makes it repeatable.

    orders_each: how many orders a request brings, as an array where it is more than one. rate: requests a second at
    most; None for as fast as they are answered.
    """

    port: int
    connections: int
    seconds: float
    requests: int
    seed: int
    products: list[Product]
    orders_each: int = 1
    rate: float | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: requests that were answered, orders that were taken on. Latencies in ms, until the last byte."""

    answered: int
    accepted: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_share: float


def requests(load: Load) -> list[bytes]:
    """The requests as they go over the wire."""
    bodies = _orders(load)
    if load.orders_each > 1:
        bodies = (b"[%b]" % b",".join(each) for each in batched(bodies, load.orders_each, strict=True))
    head = b"POST /shards/0/commands HTTP/1.1\r\nhost: matcher\r\ncontent-type: application/json\r\ncontent-length: "
    return [b"%b%d\r\n\r\n%b" % (head, len(body), body) for body in bodies]


def _orders(load: Load) -> Iterator[bytes]:
    """Limit orders of several accounts around one price; about a third of them cross what rests."""
    chance = random.Random(load.seed)
    for _ in range(load.requests * load.orders_each):
        product = chance.choice(load.products)
        side: Side = chance.choice(("buy", "sell"))
        away = chance.randint(-4, 30)
        order = PlaceOrder(
            order_id=str(UUID(int=chance.getrandbits(128), version=4)),
            account=f"account-{chance.randrange(_ACCOUNTS):03}-0f4e9d536e1d",
            product_id=product.id,
            side=side,
            price=_MID - away if side == "buy" else _MID + away,
            size=chance.randint(1, 200),
            maker_bps=product.maker_bps,
            taker_bps=product.taker_bps,
        )
        yield wire.encode(msgspec.structs.replace(order, hold=hold_for(order, product)))


class _Run:
    """The requests that are left, and what was measured so far."""

    def __init__(self, requests: list[bytes], *, rate: float | None) -> None:
        self.requests = requests
        self.spacing = 1 / rate if rate is not None else 0.0
        self.next = self.ends = 0.0
        self.latencies: list[float] = []
        self.accepted = 0
        self.busy = 0
        self.done = asyncio.Event()


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not subclasses
        self._run.busy += 1
        self._next()

    def data_received(self, data: bytes) -> None:
        answer = self._buffer + data
        head = answer.find(b"\r\n\r\n")
        length = answer.find(b"content-length: ")
        if head < 0 or len(answer) < head + 4 + int(answer[length + 16 : answer.index(b"\r", length)]):
            self._buffer = answer
            return
        self._buffer = b""
        run = self._run
        now = time.perf_counter()
        run.latencies.append(now - self._sent)
        if answer.startswith(b"HTTP/1.1 200"):
            run.accepted += answer.count(b'"refused":null,"replayed":false')
        if now < run.ends and run.requests:
            self._next()
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._run.busy -= 1
        if not self._run.busy:
            self._run.done.set()

    def _next(self) -> None:
        run = self._run
        run.next += run.spacing
        wait = run.next - time.perf_counter() if run.spacing else 0.0
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._send)
        else:
            self._send()

    def _send(self) -> None:
        if not self._run.requests:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(self._run.requests.pop())


async def fire(load: Load) -> Measured:
    """Send it all, and wait for the answers."""
    run = _Run(requests(load), rate=load.rate)
    loop = asyncio.get_running_loop()
    started, cpu = time.perf_counter(), time.process_time()
    run.next, run.ends = started, started + load.seconds
    for _ in range(load.connections):
        await loop.create_connection(lambda: _Connection(run), "127.0.0.1", load.port)
    async with asyncio.timeout(load.seconds + _DONE_WAIT_S):
        await run.done.wait()
    seconds = time.perf_counter() - started
    ms = sorted(latency * 1000 for latency in run.latencies)
    return Measured(
        answered=len(ms),
        accepted=run.accepted,
        seconds=seconds,
        p50_ms=ms[len(ms) // 2],
        p99_ms=ms[len(ms) * 99 // 100],
        max_ms=ms[-1],
        cpu_share=(time.process_time() - cpu) / seconds,
    )


if __name__ == "__main__":
    measured = uvloop.run(fire(msgspec.json.decode(sys.stdin.buffer.read(), type=Load)))
    sys.stdout.buffer.write(msgspec.json.encode(measured))
