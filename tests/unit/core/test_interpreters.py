"""The same commands give the same events and the same digest under every Python, and for every order of hashes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.core.interpreters import Absent, interpreter

ROOT = Path(__file__).parents[3]
PROGRAM = """
import hashlib
from random import Random
from matcher.core.engine import Engine
from tests.naive.flow import REGIMES, Flow
from venue import wire
sha = hashlib.sha256()
for seed in range(20):
    engine = Engine(done_max=50)
    for command in Flow(Random(seed), REGIMES[seed % len(REGIMES)]).commands(300):
        sha.update(wire.encode(engine.apply(command)))
    sha.update(engine.digest().encode())
    assert Engine.restore(engine.save(), done_max=50).digest() == engine.digest()
print(sha.hexdigest())
"""


def digest_under(python: Path, seed: str) -> str:
    """What the program prints under this interpreter and PYTHONHASHSEED."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "layers" / "domain")])
    answer = subprocess.run(
        [str(python), "-c", PROGRAM],
        env={"PYTHONPATH": path, "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.fixture(scope="module")
def ours() -> str:
    """The digest under the interpreter that runs the tests."""
    return digest_under(Path(sys.executable), "7")


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_interpreter_and_every_hash_seed_gives_the_same_digest(version: str, seed: str, ours: str) -> None:
    try:
        python = interpreter(version)
    except Absent as absent:
        pytest.skip(str(absent))
    assert digest_under(python, seed) == ours
