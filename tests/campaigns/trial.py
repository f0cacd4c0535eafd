"""One mutant's trial, in a child of a process that is warm: seconds become a fraction of one.

All that the core does not change (pytest, hypothesis, msgspec, the compiled tests) is there already when the child is
forked. It forgets the venue's own modules, imports them again with the mutant among them, and asks: first the engine
beside the naive market, where most mutants die at once; then the tests of the core and of money.
"""

import contextlib
import gc
import importlib
import io
import os
import resource
import signal
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import CodeType
from typing import Literal

import hypothesis
import msgspec
import pytest

ROOT = Path(__file__).parents[2]
OURS = ("matcher", "venue", "tests.naive", "tests.unit", "tests.property", "tests.campaigns.differential")
SEEDS = 30
TESTS = (
    "tests/unit/core",
    "tests/unit/domain/test_money.py",
    "tests/unit/domain/test_holds.py",
    "tests/property/test_money.py",
)
# Thousands of orders beside the naive market: only for what nothing else has killed.
LAST = "tests/unit/core/test_bounds.py"
# They start processes of their own, which know nothing of the mutant; and the real flow takes longer than all the rest.
WITHOUT = ("test_interpreters.py", "test_flow.py", "test_digest.py::test_the_digest_is_the_same_in_every_process")
OPTIONS = [
    *("-x", "-q", "-p", "no:cacheprovider", "--timeout=0", "--no-header", "--no-summary"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # a warm process has the plugins already
    *(f"--deselect=tests/unit/core/{each}" for each in WITHOUT),
]
# Of processor time, so that a busy machine kills nobody. A seed takes 0.03 s, the tests 6.
SEED_CPU_S_MAX, TESTS_CPU_S_MAX = 3, 60
MEMORY_BYTES_MAX = 2 << 30

Fate = Literal["lives", "import", "differential", "tests", "time", "crash"]
# What the child's exit code means; those below zero are signals.
FATES: dict[int | None, Fate] = {0: "lives", 3: "import", 4: "differential", 5: "tests", -signal.SIGXCPU: "time"}


class Mutant(msgspec.Struct, frozen=True):
    """line: where it differs first. was, becomes: the lines that differ. text: the whole file, changed."""

    file: str
    line: int
    was: str
    becomes: str
    operator: str
    text: str

    @property
    def module(self) -> str:
        """The name under which it is imported."""
        return self.file.removeprefix("layers/domain/").removesuffix(".py").replace("/", ".")


class Changed(SourceFileLoader):
    """Loads the mutant in place of the module on the disk, or of its compiled form."""

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.module, str(ROOT / mutant.file))
        self.text = mutant.text

    def get_code(self, fullname: str) -> CodeType:
        """The changed text, compiled."""
        assert fullname == self.name
        return compile(self.text, self.path, "exec")


class Finder(MetaPathFinder):
    """Finds one module: the mutant."""

    def __init__(self, mutant: Mutant) -> None:
        self.loader = Changed(mutant)

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Where the mutant's module is; None for any other."""
        if fullname != self.loader.name:
            return None
        return spec_from_file_location(fullname, self.loader.path, loader=self.loader)


def warm() -> None:
    """Import all that a trial needs."""
    with contextlib.redirect_stdout(io.StringIO()):
        collected = pytest.main(["--collect-only", *OPTIONS, *TESTS])
    assert collected == pytest.ExitCode.OK, "the tests do not even load"
    importlib.import_module("tests.campaigns.differential")
    gc.freeze()


def fates(mutants: Iterator[Mutant], *, processes: int) -> Iterator[tuple[Mutant, Fate]]:
    """Try each, so many at a time, and tell what became of it, in the order in which that is known."""
    running: dict[int, tuple[BaseProcess, Mutant]] = {}

    def ended() -> Iterator[tuple[Mutant, Fate]]:
        for sentinel in connection.wait(list(running)):
            assert isinstance(sentinel, int)
            process, mutant = running.pop(sentinel)
            process.join()
            yield mutant, FATES.get(process.exitcode, "crash")

    for mutant in mutants:
        process = get_context("fork").Process(target=_try, args=(mutant,))
        process.start()
        running[process.sentinel] = process, mutant
        if len(running) == processes:
            yield from ended()
    while running:
        yield from ended()


def _try(mutant: Mutant) -> None:
    """In the child. Ends with the code of its fate."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    # Nor does hypothesis look at a clock: on a busy machine it would kill what lives.
    unhurried = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile(
        "trial", database=None, derandomize=True, deadline=None, suppress_health_check=unhurried
    )
    hypothesis.settings.load_profile("trial")
    for name in [name for name in sys.modules if name.startswith(OURS)]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder(mutant))
    fate = _fate()
    sys.exit(next((code for code, name in FATES.items() if name == fate), 1))


def _fate() -> Fate:
    _allow(SEED_CPU_S_MAX)
    try:
        differential = importlib.import_module("tests.campaigns.differential")
    except Exception:
        return "import"
    for seed in range(SEEDS):
        _allow(SEED_CPU_S_MAX)
        commands, makers = differential.commands_of(seed), differential.makers_of(seed)
        if differential.failure_of(commands, makers=makers) is not None:
            return "differential"
    _allow(TESTS_CPU_S_MAX)
    failed = pytest.main([*OPTIONS, f"--deselect={LAST}", *TESTS]) or pytest.main([*OPTIONS, LAST])
    return "tests" if failed else "lives"


def _allow(cpu_s: int) -> None:
    """So much processor time from now on; the kernel ends what takes more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + cpu_s, hard))
