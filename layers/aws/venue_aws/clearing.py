"""What happens to a journal batch after the match: read, settled, put on the tape; each once, whatever is redelivered.

The order of the steps is what makes a crash harmless. Wallets first: settling again changes nothing. Then the tape: a
record that comes twice is recognised by its shard, batch and part. Last the progress mark: what is behind it is skipped
altogether. A batch that never arrives (its message died in the dead-letter queue) is fetched from the journal by the
one that follows it: settled out of order, it would be lost for ever.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

import msgspec

from venue import wire
from venue.wire import Batch, TapeRecord, WalletChanged
from venue_aws.correlation import ORDERS_MAX, orders_of
from venue_aws.rules import Rules
from venue_aws.settlement import overdrawn
from venue_aws.tape import cut, wallet_records

# How many lost batches one call brings back.
MISSING_MAX = 100


class Lost(Exception):
    """A batch is neither in the message nor in the journal, or too many are missing at once. Trying again may help."""


class Settlement(Protocol):
    """See venue_aws.settlement.Settlement."""

    def settle(self, batches: Sequence[Batch]) -> list[WalletChanged]: ...
    def progress(self, shard: int) -> int: ...
    def advance(self, shard: int, sequence: int) -> None: ...


class Journal(Protocol):
    """See venue_aws.journal.Journal."""

    def batch(self, shard: int, sequence: int) -> Batch | None: ...


class Tape(Protocol):
    """See venue_aws.tape.Tape."""

    def put(self, records: Sequence[TapeRecord]) -> None: ...


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """What one call did, for its log line and metrics. `oldest_at`: µs, the time of the oldest batch; 0 for none.

    `runs`: shard, first and last batch of what was settled; `orders`: the first that it was about.
    """

    batches: int = 0
    skipped: int = 0
    fetched: int = 0
    wallets: int = 0
    records: int = 0
    overdrawn: int = 0
    oldest_at: int = 0
    runs: list[str] = []
    orders: list[str] = []

    def as_log(self) -> dict[str, object]:
        """Give the fields of its log line."""
        return msgspec.structs.asdict(self)


class Cut(msgspec.Struct, frozen=True):
    """A batch with its records: all that could be wrong with it has been found by now."""

    batch: Batch
    records: list[TapeRecord]


class Clearing:
    """Takes one or several shards' batches, in order per shard."""

    def __init__(self, *, settlement: Settlement, journal: Journal, tape: Tape, rules: Rules) -> None:
        self._settlement = settlement
        self._journal = journal
        self._tape = tape
        self._rules = rules
        # A mark only grows, so a remembered one is at worst too low.
        self._progress: dict[int, int] = {}

    def read(self, body: str | bytes) -> list[Cut]:
        """Read a message; fetch each batch that it only names. Raises for a message that cannot be read."""
        return [self._cut(batch) for batch in wire.batches(body)]

    def clear(self, taken: Iterable[Cut]) -> Cleared:
        """Settle and tape everything in `taken` that is not yet. Raises when a part could not be done; call again."""
        shards: dict[int, dict[int, Cut]] = {}
        count = 0
        for one in taken:
            count += 1
            shards.setdefault(one.batch.shard, {})[one.batch.sequence] = one
        done = [self._clear_shard(shard, batches) for shard, batches in shards.items()]
        batches = sum(each.batches for each in done)
        fetched = sum(each.fetched for each in done)
        return Cleared(
            batches=batches,
            skipped=count - (batches - fetched),
            fetched=fetched,
            wallets=sum(each.wallets for each in done),
            records=sum(each.records for each in done),
            overdrawn=sum(each.overdrawn for each in done),
            oldest_at=min((each.oldest_at for each in done if each.batches), default=0),
            runs=[run for each in done for run in each.runs],
            orders=[order for each in done for order in each.orders][:ORDERS_MAX],
        )

    def _cut(self, batch: Batch) -> Cut:
        if batch.events is None or batch.postings is None:
            batch = self._fetch(batch.shard, batch.sequence)
        return Cut(batch, cut(batch, self._rules))

    def _clear_shard(self, shard: int, taken: dict[int, Cut]) -> Cleared:
        last = max(taken)
        if self._progress.get(shard) != min(taken) - 1:
            self._progress[shard] = self._settlement.progress(shard)
        done = self._progress[shard]
        if last <= done:
            return Cleared()
        # One more than is fetched now, to know where to stop: there may be any number up to this message.
        missing = list(islice((n for n in range(done + 1, last + 1) if n not in taken), MISSING_MAX + 1))
        run = {sequence: one for sequence, one in taken.items() if sequence > done}
        for sequence in missing[:MISSING_MAX]:
            batch = self._fetch(shard, sequence)
            run[sequence] = Cut(batch, cut(batch, self._rules))
        if len(missing) > MISSING_MAX:
            run = {sequence: one for sequence, one in run.items() if sequence < missing[MISSING_MAX]}
        cleared = self._settle([run[sequence] for sequence in sorted(run)])
        if len(missing) > MISSING_MAX:
            raise Lost(f"shard {shard} lacks batches up to {last}; {MISSING_MAX} of them are settled now")
        return msgspec.structs.replace(cleared, fetched=len(missing))

    def _settle(self, run: Sequence[Cut]) -> Cleared:
        last = run[-1]
        changes = self._settlement.settle([one.batch for one in run])
        records = [record for one in run for record in one.records]
        records += wallet_records(changes, last=last.batch, first_part=len(last.records), rules=self._rules)
        self._tape.put(records)
        self._settlement.advance(last.batch.shard, last.batch.sequence)
        self._progress[last.batch.shard] = last.batch.sequence
        return Cleared(
            batches=len(run),
            wallets=len(changes),
            records=len(records),
            overdrawn=len(overdrawn(changes)),
            oldest_at=run[0].batch.at,
            runs=[f"{last.batch.shard}-{run[0].batch.sequence}-{last.batch.sequence}"],
            orders=orders_of(event for one in run for event in one.batch.events or ()),
        )

    def _fetch(self, shard: int, sequence: int) -> Batch:
        batch = self._journal.batch(shard, sequence)
        if batch is None:
            raise Lost(f"batch {sequence} of shard {shard} is not in the journal")
        return batch
