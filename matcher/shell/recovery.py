"""From the journal back to the books: every batch is applied again and must give the events that it gave then."""

import logging
from collections import deque
from collections.abc import AsyncIterator

import msgspec

from matcher.core.engine import Engine
from matcher.shell.errors import JournalBroken
from matcher.shell.journal import Recorded
from venue import wire
from venue.events import AnyEvent, Traded

log = logging.getLogger("matcher.recovery")


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """The state as of the journal's last batch. `at`: µs, the time of its last command.

    trades: the last ones of every product, oldest first.
    """

    engine: Engine
    sequence: int
    at: int
    trades: list[Traded]


async def recover(batches: AsyncIterator[Recorded], *, shard: int, trades_max: int = 100) -> Recovered:
    """Replay `batches` from the first one on. Raises JournalBroken on a gap or when events come out differently."""
    engine = Engine(shard)
    sequence = at = 0
    trades: dict[str, deque[Traded]] = {}
    async for batch in batches:
        if batch.sequence != sequence + 1:
            raise JournalBroken(f"batch {batch.sequence} follows batch {sequence}")
        sequence, at = batch.sequence, batch.at
        events: list[AnyEvent] = []
        for command in wire.COMMANDS.decode(batch.commands):
            events += engine.apply(command)
        # Equal bytes are the rule. Where an event has gained a field since, equal events are as good.
        if wire.encode(events) != batch.events and events != wire.EVENTS.decode(batch.events):
            raise JournalBroken(f"batch {sequence} of shard {shard} gives other events than it gave then")
        for event in events:
            if isinstance(event, Traded):
                trades.setdefault(event.product_id, deque(maxlen=trades_max)).append(event)
    log.info("recovered", extra={"shard": shard, "batches": sequence})
    last = [trade for each in trades.values() for trade in each]
    return Recovered(engine=engine, sequence=sequence, at=at, trades=last)
