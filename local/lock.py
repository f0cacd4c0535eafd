"""Pins what pyproject.toml and local/tools/*.in ask for: every version and every hash, of no registry in particular."""

import re
import sys
import tempfile
from pathlib import Path

from local.setup import LOCKS, ROOT, SetupFailed, find_uv, run, say

_ADVICE = "Check that a package registry is reachable, and what the message above says about the versions asked for."
_PIN = re.compile(r"^([A-Za-z0-9._-]+==[^ ;\\]+)", re.MULTILINE)


def compile_lock(lock: Path, *sources: str | Path) -> None:
    """Write `lock` from its sources (requirements, pyproject files or options of uv). Raises SetupFailed."""
    say(f"locking {lock.relative_to(ROOT)}")
    options = [
        "--quiet",
        "--universal",
        "--python-version",
        "3.13",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
    ]
    command = [find_uv(), "pip", "compile", *options, "--no-emit-index-url", "--upgrade", "-o", lock, *sources]
    run(command, step=f"locking {lock.name}", advice=_ADVICE)


def main() -> int:
    """Renew every lock of the repository. The layers follow the workspace's versions. Gives the exit code."""
    try:
        compile_lock(ROOT / "requirements.lock", "--group", "dev", "pyproject.toml")
        for tool in ("ministack", "sam", "uv"):
            compile_lock(LOCKS / f"{tool}.lock", LOCKS / f"{tool}.in")
        with (
            tempfile.NamedTemporaryFile("w", suffix=".txt") as pins,
            tempfile.NamedTemporaryFile("w", suffix=".txt") as own,
        ):
            pins.write("\n".join(_PIN.findall((ROOT / "requirements.lock").read_text())))
            pins.flush()
            own.write(f"venue @ file://{ROOT}/layers/domain\n")
            own.flush()
            same = ["--constraint", pins.name]
            domain, aws = ROOT / "layers" / "domain", ROOT / "layers" / "aws"
            compile_lock(domain / "requirements.txt", *same, domain / "pyproject.toml")
            # The domain layer brings venue and what it needs along.
            without = ["--no-emit-package", "venue", "--no-emit-package", "msgspec"]
            compile_lock(aws / "requirements.txt", *same, *without, aws / "pyproject.toml", own.name)
    except SetupFailed as failure:
        print(f"\nlock: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
