"""kill -9 of the real matcher, under load, on a real PostgreSQL.

After each kill another process recovers. Then everything that was acknowledged is in the journal and became there what
its caller was told; no id is there twice; no sequence has a gap; and the recovered books, whether of a checkpoint and
the rows since or of all rows, have the digest of the journal played from its first row. Clients send what they have not
heard of once more, to the recovered matcher.

The lease of the dead is over at once, because nobody wants to wait for it 300 times; the campaign `failover` does.
PostgreSQL keeps fsync on. A killed process loses nothing that it has written, so it would be as right without; but then
commits would be faster than they are, and kills would fall into other moments.
"""

import asyncio
import random
import time
from functools import partial

import psycopg

from matcher import checkpoint
from matcher.shell.journal import connection
from tests.campaigns.report import Log, Report
from tests.campaigns.rounds import Steps, demand, fired, quantile, rounds
from tests.cluster.callers import Heard, again, calling, straight_to
from tests.cluster.flow import trading
from tests.cluster.ground import Ground, ground
from tests.cluster.journal import check, name_of
from tests.cluster.process import MatcherProcess
from venue.commands import AnyCommand, PlaceOrder

DEFAULT = 300
# Long enough for a busy machine.
LEASE_S = 2.0
LOAD_S = (0.02, 0.5)
# A matcher takes about this long to serve, most of it the start of Python.
RECOVERY_S = 2.0
# Then the journal begins anew: each run plays it from its first row.
RUNS_PER_JOURNAL = 15
# After how many of the runs there is a checkpoint, as a standby or the owner's child would write it.
CHECKPOINTS = 0.3
FAULTS = ("in flow", "in recovery", "in a commit", "before a commit")

_WAITING = """
SELECT 1 FROM pg_stat_activity
WHERE application_name = 'matcher' AND wait_event_type = 'Lock' AND strpos(query, %s) > 0
"""
_END_LEASE = "UPDATE leases SET expires_at = '-infinity'"
_RAN_OUT = "SELECT 1 FROM leases WHERE expires_at < clock_timestamp()"
# A row that is never committed, some batches ahead: whoever appends that batch waits, with the fence in its hands.
_AHEAD = """
INSERT INTO batches (shard, sequence, epoch, at, commands, events)
SELECT 0, max(sequence) + 20, 0, 0, '', '' FROM batches
"""


class Kill(Report, kw_only=True):
    """unheard: orders in flight when the matcher died, of which so many turned out to be in the journal, and not.

    from_checkpoint: how many recoveries began at one. recovery: from the start of the next process until it serves.
    """

    acknowledged: int = 0
    unheard_journalled: int = 0
    unheard_lost: int = 0
    from_checkpoint: int = 0
    recovery_p50_s: float = 0.0
    recovery_max_s: float = 0.0


def run(*, n: int, seed: int, log: Log) -> Kill:
    """Kill `n` times, at random moments, in every kind of FAULTS in turn."""
    report = Kill(campaign="kill", first_seed=seed)
    with ground("kill") as place:
        killing = _Killing(place, report)
        rounds(report, log, place, n=n, one=killing.once)
    demand(report, FAULTS, runs_min=DEFAULT)
    return report


