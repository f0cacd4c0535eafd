"""The clients, against a small venue of the tests' own on real HTTP."""

import asyncio
import math
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.demo import flow
from local.demo.drive import Driver
from local.demo.failures import GaveUp
from local.demo.flow import Message, account_number, client_oid
from venue.products import Asset, Product

RUN = UUID("7d7b1c2e-0000-4000-8000-000000000002")
PRODUCT = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme", scale=0),
    quote=Asset(id="USD", name="US dollar", scale=8),
    tick_units=500_000,
    lot_units=1,
)


class SmallVenue:
    """Keeps orders by (token, client_oid); answers as it is told, and writes down who asked what, in order."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str, str]] = []  # token, verb, client_oid
        self.bodies: dict[str, dict[str, str]] = {}
        self.open: set[str] = set()
        self.busy: Counter[str] = Counter()  # client_oid -> how many times to answer 503 first
        self.pending: Counter[str] = Counter()  # client_oid -> how many times to say "pending"
        self.refusals: dict[str, str] = {}
        self.together: defaultdict[str, int] = defaultdict(int)

    def app(self) -> Starlette:
        one = "/orders/client:{oid}"
        return Starlette(
            routes=[
                Route("/orders", self.place, methods=["POST"]),
                Route(one, self.cancel, methods=["DELETE"]),
                Route(one, self.show, methods=["GET"]),
            ]
        )

    def _noted(self, request: Request, verb: str, oid: str) -> None:
        self.log.append((request.headers["authorization"].removeprefix("Bearer "), verb, oid))

    async def place(self, request: Request) -> Response:
        body = await request.json()
        oid = body["client_oid"]
        self._noted(request, "place", oid)
        self.bodies[oid] = body
        if self.busy[oid]:
            self.busy[oid] -= 1
            return JSONResponse({"code": "unavailable"}, 503)
        if oid in self.refusals:
            return JSONResponse({"code": "rule_broken", "reject_reason": self.refusals[oid]}, 422)
        self.together[oid] += 1
        await asyncio.sleep(0)
        self.open.add(oid)
        return JSONResponse({"id": f"id-{oid}"}, 202 if self.pending[oid] else 200)

    async def cancel(self, request: Request) -> Response:
        oid = request.path_params["oid"]
        self._noted(request, "cancel", oid)
        if oid not in self.open:
            return JSONResponse({"code": "order_done"}, 404)
        self.open.discard(oid)
        return JSONResponse({"id": f"id-{oid}"})

    async def show(self, request: Request) -> Response:
        oid = request.path_params["oid"]
        self._noted(request, "show", oid)
        self.pending[oid] -= 1
        return JSONResponse({"status": "pending" if self.pending[oid] > 0 else "open"})


@pytest.fixture
def venue() -> SmallVenue:
    return SmallVenue()


@pytest.fixture
async def url(venue: SmallVenue) -> AsyncIterator[str]:
    config = uvicorn.Config(venue.app(), port=0, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await asyncio.to_thread(thread.join)


def driver(url: str, *, patience_s: float = 60) -> Driver:
    tokens = [f"token-{number}" for number in range(8)]
    return Driver(
        run=RUN, product=PRODUCT, url=url, tokens=tokens, clients=8, pace=math.inf, join_s=0, patience_s=patience_s
    )


def new(order_id: int, *, ioc: bool = False) -> Message:
    return Message(kind="new", seq=0, order_id=order_id, side="buy", ioc=ioc, quantity=83, price=33725)


async def test_every_order_gets_its_messages_in_the_recorded_order(venue: SmallVenue, url: str) -> None:
    messages = flow.read(limit=400)
    driving = driver(url)
    await driving.drive(messages)
    expected: dict[int, list[tuple[str, str]]] = {}
    versions: Counter[int] = Counter()
    gone: set[int] = set()  # the recording also modifies orders that it has cancelled
    for message in messages:
        said = expected.setdefault(message.order_id, [])
        if message.kind != "new":
            said.append(("cancel", client_oid(RUN, message.order_id, versions[message.order_id])))
        if message.kind == "modify":
            versions[message.order_id] += message.order_id not in gone
        if message.kind == "new" or (message.kind == "modify" and message.order_id not in gone):
            said.append(("place", client_oid(RUN, message.order_id, versions[message.order_id])))
        if message.kind == "cancel":
            gone.add(message.order_id)
    assert driving.modifies_void > 0
    owner = {oid: order_id for order_id, said in expected.items() for _, oid in said}
    heard: dict[int, list[tuple[str, str]]] = {}
    for token, verb, oid in venue.log:
        assert token == f"token-{account_number(owner[oid], 8)}"
        heard.setdefault(owner[oid], []).append((verb, oid))
    assert heard == expected
    assert len(driving.calls) == len(venue.log)
    assert driving.orders_sent == len(driving.placed) == len(venue.bodies)


async def test_an_order_is_sent_in_ticks_and_lots_as_decimals(venue: SmallVenue, url: str) -> None:
    await driver(url).drive([new(1), new(2, ioc=True)])
    assert venue.bodies[client_oid(RUN, 1, 0)] == {
        "client_oid": client_oid(RUN, 1, 0),
        "product_id": "ACME-USD",
        "side": "buy",
        "type": "limit",
        "time_in_force": "GTC",
        "price": "168.625",
        "size": "83",
    }
    assert venue.bodies[client_oid(RUN, 2, 0)]["time_in_force"] == "IOC"


async def test_an_unknown_outcome_is_asked_for_again_under_the_same_id(venue: SmallVenue, url: str) -> None:
    oid = client_oid(RUN, 1, 0)
    venue.busy[oid] = 2
    driving = driver(url)
    await driving.drive([new(1)])
    assert [verb for _, verb, _ in venue.log] == ["place"] * 3
    assert (driving.orders_sent, len(driving.placed)) == (1, 1)
    assert [call.status for call in driving.calls] == [503, 503, 200]


async def test_a_refused_order_is_counted_under_its_reason(venue: SmallVenue, url: str) -> None:
    venue.refusals[client_oid(RUN, 1, 0)] = "insufficient_funds"
    driving = driver(url)
    await driving.drive([new(1), new(2)])
    assert driving.orders_refused == {"insufficient_funds": 1}
    assert [placed.order_id for placed in driving.placed] == [f"id-{client_oid(RUN, 2, 0)}"]


async def test_a_modify_of_an_order_that_is_done_replaces_nothing(venue: SmallVenue, url: str) -> None:
    driving = driver(url)
    modify = Message(kind="modify", seq=2, order_id=1, side="buy", quantity=4, price=33700)
    await driving.drive([new(1), Message(kind="cancel", seq=1, order_id=1), modify])
    assert (driving.orders_sent, driving.modifies_void) == (1, 1)
    assert driving.cancels_refused == {"order_done": 1}
    assert list(venue.bodies) == [client_oid(RUN, 1, 0)]


async def test_a_cancel_waits_for_the_outcome_of_a_pending_order(venue: SmallVenue, url: str) -> None:
    venue.pending[client_oid(RUN, 1, 0)] = 2
    driving = driver(url)
    await driving.drive([new(1), Message(kind="cancel", seq=1, order_id=1)])
    assert [verb for _, verb, _ in venue.log] == ["place", "show", "show", "cancel"]
    assert (driving.orders_pending, driving.cancels_refused) == (1, Counter())


async def test_a_venue_that_stays_away_ends_the_run_with_its_last_word(venue: SmallVenue, url: str) -> None:
    venue.busy[client_oid(RUN, 1, 0)] = 10**6
    with pytest.raises(GaveUp, match=r"POST /orders .* 503"):
        await driver(url, patience_s=0.2).drive([new(1), new(2)])
