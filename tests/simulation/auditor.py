"""The auditor: sees every commit, every change to a wallet and every answer at the moment it happens, and judges it.

It keeps an engine of its own, which follows the journal batch by batch, and the naive market's witness beside it.
"""

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from matcher.core.engine import Engine
from tests.naive.witness import Witness
from tests.simulation.database import Committed, Held
from tests.simulation.wallets import Key, Wallet
from venue import wire
from venue.commands import AnyCommand, CancelAll, CancelOrder, Deposit, Expire, PlaceOrder
from venue.events import AnyEvent, CancelRefused, Deposited, OrderRefused, Traded
from venue.ledger import WORLD, imbalance, postings
from venue.orders import Order
from venue.wire import Outcome


class Violation(Exception):
    """Something that must hold did not. `check` names it."""

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(f"{check}: {detail}")
        self.check = check


class Known(msgspec.Struct):
    """What is known of one order: how it stood from when on, the latest last."""

    since: list[float] = msgspec.field(default_factory=list)
    states: list[Order] = msgspec.field(default_factory=list)


class Ledger:
    """What the journal's batches do to one wallet, summed: after each batch that touches it. Holds do not count."""

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
    """One shard's. `failed` is told of the first violation; what it finds later is of no interest."""

    def __init__(self, time: Callable[[], float], failed: Callable[[Violation], None]) -> None:
        self.engine = Engine(0)
        self.sequence = 0
        self.orders: dict[str, Known] = {}
        self.ledgers: defaultdict[Key, Ledger] = defaultdict(Ledger)
        self.promised: dict[str, AnyCommand] = {}
        self.transfers: set[str] = set()
        self.acknowledged = 0
        self._witness = Witness(self.engine)
        self._refusals: set[tuple[str, str, str]] = set()
        self._epoch = 0
        self._at = 0
        self._time = time
        self._failed = failed
        self._trace = hashlib.blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """A fingerprint of all that was seen, in its order."""
        return self._trace.hexdigest()

    def note(self, *what: Any) -> None:
        """Put something into the fingerprint."""
        self._trace.update(repr((self._time(), *what)).encode())

    def fail(self, check: str, detail: str) -> None:
        """Tell of a violation."""
        self._failed(Violation(check, detail))

    def committed(self, batch: Committed, held: Held) -> None:
        """A batch became durable."""
        self.note("batch", batch.sequence, batch.epoch, batch.events)
        if batch.sequence != self.sequence + 1:
            self.fail("sequences are gapless", f"batch {batch.sequence} follows batch {self.sequence}")
            return
        if batch.epoch != held.epoch or batch.epoch < self._epoch:
            self.fail("no row under an old epoch", f"batch {batch.sequence}: {batch.epoch}, now {held.epoch}")
        self.sequence, self._epoch = batch.sequence, batch.epoch
        try:
            self._replay(batch)
        except AssertionError as error:
            self.fail("the witness agrees", f"batch {batch.sequence}: {error}")

    def _replay(self, batch: Committed) -> None:
        told: list[AnyEvent] = []
        for command in wire.COMMANDS.decode(batch.commands):
            if command.at < self._at:
                self.fail("time never runs backwards", f"batch {batch.sequence}")
            self._at = command.at
            due = self.engine.due
            if due is not None and due <= command.at and not isinstance(command, Expire):
                self.fail("what is due is done first", f"batch {batch.sequence}: due at {due}, not at {command.at}")
            events = self.engine.apply(command)
            told += events
            self._witness.see(command, events)
            self._remember(command, events)
        if wire.encode(told) != batch.events:
            self.fail("events can be derived again", f"batch {batch.sequence} tells other events")
        self._post(batch, told)

    def _remember(self, command: AnyCommand, events: list[AnyEvent]) -> None:
        if isinstance(command, PlaceOrder) and command.deadline is not None and command.deadline < command.at:
            reasons = [event.reason for event in events if isinstance(event, OrderRefused)]
            if reasons != ["deadline"]:
                self.fail("deadlines are kept", f"{command.order_id} was taken too late")
        names: dict[str, None] = {}
        for event in events:
            if isinstance(event, Traded):
                names[event.maker_order_id] = names[event.taker_order_id] = None
            elif isinstance(event, CancelRefused):
                self._refusals.add((event.order_id, event.account, event.reason))
            elif isinstance(event, Deposited):
                self.transfers.add(event.transfer_id)
            elif (order_id := getattr(event, "order_id", None)) is not None:
                names[order_id] = None
        for name in names:
            order = self.engine.order(name)
            if order is not None:
                known = self.orders.setdefault(name, Known())
                known.since.append(self._time())
                known.states.append(order)

    def _post(self, batch: Committed, told: list[AnyEvent]) -> None:
        due = [
            posting
            for event in told
            for posting in postings(event, self.engine.product(getattr(event, "product_id", "")))
        ]
        if batch.postings != due:
            self.fail("postings follow from events", f"batch {batch.sequence}")
        if imbalance(batch.postings):
            self.fail("money is conserved", f"batch {batch.sequence} makes {imbalance(batch.postings)}")
        sums: dict[Key, list[int]] = {}
        for posting in due:
            total = sums.setdefault((posting.account, posting.asset), [0, 0])
            if posting.kind != "hold":
                total[0] += posting.free
                total[1] += posting.held
        for key, (free, held) in sums.items():
            self.ledgers[key].add(batch.sequence, free, held)

    def changed(self, key: Key, wallet: Wallet) -> None:
        """A wallet was settled, or a hold was taken from it."""
        self.note("wallet", key, wallet.free, wallet.held)
        free, held = self.ledgers[key].until(wallet.seen.get(0, 0))
        if (wallet.free, wallet.held) != (free - wallet.taken, held + wallet.taken):
            self.fail(
                "wallets are what the journal says",
                f"{key} has {wallet.free} and {wallet.held}, but after batch {wallet.seen.get(0, 0)}"
                f" {free - wallet.taken} and {held + wallet.taken} are due",
            )
        if key[0] != WORLD and min(wallet.free, wallet.held) < 0:
            self.fail("no wallet is overdrawn", f"{key} has {wallet.free} and {wallet.held}")

    def queued(self, command: AnyCommand) -> None:
        """The order queue took a command: it was promised that it will be done."""
        match command:
            case PlaceOrder(order_id=name) | Deposit(transfer_id=name):
                self.promised[name] = command
            case _:
                pass

    def answered(self, command: AnyCommand, outcome: Outcome, *, asked_at: float) -> None:
        """A matcher's answer came to its caller. What it tells must have been true, and durable, meanwhile."""
        self.acknowledged += 1
        self.note("answer", outcome)
        for order in outcome.orders:
            self._true(order, asked_at)
        match command:
            case PlaceOrder() if not outcome.orders and outcome.refused is None:
                if command.order_id not in self.orders:
                    self.fail("nothing acknowledged is lost", f"{command.order_id} is not in the journal")
            case CancelOrder() if outcome.refused is not None:
                if (command.order_id, command.account, outcome.refused) not in self._refusals:
                    self.fail("answers are the journal's", f"{command.order_id}: no cancel was {outcome.refused}")
            case CancelAll() if not outcome.orders:
                self._nothing_open(command, asked_at)
            case Deposit() if outcome.refused is None and command.transfer_id not in self.transfers:
                self.fail("nothing acknowledged is lost", f"transfer {command.transfer_id} is not in the journal")

    def _true(self, order: Order, asked_at: float) -> None:
        """Whether an order stood so at some moment since it was asked about."""
        known = self.orders.get(order.order_id)
        if known is None:
            self.fail("nothing acknowledged is lost", f"{order.order_id} is not in the journal")
            return
        if order not in known.states:
            self.fail("answers are the journal's", f"{order.order_id} never was {order}")
            return
        ends = [*known.since[1:], float("inf")]
        if not any(state == order and end >= asked_at for state, end in zip(known.states, ends, strict=True)):
            self.fail("answers are not stale", f"{order.order_id} was so long before it was asked about: {order}")

    def _nothing_open(self, command: CancelAll, asked_at: float) -> None:
        for known in self.orders.values():
            order = known.states[-1]
            if (
                order.account == command.account
                and order.status == "open"
                and command.product_id in (None, order.product_id)
            ):
                opened = next(
                    since for since, state in zip(known.since, known.states, strict=True) if state.status == "open"
                )
                if opened < asked_at:
                    self.fail("answers are not stale", f"{order.order_id} was open when all were cancelled")
