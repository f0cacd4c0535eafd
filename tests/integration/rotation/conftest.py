"""Doors that open to logins which rotate: a real PostgreSQL and a real Redis, by its own commands and by those of
ElastiCache, with the secrets in the emulator.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import boto3
import msgspec
import psycopg
import pytest
import redis
from psycopg import sql

from local import servers
from local.processes import stop
from local.rotate import Event, opens
from local.state import State, choose_ports
from tests.cluster.elasticache import UsersOverRedis
from tests.cluster.rotating import KeptSecret
from venue_aws.doorkeepers import Address, CacheUser, ElastiCacheUsers, RedisUsers
from venue_aws.roles import Admin, DatabaseRoles
from venue_aws.rotation import Rotation, Step

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def nobodys() -> str:
    """A password as a new stack has it: long, and in no service yet."""
    return f"nobody-has-this-yet-{uuid4()}"


class Door(Protocol):
    """A secret, the rotation of it, and the service behind."""

    secret: KeptSecret

    def take(self, event: Event) -> bool:
        """One step."""
        ...

    def lets_in(self, content: dict[str, Any]) -> bool:
        """Whether this login is accepted now."""
        ...


class DatabaseDoor:
    """PostgreSQL, rotated by an admin who is no superuser, as Aurora's is none."""

    def __init__(self, client: "SecretsManagerClient", *, port: int, dbname: str, group: str, admin: Admin) -> None:
        self.address = {"host": "127.0.0.1", "port": port, "dbname": dbname}
        self.secret = KeptSecret(
            client, {**self.address, "group": group, "username": f"{group}_1", "password": nobodys()}
        )
        self._rotation = Rotation(lambda: client, DatabaseRoles(lambda: admin))

    def take(self, event: Event) -> bool:
        """One step."""
        return self._rotation.take(msgspec.convert(event, Step))

    def lets_in(self, content: dict[str, Any]) -> bool:
        """Whether this login is accepted now."""
        return opens(self.address | content)


class RedisDoor:
    """Redis, with users that one of both doorkeepers changes."""

    def __init__(
        self, client: "SecretsManagerClient", state: State, users: RedisUsers | ElastiCacheUsers, **user: str
    ) -> None:
        self.address = {"host": "127.0.0.1", "port": state.ports.redis}
        self.secret = KeptSecret(client, {**user, "password": nobodys()})
        self._rotation = Rotation(lambda: client, users)

    def take(self, event: Event) -> bool:
        """One step."""
        return self._rotation.take(msgspec.convert(event, Step))

    def lets_in(self, content: dict[str, Any]) -> bool:
        """Whether this login is accepted now."""
        return opens(self.address | content)


@pytest.fixture
def manager(aws: str) -> Iterator["SecretsManagerClient"]:
    """A client of the emulator's Secrets Manager."""
    client = boto3.client("secretsmanager", endpoint_url=aws)
    yield client
    client.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers below keep their data and logs."""
    made = tmp_path_factory.mktemp("doors")
    for parent in (made, *made.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o011)
    return made


@pytest.fixture(scope="module")
def own_servers(folder: Path) -> Iterator[State]:
    """PostgreSQL and Redis for these tests alone: roles are of a whole cluster, and others' tests know none."""
    state = State(ports=choose_ports(None))
    running = {name: servers.launch(name, folder, state) for name in ("postgres", "redis")}
    with psycopg.connect(servers.database_url(state), autocommit=True) as connection:
        admin = sql.SQL("CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD {}")
        connection.execute(admin.format(sql.Literal(state.user_password)))
        connection.execute("ALTER ROLE admin SET log_statement = 'all'")
        connection.execute("CREATE DATABASE venue OWNER admin")
    yield state
    for name, process in running.items():
        stop(process, how=servers.ENDINGS[name])


@pytest.fixture
def database_door(manager: "SecretsManagerClient", own_servers: State) -> DatabaseDoor:
    """PostgreSQL for the matcher."""
    admin = Admin(username="admin", password=own_servers.user_password)
    return DatabaseDoor(manager, port=own_servers.ports.postgres, dbname="venue", group="venue_matcher", admin=admin)


@pytest.fixture
def redis_door(manager: "SecretsManagerClient", own_servers: State) -> RedisDoor:
    """Redis for the matcher, by its own default user."""
    admin = CacheUser(username="default", password=own_servers.redis_password)
    users = RedisUsers(Address(host="127.0.0.1", port=own_servers.ports.redis), admin=lambda: admin)
    return RedisDoor(manager, own_servers, users, username="venue_matcher")


@pytest.fixture
def elasticache_door(manager: "SecretsManagerClient", own_servers: State) -> Iterator[RedisDoor]:
    """Redis for the matcher, by ElastiCache's API."""
    ports, name = own_servers.ports, f"user_{uuid4().hex[:8]}"
    with redis.Redis(host="127.0.0.1", port=ports.redis, password=own_servers.redis_password) as admin:
        api = UsersOverRedis(admin, {"venue-test-matcher": name})
        users = ElastiCacheUsers(Address(host="127.0.0.1", port=ports.redis), api=api, pause=lambda _: None)
        yield RedisDoor(manager, own_servers, users, username=name, user_id="venue-test-matcher")


@pytest.fixture(params=["database", "redis", "elasticache"])
def door(request: pytest.FixtureRequest) -> Door:
    """Each of them."""
    found: Door = request.getfixturevalue(f"{request.param}_door")
    return found
