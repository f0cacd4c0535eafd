"""The sources hold no secret and none of the habits that bandit knows; what ships is pinned by its hash."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
LOCKS = ("requirements.lock", "matcher/requirements.txt", "layers/aws/requirements.txt")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def sources() -> list[str]:
    """Every file of the repository but the recorded events, whose ids look like keys, and the locks."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout.split("\0")
    return [name for name in listed if name and not re.search(r"^events/|\.lock$|requirements\.txt$", name)]


def test_bandit_finds_nothing_in_what_ships() -> None:
    found = run(BIN / "bandit", "-q", "-c", "pyproject.toml", "-r", "layers", "functions", "matcher", "infra")
    assert found.returncode == 0, found.stdout


def test_no_file_holds_a_secret() -> None:
    found = run(BIN / "detect-secrets-hook", "--baseline", ".secrets.baseline", *sources())
    assert found.returncode == 0, found.stdout


def test_a_secret_would_be_found(tmp_path: Path) -> None:
    planted = tmp_path / "settings.py"
    planted.write_text(f'AWS_SECRET = "{"AKIA" + "IOSFODNN7" + "QXMPLEA"}"\n')
    assert run(BIN / "detect-secrets-hook", "--baseline", ".secrets.baseline", planted).returncode != 0


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_pinned_with_its_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pinned = re.findall(
        r"^([a-z0-9][\w.\[\],-]*)==[^\s]+(?: ; .*)? \\\n +--hash=sha256:[0-9a-f]{64}", text, re.MULTILINE
    )
    named = re.findall(r"^([a-z0-9][\w.\[\],-]*)", text, re.MULTILINE)
    assert len(named) > 3
    assert pinned == named
