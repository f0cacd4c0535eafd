"""Real servers for adapters to be tried against: each on a free port, started once a session, when first asked for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import servers
from local.processes import stop
from local.state import State, choose_ports


@pytest.fixture(scope="session")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the session's servers keep their data and logs."""
    folder = tmp_path_factory.mktemp("servers")
    # PostgreSQL runs as another user when we are root, and has to get through to its own folder.
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o011)
    return folder


@pytest.fixture(scope="session")
def state() -> State:
    """Free ports and fresh passwords."""
    return State(ports=choose_ports(None))


@pytest.fixture(scope="session")
def aws(grounds: Path, state: State) -> Iterator[str]:
    """The AWS emulator; gives its URL, and points this process's AWS clients at it."""
    before = dict(os.environ)
    running = servers.launch("emulator", grounds, state)
    os.environ.update(servers.CREDENTIALS, AWS_ENDPOINT_URL=servers.aws_url(state))
    yield servers.aws_url(state)
    for name in (*servers.CREDENTIALS, "AWS_ENDPOINT_URL"):
        os.environ.pop(name, None)
        if name in before:
            os.environ[name] = before[name]
    stop(running, how=servers.ENDINGS["emulator"])


@pytest.fixture(scope="session")
def postgres(grounds: Path, state: State) -> Iterator[str]:
    """PostgreSQL; gives its URL."""
    running = servers.launch("postgres", grounds, state)
    yield servers.database_url(state)
    stop(running, how=servers.ENDINGS["postgres"])


@pytest.fixture(scope="session")
def redis(grounds: Path, state: State) -> Iterator[State]:
    """Redis; gives the state that has its port and password."""
    running = servers.launch("redis", grounds, state)
    yield state
    stop(running, how=servers.ENDINGS["redis"])
