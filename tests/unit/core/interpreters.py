"""Other Pythons of this machine, each with the locked msgspec beside it: all that the core needs to run."""

import fcntl
import sys
from pathlib import Path

from local.setup import SetupFailed, answers, find_uv, in_pyenv, on_path, run

ROOT = Path(__file__).parents[3]
INTERPRETERS = ROOT / ".local" / "interpreters"
LOCK = ROOT / "requirements.lock"
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
MSGSPEC = "import importlib.metadata; print(importlib.metadata.version('msgspec'))"


class Absent(Exception):
    """This machine has no such Python, or nothing to fit it out with. Says which."""


def interpreter(version: str) -> Path:
    """Give a Python `version` ("3.11") that has the msgspec of the lock; made once, in .local. Raises Absent."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return Path(sys.executable)
    INTERPRETERS.mkdir(parents=True, exist_ok=True)
    own = INTERPRETERS / version / "bin" / "python"
    with (INTERPRETERS / f"{version}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if answers(own, "-c", MSGSPEC) != _locked():
            _make(version, own)
    return own


def _locked() -> str:
    (line,) = [line for line in LOCK.read_text().splitlines() if line.startswith("msgspec==")]
    return line.removeprefix("msgspec==").rstrip("\\ ")


def _make(version: str, own: Path) -> None:
    candidates = [*on_path(f"python{version}"), *in_pyenv(version)]
    base = next((each for each in candidates if answers(each, "-c", VERSION) == version), None)
    if base is None:
        raise Absent(f"no Python {version} on PATH, nor in pyenv")
    folder, advice = own.parent.parent, "Is a package registry reachable?"
    try:
        uv = find_uv()
        run([uv, "venv", "--quiet", "--clear", "--python", base, folder], step=f"making {folder}", advice=advice)
        locked: list[str | Path] = ["--no-deps", "--only-binary", ":all:", "--constraint", LOCK, "msgspec"]
        run([uv, "pip", "install", "--quiet", "--python", own, *locked], step=f"filling {folder}", advice=advice)
    except SetupFailed as failure:
        raise Absent(f"Python {version} is at {base}, but has no msgspec: {failure}") from failure
