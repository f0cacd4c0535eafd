"""Clearing, where a batch is far ahead of what is settled. With real wallets and tape: tests/integration/stream."""

import tracemalloc
from collections.abc import Sequence

import pytest

from venue.wire import Batch, TapeRecord, WalletChanged
from venue_aws.clearing import MISSING_MAX, Clearing, Lost
from venue_aws.rules import Rules

FAR = 10**6


class Settled:
    """Knows how far it is."""

    def __init__(self) -> None:
        self.done = 0

    def settle(self, batches: Sequence[Batch]) -> list[WalletChanged]:
        self.done = batches[-1].sequence
        return []

    def progress(self, shard: int) -> int:
        del shard
        return self.done

    def advance(self, shard: int, sequence: int) -> None:
        assert (shard, sequence) == (0, self.done)


class Journal:
    """Has every batch."""

    def batch(self, shard: int, sequence: int) -> Batch:
        return Batch(shard=shard, sequence=sequence, at=1, events=[], postings=[])


class Tape:
    """Takes everything."""

    def put(self, records: Sequence[TapeRecord]) -> None:
        del records


def test_a_batch_far_ahead_of_what_is_settled_costs_no_more_than_one_that_is_near() -> None:
    settled = Settled()
    clearing = Clearing(settlement=settled, journal=Journal(), tape=Tape(), rules=Rules(list))
    taken = clearing.read(b'{"shard":0,"sequence":%d,"at":1,"events":[],"postings":[]}' % FAR)
    tracemalloc.start()
    try:
        for _ in range(2):
            with pytest.raises(Lost, match=f"up to {FAR}"):
                clearing.clear(taken)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000  # a list of all that is missing takes forty
    finally:
        tracemalloc.stop()
    assert settled.done == 2 * MISSING_MAX
