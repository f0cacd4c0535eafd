"""Redis' users: each has two passwords for as long as one takes the other's place.

Two servers, one behaviour: ElastiCache takes users by its own API, and any other Redis by ACL SETUSER.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
import redis

from venue_aws.rotation import Content, RotationRefused

# What each user may, as the templates say it to ElastiCache (infra/data.yaml). Functions read; who owns a shard writes.
RULES: Final[Mapping[str, str]] = {
    "venue_matcher": "on ~* &* -@all +@read +@write +@scripting +@transaction +@connection -@dangerous",
    "venue_functions": "on ~* resetchannels -@all +@read +@connection -@dangerous",
}

_TIMEOUT_S: Final = 3
_WAIT_S: Final = 2.0
_WAITS_MAX: Final = 40


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where Redis is. A rotation writes it into the secret: the users are made before there is an address."""

    host: str
    port: int
    tls: bool = False


class CacheUser(msgspec.Struct, frozen=True, kw_only=True):
    """What a Redis secret holds from the first. `user_id`: ElastiCache's own name of the user."""

    username: str
    password: str
    user_id: str = ""


class UsersApi(Protocol):
    """ElastiCache's client, as far as it is needed here."""

    def describe_users(self, *, UserId: str) -> dict[str, Any]:  # noqa: N803
        """Give a user."""
        ...

    def modify_user(self, *, UserId: str, Passwords: Sequence[str]) -> dict[str, Any]:  # noqa: N803
        """Set both passwords of a user."""
        ...


class Doorkeeper:
    """What both have in common; see venue_aws.rotation.Keeper."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def propose(self, current: Content) -> Content:
        """Give the same user a new password."""
        _user(current)
        address: Content = msgspec.to_builtins(self._address)
        return current | address | {"password": secrets.token_urlsafe(36)}

    def test(self, pending: Content) -> None:
        """Log in."""
        user = _user(pending)
        try:
            with self._client(user.username, user.password) as client:
                client.ping()
        except redis.RedisError as error:
            raise RotationRefused(f"{user.username} is not let in: {type(error).__name__}") from None

    def _client(self, username: str, password: str) -> redis.Redis:
        return redis.Redis(
            host=self._address.host,
            port=self._address.port,
            ssl=self._address.tls,
            username=username,
            password=password,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
        )


class RedisUsers(Doorkeeper):
    """A Redis of one's own. `admin`: username and password of who may change users."""

    def __init__(self, address: Address, *, admin: Callable[[], CacheUser]) -> None:
        super().__init__(address)
        self._admin = admin

    def admit(self, pending: Content, *, current: Content) -> None:
        """Let in both passwords, and no third."""
        user, in_use, admin = _user(pending), _user(current), self._admin()
        if user.username not in RULES:
            raise RotationRefused(f"{user.username} is no user of ours")
        digests = [f"#{hashlib.sha256(each.password.encode()).hexdigest()}" for each in (in_use, user)]
        try:
            with self._client(admin.username, admin.password) as client:
                client.execute_command(
                    "ACL SETUSER", user.username, "resetpass", *digests, "resetkeys", *RULES[user.username].split()
                )
                client.execute_command("ACL SAVE")
        except redis.RedisError as error:
            raise RotationRefused(f"Redis does not take {user.username}: {type(error).__name__}") from None


class ElastiCacheUsers(Doorkeeper):
    """ElastiCache, whose users change within seconds, one change at a time."""

    def __init__(self, address: Address, *, api: UsersApi, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(address)
        self._api = api
        self._pause = pause

    def admit(self, pending: Content, *, current: Content) -> None:
        """Let in both passwords, and no third, and wait until that is so."""
        user, in_use = _user(pending), _user(current)
        self._settle(user)
        self._api.modify_user(UserId=user.user_id, Passwords=[in_use.password, user.password])
        self._settle(user)

    def _settle(self, user: CacheUser) -> None:
        for _ in range(_WAITS_MAX):
            [found] = self._api.describe_users(UserId=user.user_id)["Users"]
            if found["UserName"] != user.username:
                raise RotationRefused(f"{user.user_id} is not {user.username}")
            if found["Status"] == "active":
                return
            self._pause(_WAIT_S)
        raise RotationRefused(f"{user.user_id} is not active after {_WAITS_MAX * _WAIT_S:.0f} s")


def _user(content: Content) -> CacheUser:
    try:
        return msgspec.convert(content, CacheUser, strict=False)
    except msgspec.ValidationError as error:
        raise RotationRefused(f"the secret is no user of Redis: {error}") from None


def connect(region: str) -> UsersApi:
    """Make a client of ElastiCache's API."""
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
    api: UsersApi = boto3.client("elasticache", region_name=region, config=config)
    return api
