"""HTTP to the matchers: requests and answers that get lost, come late, or come twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from matcher.shell.intake import Intake
from tests.simulation.loop import Loop, wait
from tests.simulation.process import Process
from tests.simulation.trouble import Trouble
from venue import wire
from venue.commands import AnyCommand
from venue.ports import NotServed
from venue.wire import Outcome
from venue_aws.patience import MATCHER_S

if TYPE_CHECKING:
    from tests.simulation.fleet import Fleet, Member

# How late a late request arrives.
_LATE_S = (0.5, 6.0)


def shard_in(url: str) -> int:
    """The shard that an address of a matcher is for."""
    return int(url.rpartition("/")[2])


class Http:
    """The way to the matchers, as one caller has it: venue.ports.Matcher. Blocking: it runs by `blocking`.

    It does what venue_aws.matcher.MatcherClient does: one wait for the answer, NotServed for anything but a success.
    """

    def __init__(self, process: Process, fleet: Fleet, loop: Loop, trouble: Trouble) -> None:
        self._process = process
        self._fleet = fleet
        self._loop = loop
        self._trouble = trouble

    def submit(self, command: AnyCommand, *, url: str) -> Outcome:
        """See venue.ports.Matcher."""
        return wire.OUTCOME.decode(self._ask(url, wire.encode(command)))

    def submit_all(self, commands: Sequence[AnyCommand], *, url: str) -> list[Outcome]:
        """See venue.ports.Matcher."""
        return wire.OUTCOMES.decode(self._ask(url, wire.encode(commands)))

    def _ask(self, url: str, body: bytes) -> bytes:
        self._process.check()
        try:
            status, answer = wait(self._patiently(url, body))
        except (TimeoutError, OSError) as error:
            raise NotServed(f"{url}: {error}") from error
        self._process.check()
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NotServed(f"{url}: {status}")
        if status != HTTPStatus.OK:
            raise RuntimeError(f"{url} answered {status}: {answer!r}")
        return answer

    async def _patiently(self, url: str, body: bytes) -> tuple[int, bytes]:
        async with asyncio.timeout(MATCHER_S):
            return await self._post(url, body)

    async def _post(self, url: str, body: bytes) -> tuple[int, bytes]:
        trouble, loop = self._trouble, self._loop
        answer: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        delay_s = trouble.way()
        if trouble.takes("http_request_late"):
            delay_s = trouble.between(*_LATE_S)
        if not trouble.takes("http_request_lost"):
            self._send(url, body, answer, delay_s)
            if trouble.takes("http_request_doubled"):
                self._send(url, body, loop.create_future(), delay_s + trouble.way())
        return await answer

    def _send(self, url: str, body: bytes, answer: asyncio.Future[tuple[int, bytes]], delay_s: float) -> None:
        self._fleet.requests += 1
        self._loop.call_later(delay_s, self._arrive, url, body, answer, context=self._fleet.outside)

    def _arrive(self, url: str, body: bytes, answer: asyncio.Future[tuple[int, bytes]]) -> None:
        address, _, shard = url.partition("/shards/")
        member = self._fleet.members.get(address)
        if member is None or not member.runs:
            self._fleet.requests -= 1
            _settle(answer, ConnectionRefusedError(url))
            return
        task = self._loop.create_task(_asked(member.intake, int(shard), body), context=member.process.context)
        task.add_done_callback(partial(self._answered, member, answer), context=self._fleet.outside)

    def _answered(
        self, member: Member, answer: asyncio.Future[tuple[int, bytes]], task: asyncio.Task[tuple[int, bytes]]
    ) -> None:
        self._fleet.requests -= 1
        if not member.process.alive or task.cancelled():
            _settle(answer, ConnectionResetError(member.address))
        elif (error := task.exception()) is not None:
            raise error  # it has an answer to everything
        elif not self._trouble.takes("http_answer_lost"):
            outside = self._fleet.outside
            self._loop.call_later(self._trouble.way(), _settle, answer, task.result(), context=outside)


async def _asked(intake: Intake, shard: int, body: bytes) -> tuple[int, bytes]:
    """One request to a matcher's own intake."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await intake({"path_params": {"shard": shard}, "headers": []}, receive, send)
    return sent[0]["status"], sent[1]["body"]


def _settle(answer: asyncio.Future[tuple[int, bytes]], result: tuple[int, bytes] | Exception) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
