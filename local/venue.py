"""The local venue: the whole of it on one machine, in one folder, brought up and down in code or by `python -m local`.

    venue = Venue(folder); venue.up()
    venue.rest_url, venue.stream_url, venue.token("trader-1"), venue.account("trader-1")
    venue.kill_matcher(); venue.start_matcher(); venue.stop_redis(); venue.start_redis()
    venue.down(forget=True)

Its processes outlive this object; another one on the same folder finds them again.
"""

import fcntl
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local import deploy, recover, rotate, servers
from local.people import OPERATOR, TRADERS, People
from local.processes import LocalError, Running, find, stop
from local.servers import ENDINGS
from local.setup import ROOT
from local.state import State, choose_ports, load, save

FOLDER = ROOT / ".local" / "venue"
_DATA = ("aws", "s3", "postgres", "build", "calls", "tmp", "venue.json", "redis.conf", "redis.acl")

Say = Callable[[str], None]


class Venue:
    """One local venue, named by its folder. Two of them, or two clones, stand side by side on their own ports."""

    def __init__(self, folder: Path = FOLDER, *, say: Say = lambda _: None) -> None:
        self.folder = folder.resolve()
        self._say = say
        self._state = load(self.folder)
        self._people: People | None = None

    # --- up and down -------------------------------------------------------------------------------------------------

    def up(self, *, before_matcher: "Callable[[Venue], None]" = lambda _: None) -> None:
        """Start what is not running, deploy what has changed. Quick when all is well. Raises LocalError.

        `before_matcher` is called when everything stands but the matcher: nothing has happened in the market yet.
        """
        with self._alone():
            state = self._begin()
            with ThreadPoolExecutor() as pool:
                building = pool.submit(self._timed, "building the template", deploy.build)
                for name in ("postgres", "redis", "emulator"):
                    self._ensure(name)
                built = building.result()
            before = state.deployed
            self._timed("deploying the template", lambda: deploy.deploy(built, state, self.folder))
            if before != state.deployed:
                # Its queues may be others now.
                self._stop("matcher")
            if state.recovering:
                self._say(f"{recover.rebuild(state)} wallets stand as the ledger has them")
                state.recovering = False
            save(self.folder, state)
            before_matcher(self)
            if shut := rotate.closed(state):
                self._timed("making logins", lambda: rotate.rotate(state, *shut))
            self._ensure("matcher")
            People(state).enrol()

    def _begin(self) -> State:
        """Give the state to start from: that of the last time, with what was lost since given up."""
        state = self._state
        if state is None:
            if (self.folder / "postgres").exists():
                raise LocalError(f"{self.folder}/venue.json is gone, and with it the passwords: make down FORGET=1")
            shutil.rmtree(self.folder / "log", ignore_errors=True)
            state = State(ports=choose_ports(None))
        elif not any(find(process) for process in state.processes.values()):
            state.ports = choose_ports(state.ports)
        self._state = state
        if not state.stores_written and find(state.processes.get("emulator")) is None:
            self._say("the emulator was not stopped in order: its stores are made again from the journal")
            self._stop("matcher")
            for name in ("aws", "s3"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
            state.deployed, state.outputs, state.recovering = "", {}, True
            save(self.folder, state)
        return state

    def down(self, *, forget: bool = False) -> None:
        """Stop exactly what was started; keep the data, or forget everything but the logs."""
        with self._alone():
            if self._state is not None:
                for name in ENDINGS:
                    # What is forgotten need not be saved first.
                    self._stop(name, how=signal.SIGKILL if forget else None)
            if forget:
                for name in _DATA:
                    path = self.folder / name
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                self._state = None

    @property
    def running(self) -> dict[str, bool]:
        """Which of its servers run."""
        processes = self._state.processes if self._state else {}
        return {name: find(processes.get(name)) is not None for name in ENDINGS}

    # --- faults ------------------------------------------------------------------------------------------------------

    def kill_matcher(self) -> None:
        """End the matcher as a power cut would."""
        self._stop("matcher", how=signal.SIGKILL)

    def stop_matcher(self) -> None:
        """End the matcher in order, as a deployment would."""
        self._stop("matcher")

    def start_matcher(self) -> None:
        """Start the matcher again and wait until it serves."""
        self._ensure("matcher")

    def stop_redis(self) -> None:
        """Take Redis away, with all it holds."""
        self._stop("redis", how=signal.SIGKILL)

    def start_redis(self) -> None:
        """Bring Redis back, empty."""
        self._ensure("redis")

    def rotate(self, *names: str) -> None:
        """Change these logins (see rotate.ROTATED), or all. Raises LocalError where that fails."""
        rotate.rotate(self.state, *(names or rotate.ROTATED))

    # --- what it tells -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Ports, outputs of the stack, passwords. Raises LocalError where no venue was brought up."""
        if self._state is None:
            raise LocalError("there is no venue here: bring it up first (make up)")
        return self._state

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs: RestUrl, StreamUrl, OrderQueueUrl, WalletsTable, TapeBucketName, UserPoolId ..."""
        return self.state.outputs

    @property
    def rest_url(self) -> str:
        """The base of every REST route, without a slash at its end."""
        return self.outputs["RestUrl"]

    @property
    def stream_url(self) -> str:
        """The WebSocket's address (ws://)."""
        return self.outputs["StreamUrl"].replace("http://", "ws://", 1)

    @property
    def matcher_url(self) -> str:
        """The matcher's own address, inside the venue."""
        return servers.matcher_url(self.state)

    @property
    def database_url(self) -> str:
        """The journal, for psycopg or asyncpg."""
        return servers.database_url(self.state)

    @property
    def people(self) -> People:
        """Who may sign in: see TRADERS and OPERATOR."""
        self._people = self._people or People(self.state)
        return self._people

    def token(self, name: str = TRADERS[0]) -> str:
        """Give a valid JWT of a person."""
        return self.people.token(name)

    def account(self, name: str = TRADERS[0]) -> str:
        """Give the account id of a person."""
        return self.people.account(name)

    def client(self, service: str) -> Any:
        """Give a boto3 client of the emulator, of whatever service is named."""
        return servers.aws_clients(self.state)(service)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _ensure(self, name: str) -> None:
        state = self.state
        if find(state.processes.get(name)) is not None:
            return
        self._timed(f"starting {name}", lambda: self._start(name))

    def _start(self, name: str) -> None:
        state = self.state

        def note(running: Running) -> None:
            # Before it serves: what was started is stopped again, whatever happens meanwhile.
            state.processes[name] = running
            if name == "emulator":
                state.stores_written = False
            save(self.folder, state)

        servers.launch(name, self.folder, state, started=note)

    def _stop(self, name: str, *, how: signal.Signals | None = None) -> None:
        state = self.state
        running = state.processes.pop(name, None)
        if find(running) is not None:
            in_order = stop(running, how=how or ENDINGS[name], grace_s=60)
            if name == "emulator":
                state.stores_written = in_order and how is None
        save(self.folder, state)

    def _timed[T](self, what: str, work: Callable[[], T]) -> T:
        started = time.monotonic()
        done = work()
        self._say(f"{what}: {time.monotonic() - started:.1f} s")
        return done

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One command at a time in this folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self._state = load(self.folder)
            yield


__all__ = ["FOLDER", "OPERATOR", "TRADERS", "LocalError", "Venue"]
