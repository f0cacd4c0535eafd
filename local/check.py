"""make check: all that a change must pass before its tests run. Every step runs, side by side; any failure is told."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local.processes import clean_environment
from local.setup import ROOT, TOOLS

_BIN = Path(sys.executable).parent
STEPS: dict[str, list[str | Path]] = {
    "format": [_BIN / "ruff", "format", "--check", "."],
    "lint": [_BIN / "ruff", "check", "."],
    "types": [_BIN / "mypy"],
    "architecture": [_BIN / "lint-imports"],
    "templates": [_BIN / "cfn-lint", "template.yaml", *sorted(ROOT.glob("infra/*.yaml"))],
    "sam": [TOOLS / "sam" / "bin" / "sam", "validate", "--lint", "--region", "us-east-1"],
}


def run(step: str) -> tuple[int, str]:
    """Run one step. Gives its exit code and, where it failed, what it said."""
    started = time.monotonic()
    done = subprocess.run(
        STEPS[step],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    verdict = f"check: {step:<12} {'ok' if done.returncode == 0 else 'FAILED'} {time.monotonic() - started:5.1f} s"
    return done.returncode, verdict if done.returncode == 0 else f"{verdict}\n{done.stdout.rstrip()}\n"


def main() -> int:
    """Run every step, two at a time. Gives 0 when all passed."""
    failed = False
    with ThreadPoolExecutor(2) as pool:
        for code, text in pool.map(run, STEPS):
            print(text, flush=True)
            failed = failed or code != 0
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
