"""Concurrent clients that send the flow through the public REST API, and remember every answer."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal
from uuid import UUID

import httpx
import msgspec

from local.demo.failures import GaveUp, together
from local.demo.flow import Message, Schedule, account_number, client_oid
from venue.products import Product

Route = Literal["place", "cancel"]

# How long a client goes on asking a venue that says "not now", and how long it waits between two times, in seconds.
PATIENCE_S = 60.0
PAUSE_MAX_S = 2.0
# The clients join one after the other, so many seconds apart.
JOIN_S = 0.5
# How far ahead of an unanswered message the flow goes on, in messages for each client: one slow answer stops nobody.
WINDOW_PER_CLIENT = 16


class Call(msgspec.Struct, frozen=True):
    """One HTTP request as its client saw it: when it left (s since 1970), how long its answer took, what it was."""

    route: Route
    at: float
    ms: float
    status: int  # 0: no answer


class Placed(msgspec.Struct, frozen=True):
    """An order that the venue acknowledged."""

    order_id: str
    client_oid: str
    account: int


class Patience:
    """Pauses between attempts, each twice as long as the last, until `patience_s` are over."""

    def __init__(self, what: str, patience_s: float = PATIENCE_S) -> None:
        self._what = what
        self._patience_s = patience_s
        self._until = time.monotonic() + patience_s
        self._pause_s = 0.05

    async def pause(self, said: str) -> None:
        """Wait before the next attempt, `said` being the venue's last word. Raises GaveUp when there shall be none."""
        if time.monotonic() > self._until:
            raise GaveUp(f"{self._what} was not taken within {self._patience_s:.0f} s; at last the venue said: {said}")
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)


