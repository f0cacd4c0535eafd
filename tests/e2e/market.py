"""The venue as the end-to-end tests use it: traders at its REST API, and auditors at its stores."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
import msgspec

from local.demo.witnesses import Journal, Tape, Wallets
from local.venue import OPERATOR, Venue

# A first call starts a worker; on a busy machine that takes its time.
PATIENCE_S = 60.0
Json = Any


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer: its status, and its body as JSON."""

    status: int
    body: Json

    @property
    def id(self) -> str:
        """The id of the order that was answered. Fails with the whole answer where there is none."""
        assert self.status in {200, 202}, self
        return str(self.body["id"])


class Trader:
    """One account at the public API."""

    def __init__(self, *, url: str, account: str, token: str | None) -> None:
        self.account = account
        self.token = token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_S, trust_env=False)

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def call(self, method: str, path: str, *, headers: dict[str, str] | None = None, body: object = None) -> Answer:
        """Send a request; a str or bytes body goes as it is, anything else as JSON."""
        content = body if isinstance(body, str | bytes) else msgspec.json.encode(body) if body is not None else None
        sent = {"Content-Type": "application/json", **(headers or {})}
        answer = self._http.request(method, path, content=content, headers=sent)
        return Answer(answer.status_code, answer.json() if answer.content else None)

    def place(self, side: str, size: str, price: str, *, headers: dict[str, str] | None = None, **more: str) -> Answer:
        """Place a limit order for ACME-USD."""
        order = {"product_id": "ACME-USD", "side": side, "size": size, "price": price, **more}
        return self.call("POST", "/orders", body=order, headers=headers)

    def order(self, order_id: str) -> Json:
        """Give an order as it is now."""
        answer = self.call("GET", f"/orders/{order_id}")
        assert answer.status == 200, answer
        return answer.body

    def fills(self) -> list[Json]:
        """Give the account's fills, newest first."""
        answer = self.call("GET", "/fills")
        assert answer.status == 200, answer
        return list(answer.body)

    def balances(self) -> dict[str, tuple[str, str]]:
        """Give currency -> (available, hold), as decimals, without the empty ones."""
        answer = self.call("GET", "/accounts")
        assert answer.status == 200, answer
        shown = {each["currency"]: (each["available"], each["hold"]) for each in answer.body}
        return {currency: amounts for currency, amounts in shown.items() if any(float(each) for each in amounts)}


class Market:
    """One venue with everything that a test asks of it."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.journal = Journal(venue.database_url)
        self.wallets = Wallets(venue.client("dynamodb"), venue.outputs["WalletsTable"])
        self.tape = Tape(venue.client("s3"), venue.outputs["TapeBucketName"])
        self.product = self.journal.product("ACME-USD")
        self._clients: list[Trader] = []
        self.nobody = self.client(account="", token=None)
        self._operator = self.client(account="", token=venue.token(OPERATOR))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.journal.close()
        for client in self._clients:
            client.close()

    def open_account(self, name: str, **funds: str) -> Trader:
        """Enrol a trader and deposit what is asked for, and wait until it can be spent."""
        self.venue.people.add(name, group="traders")
        account = self.venue.account(name)
        for currency, amount in funds.items():
            body = {"key": str(uuid4()), "account_id": account, "currency": currency, "amount": amount}
            answer = self._operator.call("POST", "/deposits", body=body)
            assert answer.status in {200, 202}, answer
        trader = self.sign_in(name)
        eventually(lambda: set(funds) <= set(trader.balances()))
        return trader

    def sign_in(self, name: str) -> Trader:
        """Give a trader who is enrolled already."""
        return self.client(account=self.venue.account(name), token=self.venue.token(name))

    def client(self, *, account: str = "", token: str | None) -> Trader:
        """A client of the REST API with this token, closed with the market."""
        self._clients.append(Trader(url=self.venue.rest_url, account=account, token=token))
        return self._clients[-1]

    def settle(self) -> None:
        """Wait until all that the journal holds now has reached the wallets and the tape's stream."""
        last = self.journal.last_batch(self.product.shard)
        eventually(lambda: self.wallets.settled(self.product.shard) >= last)

    def assert_books_balance(self) -> None:
        """Every wallet is what the ledger says, and per asset everything sums to zero."""
        self.settle()
        ledger = {wallet: amounts for wallet, amounts in self.journal.ledger().items() if any(amounts)}
        wallets = {wallet: amounts for wallet, amounts in self.wallets.balances().items() if any(amounts)}
        assert wallets == ledger
        for asset in {asset for _, asset in ledger}:
            assert sum(free + held for (_, each), (free, held) in ledger.items() if each == asset) == 0, asset


def eventually(true: Callable[[], object], *, patience_s: float = PATIENCE_S) -> None:
    """Wait until `true` gives something true. Raises AssertionError when it does not within `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
