"""Bugs of wallets, holds and settlement."""

from collections.abc import Sequence
from typing import Any, Final

from tests.simulation.bugs.bug import Bug
from tests.simulation.callers import Instance
from tests.simulation.loop import pause
from tests.simulation.plan import Place
from tests.simulation.wallets import Key, Table, Taken, Wallet
from venue.commands import AmendOrder, PlaceOrder
from venue.errors import Unavailable
from venue.identity import order_id_of
from venue.ledger import FEES
from venue.wire import Batch
from venue_aws import settlement
from venue_aws.clearing import Cleared, Clearing, Cut
from venue_aws.settlement import PROGRESS_ASSET, touches_of

_do = Instance.do
_take = Table.take
_settle = Clearing._settle


def _settle_again(self: Table, key: Key, shard: int, *, free: int, held: int, first: int, last: int) -> bool:
    del first
    wallet = self.wallets.setdefault(key, Wallet())
    wallet.free += free
    wallet.held += held
    wallet.seen[shard] = max(last, wallet.seen.get(shard, 0))
    self.changed(key, wallet)
    return True


def _hold_again(self: Table, name: str, hold: Taken) -> PlaceOrder | AmendOrder | None:
    known = self.holds.pop(name, None)
    try:
        _take(self, name, hold)
    finally:
        if known is not None:
            self.holds[name] = known
    return known.command if known is not None else None


def _free_without_an_answer(self: Instance, action: Any, order_id: str | None) -> None:
    """Give the hold back because nobody answered."""
    try:
        _do(self, action, order_id)
    except Unavailable:
        if isinstance(action, Place) and action.ticket.client_oid is not None:
            name = order_id_of(action.account, action.ticket.client_oid)
            table = self.table
            if name in table.holds:
                hold = table.holds.pop(name)
                wallet = table.wallets[hold.key]
                wallet.free += hold.command.hold
                wallet.held -= hold.command.hold
                wallet.taken -= hold.command.hold
        raise


def nothing_is_missing(self: Clearing, shard: int, taken: dict[int, Cut]) -> Cleared:
    """Settle what is there."""
    done = self._settlement.progress(shard)
    run = [taken[sequence] for sequence in sorted(taken) if sequence > done]
    return self._settle(run) if run else Cleared()


def _mark_first(self: Clearing, run: Sequence[Cut]) -> Cleared:
    self._settlement.advance(run[-1].batch.shard, run[-1].batch.sequence)
    pause(0.01)
    return _settle(self, run)


def _free_of_fees(batches: Sequence[Batch]) -> Any:
    return {key: touches for key, touches in touches_of(batches).items() if key[0] != FEES}


_settle_once = Table.settle


def _seen_by_any(self: Table, key: Key, shard: int, *, free: int, held: int, first: int, last: int) -> bool:
    """Look at the marks of all shards."""
    wallet = self.wallets.setdefault(key, Wallet())
    if max(wallet.seen.values(), default=0) >= first:
        wallet.seen[shard] = max(last, wallet.seen.get(shard, 0))
        return False
    return _settle_once(self, key, shard, free=free, held=held, first=first, last=last)


def _one_mark(shard: int) -> tuple[str, str]:
    del shard
    return "venue:shard-0", PROGRESS_ASSET


WALLETS: Final = [
    Bug(
        "settled_twice",
        "A wallet does not look whether it has seen a batch.",
        [(Table, "settle", _settle_again)],
        ("events_redelivered", "settlement_killed"),
    ),
    Bug(
        "batch_skipped",
        "Settlement does not miss a batch that never arrived.",
        [(Clearing, "_clear_shard", nothing_is_missing)],
        ("events_to_dead_letters",),
    ),
    Bug(
        "marked_before_done",
        "Settlement notes a batch as done before it is.",
        [(Clearing, "_settle", _mark_first)],
        ("settlement_killed", "tape_away"),
    ),
    Bug(
        "fees_not_settled",
        "Settlement leaves out the venue's own account.",
        [(settlement, "touches_of", _free_of_fees)],
    ),
    Bug(
        "hold_twice",
        "An order that is sent again takes its hold again.",
        [(Table, "take", _hold_again)],
        ("caller_killed", "http_answer_lost"),
    ),
    Bug(
        "hold_freed_in_doubt",
        "A hold is given back because nobody answered, though its order may stand.",
        [(Instance, "do", _free_without_an_answer)],
        ("http_answer_lost", "order_queue_away", "commit_answer_lost"),
    ),
    Bug(
        "guard_of_another_shard",
        "A wallet takes one shard's batch for seen because it has seen that of another.",
        [(Table, "settle", _seen_by_any)],
    ),
    Bug(
        "mark_of_another_shard",
        "One mark says how far all shards are settled.",
        [(settlement, "progress_key", _one_mark)],
    ),
]
