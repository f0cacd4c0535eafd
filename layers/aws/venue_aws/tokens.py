"""Cognito's tokens, fully checked: signature by a key of this pool, issuer, client, use and lifetime."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
import msgspec
import urllib3
from urllib3.util import Timeout

TOKEN_BYTES_MAX = 8192
KEYS_BYTES_MAX = 65_536
# Cognito rotates keys rarely. A token with a key we do not know makes us ask, but not more often than this.
KEYS_FRESH_S = 3600.0
ASK_AGAIN_S = 30.0
_ALGORITHM = "RS256"


class TokenInvalid(Exception):
    """Forged, expired, foreign, or not a token at all. The message is for the log and never holds the token."""


class KeysDown(Exception):
    """The pool's keys cannot be read, so nothing can be said about any token."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who a token belongs to: `account` is Cognito's sub. `expires_at` in s since 1970."""

    account: str
    groups: tuple[str, ...]
    expires_at: int


class Keys:
    """The pool's public keys by id, read again when they are old or one is missing; bounded in how often."""

    def __init__(self, fetch: Callable[[], bytes], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_at = float("-inf")

    def key(self, kid: str) -> jwt.PyJWK:
        """Give a key. Raises TokenInvalid when the pool has no such key, KeysDown when none could ever be read."""
        # Without any key nobody gets in, so every request tries again.
        patience_s = KEYS_FRESH_S if kid in self._keys else ASK_AGAIN_S if self._keys else 0.0
        if self._clock() - self._asked_at >= patience_s:
            self.refresh()
        if not self._keys:
            raise KeysDown("the pool's keys could not be read")
        if kid not in self._keys:
            raise TokenInvalid("unknown key")
        return self._keys[kid]

    def refresh(self) -> None:
        """Read the keys now; where that fails, what was known stays in use."""
        self._asked_at = self._clock()
        try:
            document = json.loads(self._fetch())
            keys = [jwt.PyJWK(entry, _ALGORITHM) for entry in document["keys"] if _signs(entry)]
        except (KeysDown, ValueError, KeyError, TypeError, jwt.PyJWTError):
            return
        self._keys = {key.key_id: key for key in keys if key.key_id}


class Verifier:
    """Says whose a token is. One issuer, one client, access or id tokens only."""

    def __init__(self, *, keys: Keys, issuer: str, client_id: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._client_id = client_id

    def identify(self, token: str) -> Identity:
        """Give the token's identity. Raises TokenInvalid, or KeysDown when that cannot be known."""
        if len(token) > TOKEN_BYTES_MAX:
            raise TokenInvalid("too long")
        try:
            claims = self._claims(token)
        except jwt.PyJWTError as error:
            raise TokenInvalid(type(error).__name__) from error
        self._check_use(claims)
        account = claims["sub"]
        groups = claims.get("cognito:groups", [])
        if not isinstance(account, str) or not account or not _strings(groups):
            raise TokenInvalid("claims of the wrong type")
        return Identity(account=account, groups=tuple(groups), expires_at=int(claims["exp"]))

    def _claims(self, token: str) -> Mapping[str, Any]:
        kid = jwt.get_unverified_header(token).get("kid")
        if not isinstance(kid, str):
            raise TokenInvalid("names no key")
        return jwt.decode(
            token,
            self._keys.key(kid),
            algorithms=[_ALGORITHM],
            issuer=self._issuer,
            # The audience is checked below: an access token has none, and an id token names it otherwise. A token
            # issued a moment ago by a clock that runs ahead of ours is still a good one.
            options={"require": ["exp", "iss", "sub", "token_use"], "verify_aud": False, "verify_iat": False},
        )

    def _check_use(self, claims: Mapping[str, Any]) -> None:
        match claims["token_use"]:
            case "access":
                client = claims.get("client_id")
            case "id":
                client = claims.get("aud")
            case _:
                raise TokenInvalid("neither an access nor an id token")
        if client != self._client_id:
            raise TokenInvalid("made for another client")


def token_in(headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    """Give the token of a request, None when it brings none. Browsers cannot set headers on a WebSocket: `?token=`.

    Raises TokenInvalid for credentials of another kind: whoever sends some does not want to be anonymous.
    """
    for name, value in headers.items():
        if name.lower() == "authorization":
            scheme, _, token = value.strip().partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise TokenInvalid("not a bearer token")
            return token.strip()
    return query.get("token")


def key_reader(url: str) -> Callable[[], bytes]:
    """Give a function that reads the key document, in at most a few seconds. It raises KeysDown."""
    pool = urllib3.PoolManager(timeout=Timeout(connect=1, read=3), retries=urllib3.Retry(1, redirect=0))

    def read() -> bytes:
        try:
            answer = pool.request("GET", url, preload_content=False)
            body = answer.read(KEYS_BYTES_MAX + 1)
            answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise KeysDown(str(error)) from error
        if answer.status != 200 or len(body) > KEYS_BYTES_MAX:
            raise KeysDown(f"answer {answer.status} of {len(body)} bytes")
        return bytes(body)

    return read


def _signs(entry: Mapping[str, Any]) -> bool:
    return entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig" and entry.get("alg", _ALGORITHM) == _ALGORITHM


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
