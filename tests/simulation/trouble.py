"""What goes wrong: faults wait here until something meets them, and are counted when they take effect."""

from collections import Counter, defaultdict
from collections.abc import Callable
from random import Random

# Fault classes that hit the next thing of their kind, once. The others last for a while or happen at once.
ONCE = (
    "commit_answer_lost",  # it committed, and nobody hears of it
    "commit_dropped",  # the connection broke before the statement arrived
    "commit_stuck",  # the statement arrives seconds later, when another may own the shard
    "commit_slow",  # the statement holds its lock for seconds
    "checkpoint_damaged",  # the next one that is written is cut short
    "statement_answer_lost",  # any other statement is carried out, and nobody hears of it
    "http_request_lost",
    "http_request_late",  # it arrives seconds later: behind what was sent after it, or after its sender gave up
    "http_request_doubled",
    "http_answer_lost",
    "queue_answer_lost",  # a message was taken, and its sender is told nothing
    "queue_delete_lost",
    "queue_duplicate",  # a message that was deleted is delivered once more
    "queue_poison",  # a message that nobody can read
    "caller_killed",  # between the hold and the hand-over
    "settlement_killed",  # between the updates of two wallets
    "wallet_answer_lost",
    "wallet_contended",
    "events_redelivered",  # an old message of the events queue comes once more, to another reader
    "events_to_dead_letters",  # a message of the events queue is given up, and brought back at the end
    "tape_refused",  # Kinesis takes a part of the records
    "reconcile_killed",  # at any of its questions
    "reconcile_delayed",
    "reconcile_twice",  # two runs at once
)
LASTING = ("database_away", "order_queue_away", "events_queue_away", "redis_away", "tape_away", "wallets_away")
AT_ONCE = (
    "kill",
    "stop",  # SIGTERM, and a new one beside it
    "pause",  # SIGSTOP, and SIGCONT some seconds later
    "redis_emptied",
    "stale_owner",  # Redis names an address where the owner is not
    "clock_forward",
    "clock_back",
)
# These come about, nobody orders them.
BECOMES = (
    "zombie",  # a paused owner wakes when its epoch is over
    "fenced",  # a batch under an old epoch
    "hold_forgotten",  # an order that never reached the journal, and the reconciliation reminds its matcher
)
KINDS = ONCE + LASTING + AT_ONCE + BECOMES


class Trouble:
    """The faults of one run. Who carries a fault out asks here whether it is time for it."""

    def __init__(self, rng: Random, time: Callable[[], float]) -> None:
        self.rng = rng
        self.fired: Counter[str] = Counter()
        self._time = time
        self._armed: Counter[str] = Counter()
        self._until: defaultdict[str, float] = defaultdict(float)

    def arm(self, kind: str) -> None:
        """Let the next thing that `kind` can hit be hit."""
        self._armed[kind] += 1

    def last(self, kind: str, seconds: float) -> None:
        """Let `kind` last for so long from now on."""
        self._until[kind] = max(self._until[kind], self._time() + seconds)

    def takes(self, kind: str) -> bool:
        """Whether it happens here and now."""
        if not self._armed[kind]:
            return False
        self._armed[kind] -= 1
        self.fired[kind] += 1
        return True

    def lasts(self, kind: str) -> bool:
        """Whether it is so at the moment, and somebody just felt it."""
        if self._time() >= self._until[kind]:
            return False
        self.fired[kind] += 1
        return True

    def cease(self) -> None:
        """Let nothing go wrong any more."""
        self._armed.clear()
        self._until.clear()

    def between(self, least: float, most: float) -> float:
        """Draw a length of time."""
        return least + (most - least) * self.rng.random()

    def way(self) -> float:
        """Draw how long one way through the network takes, in seconds."""
        draw = self.rng.random()
        return 0.0002 + 0.004 * draw * draw * draw * draw
