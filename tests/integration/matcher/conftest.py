"""Matchers as processes, on databases, Redis servers and queues of their own."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
from mypy_boto3_sqs import SQSClient

from local.servers import CREDENTIALS
from local.state import State
from tests.cluster.database import NewDatabase, create_database
from tests.cluster.process import MatcherProcess
from tests.cluster.redis import RedisServer

LEASE_S = 1.0

type StartMatcher = Callable[..., MatcherProcess]
type Environment = dict[str, str]
type NewQueue = Callable[..., str]

_numbers = itertools.count(1)


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
