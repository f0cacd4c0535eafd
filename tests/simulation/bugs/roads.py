"""Bugs of the queues, and of who delivers to whom."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from matcher.shell import poller
from matcher.shell.lane import Lane
from matcher.shell.relay import _ADVANCE, Relay
from tests.simulation.bugs.bug import Bug
from tests.simulation.bugs.wallets import nothing_is_missing
from venue import wire
from venue.commands import AnyCommand
from venue_aws import queues
from venue_aws.clearing import Clearing
from venue_aws.queues import Message

_carry_some = Lane._step
_send = Relay._send


async def _delete_first(self: Lane, part: Sequence[Any]) -> bool:
    await self._delete([message for message, _ in part])
    return await _carry_some(self, part)


async def _advance_first(self: Relay, batches: Sequence[wire.Batch]) -> None:
    await self._connection.execute(_ADVANCE, self._shard, batches[-1].sequence)
    await _send(self, batches)


async def _but_the_last_batch(self: Relay, batches: Sequence[wire.Batch]) -> None:
    if len(batches) > 1:
        await _send(self, batches[:-1])


def _one_a_minute(command: AnyCommand) -> str:
    return f"{command.__struct_config__.tag}-{getattr(command, 'account', 'venue')}"


_add = Lane.add


def _newest_first(self: Lane, messages: Sequence[Any], tasks: asyncio.TaskGroup) -> None:
    _add(self, messages[::-1], tasks)


def _the_first(message: Message) -> int:
    del message
    return 0


_send_message = queues._send


def _whatever_shard(client: Any, url: str, *, body: str, group: str, deduplication: str) -> None:
    name = deduplication.partition("-")[2] if group.startswith("shard-") else deduplication
    _send_message(client, url, body=body, group=group, deduplication=name)


ROADS: Final = [
    Bug(
        "deleted_before_commit",
        "A message of the order queue is deleted before its command is durable.",
        [(Lane, "_step", _delete_first)],
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
        [(Relay, "_send", _advance_first), (Clearing, "_clear_shard", nothing_is_missing)],
        ("kill", "events_queue_away"),
    ),
    Bug("relay_skips", "The relay leaves out the last batch of each message.", [(Relay, "_send", _but_the_last_batch)]),
    Bug(
        "newest_first",
        "What an account left in the order queue is done in the wrong order.",
        [(Lane, "add", _newest_first)],
        ("order_queue_away",),
    ),
    Bug(
        "queue_of_another_shard",
        "Whatever is in the order queue is taken to the first shard.",
        [(poller, "shard_of", _the_first)],
    ),
    Bug(
        "batch_of_another_shard",
        "The events queue takes one shard's batch for a repeat of another's.",
        [(queues, "_send", _whatever_shard)],
    ),
]
