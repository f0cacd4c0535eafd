"""Bugs that are planted one at a time, to see that the simulation finds them: each is a few lines for good ones."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

import asyncpg
import msgspec

from matcher.core import engine
from matcher.core.admission import refusal
from matcher.core.engine import Engine
from matcher.shell import checkpoints, follower, sequencer
from matcher.shell.errors import NotOwner
from matcher.shell.follower import Follower
from matcher.shell.journal import Entry, PostgresJournal, Recorded, recorded
from matcher.shell.lease import _RENEW, Lease
from matcher.shell.poller import Poller
from matcher.shell.relay import _ADVANCE, Relay
from matcher.shell.sequencer import Sequencer
from tests.simulation.callers import Instance
from tests.simulation.database import Database
from tests.simulation.loop import wait
from tests.simulation.plan import SLEEPER, Place
from tests.simulation.wallets import Key, Table, Wallet
from venue import wire
from venue.commands import AnyCommand, PlaceOrder
from venue.errors import Unavailable
from venue.events import AnyEvent, OrderRefused
from venue.identity import order_id_of
from venue.ledger import FEES, Posting, postings
from venue.products import Product
from venue.wire import Batch
from venue_aws import queues, settlement
from venue_aws.clearing import Cleared, Clearing, Cut
from venue_aws.settlement import touches_of


class Bug(msgspec.Struct, frozen=True):
    """`says`: what is wrong. replaces: what, by its name, with what. trouble: by which faults it shows soonest."""

    name: str
    says: str
    replaces: list[tuple[Any, str, Any]]
    trouble: tuple[str, ...] = ()


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """Let the venue have this bug."""
    patches = [patch.object(target, name, new) for target, name, new in bug.replaces]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


# The matcher.

_commit = Sequencer._commit
_append = PostgresJournal.append
_is_free = Sequencer._is_free


async def _answer_first(self: Sequencer) -> None:
    for future, outcome in self._open.answers:
        if not future.done():
            future.set_result(outcome)
    await _commit(self)


async def _take_silence_for_success(self: PostgresJournal, entry: Entry) -> None:
    try:
        await _append(self, entry)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return


async def _take_fence_for_success(self: PostgresJournal, entry: Entry) -> None:
    try:
        await _append(self, entry)
    except NotOwner:
        return


async def _roll_on(self: Sequencer) -> None:
    try:
        await _commit(self)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        for future, _ in self._under_way.answers if self._under_way is not None else ():
            if not future.done():
                future.set_exception(NotOwner(str(error)))
        await asyncio.sleep(0.05)


def _ignore_time(self: Sequencer) -> bool:
    self._at = max(self._at, self._clock())
    return not self._open.is_full()


def _believe_the_clock(self: Sequencer) -> bool:
    self._at = 0
    return _is_free(self)


class Forgetful(Engine):
    """Takes a known order id for a new one."""

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        """See Engine."""
        if isinstance(command, PlaceOrder):
            known = self._register.orders.get(command.order_id)
            if known is not None and known.done_at is not None:
                del self._register.orders[command.order_id]
        return super().apply(command)


def _however_late(command: PlaceOrder, *more: Any) -> Any:
    return refusal(msgspec.structs.replace(command, deadline=None), *more)


def _but(wrong: Callable[[Posting], Posting | None]) -> Callable[[AnyEvent, Product | None], Iterator[Posting]]:
    """Derive postings as ever, but for those that are `wrong`."""

    def derive(event: AnyEvent, product: Product | None) -> Iterator[Posting]:
        return (changed for posting in postings(event, product) if (changed := wrong(posting)) is not None)

    return derive


def _no_refunds(event: AnyEvent, product: Product | None) -> Iterator[Posting]:
    return iter(()) if isinstance(event, OrderRefused) else postings(event, product)


def _rounded(posting: Posting) -> Posting:
    if posting.kind != "release":
        return posting
    return msgspec.structs.replace(posting, free=posting.free // 10 * 10, held=-(posting.free // 10 * 10))


async def _but_the_last(connection: Any, *, shard: int, after: int = 0) -> AsyncIterator[Recorded]:
    last = None
    async for batch in recorded(connection, shard=shard, after=after):
        if last is not None:
            yield last
        last = batch


async def _but_the_first(connection: Any, *, shard: int, after: int = 0) -> AsyncIterator[Recorded]:
    async for batch in recorded(connection, shard=shard, after=after):
        if batch.sequence != after + 1 or not after:
            yield batch


_checkpoint = Follower.checkpoint


async def _one_too_high(self: Follower) -> Any:
    return msgspec.structs.replace(await _checkpoint(self), sequence=self.sequence + 1)


async def _hope(self: Lease) -> None:
    while True:
        await asyncio.sleep(self.length_s / 3)
        self._ends = asyncio.get_running_loop().time() + self.length_s
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self._connection.fetchval(_RENEW, self._shard, self.epoch, self.length_s)


async def _never_mind(self: Lease) -> None:
    """Look at nothing."""


# The roads.

_execute = Poller._execute
_send = Relay._send


async def _delete_first(self: Poller, messages: Sequence[Any]) -> None:
    await self._delete(messages)
    await _execute(self, messages)


async def _advance_first(self: Relay, batches: Sequence[wire.Batch]) -> None:
    await self._connection.execute(_ADVANCE, self._shard, batches[-1].sequence)
    await _send(self, batches)


async def _but_the_last_batch(self: Relay, batches: Sequence[wire.Batch]) -> None:
    if len(batches) > 1:
        await _send(self, batches[:-1])


def _one_a_minute(command: AnyCommand) -> str:
    return f"{command.__struct_config__.tag}-{getattr(command, 'account', 'venue')}"


# Wallets and settlement.

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


def _hold_again(self: Table, order: PlaceOrder, asset: str) -> PlaceOrder | None:
    known = self.holds.pop(order.order_id, None)
    try:
        _take(self, order, asset)
    finally:
        if known is not None:
            self.holds[order.order_id] = known
    return known[0] if known is not None else None


def _free_without_an_answer(self: Instance, action: Any, order_id: str | None) -> None:
    """Give the hold back because nobody answered."""
    try:
        _do(self, action, order_id)
    except Unavailable:
        if isinstance(action, Place) and action.ticket.client_oid is not None:
            name = order_id_of(action.account, action.ticket.client_oid)
            table = self.table
            if name in table.holds:
                order, asset = table.holds.pop(name)
                wallet = table.wallets[order.account, asset]
                wallet.free += order.hold
                wallet.held -= order.hold
                wallet.taken -= order.hold
        raise


def _nothing_is_missing(self: Clearing, shard: int, taken: dict[int, Cut]) -> Cleared:
    done = self._settlement.progress(shard)
    run = [taken[sequence] for sequence in sorted(taken) if sequence > done]
    return self._settle(run) if run else Cleared()


def _mark_first(self: Clearing, run: Sequence[Cut]) -> Cleared:
    self._settlement.advance(run[-1].batch.shard, run[-1].batch.sequence)
    wait(asyncio.sleep(0.01))
    return _settle(self, run)


def _free_of_fees(batches: Sequence[Batch]) -> Any:
    return {key: touches for key, touches in touches_of(batches).items() if key[0] != FEES}


def _any_epoch(self: Database, shard: int, epoch: int) -> bool:
    del self, shard, epoch
    return True


BUGS = [
    Bug(
        "answer_before_commit",
        "A caller is answered before its batch is durable.",
        [(Sequencer, "_commit", _answer_first)],
    ),
    Bug(
        "no_fence",
        "The journal takes a batch under any epoch.",
        [(Database, "passes", _any_epoch)],
        ("pause", "commit_stuck"),
    ),
    Bug(
        "silence_is_success",
        "A commit of unknown outcome is taken for done.",
        [(PostgresJournal, "append", _take_silence_for_success)],
        ("commit_dropped",),
    ),
    Bug(
        "silence_is_failure",
        "A commit of unknown outcome is taken for not done, and memory goes on.",
        [(Sequencer, "_commit", _roll_on)],
        ("commit_answer_lost", "commit_dropped"),
    ),
    Bug(
        "fenced_and_goes_on",
        "An owner does not look whether its lease is over, and takes a batch that was fenced off for written.",
        [(Lease, "keep", _hope), (PostgresJournal, "append", _take_fence_for_success)],
        ("pause", "stale_owner"),
    ),
    Bug(
        "stale_answers",
        "An owner whose lease is over answers what changes nothing, and so needs no journal.",
        [(Lease, "check", _never_mind)],
        (SLEEPER,),
    ),
    Bug(
        "recovery_stops_early", "Recovery leaves out the journal's last batch.", [(follower, "recorded", _but_the_last)]
    ),
    Bug(
        "recovery_starts_late",
        "Recovery leaves out the batch after its checkpoint.",
        [(follower, "recorded", _but_the_first)],
    ),
    Bug(
        "checkpoint_one_too_high",
        "A checkpoint says that it has one batch more than it has.",
        [(Follower, "checkpoint", _one_too_high)],
    ),
    Bug(
        "time_runs_back",
        "A matcher stamps what its clock says, even if it said more before.",
        [(Sequencer, "_is_free", _believe_the_clock)],
        ("clock_back",),
    ),
    Bug(
        "due_too_late",
        "Orders that are due are left until the timer comes by.",
        [(Sequencer, "_is_free", _ignore_time)],
    ),
    Bug(
        "order_twice",
        "An order that is done is placed again when its command comes again.",
        [(follower, "Engine", Forgetful), (checkpoints, "Engine", Forgetful)],
        ("http_request_doubled", "http_answer_lost"),
    ),
    Bug(
        "deadline_ignored",
        "An order is taken however late it comes.",
        [(engine, "refusal", _however_late)],
        ("clock_forward",),
    ),
    Bug("refusal_keeps_hold", "A refused order's hold is not given back.", [(sequencer, "postings", _no_refunds)]),
    Bug(
        "fee_to_nobody",
        "Fees are taken, and nobody has them.",
        [(sequencer, "postings", _but(lambda posting: None if posting.account == FEES else posting))],
    ),
    Bug("release_rounded", "What is released is rounded down.", [(sequencer, "postings", _but(_rounded))]),
    Bug(
        "deleted_before_commit",
        "A message of the order queue is deleted before its command is durable.",
        [(Poller, "_execute", _delete_first)],
        ("commit_dropped", "kill"),
    ),
    Bug(
        "one_order_a_while",
        "The order queue takes one order of an account for a repeat of another.",
        [(queues, "_name_of", _one_a_minute)],
    ),
    Bug(
        "relay_advances_first",
        "The relay notes a batch as sent before it is, and settlement does not miss it.",
        [(Relay, "_send", _advance_first), (Clearing, "_clear_shard", _nothing_is_missing)],
        ("kill", "events_queue_away"),
    ),
    Bug("relay_skips", "The relay leaves out the last batch of each message.", [(Relay, "_send", _but_the_last_batch)]),
    Bug(
        "settled_twice",
        "A wallet does not look whether it has seen a batch.",
        [(Table, "settle", _settle_again)],
        ("events_redelivered", "settlement_killed"),
    ),
    Bug(
        "batch_skipped",
        "Settlement does not miss a batch that never arrived.",
        [(Clearing, "_clear_shard", _nothing_is_missing)],
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
]
