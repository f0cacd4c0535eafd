"""How long nobody is served when the owner dies, and when it is asked to leave: two matchers, default lease, real load.

Callers find the owner in Redis, by the functions' own code. In each run the owner is killed with -9 under load; when
the standby serves, a new process stands by; then the new owner gets SIGTERM, and a new one stands by again. What is
measured is the time from the signal to the first acknowledgement by the other. Then everything that was acknowledged is
in the journal, as in the campaign `kill`.
"""

import random
import time
from collections.abc import Callable

import msgspec

from bench import charts
from tests.campaigns.report import Log, Report, Violation
from tests.campaigns.rounds import Steps, demand, fired, quantile, rounds
from tests.cluster.callers import Heard, again, calling
from tests.cluster.flow import trading
from tests.cluster.ground import Ground, ground
from tests.cluster.journal import check
from tests.cluster.lambdas import as_the_functions_do
from tests.cluster.process import MatcherProcess
from tests.cluster.redis import RedisServer
from venue.commands import AnyCommand

DEFAULT = 200
# Before so many runs, a 99th percentile is only the slowest of them.
JUDGED_FROM_RUNS = 100
LOAD_S = (0.1, 1.1)
# Then the journal begins anew: each run plays it from its first row.
RUNS_PER_JOURNAL = 5
FAULTS = ("kill -9", "SIGTERM")
# The longest allowed, s: of the median, and of all but one of a hundred.
LIMITS_S = {"kill -9": (4.0, 6.0), "SIGTERM": (0.5, 0.5)}


class Failover(Report, kw_only=True):
    """`seconds_of`: by what was done to the owner, the time to the first acknowledgement by the other, run by run."""

    acknowledged: int = 0
    kill_p50_s: float = 0.0
    kill_p99_s: float = 0.0
    sigterm_p50_s: float = 0.0
    sigterm_p99_s: float = 0.0
    seconds_of: dict[str, list[float]] = msgspec.field(default_factory=dict)


def run(*, n: int, seed: int, log: Log) -> Failover:
    """Kill and dismiss the owner `n` times each, and draw how long it took."""
    report = Failover(campaign="failover", first_seed=seed, seconds_of={fault: [] for fault in FAULTS})
    with ground("failover") as place:
        redis = RedisServer(place.folder)
        place.stack.callback(redis.stop)
        redis.start()
        rounds(report, log, place, n=n, one=_FailingOver(place, redis, report).once)
    demand(report, FAULTS, runs_min=DEFAULT)
    judge(report)
    drawn = {f"{fault}, {len(row)} times": row for fault, row in report.seconds_of.items() if row}
    if drawn:
        charts.shares(
            log.folder / "failover.svg", drawn, title="From the signal to the first acknowledgement", units="s"
        )
    return report


def judge(report: Failover) -> None:
    """Hold the times against the limits, once there are enough of them."""
    if report.violation is not None or report.runs < JUDGED_FROM_RUNS:
        return
    for fault, (median_s, p99_s) in LIMITS_S.items():
        times = report.seconds_of[fault]
        if quantile(times, 0.5) > median_s or quantile(times, 0.99) > p99_s:
            failure = f"{fault}: p50 {quantile(times, 0.5)} s, p99 {quantile(times, 0.99)} s"
            report.violations, report.violation = 1, Violation(seed=report.first_seed, failure=failure)


class _FailingOver:
    """One journal after the other, and on each an owner and a standby."""

    def __init__(self, place: Ground, redis: RedisServer, report: Failover) -> None:
        self._place = place
        self._redis = redis
        self._report = report
        self._heard: list[Heard] = []
        self._unheard: list[AnyCommand] = []
        self._owner, self._standby = self._begin()

    def once(self, seed: int, steps: Steps) -> None:
        """Kill the owner, dismiss the next one, compare."""
        if self._runs == RUNS_PER_JOURNAL:
            self._owner.kill()
            self._standby.kill()
            self._owner, self._standby = self._begin()
        self._runs += 1
        chance = random.Random(seed)
        self._fail_over("kill -9", self._owner.kill, chance, steps)
        dismissed = self._owner
        self._fail_over("SIGTERM", dismissed.ask_to_end, chance, steps)
        assert dismissed.wait() == 0, "the dismissed owner did not end well"
        check(self._database, self._heard, self._owner)

    def _begin(self) -> tuple[MatcherProcess, MatcherProcess]:
        self._runs = 0
        self._heard, self._unheard = [], []
        self._redis.forget()
        self._database = self._place.postgres.new_database()
        return self._start().wait_until_ready(), self._stand_by()

    def _start(self) -> MatcherProcess:
        return self._place.matcher(self._database, extra=self._redis.environment())

    def _stand_by(self) -> MatcherProcess:
        standby = self._start()
        standby.wait_until(lambda: standby.has_logged("standing_by"))
        return standby

    def _fail_over(self, fault: str, end: Callable[[], None], chance: random.Random, steps: Steps) -> None:
        commands = again(self._unheard, trading(chance.randrange(2**32)))
        with calling(lambda: as_the_functions_do(self._redis.cache()), commands) as callers:
            callers.wait_for(1)
            time.sleep(load_s := chance.uniform(*LOAD_S))
            ended_s = time.monotonic()
            end()
            first = callers.next_heard(after_s=ended_s, url=self._standby.address)
        steps.append(f"{load_s:.3f} s of load, {fault}, acknowledged again after {first.heard_s - ended_s:.3f} s")
        fired(self._report, fault)
        self._heard += callers.heard
        self._unheard = callers.unheard
        self._owner, self._standby = self._standby, self._stand_by()
        self._tell(fault, first.heard_s - ended_s, acknowledged=len(callers.heard))

    def _tell(self, fault: str, seconds: float, *, acknowledged: int) -> None:
        report = self._report
        report.acknowledged += acknowledged
        report.seconds_of[fault].append(round(seconds, 3))
        kills, dismissals = report.seconds_of["kill -9"], report.seconds_of["SIGTERM"]
        report.kill_p50_s, report.kill_p99_s = quantile(kills, 0.5), quantile(kills, 0.99)
        report.sigterm_p50_s, report.sigterm_p99_s = quantile(dismissals, 0.5), quantile(dismissals, 0.99)
