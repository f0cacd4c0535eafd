"""The owner is stopped in its tracks, another takes over and is used, the old one wakes: it must not write a row.

Two matchers, a short lease. The old owner's callers wait for it all the while, so that it wakes to commands that it has
already taken, and to some that would change nothing and so meet no fence; others call the new one. Then everything that
was acknowledged, by either, is in the journal; no row of the old epoch follows the new one's first; the old owner has
refused whatever it woke to, and stands by; and the books of the new one have the digest of the journal played from its
first row. In the next run the roles are changed.
"""

import random
import time
from concurrent.futures import Future, ThreadPoolExecutor

from tests.campaigns.report import Log, Report
from tests.campaigns.rounds import Steps, demand, fired, quantile, rounds
from tests.cluster.callers import Callers, Heard, calling, straight_to
from tests.cluster.flow import trading
from tests.cluster.ground import Ground, ground
from tests.cluster.journal import check
from tests.cluster.process import Answer, MatcherProcess
from venue.commands import CancelAll, PlaceOrder

DEFAULT = 200
LEASE_S = 1.0
LOAD_S = (0.05, 0.4)
# Then the journal begins anew: each run plays it from its first row.
RUNS_PER_JOURNAL = 15
# What the sleeper wakes into: a successor that has the lease and recovers, that serves, that has served for a while; or
# one that serves, while the sleeper itself had nothing to do when it was stopped.
FAULTS = OVERTAKING, OVERTAKEN, LONG_AFTER, IDLE = (
    "while it is overtaken",
    "when it was overtaken",
    "long after",
    "from an idle hour",
)


class Zombie(Report, kw_only=True):
    """refused: how often the sleeper refused a command after it woke.

    take_over: from the stop until the successor serves, which includes what is left of the lease.
    """

    acknowledged: int = 0
    refused: int = 0
    take_over_p50_s: float = 0.0
    take_over_max_s: float = 0.0


def run(*, n: int, seed: int, log: Log) -> Zombie:
    """Let the owner sleep and wake `n` times."""
    report = Zombie(campaign="zombie", first_seed=seed)
    with ground("zombie") as place:
        sleeping = _Sleeping(place, report)
        rounds(report, log, place, n=n, one=sleeping.once)
    demand(report, FAULTS, runs_min=DEFAULT)
    return report


class _Sleeping:
    """One journal after the other, and on each two matchers that own the shard in turns."""

    def __init__(self, place: Ground, report: Zombie) -> None:
        self._place = place
        self._report = report
        self._take_overs: list[float] = []
        self._heard: list[Heard] = []
        self._pool = place.stack.enter_context(ThreadPoolExecutor(2))
        self._owner, self._standby = self._begin()

    def once(self, seed: int, steps: Steps) -> None:
        """Load, stop, wait for the other, load, wake, compare."""
        if self._runs == RUNS_PER_JOURNAL:
            self._owner.kill()
            self._standby.kill()
            self._owner, self._standby = self._begin()
        self._runs += 1
        chance, fault = random.Random(seed), FAULTS[seed % len(FAULTS)]
        sleeper, successor = self._owner, self._standby
        if successor.is_ready():  # on a busy machine an owner may lose its lease by itself
            sleeper, successor = successor, sleeper
        with calling(lambda: straight_to(sleeper.address), trading(2 * seed)) as loyal:
            loyal.wait_for(20)
            time.sleep(load_s := chance.uniform(*LOAD_S))
            steps.append(f"{load_s:.3f} s of load, then the owner is stopped, and wakes {fault}")
            if fault == IDLE:
                loyal.stop()
            epoch, stopped_s = self._epoch(), time.monotonic()
            sleeper.pause()
            sleeper.wait_until(lambda: self._epoch() > epoch)
            if fault == OVERTAKING:
                sleeper.resume()
            successor.wait_until_ready()
            self._take_overs.append(time.monotonic() - stopped_s)
            with calling(lambda: straight_to(successor.address), trading(2 * seed + 1)) as others:
                others.wait_for(1)
                if fault == LONG_AFTER:
                    time.sleep(chance.uniform(*LOAD_S))
                late = [] if fault == OVERTAKING else self._send_late(sleeper, loyal)
                refusals = loyal.refusals
                sleeper.resume()
                sleeper.wait_until(sleeper.stands_by)
                for answer in late:
                    assert answer.result().status == 503, f"the sleeper answered {answer.result()}"
                if fault in (OVERTAKEN, LONG_AFTER):
                    loyal.wait_until(lambda: loyal.refusals > refusals)
                others.next_heard(after_s=time.monotonic())
        fired(self._report, fault)
        self._owner, self._standby = successor, sleeper
        self._heard += loyal.heard + others.heard
        check(self._database, self._heard, successor)
        self._tell(loyal, others)

    def _begin(self) -> tuple[MatcherProcess, MatcherProcess]:
        self._runs = 0
        self._heard = []
        self._database = self._place.postgres.new_database()
        owner = self._place.matcher(self._database, lease_s=LEASE_S).wait_until_ready()
        standby = self._place.matcher(self._database, lease_s=LEASE_S)
        standby.wait_until(standby.stands_by)
        return owner, standby

    def _send_late(self, sleeper: MatcherProcess, loyal: Callers) -> list[Future[Answer]]:
        """What would change nothing, and so would meet no fence: it is in the sleeper's sockets when it wakes."""
        known = next(each.command for each in loyal.heard if isinstance(each.command, PlaceOrder))
        late = [self._pool.submit(sleeper.post, command) for command in (CancelAll(account="nobody"), known)]
        time.sleep(0.05)
        return late

    def _epoch(self) -> int:
        ((epoch,),) = self._database.rows("SELECT epoch FROM leases WHERE shard = 0")
        return int(str(epoch))

    def _tell(self, loyal: Callers, others: Callers) -> None:
        report = self._report
        report.acknowledged += len(loyal.heard) + len(others.heard)
        report.refused += loyal.refusals
        report.take_over_p50_s = quantile(self._take_overs, 0.5)
        report.take_over_max_s = quantile(self._take_overs, 1)
