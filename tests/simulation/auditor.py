"""The auditor: sees every commit, every change to a wallet and every answer at the moment it happens, and judges it."""

import hashlib
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from tests.simulation.answers import Answers
from tests.simulation.roads import Roads, name_of
from tests.simulation.rows import Committed, Held
from tests.simulation.wallets import Key, Wallet
from tests.simulation.watch import Watch
from venue.commands import AnyCommand, Deposit
from venue.events import AnyEvent
from venue.ledger import WORLD, Posting
from venue.reconciliation import Found
from venue.wire import Outcome


class Violation(Exception):
    """Something that must hold did not. `check` names it."""

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(f"{check}: {detail}")
        self.check = check


class Ledger:
    """What a shard's batches do to one wallet, summed: after each batch that touches it. Holds do not count."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.sums: list[tuple[int, int]] = []

    def add(self, sequence: int, free: int, held: int) -> None:
        """Take on one batch."""
        last = self.sums[-1] if self.sums else (0, 0)
        self.sequences.append(sequence)
        self.sums.append((last[0] + free, last[1] + held))

    def until(self, sequence: int) -> tuple[int, int]:
        """Give free and held after this batch."""
        place = bisect_right(self.sequences, sequence)
        return self.sums[place - 1] if place else (0, 0)


class Auditor:
    """All shards'. `failed` is told of the first violation; what it finds later is of no interest."""

    def __init__(self, shards: int, time: Callable[[], float], failed: Callable[[Violation], None]) -> None:
        self.watches = [Watch(shard, self) for shard in range(shards)]
        self.answers = Answers(time, self.fail)
        self.roads = Roads()
        self.promised: dict[str, AnyCommand] = {}
        self.acknowledged = 0
        self.told = Counter[str]()
        self._ledgers = [defaultdict[Key, Ledger](Ledger) for _ in self.watches]
        self._time = time
        self._failed = failed
        self._trace = hashlib.blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """A fingerprint of all that was seen, in its order."""
        return self._trace.hexdigest()

    @property
    def batches(self) -> int:
        """How many batches all journals have."""
        return sum(watch.sequence for watch in self.watches)

    def note(self, *what: Any) -> None:
        """Put something into the fingerprint."""
        self._trace.update(repr((self._time(), *what)).encode())

    def fail(self, check: str, detail: str) -> None:
        """Tell of a violation."""
        self._failed(Violation(check, detail))

    # The journals.

    def committed(self, batch: Committed, held: Held) -> None:
        """A batch became durable."""
        self.note("batch", batch.shard, batch.sequence, batch.epoch, batch.checksum)
        self.watches[batch.shard].committed(batch, held)

    def remember(self, shard: int, command: AnyCommand, events: list[AnyEvent]) -> None:
        """One of its commands led to this."""
        self.told.update(str(event.__struct_config__.tag) for event in events)
        self.answers.remember(shard, events, self.watches[shard].engine.order)
        overtaken = self.roads.done(command)
        if overtaken is not None:
            self.fail("the queue keeps each account's order", f"{name_of(command)} came before {overtaken}")

    def post(self, shard: int, sequence: int, postings: Iterable[Posting]) -> None:
        """A batch moves this."""
        sums: dict[Key, list[int]] = {}
        for posting in postings:
            total = sums.setdefault((posting.account, posting.asset), [0, 0])
            if posting.kind != "hold":
                total[0] += posting.free
                total[1] += posting.held
        for key, (free, held) in sums.items():
            self._ledgers[shard][key].add(sequence, free, held)

    # The wallets.

    def due(self, key: Key, seen: dict[int, int]) -> tuple[int, int]:
        """What a wallet has after these batches of the shards, but for holds."""
        sums = [ledgers[key].until(seen.get(shard, 0)) for shard, ledgers in enumerate(self._ledgers) if key in ledgers]
        return sum(free for free, _ in sums), sum(held for _, held in sums)

    def touched(self) -> set[Key]:
        """Every wallet that some batch moves."""
        return {key for ledgers in self._ledgers for key in ledgers}

    def changed(self, key: Key, wallet: Wallet) -> None:
        """A wallet was settled, or a hold was taken from it."""
        self.note("wallet", key, wallet.free, wallet.held)
        free, held = self.due(key, wallet.seen)
        if (wallet.free, wallet.held) != (free - wallet.taken, held + wallet.taken):
            self.fail(
                "wallets are what the journal says",
                f"{key} has {wallet.free} and {wallet.held}, but after batches {wallet.seen}"
                f" {free - wallet.taken} and {held + wallet.taken} are due",
            )
        if key[0] != WORLD and min(wallet.free, wallet.held) < 0:
            self.fail("no wallet is overdrawn", f"{key} has {wallet.free} and {wallet.held}")

    def freed(self, name: str) -> None:
        """Somebody gave a hold back in the wallets themselves, and not the journal."""
        self.fail("holds are freed by postings", f"{name} was freed beside the journal")

    def reconciled(self, found: Found) -> None:
        """The reconciliation told what it found: here nothing is ever wrong, however late anybody is."""
        self.note("reconciled", found)
        if found.size:
            self.fail("the reconciliation raises no false alarm", repr(found))

    # The callers.

    def queued(self, command: AnyCommand) -> None:
        """The order queue took a command: it was promised that it will be done."""
        name = command.transfer_id if isinstance(command, Deposit) else name_of(command)
        if name is not None:
            self.promised[name] = command

    def answered(self, command: AnyCommand, outcome: Outcome, *, shard: int, asked_at: float) -> None:
        """A matcher's answer came to its caller. What it tells must have been true, and durable, meanwhile."""
        self.acknowledged += 1
        self.note("answer", outcome)
        self.answers.judge(command, outcome, shard=shard, asked_at=asked_at)
