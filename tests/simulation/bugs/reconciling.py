"""Bugs of the reconciliation: it frees what it must not, or calls right what is wrong, or wrong what is right."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.simulation.bugs.bug import Bug
from tests.simulation.sums import Sums
from venue import reconciliation
from venue.reconciliation import Found, Hold, Known, Reconciliation, Wallet
from venue_aws.ledger import Ledger

_TROUBLE: Final = ("reconcile_twice", "caller_killed", "events_queue_away")

_between = Sums._between


def _always(hold: Hold, order: Known) -> bool:
    del hold, order
    return True


def _free_at_once(self: Reconciliation, hold: Hold, order: Known | None, found: Found) -> None:
    if order is None:
        found.freed += self._vault.free(hold)


def _none(self: Ledger, wallet: Wallet, *, settled: Mapping[int, int]) -> set[str]:
    del self, wallet, settled
    return set()


def _as_settled(self: Ledger, wallets: Sequence[Wallet], settled: Mapping[int, int]) -> dict[str, list[Any]]:
    del self
    asked = [(wallet, shard) for wallet in wallets for shard in settled]
    return {
        "accounts": [wallet.account for wallet, _ in asked],
        "assets": [wallet.asset for wallet, _ in asked],
        "shards": [shard for _, shard in asked],
        "seen": [settled[shard] for _, shard in asked],
    }


def _never_back(self: Sums, account: str, asset: str, shard: int, summed: int, seen: int) -> tuple[int, int]:
    return _between(self, account, asset, shard, summed, max(summed, seen))


RECONCILING: Final = [
    Bug(
        "known_hold_freed",
        "The reconciliation frees a hold whose order is in the journal.",
        [(reconciliation, "_is_stray", _always)],
        _TROUBLE,
    ),
    Bug(
        "lost_hold_freed_at_once",
        "The reconciliation frees a hold in the wallets, and asks no matcher.",
        [(Reconciliation, "_see_to", _free_at_once)],
        _TROUBLE,
    ),
    Bug(
        "unsettled_overlooked",
        "The reconciliation takes what is not settled yet for a hold that nobody has.",
        [(Ledger, "unsettled", _none)],
        _TROUBLE,
    ),
    Bug(
        "mark_overlooked",
        "The reconciliation compares a wallet with the ledger of another moment.",
        [(Ledger, "_asked", _as_settled)],
        _TROUBLE,
    ),
    Bug(
        "summed_up_meanwhile",
        "The reconciliation compares a wallet with what another run has summed up since it was read.",
        [(Sums, "_between", _never_back)],
        ("reconcile_twice", "reconcile_delayed"),
    ),
]
