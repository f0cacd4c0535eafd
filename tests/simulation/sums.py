"""The ledger's statements in the simulated database: what reconciliation sums up beside the journal, and compares.

As for the matcher's, each is known by its text.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from tests.simulation.tables import Tables
from venue.ledger import Posting
from venue_aws import ledger

type _Key = tuple[str, str, int]


class Kept(msgspec.Struct):
    """A row of `balances`: what a wallet's postings of one shard sum to, up to `sequence`."""

    sequence: int
    postings: int = 0
    free: int = 0
    held: int = 0


class Sums:
    """The tables that reconciliation keeps: `summed`, `balances`, `walks`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._summed: dict[int, int] = {}
        self._balances: defaultdict[_Key, list[Kept]] = defaultdict(list)
        self._walks: dict[str, str | None] = {}
        self.does: dict[str, Callable[..., list[tuple[Any, ...]]]] = {
            ledger._SHARDS + " RETURNING 1": self._begin,
            ledger._MARKS: self._marks,
            ledger._MOVED: self._moved,
            ledger._ADVANCE: self._advance,
            ledger._SUMS: self._sums,
            ledger._UNSETTLED: self._unsettled,
            ledger._KNOWN: self._known,
            ledger._CURSOR: self._cursor,
            ledger._KEEP: self._keep,
        }

    def _begin(self) -> list[tuple[Any, ...]]:
        new = [shard for shard in self._tables.published if shard not in self._summed]
        self._summed.update(dict.fromkeys(new, 0))
        return [(1,) for _ in new]

    def _marks(self) -> list[tuple[Any, ...]]:
        return sorted(self._summed.items())

    def _moved(self, *, shard: int, after: int, upto: int) -> list[tuple[Any, ...]]:
        return [
            (account, asset, str(found.free + found.held))
            for (account, asset), found in sorted(self._grouped(shard, after, upto).items())
        ]

    def _advance(self, *, shard: int, after: int, upto: int, step: int) -> list[tuple[Any, ...]]:
        if self._summed.get(shard) != after:
            return []
        self._summed[shard] = upto
        moved = self._grouped(shard, after, upto)
        for (account, asset), found in moved.items():
            rows = self._balances[account, asset, shard]
            before = rows[-1] if rows else Kept(0)
            moves = before.postings < step
            if rows and moves:
                rows.pop()
            found.postings += before.postings if moves else 0
            found.free += before.free
            found.held += before.held
            rows.append(found)
        return [(1,) for _ in moved]

    def _grouped(self, shard: int, after: int, upto: int) -> dict[tuple[str, str], Kept]:
        groups: dict[tuple[str, str], Kept] = {}
        for sequence, posting in self._postings(shard, after, upto):
            group = groups.setdefault((posting.account, posting.asset), Kept(sequence))
            group.sequence = sequence
            group.postings += 1
            group.free += posting.free
            group.held += posting.held
        return groups

    def _sums(
        self, *, accounts: Sequence[str], assets: Sequence[str], shards: Sequence[int], seen: Sequence[int]
    ) -> list[tuple[Any, ...]]:
        sums: dict[tuple[str, str], list[int]] = {}
        for account, asset, shard, until in zip(accounts, assets, shards, seen, strict=True):
            if shard not in self._summed:
                continue
            rows = self._balances.get((account, asset, shard))
            mark = rows[-1] if rows else Kept(0)
            free, held = self._between(account, asset, shard, self._summed[shard], until)
            total = sums.setdefault((account, asset), [0, 0])
            total[0] += mark.free + free
            total[1] += mark.held + held
        return sorted((account, asset, str(free), str(held)) for (account, asset), (free, held) in sums.items())

    def _between(self, account: str, asset: str, shard: int, summed: int, seen: int) -> tuple[int, int]:
        """What a sum up to `summed` lacks to be one up to `seen`; below zero where it has too much."""
        moved = self._grouped(shard, min(summed, seen), max(summed, seen)).get((account, asset), Kept(0))
        sign = 1 if summed < seen else -1
        return sign * moved.free, sign * moved.held

    def _unsettled(
        self, *, accounts: Sequence[str], assets: Sequence[str], shards: Sequence[int], seen: Sequence[int]
    ) -> list[tuple[Any, ...]]:
        return sorted(
            (posting.amend_id or posting.order_id,)
            for account, asset, shard, since in zip(accounts, assets, shards, seen, strict=True)
            if shard in self._summed
            for _, posting in self._postings(shard, since, None)
            if (posting.account, posting.asset, posting.kind) == (account, asset, "hold")
        )

    def _known(self, *, ids: Sequence[str]) -> list[tuple[Any, ...]]:
        orders = [self._tables.orders[name] for name in ids if name in self._tables.orders]
        known = [
            (order.order_id, order.created_at, (order.status, order.reject_reason) == ("rejected", "unknown_product"))
            for order in orders
        ]
        amends = [
            (posting.amend_id, batch.at, False)
            for batches in self._tables.batches.values()
            for batch in batches
            for posting in batch.postings
            if posting.amend_id in ids
        ]
        return sorted(known + amends)

    def _cursor(self, *, name: str) -> list[tuple[Any, ...]]:
        return [(self._walks[name],)] if name in self._walks else []

    def _keep(self, *, name: str, cursor: str | None) -> list[tuple[Any, ...]]:
        self._walks[name] = cursor
        return [(1,)]

    def _postings(self, shard: int, after: int, upto: int | None) -> Iterator[tuple[int, Posting]]:
        for batch in self._tables.batches.get(shard, ()):
            if batch.sequence > after and (upto is None or batch.sequence <= upto):
                for posting in batch.postings:
                    yield batch.sequence, posting
