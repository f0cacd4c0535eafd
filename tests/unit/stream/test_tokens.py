"""Who gets past the WebSocket's door. Keys and tokens are made here, by the same mathematics as Cognito's."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from venue_aws.tokens import (
    ASK_AGAIN_S,
    KEYS_FRESH_S,
    TOKEN_BYTES_MAX,
    Identity,
    Keys,
    KeysDown,
    TokenInvalid,
    Verifier,
    token_in,
)

ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_pool"
CLIENT = "client-1"


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    del name  # it only tells one cached key from another
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(name: str) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key(name).public_key()))
    return {**entry, "kid": name, "alg": "RS256", "use": "sig"}


def document(*names: str) -> bytes:
    return json.dumps({"keys": [jwk(name) for name in names]}).encode()


def access(**other: Any) -> dict[str, Any]:
    now = int(time.time())
    claims: dict[str, Any] = {
        "sub": "account-1",
        "iss": ISSUER,
        "client_id": CLIENT,
        "token_use": "access",
        "iat": now,
        "exp": now + 3600,
        "cognito:groups": ["traders", "operators"],
    }
    return {name: value for name, value in {**claims, **other}.items() if value is not None}


def signed(claims: dict[str, Any], *, by: str = "main", kid: str | None = "main", algorithm: str = "RS256") -> str:
    return jwt.encode(claims, key(by), algorithm=algorithm, headers={"kid": kid} if kid else None)


def verifier(fetch: Callable[[], bytes] = lambda: document("main")) -> Verifier:
    return Verifier(keys=Keys(fetch), issuer=ISSUER, client_id=CLIENT)


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_an_access_token_of_this_pool_and_client_tells_the_account_and_its_groups() -> None:
    claims = access()
    assert verifier().identify(signed(claims)) == Identity(
        account="account-1", groups=("traders", "operators"), expires_at=claims["exp"]
    )


def test_an_id_token_names_the_client_as_its_audience() -> None:
    claims = access(token_use="id", client_id=None, aud=CLIENT)
    assert verifier().identify(signed(claims)).account == "account-1"


def test_a_token_without_groups_is_in_none() -> None:
    assert verifier().identify(signed(access(**{"cognito:groups": None}))).groups == ()


def test_a_token_issued_by_a_clock_slightly_ahead_is_good() -> None:
    assert verifier().identify(signed(access(iat=int(time.time()) + 60))).account == "account-1"


def unsigned() -> str:
    return f"{segment({'alg': 'none', 'typ': 'JWT', 'kid': 'main'})}.{segment(access())}."


def stripped() -> str:
    return signed(access()).rpartition(".")[0] + "."


def with_another_payload() -> str:
    head, _, signature = signed(access()).split(".")
    return f"{head}.{segment(access(sub='account-2'))}.{signature}"


def signed_with_the_public_key_as_a_secret() -> str:
    """The classic confusion: HS256 with what everyone may read as its key. PyJWT itself refuses to make one."""
    secret = (
        key("main")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    text = f"{segment({'alg': 'HS256', 'typ': 'JWT', 'kid': 'main'})}.{segment(access())}"
    signature = base64.urlsafe_b64encode(hmac.new(secret, text.encode(), hashlib.sha256).digest()).rstrip(b"=")
    return f"{text}.{signature.decode()}"


def bringing_its_own_key() -> str:
    return jwt.encode(access(), key("thief"), algorithm="RS256", headers={"kid": "main", "jwk": jwk("thief")})


def pointing_to_its_own_keys() -> str:
    headers = {"kid": "main", "jku": "https://thief.example/jwks.json"}
    return jwt.encode(access(), key("thief"), algorithm="RS256", headers=headers)


def signed_with_an_elliptic_key() -> str:
    return jwt.encode(access(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "main"})


FORGERIES: dict[str, Callable[[], str]] = {
    "not a token": lambda: "not.a.token",
    "empty": lambda: "",
    "far too long": lambda: "a" * (TOKEN_BYTES_MAX + 1),
    "unsigned": unsigned,
    "its signature taken off": stripped,
    "its payload exchanged": with_another_payload,
    "signed with another key under a known id": lambda: signed(access(), by="thief"),
    "signed with an unknown key": lambda: signed(access(), by="thief", kid="thief"),
    "without a key id": lambda: signed(access(), kid=None),
    "another algorithm of the right key": lambda: signed(access(), algorithm="RS512"),
    "another padding of the right key": lambda: signed(access(), algorithm="PS256"),
    "the public key used as a secret": signed_with_the_public_key_as_a_secret,
    "an elliptic key": signed_with_an_elliptic_key,
    "bringing its own key": bringing_its_own_key,
    "pointing to its own keys": pointing_to_its_own_keys,
    "expired": lambda: signed(access(exp=int(time.time()) - 1)),
    "without an end": lambda: signed(access(exp=None)),
    "not valid yet": lambda: signed(access(nbf=int(time.time()) + 600)),
    "of another pool": lambda: signed(access(iss=ISSUER + "2")),
    "without an issuer": lambda: signed(access(iss=None)),
    "an access token of another client": lambda: signed(access(client_id="client-2")),
    "an access token of no client": lambda: signed(access(client_id=None)),
    "an access token with only an audience": lambda: signed(access(client_id=None, aud=CLIENT)),
    "an id token of another client": lambda: signed(access(token_use="id", aud="client-2")),
    "an id token with only a client id": lambda: signed(access(token_use="id")),
    "an id token for several": lambda: signed(access(token_use="id", aud=[CLIENT, "client-2"])),
    "a refresh token": lambda: signed(access(token_use="refresh")),
    "of no declared use": lambda: signed(access(token_use=None)),
    "without an account": lambda: signed(access(sub=None)),
    "with an empty account": lambda: signed(access(sub="")),
    "with groups that are no list": lambda: signed(access(**{"cognito:groups": "operators"})),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_foreign_or_expired_token_is_refused(forgery: str) -> None:
    token = FORGERIES[forgery]()
    with pytest.raises(TokenInvalid) as refusal:
        verifier().identify(token)
    # The reason goes to the log, where no part of any token belongs.
    assert not any(part and part in str(refusal.value) for part in token.split(".") if len(part) > 16)


class Source:
    """A key document that can change and fail; counts how often it was asked."""

    def __init__(self, *names: str) -> None:
        self.names: tuple[str, ...] | None = names
        self.asked = 0

    def __call__(self) -> bytes:
        self.asked += 1
        if self.names is None:
            raise KeysDown("away")
        return document(*self.names)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_keys_are_read_once_for_many_tokens() -> None:
    source = Source("main")
    keys = Keys(source, clock=Clock())
    for _ in range(5):
        keys.key("main")
    assert source.asked == 1


def test_a_rotated_key_is_found_when_a_token_names_it() -> None:
    source, clock = Source("main"), Clock()
    keys = Keys(source, clock=clock)
    keys.key("main")
    source.names = ("main", "next")
    clock.now += ASK_AGAIN_S
    assert keys.key("next").key_id == "next"


def test_unknown_key_ids_do_not_make_it_ask_without_end() -> None:
    source, clock = Source("main"), Clock()
    keys = Keys(source, clock=clock)
    for n in range(100):
        with pytest.raises(TokenInvalid):
            keys.key(f"made-up-{n}")
    assert source.asked == 1


def test_a_withdrawn_key_is_no_longer_believed_after_a_while() -> None:
    source, clock = Source("main", "lost"), Clock()
    keys = Keys(source, clock=clock)
    keys.key("lost")
    source.names = ("main",)
    clock.now += KEYS_FRESH_S
    with pytest.raises(TokenInvalid):
        keys.key("lost")


def test_known_keys_stay_in_use_while_the_pool_does_not_answer() -> None:
    source, clock = Source("main"), Clock()
    keys = Keys(source, clock=clock)
    keys.key("main")
    source.names = None
    clock.now += KEYS_FRESH_S
    assert keys.key("main").key_id == "main"


def test_without_any_keys_nothing_is_said_about_a_token() -> None:
    source = Source()
    source.names = None
    with pytest.raises(KeysDown):
        verifier(source).identify(signed(access()))


def test_keys_that_could_not_be_read_at_first_are_read_with_the_next_token() -> None:
    source = Source()
    source.names = None
    keys = Keys(source, clock=Clock())
    with pytest.raises(KeysDown):
        keys.key("main")
    source.names = ("main",)
    assert keys.key("main").key_id == "main"


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": [{"kty": "RSA", "kid": "main"}]}'])
def test_a_broken_key_document_is_no_keys(answer: bytes) -> None:
    with pytest.raises(KeysDown):
        verifier(lambda: answer).identify(signed(access()))


def test_keys_for_encryption_sign_nothing() -> None:
    foreign = {"keys": [{**jwk("main"), "use": "enc"}, jwk("other")]}
    with pytest.raises(TokenInvalid):
        verifier(lambda: json.dumps(foreign).encode()).identify(signed(access()))


def test_a_request_brings_its_token_in_the_header_or_the_query_or_not_at_all() -> None:
    assert token_in({"Authorization": "Bearer abc"}, {}) == "abc"
    assert token_in({"authorization": "bearer abc"}, {"token": "other"}) == "abc"
    assert token_in({"Host": "x"}, {"token": "abc"}) == "abc"
    assert token_in({}, {}) is None


@pytest.mark.parametrize("value", ["", "Basic dXNlcjpwYXNz", "Bearer", "Bearer   ", "abc"])
def test_credentials_of_another_kind_are_not_taken_for_no_credentials(value: str) -> None:
    with pytest.raises(TokenInvalid):
        token_in({"Authorization": value}, {})
