"""Tokens that nobody may get in with. Where a forgery needs it, the pool's own key signs: the worst case.

A Signer stands for the pool; each forgery makes one token from it, and names what is wrong with it.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

type Claims = dict[str, Any]


class Signer:
    """A user pool: its private key, and a good token of somebody in it."""

    def __init__(self, key: Path, good: str) -> None:
        self.key = serialization.load_pem_private_key(key.read_bytes(), password=None)
        assert isinstance(self.key, rsa.RSAPrivateKey)
        self.good = good
        self.header: Claims = jwt.get_unverified_header(good)
        self.claims: Claims = jwt.decode(good, options={"verify_signature": False})

    @cached_property
    def another(self) -> rsa.RSAPrivateKey:
        """A key that the pool does not know."""
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def public(self, encoding: serialization.Encoding) -> bytes:
        """The pool's public key, which everybody can read."""
        return self.key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)

    def signed(self, without: str = "", **claims: Any) -> str:
        """A token by the pool's own key, with other claims, and perhaps without one."""
        changed = {name: value for name, value in {**self.claims, **claims}.items() if name != without}
        return jwt.encode(changed, self._rsa, algorithm="RS256", headers={"kid": self.header["kid"]})

    def by_key(self, key: Any, algorithm: str, **header: Any) -> str:
        """The good token's claims, signed otherwise."""
        return jwt.encode(self.claims, key, algorithm=algorithm, headers={"kid": self.header["kid"], **header})

    def by_secret(self, secret: bytes, *, algorithm: str = "HS256", **header: Any) -> str:
        """The good token's claims under a shared secret: what a verifier that trusts the header would take."""
        head = _part({"alg": algorithm, "typ": "JWT", "kid": self.header["kid"], **header})
        signing = f"{head}.{_part(self.claims)}"
        hashed = hashlib.sha256 if algorithm == "HS256" else hashlib.sha512
        return f"{signing}.{_text(hmac.new(secret, signing.encode(), hashed).digest())}"

    def unsigned(self, algorithm: str, signature: str = "", **claims: Any) -> str:
        """A token that says that it needs no signature."""
        return f"{_part({**self.header, 'alg': algorithm})}.{_part({**self.claims, **claims})}.{signature}"

    def altered(self, **claims: Any) -> str:
        """The good token's signature over other claims."""
        return f"{_part(self.header)}.{_part({**self.claims, **claims})}.{self.good.split('.')[2]}"

    @property
    def _rsa(self) -> rsa.RSAPrivateKey:
        assert isinstance(self.key, rsa.RSAPrivateKey)
        return self.key


def _flipped(token: str) -> str:
    head, claims, signature = token.split(".")
    return f"{head}.{claims}.{signature[:20]}{'A' if signature[20] != 'A' else 'B'}{signature[21:]}"


def _modulus(pool: Signer) -> bytes:
    assert isinstance(pool.key, rsa.RSAPrivateKey)
    return pool.key.public_key().public_numbers().n.to_bytes(256, "big")


def _jwk(key: rsa.RSAPrivateKey) -> Claims:
    found: Claims = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return found


