"""The engine beside the naive market, command by command, under the eyes of a witness.

Each run is one seed: both are asked the same and must tell the same; after it, and once in the midst of it, their
digests are equal, and the engine goes on from its saved state as if nothing had been. In some runs an order may meet
so few makers that its command comes to an end before it does.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random

import msgspec

from matcher.core.engine import Engine
from matcher.core.trade import MAKERS_MAX
from tests.campaigns.report import Log, Report, Violation
from tests.naive.bounds import makers_max
from tests.naive.flow import REGIMES, Flow, Regime
from tests.naive.market import NaiveMarket
from tests.naive.witness import Witness
from venue.commands import AnyCommand
from venue.spelling import spelled

DEFAULT = 200_000
COMMANDS_PER_RUN = 200
# Small, so that orders leave the window of those that are known.
DONE_MAX = 60
MAKERS_FEW = 2


class Differential(Report, kw_only=True):
    """`regimes`: how many runs of each there were; `told`: how many events of each kind."""

    commands: int = 0
    events: int = 0
    regimes: dict[str, int] = msgspec.field(default_factory=dict)
    told: dict[str, int] = msgspec.field(default_factory=dict)


def run(*, n: int, seed: int, log: Log) -> Differential:
    """Play run after run until `n` commands are done or one run fails."""
    report = Differential(campaign="differential", first_seed=seed)
    told: Counter[str] = Counter()
    while report.commands < n and not report.violations:
        commands = commands_of(seed + report.runs)
        try:
            play(commands, told, makers=makers_of(seed + report.runs))
        except Exception:
            report.violations = 1
            report.violation = violation_of(seed + report.runs)
        regime = regime_of(seed + report.runs).name
        report.regimes[regime] = report.regimes.get(regime, 0) + 1
        report.runs += 1
        report.commands += len(commands)
        report.told, report.events = dict(told.most_common()), told.total()
        log.note(report, f"{report.commands:,} commands")
    return report


def commands_of(seed: int) -> list[AnyCommand]:
    """The run of one seed; the regimes take turns."""
    return list(Flow(Random(seed), regime_of(seed)).commands(COMMANDS_PER_RUN))


def regime_of(seed: int) -> Regime:
    """What life is like in the run of one seed."""
    return REGIMES[seed % len(REGIMES)]


def makers_of(seed: int) -> int:
    """How many makers the orders of one command may meet in the run of one seed: few in every third round."""
    return MAKERS_FEW if seed // len(REGIMES) % 3 == 2 else MAKERS_MAX


def play(commands: Sequence[AnyCommand], told: Counter[str] | None = None, *, makers: int = MAKERS_MAX) -> None:
    """Drive both with one run. Raises AssertionError with what was wrong."""
    with makers_max(makers):
        _play(commands, told)


def _play(commands: Sequence[AnyCommand], told: Counter[str] | None) -> None:
    engine, naive = Engine(done_max=DONE_MAX), NaiveMarket(done_max=DONE_MAX)
    witness = Witness(engine)
    for number, command in enumerate(commands):
        if number == len(commands) // 2:
            saved = engine.save()
            assert engine.state() == naive.state(), "the states differ in the midst"
            engine = witness.engine = Engine.restore(saved, done_max=DONE_MAX)
            assert engine.save() == saved, "the restored state is another"
        events = engine.apply(command)
        assert list(spelled(events)) == naive.apply(command), f"the events of command {number} differ"
        witness.see(command, events)
        if told is not None:
            told.update(type(event).__name__ for event in events)
    assert engine.digest() == naive.digest(), "the digests differ"


def failure_of(commands: Sequence[AnyCommand], *, makers: int = MAKERS_MAX) -> str | None:
    """What is wrong with a run; None when nothing is."""
    try:
        play(commands, makers=makers)
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def shortest(commands: list[AnyCommand], *, makers: int = MAKERS_MAX) -> list[AnyCommand]:
    """Cut a failing run down: leave out ever smaller parts as long as it still fails."""
    size = max(len(commands) // 2, 1)
    while True:
        position = 0
        while position < len(commands):
            fewer = commands[:position] + commands[position + size :]
            if failure_of(fewer, makers=makers) is not None:
                commands = fewer
            else:
                position += size
        if size == 1:
            return commands
        size //= 2


def violation_of(seed: int) -> Violation:
    """All that one needs to see a failing seed fail."""
    makers = makers_of(seed)
    commands = shortest(commands_of(seed), makers=makers)
    return Violation(
        seed=seed,
        failure=failure_of(commands, makers=makers) or "it holds when it is played again",
        run=msgspec.to_builtins(commands),
    )
