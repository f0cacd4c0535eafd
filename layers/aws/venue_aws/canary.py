"""The canary: an account of the venue's own that places an order as every client does, and takes it back.

Its market is one that it has for itself. It buys what nobody can sell, because nobody was ever credited with it, at the
lowest price there is and post-only: whatever goes wrong, it trades with nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import msgspec
import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from venue_aws.patience import CONNECT_S, GATEWAY_S, once

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

COGNITO_S = 5.0
# A token is given up so long before it ends.
SPARE_S = 60


class CanaryFailed(Exception):
    """A step of the trip did not end as it should; `step` is its name."""

    def __init__(self, step: str, said: str) -> None:
        super().__init__(f"{step}: {said}")
        self.step = step


class Trip(msgspec.Struct, frozen=True, kw_only=True):
    """A trip that went well: its order, and how long the venue took to acknowledge it."""

    order_id: str
    acknowledged_ms: float


class Credentials(msgspec.Struct, frozen=True):
    """Who the canary is, as its secret has it."""

    username: str
    password: str


class SignIn:
    """Signs the canary in at Cognito, and keeps its token until it ends."""

    def __init__(
        self,
        client: CognitoIdentityProviderClient,
        *,
        pool: str,
        app: str,
        credentials: Callable[[], Credentials],
    ) -> None:
        self._client = client
        self._pool, self._app = pool, app
        self._credentials = credentials
        self._token, self._until = "", 0.0

    @classmethod
    def connect(cls, *, pool: str, app: str, credentials: Callable[[], Credentials]) -> SignIn:
        """Make a client; region and endpoint as the environment has them."""
        client = boto3.client("cognito-idp", config=once(read_s=COGNITO_S))
        return cls(client, pool=pool, app=app, credentials=credentials)

    def token(self) -> str:
        """Give a token that is good for a minute at least. Raises CanaryFailed."""
        if time.monotonic() > self._until:
            self._token, lives_s = self._signed_in(self._credentials())
            self._until = time.monotonic() + lives_s - SPARE_S
        return self._token

    def _signed_in(self, who: Credentials) -> tuple[str, int]:
        try:
            answer = self._client.admin_initiate_auth(
                UserPoolId=self._pool,
                ClientId=self._app,
                AuthFlow="ADMIN_USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": who.username, "PASSWORD": who.password},
            )
        except (ClientError, BotoCoreError) as error:
            raise CanaryFailed("sign_in", str(error)) from error
        if "AuthenticationResult" not in answer:
            raise CanaryFailed("sign_in", f"Cognito asks for {answer.get('ChallengeName')}: see the runbook")
        return answer["AuthenticationResult"]["IdToken"], answer["AuthenticationResult"]["ExpiresIn"]


class Canary:
    """Flies through the public API at `url`. `token` gives a trader's; `product_id` is the market it has for itself."""

    def __init__(self, *, url: str, product_id: str, token: Callable[[], str]) -> None:
        self._url = url
        self._product_id = product_id
        self._token = token
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=CONNECT_S, read=GATEWAY_S), retries=False)

    def fly(self) -> Trip:
        """Place an order, wait until it is acknowledged, and take it back. Raises CanaryFailed."""
        token = self._token()
        # What an earlier trip left, had it failed half way.
        self._ask("clear", token, "DELETE", f"/orders?product_id={self._product_id}")
        rules = self._ask("rules", token, "GET", f"/products/{self._product_id}")
        order = {
            "client_oid": str(uuid4()),
            "product_id": self._product_id,
            "side": "buy",
            "price": rules["quote_increment"],
            "size": rules["base_min_size"],
            "post_only": True,
        }
        started = time.perf_counter()
        placed = self._ask("place", token, "POST", "/orders", order)
        acknowledged_ms = round((time.perf_counter() - started) * 1000, 1)
        if placed["status"] != "open":
            raise CanaryFailed("place", f"the order is {placed['status']}")
        self._ask("cancel", token, "DELETE", f"/orders/{placed['id']}")
        return Trip(order_id=placed["id"], acknowledged_ms=acknowledged_ms)

    def _ask(self, step: str, token: str, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        sent = None if body is None else msgspec.json.encode(body)
        try:
            answer = self._http.request(method, self._url + path, body=sent, headers=headers)
            if answer.status != 200:
                raise CanaryFailed(step, f"{answer.status} {answer.data[:500].decode(errors='replace')}")
            return msgspec.json.decode(answer.data)
        except (urllib3.exceptions.HTTPError, msgspec.DecodeError) as error:
            raise CanaryFailed(step, str(error)) from error
