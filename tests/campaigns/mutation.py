"""Does a test notice when the core is wrong? Every mutant of the core and of money is tried; see docs/mutation.md.

A mutant that lives is a violation, unless tests/campaigns/survivors.toml says why nothing could tell it from the
original. A whole run also tells which of those reasons are out of date.
"""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from local.setup import LOCKS, TOOLS, environment, find_python, find_uv
from tests.campaigns.report import Log, Report, Violation
from tests.campaigns.trial import ROOT, Mutant, fates, warm

# More than there are: all of them.
DEFAULT = 100_000
FILES = [
    *sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "matcher" / "core").glob("*.py")
        if path.name not in ("__init__.py", "reasons.py")  # names and words only
    ),
    "layers/domain/venue/holds.py",
    "layers/domain/venue/money.py",
]
REASONS = Path(__file__).with_name("survivors.toml")

# (file, the lines as they were, what they become): it outlives lines that come and go elsewhere in the file.
Key = tuple[str, str, str]


class Explained(msgspec.Struct, forbid_unknown_fields=True):
    """Mutants of one line that live with good reason."""

    file: str
    was: str
    becomes: list[str]
    why: str


class Survivor(msgspec.Struct):
    """A mutant that no test killed. why: the reason, if one is known."""

    where: str
    was: str
    becomes: str
    operator: str
    why: str | None


class Mutation(Report, kw_only=True):
    """runs: mutants tried. share: of them, per cent killed. fates: what became of how many. stale: reasons in the list
    that no surviving mutant needs any more."""

    killed: int = 0
    survived: int = 0
    explained: int = 0
    share: float = 0.0
    fates: dict[str, int] = msgspec.field(default_factory=dict)
    survivors: list[Survivor] = msgspec.field(default_factory=list)
    stale: list[str] = msgspec.field(default_factory=list)


def run(*, n: int, seed: int, log: Log) -> Mutation:
    """Try `n` mutants, drawn by the seed, or all of them."""
    report = Mutation(campaign="mutation", first_seed=seed)
    reasons = {key(one.file, one.was, each): one.why for one in _explained() for each in one.becomes}
    needed: set[Key] = set()
    told: Counter[str] = Counter()
    warm()
    _try_the_original()
    for mutant, fate in fates(mutants(n=n, seed=seed), processes=os.cpu_count() or 1):
        report.runs += 1
        told[fate] += 1
        report.fates = dict(told.most_common())
        if fate == "lives":
            name = key(mutant.file, mutant.was, mutant.becomes)
            needed.add(name)
            where = f"{mutant.file}:{mutant.line}"
            report.survivors.append(Survivor(where, mutant.was, mutant.becomes, mutant.operator, why=reasons.get(name)))
        report.survived = told["lives"]
        report.killed = report.runs - report.survived
        report.share = round(100 * report.killed / report.runs, 2)
        log.note(report, f"{report.runs:,} mutants, {report.share} % killed")
    report.survivors.sort(key=lambda one: one.where)
    unexplained = [one for one in report.survivors if one.why is None]
    report.explained = report.survived - len(unexplained)
    if report.runs < n:
        report.stale = sorted(f"{file}: {was} -> {becomes}" for file, was, becomes in reasons.keys() - needed)
    report.violations = len(unexplained) + len(report.stale)
    if report.violations:
        failure = f"{len(unexplained)} mutants live for no known reason, {len(report.stale)} reasons are out of date"
        lines = [f"{one.where}: {one.was} -> {one.becomes}" for one in unexplained]
        report.violation = Violation(seed=seed, failure=failure, run=[*lines, *report.stale])
    return report


def key(file: str, was: str, becomes: str) -> Key:
    """Spaces left aside."""
    return file, " ".join(was.split()), " ".join(becomes.split())


def mutants(*, n: int, seed: int) -> Iterator[Mutant]:
    """Let cosmic-ray make them, in an environment of its own, while those before are tried."""
    uv = find_uv()
    own = TOOLS / "mutation"
    environment(uv=uv, python=find_python(uv), folder=own, lock=LOCKS / "mutation.lock")
    maker = ROOT / "tests" / "campaigns" / "mutants.py"
    command = [str(own / "bin" / "python"), str(maker), f"--n={n}", f"--seed={seed}", *FILES]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as making:
        assert making.stdout is not None
        for line in making.stdout:
            yield msgspec.json.decode(line, type=Mutant)
    assert making.returncode == 0, "cosmic-ray failed"


def _explained() -> list[Explained]:
    return msgspec.toml.decode(REASONS.read_bytes(), type=dict[str, list[Explained]]).get("mutants", [])


def _try_the_original() -> None:
    """What kills the original kills everything: then no mutant's death means anything."""
    file = FILES[0]
    original = Mutant(file=file, line=0, was="", becomes="", operator="", text=(ROOT / file).read_text())
    ((_, fate),) = fates(iter([original]), processes=1)
    assert fate == "lives", f"the original itself does not live: {fate}"