class _Killing:
    """One journal after the other, and on each a matcher that is killed and followed by the next."""

    def __init__(self, place: Ground, report: Kill) -> None:
        self._place = place
        self._report = report
        self._recoveries: list[float] = []
        self._heard: list[Heard] = []
        self._unheard: list[AnyCommand] = []
        self._begin()

    def once(self, seed: int, steps: Steps) -> None:
        """Load, kill, recover, compare."""
        if self._runs == RUNS_PER_JOURNAL:
            self._matcher.kill()
            self._begin()
        self._runs += 1
        chance, fault = random.Random(seed), FAULTS[seed % len(FAULTS)]
        with calling(lambda: straight_to(self._matcher.address), again(self._unheard, trading(seed))) as callers:
            callers.wait_for(1)
            time.sleep(load_s := chance.uniform(*LOAD_S))
            steps.append(f"{load_s:.3f} s of load, then a kill {fault}")
            self._kill(fault, chance, steps)
        self._recover(steps)
        self._heard += callers.heard
        self._unheard = callers.unheard
        self._compare(new=len(callers.heard))
        if chance.random() < CHECKPOINTS:
            asyncio.run(checkpoint.save(partial(connection, self._database.settings), 0))
            steps.append("a checkpoint was saved")

    def _begin(self) -> None:
        self._runs = 0
        self._heard, self._unheard = [], []
        self._database = self._place.postgres.new_database()
        self._matcher = self._start().wait_until_ready()

    def _kill(self, fault: str, chance: random.Random, steps: Steps) -> None:
        match fault:
            case "in flow":
                self._bury()
            case "in recovery":
                self._kill_twice(after_s=chance.uniform(0, RECOVERY_S), steps=steps)
            case "in a commit":
                self._kill_in_a_commit(steps)
            case "before a commit":
                self._kill_before_a_commit(steps)
        fired(self._report, fault)

    def _bury(self) -> None:
        self._matcher.kill()
        self._database.run(_END_LEASE)

    def _kill_twice(self, *, after_s: float, steps: Steps) -> None:
        self._bury()
        self._matcher = self._start()
        time.sleep(after_s)
        steps.append(f"{after_s:.3f} s later the next one is {'ready' if self._matcher.is_ready() else 'not ready'}")
        self._bury()

    def _kill_in_a_commit(self, steps: Steps) -> None:
        """The fence was passed; the commit goes through after the matcher's death, and nobody has the lease before."""
        with psycopg.connect(self._database.url) as other:
            other.execute(_AHEAD.encode())
            self._wait_for("WITH fence")
            self._matcher.kill()
            self._matcher = self._start()
            self._matcher.wait_until(lambda: self._database.rows(_RAN_OUT))
            self._matcher.wait_until(lambda: self._matcher.has_logged("standing_by"))
            assert not self._matcher.has_logged("lease_taken"), "the lease was taken under a commit"
            other.rollback()
        steps.append("the next one waited for the commit")

    def _kill_before_a_commit(self, steps: Steps) -> None:
        """The statement reaches the fence only when the epoch is over: it must write nothing."""
        with psycopg.connect(self._database.url) as other:
            other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            self._wait_for("WITH fence")
            self._bury()
            self._matcher = self._start()
            self._matcher.wait_until(lambda: self._matcher.has_logged("lease_taken"))
            other.rollback()
        steps.append("the next one took the lease before the commit")

    def _wait_for(self, statement: str) -> None:
        self._matcher.wait_until(lambda: self._database.rows(_WAITING, statement))

    def _start(self) -> MatcherProcess:
        self._started = time.monotonic()
        return self._place.matcher(self._database, lease_s=LEASE_S)

    def _recover(self, steps: Steps) -> None:
        if not self._matcher.is_running():
            self._matcher = self._start()
        self._matcher.wait_until_ready()
        self._recoveries.append(time.monotonic() - self._started)
        self._report.from_checkpoint += self._matcher.has_logged("checkpoint_loaded")
        steps.append(f"recovered after {self._recoveries[-1]:.3f} s")

    def _compare(self, *, new: int) -> None:
        replayed = check(self._database, self._heard, self._matcher)
        placed = [command for command in self._unheard if isinstance(command, PlaceOrder)]
        journalled = sum(name_of(order) in replayed.outcomes for order in placed)
        report = self._report
        report.acknowledged += new
        report.unheard_journalled += journalled
        report.unheard_lost += len(placed) - journalled
        report.recovery_p50_s = quantile(self._recoveries, 0.5)
        report.recovery_max_s = quantile(self._recoveries, 1)
