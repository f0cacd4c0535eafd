"""A real matcher process: started, asked, paused, killed."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import urllib3

from local.processes import clean_environment, free_port, tail
from matcher.shell.wiring import Database
from venue import wire
from venue.commands import AnyCommand
from venue.wire import Outcome

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0

_OUTCOMES = msgspec.json.Decoder(list[Outcome])


class Answer(msgspec.Struct, frozen=True):
    """One HTTP answer; `data` is its decoded JSON."""

    status: int
    headers: Mapping[str, str]
    data: Any


class MatcherProcess:
    """python -m matcher.shell, with its HTTP side as methods."""

    def __init__(self, database: Database, *, log: Path, lease_s: float, extra: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Where callers bring the commands of its only shard.
        self.address = f"{self.url}/shards/0"
        self.log = log
        self._http = urllib3.PoolManager(maxsize=64, retries=False, timeout=urllib3.Timeout(connect=2, read=20))
        told = {
            "PGHOST": database.host,
            "PGPORT": str(database.port),
            "PGUSER": database.user,
            "PGPASSWORD": database.password or "",
            "PGDATABASE": database.name,
            "PORT": str(self.port),
            "LEASE_SECONDS": str(lease_s),
        }
        environment = clean_environment(**(told | extra))
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "matcher.shell"],
                env=environment,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    # Asking.

    def request(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Send one request. Raises urllib3.exceptions.HTTPError when nobody answers."""
        response = self._http.request(method, self.url + path, body=body)
        data = msgspec.json.decode(response.data) if response.data.startswith((b"{", b"[")) else response.data
        return Answer(response.status, dict(response.headers), data)

    def post(self, command: AnyCommand, *, shard: int = 0) -> Answer:
        """Send one command."""
        return self.request("POST", f"/shards/{shard}/commands", wire.encode(command))

    def submit(self, command: AnyCommand, *, shard: int = 0) -> Outcome:
        """Send one command that must be answered with an outcome."""
        answer = self.post(command, shard=shard)
        assert answer.status == 200, answer
        return msgspec.convert(answer.data, Outcome)

    def submit_all(self, *commands: AnyCommand) -> list[Outcome]:
        """Send an array of commands that must be answered with outcomes."""
        answer = self.request("POST", "/shards/0/commands", wire.encode(commands))
        assert answer.status == 200, answer
        return msgspec.convert(answer.data, list[Outcome])

    def state(self, *, shard: int = 0, digest: bool = False) -> dict[str, Any]:
        """What GET /shards/<n>/state says."""
        data: dict[str, Any] = self.request("GET", f"/shards/{shard}/state{'?digest=1' if digest else ''}").data
        return data

    def books(self) -> dict[str, Any]:
        """What GET /state says with the digest, as soon as it serves."""
        answers: list[Any] = []

        def tell() -> bool:
            answers.append(self.state(digest=True))
            return isinstance(answers[-1], dict) and bool(answers[-1].get("serving"))

        self.wait_until(tell)
        last: dict[str, Any] = answers[-1]
        return last

    def is_ready(self) -> bool:
        """Whether it serves as owner."""
        try:
            return self.request("GET", "/ready").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def serves(self, shard: int = 0) -> bool:
        """Whether it owns this shard."""
        try:
            return self.request("GET", f"/shards/{shard}/ready").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def stands_by(self) -> bool:
        """Whether it says that another owns the shard."""
        try:
            answer = self.request("GET", "/shards/0/ready")
        except urllib3.exceptions.HTTPError:
            return False
        return answer.status == 503 and bool(answer.data["code"] == "not_owner")

    def is_warm(self) -> bool:
        """Whether it has followed every shard's journal once."""
        try:
            return self.request("GET", "/warm").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def is_running(self) -> bool:
        """Whether the process exists."""
        return self._process.poll() is None

    def is_live(self) -> bool:
        """Whether the process answers."""
        try:
            return self.request("GET", "/live").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def wait_until_ready(self) -> "MatcherProcess":
        """Wait until it serves as owner."""
        self.wait_until(self.is_ready)
        return self

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for something to become true of it."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self._process.poll() is None, f"the matcher ended:\n{tail(self.log)}"
            assert time.monotonic() < deadline, f"it did not come true:\n{tail(self.log)}"
            time.sleep(0.02)

    def events(self) -> list[dict[str, Any]]:
        """What it has logged."""
        lines = self.log.read_bytes().splitlines()
        return [msgspec.json.decode(line) for line in lines if line.startswith(b"{")]

    def has_logged(self, event: str) -> bool:
        """Whether a log line of this name exists."""
        return any(line["event"] == event for line in self.events())

    # Ending.

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()
        self._http.clear()

    def ask_to_end(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def terminate(self) -> int:
        """SIGTERM; gives the exit code."""
        self.ask_to_end()
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; gives the exit code."""
        code = self._process.wait(PATIENCE_S)
        self._http.clear()
        return code

    def pause(self) -> None:
        """Stop it in its tracks, as a long garbage collection or a frozen machine would."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)


def raw_http(port: int, data: bytes) -> bytes:
    """Send bytes and give what comes back until the other side closes or says nothing for a second."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        received = b""
        try:
            connection.sendall(data)
            while chunk := connection.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionError):
            pass
        return received
