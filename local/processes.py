"""Processes that outlive the command that started them, and are stopped only when they are still the same ones."""

import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil


class LocalError(Exception):
    """A step that did not work: what failed, the end of its log, and what to do."""


class Running(msgspec.Struct, frozen=True):
    """A started process: its pid, and when it began (s since boot or 1970), since a pid alone is used again."""

    pid: int
    created: float


def start(
    command: Sequence[str | Path], *, env: Mapping[str, str], log: Path, cwd: Path, user: str | None = None
) -> Running:
    """Start a program in a session of its own, with its output appended to `log`. `user` only when we are root."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **as_user(user),
        )
    process.returncode = 0  # it outlives this object, which must not complain about that
    return Running(process.pid, psutil.Process(process.pid).create_time())


def as_user(name: str | None) -> dict[str, Any]:
    """Options of subprocess to run as somebody else and in nobody else's groups; none for None."""
    if name is None:
        return {}
    return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}


def find(running: Running | None) -> psutil.Process | None:
    """Give the process if it still runs, and only if it is the very one that was started."""
    if running is None:
        return None
    try:
        process = psutil.Process(running.pid)
        same = abs(process.create_time() - running.created) < 3  # the clock may have been set
        return process if same and _lives(process) else None
    except psutil.NoSuchProcess:
        return None


def stop(running: Running | None, *, how: signal.Signals = signal.SIGTERM, grace_s: float = 20) -> bool:
    """Ask the process and what it started to end, then insist. Gives whether it ended by itself in time."""
    process = find(running)
    if process is None:
        return True
    family = process.children(recursive=True)
    process.send_signal(how)
    gone = _ended([process], grace_s)
    for left in [process, *family]:
        with suppress(psutil.NoSuchProcess):
            left.kill()
    _ended([process, *family], 5)
    return gone


def _ended(processes: Sequence[psutil.Process], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while any(_lives(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _lives(process: psutil.Process) -> bool:
    """Whether it still runs: a zombie only waits for its parent, which need not be us."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port(preferred: int | None = None) -> int:
    """Give a port of the loopback interface that nobody listens on: `preferred` if that is free."""
    for port in (preferred, 0) if preferred else (0,):
        with socket.socket() as probe:
            # As servers bind: a port whose last connections still linger may be taken again.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LocalError("no port is free on 127.0.0.1")


def wait_until(
    ready: Callable[[], bool], *, name: str, running: Running, log: Path, after: int = 0, limit_s: float = 40
) -> None:
    """Wait for a started process to serve. Raises LocalError when it ends or takes too long, with what it wrote to its
    log beyond the first `after` bytes.
    """
    deadline = time.monotonic() + limit_s
    while not ready():
        ended, late = find(running) is None, time.monotonic() > deadline
        if ended or late:
            failure = "ended while it was starting" if ended else f"was not ready after {limit_s:.0f} s"
            raise LocalError(f"{name} {failure}.\n{tail(log, after=after)}\nThe whole log: {log}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Whether something accepts connections on this port of the loopback interface."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def tail(log: Path, lines: int = 20, *, after: int = 0) -> str:
    """Give the last lines of a log, indented and cut to a screen's width or two; nothing where there is none."""
    if not log.is_file():
        return ""
    written = log.read_bytes()[after:].decode(errors="replace").splitlines()
    return "\n".join("    " + line[:400] for line in written[-lines:])


def clean_environment(**extra: str) -> dict[str, str]:
    """This environment without anything that would lead a local program to a real AWS account or through a proxy."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PG", "SAM_CLI_", "_LAMBDA"))}
    quiet = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "SAM_CLI_TELEMETRY": "0"}
    loopback = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    return {**kept, **quiet, **loopback, **extra}
