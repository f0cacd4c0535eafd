"""Logins that change while the program runs: kept for a while, read again when they are old, or refused.

A rotation leaves the login before the current one good until the next rotation: one of the two always opens the door.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

log = logging.getLogger("venue_aws.logins")

type Stage = Literal["AWSCURRENT", "AWSPREVIOUS"]

# A new connection takes a login that was read so long ago at most; ...
KEEP_S: Final = 60.0
# ... and however many are refused, the secret is not read more often than this for them.
AGAIN_S: Final = 1.0
# A Secrets Manager that takes longer than this for the one login is not asked for the other.
SLOW_S: Final = 0.5


class SecretAway(Exception):
    """The secret cannot be read now, or is not what it should be. Its content is not in the message."""


class DatabaseLogin(msgspec.Struct, frozen=True, kw_only=True):
    """The database secret's content."""

    host: str
    port: int
    username: str
    password: str
    dbname: str

    def __repr__(self) -> str:
        return f"DatabaseLogin({self.username!r})"


class Logins[Login]:
    """The login of one secret. Threads may share it.

    `read` gives the login of a stage of the secret, and raises SecretAway.
    """

    def __init__(self, read: Callable[[Stage], Login], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Login | None = None
        self._read_at = self._asked_at = float("-inf")

    def now(self) -> Login:
        """Give what to open a connection with. Raises SecretAway, but where there is one from before."""
        with self._lock:
            if self._kept is not None and self._clock() - self._read_at < KEEP_S:
                return self._kept
            try:
                return self._renew()
            except SecretAway as error:
                if self._kept is None:
                    raise
                log.warning("secret_away", extra={"error": str(error)})
                self._read_at = self._clock()
                return self._kept

    def instead_of(self, refused: Login) -> Login | None:
        """Give another login than one that was just refused, or None where there is none, or it was asked for just now.

        It is the current one where another has become that, and otherwise the one before it: not everybody whom a login
        is shown hears of a new one at once.
        """
        with self._lock:
            if self._kept != refused:
                return self._kept
            if self._clock() - self._asked_at < AGAIN_S:
                return None
            self._asked_at = self._clock()
            log.warning("login_refused")
            try:
                found = self._renew()
                if found == refused and self._clock() - self._asked_at < SLOW_S:
                    found = self._read("AWSPREVIOUS")
            except SecretAway as error:
                log.warning("secret_away", extra={"error": str(error)})
                return None
            return found if found != refused else None

    def _renew(self) -> Login:
        found = self._read("AWSCURRENT")
        if self._kept is not None and found != self._kept:
            log.warning("login_renewed")  # not of a library's chatter: whoever rotates looks for it
        self._kept, self._read_at = found, self._clock()
        return found


@cache
def secrets_client(region: str | None) -> "SecretsManagerClient":
    """Give the client of Secrets Manager, for a caller who waits."""
    import boto3

    from venue_aws import patience

    return boto3.client("secretsmanager", region_name=region, config=patience.once(read_s=patience.SECRET_READ_S))


def secret_reader(client: "Callable[[], SecretsManagerClient]", arn: str) -> Callable[[Stage], dict[str, Any]]:
    """Give a reader of a secret's JSON object. It raises SecretAway."""

    def read(stage: Stage) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            text = client().get_secret_value(SecretId=arn, VersionStage=stage)["SecretString"]
            found: dict[str, Any] = msgspec.json.decode(text)
        except (BotoCoreError, ClientError) as error:
            raise SecretAway(f"{arn}: {error}") from error
        except (KeyError, msgspec.DecodeError):
            # Without its cause, which has a part of the text.
            raise SecretAway(f"{arn} holds no JSON") from None
        return found

    return read


def login_of[Login](read: Callable[[Stage], dict[str, Any]], form: type[Login], **known: object) -> Logins[Login]:
    """Give the logins that a secret holds in the form of a struct. `known`: what is not to be had from the secret."""

    def convert(stage: Stage) -> Login:
        content = read(stage)
        try:
            # Secrets Manager's own rotations keep further fields in a secret, and may write a port as text.
            return msgspec.convert(content | known, form, strict=False)
        except msgspec.ValidationError as error:
            raise SecretAway(f"the secret is no {form.__name__}: {error}") from None

    return Logins(convert)
