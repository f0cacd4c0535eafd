"""Matchers as processes, on databases, Redis servers and queues of their own."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import msgspec
import psycopg
import pytest
from mypy_boto3_sqs import SQSClient
from psycopg import sql
from redis import Redis

from local.processes import Running, stop
from local.servers import CREDENTIALS, ENDINGS
from local.servers import launch as launch_server
from local.state import State, choose_ports
from matcher.shell.wiring import Database
from tests.integration.matcher.process import MatcherProcess
from venue_aws.cache import Cache

LEASE_S = 1.0

type StartMatcher = Callable[..., MatcherProcess]
type Environment = dict[str, str]
type NewQueue = Callable[..., str]

_numbers = itertools.count(1)


class NewDatabase(msgspec.Struct, frozen=True):
    """A database of one test: as the matcher's settings name it, and as psycopg does."""

    settings: Database
    url: str

    def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """Run one query and give its rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    def run(self, statement: str, *parameters: object) -> None:
        """Run one statement."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode(), parameters or None)


def create_database(postgres: str, state: State) -> NewDatabase:
    """Make an empty database."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return NewDatabase(
        Database(
            host="127.0.0.1", port=state.ports.postgres, user="postgres", password=state.database_password, name=name
        ),
        postgres.rpartition("/")[0] + f"/{name}",
    )


@pytest.fixture
def database(postgres: str, state: State) -> NewDatabase:
    """An empty database for one test."""
    return create_database(postgres, state)


def launch(database: NewDatabase, folder: Path, extra: dict[str, str]) -> MatcherProcess:
    """Start a matcher on a database; whoever calls this kills it."""
    log = folder / "log" / f"matcher-{next(_numbers)}.log"
    return MatcherProcess(database.settings, log=log, lease_s=LEASE_S, extra=extra)


@pytest.fixture
def start_matcher(grounds: Path, database: NewDatabase) -> Iterator[StartMatcher]:
    """Starts matchers on this test's database; extra environment as keyword arguments. They are killed afterwards."""
    with ExitStack() as stack:

        def start(**extra: str) -> MatcherProcess:
            process = launch(database, grounds, extra)
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture(scope="module")
def shared_matcher(postgres: str, state: State, grounds: Path) -> Iterator[MatcherProcess]:
    """One serving matcher for all tests of a module that do not care what else is in its books."""
    process = launch(create_database(postgres, state), grounds, {})
    try:
        yield process.wait_until_ready()
    finally:
        process.kill()


class RedisServer:
    """A Redis that a test may stop and start again; it comes back empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = State(ports=choose_ports(None))
        self._running: Running | None = None

    def environment(self) -> dict[str, str]:
        """What a matcher is told about it."""
        return {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self._state.ports.redis),
            "REDIS_PASSWORD": self._state.redis_password,
        }

    def cache(self) -> Cache:
        """A reader of it."""
        return Cache.connect(
            host="127.0.0.1", port=self._state.ports.redis, password=self._state.redis_password, timeout_ms=2000
        )

    def forget(self) -> None:
        """Take away all its keys."""
        with Redis(host="127.0.0.1", port=self._state.ports.redis, password=self._state.redis_password) as client:
            client.flushall()

    def start(self) -> None:
        """Start it, empty."""
        self._running = launch_server("redis", self._folder, self._state)

    def stop(self) -> None:
        """Stop it; its keys are gone."""
        stop(self._running, how=ENDINGS["redis"])


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running, empty Redis."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sqs(aws: str) -> Iterator[SQSClient]:
    """A client of the emulator's SQS."""
    client = boto3.client("sqs", endpoint_url=aws)
    yield client
    client.close()


@pytest.fixture
def new_queue(sqs: SQSClient) -> NewQueue:
    """Makes FIFO queues, each with a name of its own; gives the URL."""

    def make(**attributes: str) -> str:
        name = f"matcher-{next(_numbers)}.fifo"
        given: Any = {"FifoQueue": "true"} | attributes
        return sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"]

    return make


@pytest.fixture
def told(aws: str) -> Environment:
    """What a process is told about the AWS emulator."""
    return CREDENTIALS | {"AWS_ENDPOINT_URL": aws}
