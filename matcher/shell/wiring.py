"""The environment, read once and checked: a wrong or missing variable ends the process with its name."""

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

_CATALOGUE = Path(__file__).parents[1] / "products.toml"
_ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104
# Twice this is how long a commit may take.
LEASE_S = 3.0
# What a recovery replays: some two seconds.
CHECKPOINT_COMMANDS = 100_000


type SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class BadSettings(Exception):
    """An environment variable is missing or cannot be read; the message names it."""


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A direct connection to the journal. `host` may be a directory with a Unix socket."""

    host: str
    port: int
    user: str
    password: str | None
    name: str
    sslmode: SslMode = "prefer"


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """Where address and login are to be had, as they are now. `sslmode`: of the way to a database."""

    arn: str
    sslmode: SslMode = "prefer"


class RedisAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where snapshots are written."""

    host: str
    port: int
    password: str
    tls: bool


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All that the matcher is told from outside. A part whose address is None is off.

    The venue has `shards` shards, numbered from 0; this process owns at most `shards_max` of them at a time.
    """

    database: Database | Secret
    redis: RedisAddress | Secret | None
    order_queue_url: str | None
    events_queue_url: str | None
    region: str | None
    host: str
    port: int
    advertised_url: str
    shards: int
    shards_max: int
    checkpoint_commands: int
    lease_s: float
    catalogue: Path
    log_level: str


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings. Raises BadSettings."""

    def number[T: (int, float)](name: str, default: T, parse: Callable[[str], T]) -> T:
        return _number(environment, name, default, parse)

    def least(name: str, default: int, bound: int) -> int:
        value = number(name, default, int)
        if value < bound:
            raise BadSettings(f"{name} must be at least {bound}")
        return value

    shards = least("SHARDS", 1, 1)
    host = _text(environment, "HOST", "127.0.0.1")
    port = number("PORT", 8080, int)
    lease_s = number("LEASE_SECONDS", LEASE_S, float)
    if lease_s < 0.5:
        raise BadSettings("LEASE_SECONDS must be at least 0.5")
    return Settings(
        database=_database(environment),
        redis=_redis(environment),
        order_queue_url=environment.get("ORDER_QUEUE_URL") or None,
        events_queue_url=environment.get("EVENTS_QUEUE_URL") or None,
        # boto3 knows the second name only, ECS and Lambda set the first.
        region=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"),
        host=host,
        port=port,
        advertised_url=environment.get("ADVERTISED_URL") or f"http://{_own_address(host)}:{port}",
        shards=shards,
        shards_max=least("SHARDS_MAX", shards, 1),
        checkpoint_commands=least("CHECKPOINT_COMMANDS", CHECKPOINT_COMMANDS, 1_000),
        lease_s=lease_s,
        catalogue=Path(_text(environment, "CATALOGUE", str(_CATALOGUE))),
        log_level=_text(environment, "LOG_LEVEL", "INFO").upper(),
    )


def _database(environment: Mapping[str, str]) -> Database | Secret:
    sslmode = _sslmode(_text(environment, "PGSSLMODE", "prefer"))
    if arn := environment.get("DATABASE_SECRET_ARN"):
        return Secret(arn=arn, sslmode=sslmode)
    return Database(
        host=_text(environment, "PGHOST"),
        port=_number(environment, "PGPORT", 5432, int),
        user=_text(environment, "PGUSER", "postgres"),
        password=environment.get("PGPASSWORD"),
        name=_text(environment, "PGDATABASE", "postgres"),
        sslmode=sslmode,
    )


def _redis(environment: Mapping[str, str]) -> RedisAddress | Secret | None:
    if arn := environment.get("REDIS_SECRET_ARN"):
        return Secret(arn=arn)
    if not (host := environment.get("REDIS_HOST")):
        return None
    return RedisAddress(
        host=host,
        port=_number(environment, "REDIS_PORT", 6379, int),
        password=environment.get("REDIS_PASSWORD", ""),
        tls=_truth(environment.get("REDIS_TLS", "")),
    )


def _text(environment: Mapping[str, str], name: str, default: str | None = None) -> str:
    value = environment.get(name) or default
    if value is None:
        raise BadSettings(f"{name} is not set")
    return value


def _number[T: (int, float)](environment: Mapping[str, str], name: str, default: T, parse: Callable[[str], T]) -> T:
    try:
        return parse(environment[name]) if environment.get(name) else default
    except ValueError as error:
        raise BadSettings(f"{name} is not a number: {environment[name]!r}") from error


def _truth(value: str) -> bool:
    match value.lower():
        case "" | "0" | "false" | "no":
            return False
        case "1" | "true" | "yes":
            return True
        case _:
            raise BadSettings(f"REDIS_TLS is neither true nor false: {value!r}")


def _sslmode(value: str) -> SslMode:
    try:
        mode: SslMode = msgspec.convert(value, SslMode)
    except msgspec.ValidationError as error:
        raise BadSettings(f"PGSSLMODE is none of libpq's: {value!r}") from error
    return mode


def _own_address(host: str) -> str:
    """The address that others in the network reach: in ECS the host name stands for the task's own interface."""
    if host not in _ANY_ADDRESS:
        return host
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError as error:
        raise BadSettings("ADVERTISED_URL is not set, and this host does not know its own address") from error
