"""PostgreSQL dies under load, comes back, and nobody restarts the matcher.

Killed with -9, stopped at once, or thrown into recovery by the death of one connection's process. The matcher serves
again by itself. Then everything that was acknowledged is in the journal and became there what its caller was told; no
id is there twice; no sequence has a gap; and the matcher's books have the digest of the journal played from its first
row.

fsync is on, as in production. Still, what a killed process has written, the operating system keeps: that a disk loses
what it was not told to sync is tried by nothing here.
"""

import random
import time

from tests.campaigns.report import Log, Report
from tests.campaigns.rounds import Steps, demand, fired, quantile, rounds
from tests.cluster.callers import Callers, Heard, again, calling, straight_to
from tests.cluster.flow import trading
from tests.cluster.ground import Ground, ground
from tests.cluster.journal import check
from tests.cluster.process import MatcherProcess
from venue.commands import AnyCommand

DEFAULT = 100
LEASE_S = 2.0
LOAD_S = (0.05, 0.5)
AWAY_S = (0.0, 1.0)
# Then the journal begins anew: each run plays it from its first row.
RUNS_PER_JOURNAL = 15
FAULTS = ("killed", "stopped at once", "a connection's process killed")


class Database(Report, kw_only=True):
    """refused: how often a command was answered with "not now" or "outcome unknown", and sent again.

    resumed: from the moment that PostgreSQL answers again to the first acknowledgement; where it was not started by
    us, from the kill.
    """

    acknowledged: int = 0
    refused: int = 0
    resumed_p50_s: float = 0.0
    resumed_p99_s: float = 0.0
    resumed_max_s: float = 0.0


def run(*, n: int, seed: int, log: Log) -> Database:
    """Take the database away `n` times, in every way of FAULTS in turn."""
    report = Database(campaign="database", first_seed=seed)
    with ground("database") as place:
        taking = _TakingAway(place, report)
        rounds(report, log, place, n=n, one=taking.once)
    demand(report, FAULTS, runs_min=DEFAULT)
    return report


class _TakingAway:
    """One journal after the other, and on each one matcher, which is never restarted."""

    def __init__(self, place: Ground, report: Database) -> None:
        self._place = place
        self._report = report
        self._resumed: list[float] = []
        self._heard: list[Heard] = []
        self._unheard: list[AnyCommand] = []
        self._matcher = self._begin()

    def once(self, seed: int, steps: Steps) -> None:
        """Load, take the database away, wait for the service, compare."""
        if self._runs == RUNS_PER_JOURNAL:
            self._matcher.kill()
            self._matcher = self._begin()
        self._runs += 1
        chance, fault = random.Random(seed), FAULTS[seed % len(FAULTS)]
        with calling(lambda: straight_to(self._matcher.address), again(self._unheard, trading(seed))) as callers:
            callers.wait_for(1)
            time.sleep(load_s := chance.uniform(*LOAD_S))
            steps.append(f"{load_s:.3f} s of load, then PostgreSQL is {fault}")
            refusals = callers.refusals
            back_s = self._take_away(fault, away_s=chance.uniform(*AWAY_S))
            callers.wait_until(lambda: callers.refusals > refusals)
            resumed = callers.next_heard(after_s=time.monotonic())
            steps.append("acknowledged again")
        self._resumed.append(resumed.heard_s - back_s)
        fired(self._report, fault)
        self._heard += callers.heard
        self._unheard = callers.unheard
        check(self._database, self._heard, self._matcher)
        self._tell(callers)

    def _begin(self) -> MatcherProcess:
        self._runs = 0
        self._heard, self._unheard = [], []
        self._database = self._place.postgres.new_database()
        return self._place.matcher(self._database, lease_s=LEASE_S).wait_until_ready()

    def _take_away(self, fault: str, *, away_s: float) -> float:
        """Do it; gives when PostgreSQL was there again."""
        postgres = self._place.postgres
        match fault:
            case "killed":
                postgres.kill()
            case "stopped at once":
                postgres.stop_at_once()
            case _:
                postgres.kill_backend()
                return time.monotonic()
        time.sleep(away_s)
        postgres.start()
        return time.monotonic()

    def _tell(self, callers: Callers) -> None:
        report = self._report
        report.acknowledged += len(callers.heard)
        report.refused += callers.refusals
        report.resumed_p50_s = quantile(self._resumed, 0.5)
        report.resumed_p99_s = quantile(self._resumed, 0.99)
        report.resumed_max_s = quantile(self._resumed, 1)
