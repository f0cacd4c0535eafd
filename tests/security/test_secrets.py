"""Fifty secrets, pushed through every path by which a client may send one: none comes back, and none lies in a log."""

import asyncio
import base64
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pytest
import websockets
from websockets.exceptions import WebSocketException

from local.venue import OPERATOR, Venue
from tests.e2e.market import Market, Trader, eventually

pytestmark = pytest.mark.venue

type Send = Callable[[Trader, str], object]


def _token(secret: str) -> str:
    """Something like a token, with the secret in its claims."""
    claims = base64.urlsafe_b64encode(json.dumps({"sub": secret}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.{claims}.{secret}"


def _headed(name: str, form: str = "{}") -> Send:
    return lambda client, secret: client.call("GET", "/accounts", headers={name: form.format(secret)})


def _asked(path: str) -> Send:
    return lambda client, secret: client.call("GET", path.format(secret))


def _sent(method: str, path: str, **body: Any) -> Send:
    def send(client: Trader, secret: str) -> object:
        return client.call(method, path, body={name: _filled(value, secret) for name, value in body.items()})

    return send


def _filled(value: Any, secret: str) -> Any:
    return value.replace("{}", secret) if isinstance(value, str) else value


ORDER: Final = {"product_id": "ACME-USD", "side": "buy", "price": "40", "size": "1"}
DEPOSIT: Final = {"key": "k", "account_id": "a", "currency": "USD", "amount": "1"}

REST: Final[dict[str, Send]] = {
    **{
        f"header {name}": _headed(name)
        for name in ("Cookie", "X-Api-Key", "Proxy-Authorization", "X-Amz-Security-Token")
    },
    **{f"header CB-ACCESS-{name}": _headed(f"CB-ACCESS-{name}") for name in ("KEY", "SIGN", "TIMESTAMP", "PASSPHRASE")},
    "a bearer token": _headed("Authorization", "Bearer {}"),
    "a bare token": _headed("Authorization"),
    "basic credentials": _headed("Authorization", "Basic {}"),
    "a token's claims": lambda client, secret: client.call(
        "GET", "/accounts", headers={"Authorization": f"Bearer {_token(secret)}"}
    ),
    "a token's signature on an order": lambda client, secret: client.call(
        "POST", "/orders", body=ORDER, headers={"Authorization": f"Bearer {client.token}{secret}"}
    ),
    **{f"query {name}": _asked(f"/orders?{name}={{}}") for name in ("token", "api_key", "password", "before", "after")},
    **{f"query {name} of accounts": _asked(f"/accounts?{name}={{}}") for name in ("token", "secret")},
    **{f"query {name} of fills": _asked(f"/fills?{name}={{}}") for name in ("order_id", "product_id", "limit")},
    "an order's id": _asked("/orders/{}"),
    "an order's client_oid": _asked("/orders/client:{}"),
    "an account's id": _asked("/accounts/{}"),
    "a ledger's account": _asked("/accounts/{}/ledger"),
    "a product's id": _asked("/products/{}/book"),
    "a route that is not there": _asked("/{}"),
    **{
        f"an order's {name}": _sent("POST", "/orders", **{**ORDER, name: "{}"})
        for name in ("product_id", "side", "price", "size", "client_oid", "time_in_force", "type", "password", "token")
    },
    **{
        f"a deposit's {name}": _sent("POST", "/deposits", **{**DEPOSIT, name: "{}"})
        for name in ("key", "account_id", "currency", "amount", "password")
    },
    "a cancel's scope": _sent("DELETE", "/orders", product_id="{}"),
    "a cancel's order": lambda client, secret: client.call("DELETE", f"/orders/{secret}"),
    "a body that is no JSON": lambda client, secret: client.call("POST", "/orders", body=f'{{"token": "{secret}'),
    "a body that is a text": lambda client, secret: client.call("POST", "/orders", body=f'"{secret}"'),
}

STREAM: Final[dict[str, str]] = {
    "a subscribe's signature": '{{"type": "subscribe", "channels": ["user"], "signature": "{}", "key": "k"}}',
    "a subscribe's passphrase": '{{"type": "subscribe", "channels": ["user"], "passphrase": "{}", "key": "k"}}',
    "a subscribe's product": '{{"type": "subscribe", "product_ids": ["{}"], "channels": ["matches"]}}',
    "a subscribe's channel": '{{"type": "subscribe", "product_ids": ["ACME-USD"], "channels": ["{}"]}}',
    "a message's type": '{{"type": "{}"}}',
    "a message that is no JSON": "{}",
}


def _canaries() -> Iterator[str]:
    while True:
        yield f"canary{secrets.token_hex(12)}"


async def _connect(url: str, secret: str, *, header: bool) -> str:
    """Try to get in with the secret as a token. Gives what was answered."""
    try:
        headers = {"Authorization": f"Bearer {secret}"} if header else {}
        at = url if header else f"{url}?token={secret}"
        async with websockets.connect(at, additional_headers=headers, proxy=None):
            return "let in"
    except WebSocketException as refused:
        return repr(refused)


async def _say(url: str, token: str, message: str) -> str:
    """Send one message. Gives what is answered."""
    async with websockets.connect(url, additional_headers={"Authorization": f"Bearer {token}"}, proxy=None) as socket:
        await socket.send(message)
        with suppress(TimeoutError):
            return str(await asyncio.wait_for(socket.recv(), 5))
    return ""


def _logs(venue: Venue) -> str:
    """All that the servers and the functions have logged."""
    texts = [file.read_text(errors="replace") for file in sorted((venue.folder / "log").iterdir())]
    client = venue.client("logs")
    for page in client.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            found = client.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            texts += [event["message"] for events in found for event in events["events"]]
    return "\n".join(texts)


def test_no_secret_that_is_sent_comes_back_or_is_kept(market: Market) -> None:
    venue, canaries = market.venue, _canaries()
    client, operator = market.open_account("a-careless-trader", USD="1000"), market.client(token=venue.token(OPERATOR))
    answers: dict[str, str] = {}

    for name, send in REST.items():
        canary = next(canaries)
        answers[canary] = str(send(operator if "deposit" in name else client, canary))
    for message in STREAM.values():
        canary = next(canaries)
        answers[canary] = asyncio.run(_say(venue.stream_url, client.token or "", message.format(canary)))
    for header in (True, False):
        canary = next(canaries)
        answers[canary] = asyncio.run(_connect(venue.stream_url, canary, header=header))
    market.settle()

    assert len(answers) >= 50
    assert [answer for canary, answer in answers.items() if canary in answer] == []
    assert "let in" not in answers.values()
    eventually(lambda: "answered" in _logs(venue))
    kept = _logs(venue)
    assert [canary for canary in answers if canary in kept] == []


def test_the_venues_own_secrets_are_in_no_log(venue: Venue) -> None:
    own = {
        "the database's password": venue.state.database_password,
        "the users' password": venue.state.user_password,
        "a trader's token": venue.token("trader-1"),
        "an operator's token": venue.token(OPERATOR),
    }
    kept = _logs(venue)
    assert [name for name, secret in own.items() if secret in kept] == []
