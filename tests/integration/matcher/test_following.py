"""Passwords change for real while orders flow: nobody restarts, and who connects anew finds the new ones."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import psycopg
import pytest
from psycopg import sql
from psycopg.rows import scalar_row
from redis import Redis

from local.state import State
from tests.cluster.callers import calling, straight_to
from tests.cluster.database import NewDatabase
from tests.cluster.flow import trading
from tests.cluster.redis import RedisServer
from tests.integration.matcher.conftest import Environment, StartMatcher
from venue_aws.cache import Cache, CacheLogin
from venue_aws.database import Database
from venue_aws.logins import AGAIN_S, DatabaseLogin, Logins, login_of, secret_reader

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class Rotating:
    """A user of PostgreSQL and one of Redis, and the secrets that hold their passwords."""

    def __init__(
        self, manager: "SecretsManagerClient", database: NewDatabase, redis: RedisServer, state: State
    ) -> None:
        self.user = f"user_{uuid4().hex[:8]}"
        self.passwords: list[str] = []
        self._manager = manager
        self._database = database
        self._redis = redis
        database.run(f"CREATE ROLE {self.user} LOGIN SUPERUSER")
        settings = database.settings
        cache = redis.environment()
        self._addresses: dict[str, dict[str, Any]] = {
            "database": {"host": settings.host, "port": state.ports.postgres, "dbname": settings.name},
            "redis": {"host": cache["REDIS_HOST"], "port": int(cache["REDIS_PORT"])},
        }
        self.arns = {
            name: manager.create_secret(Name=f"{name}-{uuid4()}", SecretString="{}")["ARN"] for name in self._addresses
        }
        self.change()

    def change(self) -> None:
        """Give both users a new password, and let the secrets know. The old ones open nothing from now on."""
        password = f"word-{uuid4()}"
        self.passwords.append(password)
        with psycopg.connect(self._database.url, autocommit=True) as connection:
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(self.user), sql.Literal(password)))
        with self.redis() as client:
            client.execute_command("ACL", "SETUSER", self.user, "on", "resetpass", f">{password}", "~*", "&*", "+@all")
        for name, arn in self.arns.items():
            content = {**self._addresses[name], "username": self.user, "password": password}
            self._manager.put_secret_value(SecretId=arn, SecretString=json.dumps(content))

    def redis(self) -> Redis:
        """Redis' own administrator."""
        told = self._redis.environment()
        return Redis(host=told["REDIS_HOST"], port=int(told["REDIS_PORT"]), password=told["REDIS_PASSWORD"])

    def cut_off(self) -> None:
        """End every connection of both users."""
        self._database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", self.user)
        with self.redis() as client:
            client.execute_command("CLIENT", "KILL", "USER", self.user)

    def logins[Login](self, name: str, form: type[Login]) -> Logins[Login]:
        """What a program reads from a secret."""
        return login_of(secret_reader(lambda: self._manager, self.arns[name]), form)


@pytest.fixture
def manager(aws: str) -> Iterator["SecretsManagerClient"]:
    """A client of the emulator's Secrets Manager."""
    client = boto3.client("secretsmanager", endpoint_url=aws)
    yield client
    client.close()


@pytest.fixture
def rotating(
    manager: "SecretsManagerClient", database: NewDatabase, redis_server: RedisServer, state: State
) -> Rotating:
    """Users and secrets."""
    return Rotating(manager, database, redis_server, state)


def test_a_matcher_keeps_its_term_while_passwords_change_and_finds_the_new_ones_when_it_is_cut_off(
    rotating: Rotating, start_matcher: StartMatcher, told: Environment, redis_server: RedisServer
) -> None:
    secrets = {f"{name.upper()}_SECRET_ARN": arn for name, arn in rotating.arns.items()}
    matcher = start_matcher(**told, **secrets).wait_until_ready()
    epoch = matcher.state()["epoch"]
    with calling(lambda: straight_to(matcher.address), trading(seed=1)) as callers:
        callers.wait_for(50)
        for _ in range(2):
            rotating.change()
            callers.wait_for(len(callers.heard) + 50)
        assert callers.refusals == 0
        assert matcher.state()["epoch"] == epoch

        rotating.cut_off()
        callers.wait_for(len(callers.heard) + 50)
    matcher.wait_until(lambda: redis_server.cache().owners()[0].epoch > epoch)
    assert matcher.is_running()
    assert matcher.has_logged("login_renewed")
    said = matcher.log.read_text()
    assert [password for password in rotating.passwords if password in said] == []


def test_functions_find_the_new_passwords_in_the_request_that_needs_them(rotating: Rotating) -> None:
    journal = rotating.logins("database", DatabaseLogin)
    books = rotating.logins("redis", CacheLogin)
    with (
        closing(Database(journal.now, instead_of=journal.instead_of)) as database,
        closing(Cache.follow(books, timeout_ms=2000)) as cache,
    ):
        for _ in range(2):
            assert database.fetch("SELECT current_user::text", {}, row=scalar_row) == [rotating.user]
            assert cache.owners() == {}
            rotating.change()
            time.sleep(AGAIN_S)  # nobody reads a secret more often than that, however often it changes
            # Kept connections go on; whoever is cut off comes back with the other password.
            assert database.fetch("SELECT 1", {}, row=scalar_row) == [1]
            assert cache.owners() == {}
            rotating.cut_off()
            assert database.fetch("SELECT 1", {}, row=scalar_row) == [1]
            assert cache.owners() == {}


def test_a_login_shows_its_password_to_nobody() -> None:
    word = str(uuid4())
    for login in (
        DatabaseLogin(host="h", port=1, username="ann", password=word, dbname="d"),
        CacheLogin(host="h", port=1, username="ann", password=word),
    ):
        assert "ann" in repr(login)
        assert word not in f"{login!r} {login}"