class Driver:
    """Eight traders' orders, sent by a number of clients; `calls`, `placed` and the counts grow while it runs.

    pace: the most messages a second that leave, also after a pause; math.inf: as fast as the clients get answers.
    """

    def __init__(
        self,
        *,
        run: UUID,
        product: Product,
        url: str,
        tokens: Sequence[str],
        clients: int,
        pace: float,
        join_s: float = JOIN_S,
        patience_s: float = PATIENCE_S,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.calls: list[Call] = []
        self.placed: list[Placed] = []
        self.client_oids: list[str] = []  # of all orders sent
        self.orders_pending = 0  # acknowledged with 202: the outcome came later
        self.orders_refused: Counter[str] = Counter()
        self.cancels_sent = 0
        self.cancels_refused: Counter[str] = Counter()
        self.modifies_void = 0  # the order was done before its modify came: nothing to replace
        self._run, self._product = run, product
        self._url, self._tokens, self._clients, self._pace = url, tokens, clients, pace
        self._patience_s = patience_s
        self._join_s = join_s
        self._progress = progress
        self._versions: dict[int, int] = {}
        self._turn = asyncio.Condition()
        self._due = 0.0  # when the next message may leave, monotonic seconds

    @property
    def orders_sent(self) -> int:
        """How many orders were sent; one that was sent again under its name counts once."""
        return len(self.client_oids)

    async def drive(self, messages: Sequence[Message]) -> None:
        """Send all messages. Raises GaveUp when the venue stays away for longer than a client waits.

        The clients join one after the other, each when the one before has had an answer and JOIN_S after it: a venue
        that starts a worker for every concurrent request is not made to start all of them at once.
        """
        schedule = Schedule(messages, window=WINDOW_PER_CLIENT * self._clients)
        answered = [asyncio.Event() for _ in range(self._clients + 1)]
        answered[0].set()
        await together(*(self._client(schedule, start=mine, answered=after) for mine, after in pairwise(answered)))

    async def _client(self, schedule: Schedule, *, start: asyncio.Event, answered: asyncio.Event) -> None:
        await start.wait()
        await asyncio.sleep(self._join_s)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        async with httpx.AsyncClient(base_url=self._url, limits=limits, timeout=30, trust_env=False) as http:
            while (task := await self._next(schedule)) is not None:
                place, message = task
                await self._send(http, message)
                async with self._turn:
                    schedule.done(place)
                    self._turn.notify_all()
                answered.set()
                self._progress()
        answered.set()

    async def _next(self, schedule: Schedule) -> tuple[int, Message] | None:
        async with self._turn:
            await asyncio.sleep(self._due - time.monotonic())
            while (task := schedule.take()) is None and not schedule.finished:
                await self._turn.wait()
            self._due = max(self._due, time.monotonic()) + 1 / self._pace
            return task

    async def _send(self, http: httpx.AsyncClient, message: Message) -> None:
        match message.kind:
            case "new":
                await self._place(http, message)
            case "cancel":
                await self._cancel(http, message)
            case "modify" if await self._cancel(http, message):
                self._versions[message.order_id] = self._versions.get(message.order_id, 0) + 1
                await self._place(http, message)
            case "modify":
                self.modifies_void += 1

    async def _place(self, http: httpx.AsyncClient, message: Message) -> None:
        if message.side is None or message.price is None or message.quantity is None:
            raise ValueError(f"message {message.seq} of the flow is not an order")
        oid, account = self._named(message)
        body = {
            "client_oid": oid,
            "product_id": self._product.id,
            "side": message.side,
            "type": "limit",
            "time_in_force": "IOC" if message.ioc else "GTC",
            "price": self._product.format_price(message.price),
            "size": self._product.format_size(message.quantity),
        }
        self.client_oids.append(oid)
        answer = await self._ask(http, "place", "POST", "/orders", account=account, body=body)
        if not answer.is_success:
            self.orders_refused[_reason(answer)] += 1
            return
        if answer.status_code == httpx.codes.ACCEPTED:
            self.orders_pending += 1
            order = await self._outcome(http, oid, account)
            if order["status"] == "rejected":
                self.orders_refused[str(order.get("reject_reason"))] += 1
                return
        self.placed.append(Placed(answer.json()["id"], oid, account))

    async def _cancel(self, http: httpx.AsyncClient, message: Message) -> bool:
        oid, account = self._named(message)
        self.cancels_sent += 1
        answer = await self._ask(http, "cancel", "DELETE", f"/orders/client:{oid}", account=account)
        if not answer.is_success:
            self.cancels_refused[_reason(answer)] += 1
            return False
        if answer.status_code == httpx.codes.ACCEPTED:
            return (await self._outcome(http, oid, account, until=("done", "rejected"))).get(
                "done_reason"
            ) == "canceled"
        return True

    async def _outcome(
        self, http: httpx.AsyncClient, oid: str, account: int, *, until: Sequence[str] = ("open", "done", "rejected")
    ) -> dict[str, Any]:
        """Wait for what became of an order that the venue took without saying so at once."""
        patience = Patience(f"the outcome of order {oid}", self._patience_s)
        while True:
            answer = await http.get(f"/orders/client:{oid}", headers=self._headers(account))
            if answer.is_success and (order := answer.json())["status"] in until:
                return dict(order)
            await patience.pause(f"{answer.status_code} {answer.text[:300]}")

    async def _ask(
        self, http: httpx.AsyncClient, route: Route, method: str, path: str, *, account: int, body: object = None
    ) -> httpx.Response:
        """Send until there is an answer: the order's own id makes it safe to send the same again."""
        patience = Patience(f"{method} {path}", self._patience_s)
        while True:
            at, begun = time.time(), time.perf_counter()
            try:
                answer = await http.request(method, path, headers=self._headers(account), json=body)
            except httpx.TransportError as error:
                self.calls.append(Call(route, at, _since(begun), 0))
                await patience.pause(repr(error))
                continue
            self.calls.append(Call(route, at, _since(begun), answer.status_code))
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and answer.status_code != 429:
                return answer
            await patience.pause(f"{answer.status_code} {answer.text[:300]}")

    def _named(self, message: Message) -> tuple[str, int]:
        version = self._versions.get(message.order_id, 0)
        return (
            client_oid(self._run, message.order_id, version),
            account_number(message.order_id, len(self._tokens)),
        )

    def _headers(self, account: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[account]}"}


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000


def _reason(answer: httpx.Response) -> str:
    """The venue's stable code for a refusal; the HTTP status where the body is not in the API's error form."""
    try:
        body = answer.json()
        return str(body.get("reject_reason") or body["code"])
    except (ValueError, KeyError, AttributeError):
        return f"http_{answer.status_code}"