def _part(value: object) -> str:
    return _text(json.dumps(value).encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _now() -> int:
    return int(time.time())


_ELSEWHERE: Final = "https://keys.example.com/jwks.json"

FORGERIES: Final[dict[str, Callable[[Signer], str]]] = {
    # No signature at all.
    "alg none": lambda pool: pool.unsigned("none"),
    "alg nOnE": lambda pool: pool.unsigned("nOnE"),
    "alg none with the old signature": lambda pool: pool.unsigned("none", pool.good.split(".")[2]),
    "alg empty": lambda pool: pool.unsigned(""),
    "the signature stripped": lambda pool: pool.good.rpartition(".")[0],
    "the signature empty": lambda pool: pool.good.rpartition(".")[0] + ".",
    # A signature that is not of this token.
    "the signature of another token": lambda pool: (
        pool.good.rpartition(".")[0] + "." + pool.signed(iat=1).split(".")[2]
    ),
    "the signature cut short": lambda pool: pool.good[:-20],
    "a bit of the signature flipped": lambda pool: _flipped(pool.good),
    "another account written in": lambda pool: pool.altered(sub="00000000-0000-4000-8000-000000000001"),
    "a group written in": lambda pool: pool.altered(**{"cognito:groups": ["operators", "traders"]}),
    "a later end written in": lambda pool: pool.altered(exp=_now() + 10_000_000),
    "another header": lambda pool: f"{_part({**pool.header, 'typ': 'at+jwt'})}.{pool.good.partition('.')[2]}",
    # Another key.
    "another key under the same name": lambda pool: pool.by_key(pool.another, "RS256"),
    "another key, brought along": lambda pool: pool.by_key(pool.another, "RS256", jwk=_jwk(pool.another)),
    "another key, to be fetched": lambda pool: pool.by_key(pool.another, "RS256", jku=_ELSEWHERE),
    "another key, by certificate": lambda pool: pool.by_key(pool.another, "RS256", x5u=_ELSEWHERE),
    "another key, by certificate chain": lambda pool: pool.by_key(pool.another, "RS256", x5c=["MIIB"]),
    # Another algorithm.
    "HS256 under the public key as PEM": lambda pool: pool.by_secret(pool.public(serialization.Encoding.PEM)),
    "HS256 under the public key as DER": lambda pool: pool.by_secret(pool.public(serialization.Encoding.DER)),
    "HS256 under the modulus": lambda pool: pool.by_secret(_modulus(pool)),
    "HS256 under nothing": lambda pool: pool.by_secret(b""),
    "HS512 under the public key": lambda pool: pool.by_secret(
        pool.public(serialization.Encoding.PEM), algorithm="HS512"
    ),
    "ES256": lambda pool: pool.by_key(ec.generate_private_key(ec.SECP256R1()), "ES256"),
    "PS256 by the right key": lambda pool: pool.by_key(pool.key, "PS256"),
    "RS512 by the right key": lambda pool: pool.by_key(pool.key, "RS512"),
    # Tricks with the key's name.
    "no kid": lambda pool: jwt.encode(pool.claims, pool.another, algorithm="RS256"),
    "an unknown kid": lambda pool: pool.by_key(pool.another, "RS256", kid="another"),
    "a kid that is a path": lambda pool: pool.by_secret(b"", kid="../../../../dev/null"),
    "a kid that is a query": lambda pool: pool.by_secret(b"x", kid="x' UNION SELECT 'x"),
    "a kid that is an address": lambda pool: pool.by_key(pool.another, "RS256", kid=_ELSEWHERE),
    # The right key, the wrong token.
    "expired": lambda pool: pool.signed(exp=_now() - 60, iat=_now() - 3660),
    "not valid yet": lambda pool: pool.signed(nbf=_now() + 3600),
    "without an end": lambda pool: pool.signed(without="exp"),
    "of another pool": lambda pool: pool.signed(iss=f"{pool.claims['iss']}x"),
    "of nobody": lambda pool: pool.signed(without="iss"),
    "made for another client": lambda pool: pool.signed(aud="another-client", client_id="another-client"),
    "made for no client": lambda pool: pool.signed(without="aud"),
    "for another use": lambda pool: pool.signed(token_use="refresh"),
    "for no use": lambda pool: pool.signed(without="token_use"),
    "about nobody": lambda pool: pool.signed(without="sub"),
    "about an empty name": lambda pool: pool.signed(sub=""),
    # No token at all.
    "too long": lambda pool: pool.signed(padding="x" * 9_000),
    "five parts": lambda pool: f"{pool.good}.x.y",
    "dots": lambda _: "..",
    "no base64": lambda _: "!!.??.--",
    "claims that are a list": lambda pool: f"{_part(pool.header)}.{_part([1])}.x",
}
