"""One shard's journal, followed batch by batch by an engine of its own, with the naive market's witness beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matcher.core.engine import Engine
from tests.naive.witness import Witness
from venue import wire
from venue.commands import AnyCommand, Expire, PlaceOrder
from venue.events import AnyEvent, OrderRefused
from venue.ledger import imbalance, postings

if TYPE_CHECKING:
    from tests.simulation.auditor import Auditor
    from tests.simulation.rows import Committed, Held


class Watch:
    """sequence: the last batch that was seen."""

    def __init__(self, shard: int, auditor: Auditor) -> None:
        self.shard = shard
        self.engine = Engine(shard)
        self.sequence = 0
        self._auditor = auditor
        self._witness = Witness(self.engine)
        self._epoch = 0
        self._at = 0

    def committed(self, batch: Committed, held: Held) -> None:
        """A batch became durable."""
        if batch.sequence != self.sequence + 1:
            self._fail("sequences are gapless", f"batch {batch.sequence} follows batch {self.sequence}")
            return
        if batch.epoch != held.epoch or batch.epoch < self._epoch:
            self._fail("no row under an old epoch", f"batch {batch.sequence}: {batch.epoch}, now {held.epoch}")
        self.sequence, self._epoch = batch.sequence, batch.epoch
        try:
            self._replay(batch)
        except AssertionError as error:
            self._fail("the witness agrees", f"batch {batch.sequence}: {error}")

    def _replay(self, batch: Committed) -> None:
        told: list[AnyEvent] = []
        for command in wire.COMMANDS.decode(batch.commands):
            if command.at < self._at:
                self._fail("time never runs backwards", f"batch {batch.sequence}")
            self._at = command.at
            due = self.engine.due
            if due is not None and due <= command.at and not isinstance(command, Expire):
                self._fail("what is due is done first", f"batch {batch.sequence}: due at {due}, not at {command.at}")
            events = self.engine.apply(command)
            told += events
            self._witness.see(command, events)
            self._in_time(command, events)
            self._auditor.remember(self.shard, command, events)
        if wire.encode(told) != batch.events:
            self._fail("events can be derived again", f"batch {batch.sequence} tells other events")
        self._post(batch, told)

    def _in_time(self, command: AnyCommand, events: list[AnyEvent]) -> None:
        if isinstance(command, PlaceOrder) and command.deadline is not None and command.deadline < command.at:
            reasons = [event.reason for event in events if isinstance(event, OrderRefused)]
            if reasons != ["deadline"]:
                self._fail("deadlines are kept", f"{command.order_id} was taken too late")

    def _post(self, batch: Committed, told: list[AnyEvent]) -> None:
        due = [
            posting
            for event in told
            for posting in postings(event, self.engine.product(getattr(event, "product_id", "")))
        ]
        if batch.postings != due:
            self._fail("postings follow from events", f"batch {batch.sequence}")
        if imbalance(batch.postings):
            self._fail("money is conserved", f"batch {batch.sequence} makes {imbalance(batch.postings)}")
        self._auditor.post(self.shard, batch.sequence, due)

    def _fail(self, check: str, detail: str) -> None:
        self._auditor.fail(check, f"shard {self.shard}, {detail}")
