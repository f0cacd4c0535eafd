"""Real servers for adapters to be tried against: each on a free port, started once a session, when first asked for."""

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
def emulator(grounds: Path, state: State) -> Iterator[str]:
    """The AWS emulator; gives its URL."""
    running = servers.launch("emulator", grounds, state)
    yield servers.aws_url(state)
    stop(running, how=servers.ENDINGS["emulator"])


@pytest.fixture
def aws(emulator: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The emulator's URL; for the length of this test, AWS clients of this process turn to it."""
    for name, value in (servers.CREDENTIALS | {"AWS_ENDPOINT_URL": emulator}).items():
        monkeypatch.setenv(name, value)
    return emulator


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
