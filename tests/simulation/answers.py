"""What callers are answered: it must have been true, and durable, at some moment since they asked."""

from collections import defaultdict
from collections.abc import Callable

import msgspec

from venue.commands import AmendOrder, AnyCommand, CancelAll, CancelOrder, Deposit, PlaceOrder
from venue.events import AmendRefused, AnyEvent, CancelRefused, Deposited, OrderChanged, StatusChanged, Traded
from venue.orders import Order
from venue.wire import Outcome


class Known(msgspec.Struct):
    """What is known of one order: in which shard it is, and how it stood from when on, the latest last."""

    shard: int
    since: list[float] = msgspec.field(default_factory=list)
    states: list[Order] = msgspec.field(default_factory=list)


class Answers:
    """Everything that an answer may tell of, as the journals have it. `fail` is told a check's name and a detail."""

    def __init__(self, time: Callable[[], float], fail: Callable[[str, str], None]) -> None:
        self.orders: dict[str, Known] = {}
        self.transfers: set[str] = set()
        # By their ids: why they were refused, None where they were not.
        self.amends: dict[str, str | None] = {}
        self._refusals: set[tuple[str, str, str]] = set()
        self._halted: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
        self._time = time
        self._fail = fail

    def remember(self, shard: int, events: list[AnyEvent], order_of: Callable[[str], Order | None]) -> None:
        """Take note of what one command led to."""
        names: dict[str, None] = {}
        for event in events:
            match event:
                case Traded():
                    names[event.maker_order_id] = names[event.taker_order_id] = None
                    continue
                case CancelRefused():
                    self._refusals.add((event.order_id, event.account, event.reason))
                    continue
                case Deposited():
                    self.transfers.add(event.transfer_id)
                case AmendRefused():
                    self.amends[event.amend_id] = event.reason
                case OrderChanged() if event.amend_id is not None:
                    self.amends[event.amend_id] = None
                case StatusChanged():
                    self._halted[event.product_id].append((self._time(), event.status == "halted"))
            if (order_id := getattr(event, "order_id", None)) is not None:
                names[order_id] = None
        for name in names:
            order = order_of(name)
            if order is not None:
                known = self.orders.setdefault(name, Known(shard))
                known.since.append(self._time())
                known.states.append(order)

    def judge(self, command: AnyCommand, outcome: Outcome, *, shard: int, asked_at: float) -> None:
        """A matcher's answer came to its caller."""
        for order in outcome.orders:
            self._true(order, asked_at)
        match command:
            case PlaceOrder() if not outcome.orders and outcome.refused is None:
                if command.order_id not in self.orders:
                    self._fail("nothing acknowledged is lost", f"{command.order_id} is not in the journal")
            case CancelOrder() if outcome.refused is not None:
                if (command.order_id, command.account, outcome.refused) not in self._refusals:
                    self._fail("answers are the journal's", f"{command.order_id}: no cancel was {outcome.refused}")
            case AmendOrder():
                self._amended(command, outcome)
            case CancelAll() if not outcome.orders:
                self._nothing_open(command, shard, asked_at)
            case Deposit() if outcome.refused is None and command.transfer_id not in self.transfers:
                self._fail("nothing acknowledged is lost", f"transfer {command.transfer_id} is not in the journal")

    def _amended(self, command: AmendOrder, outcome: Outcome) -> None:
        if command.amend_id not in self.amends:
            self._fail("nothing acknowledged is lost", f"amend {command.amend_id} is not in the journal")
        elif not outcome.replayed and outcome.refused != self.amends[command.amend_id]:
            self._fail("answers are the journal's", f"amend {command.amend_id} was not answered {outcome.refused}")

    def _true(self, order: Order, asked_at: float) -> None:
        """Whether an order stood so at some moment since it was asked about."""
        known = self.orders.get(order.order_id)
        if known is None:
            self._fail("nothing acknowledged is lost", f"{order.order_id} is not in the journal")
            return
        if order not in known.states:
            self._fail("answers are the journal's", f"{order.order_id} never was {order}")
            return
        ends = [*known.since[1:], float("inf")]
        if not any(state == order and end >= asked_at for state, end in zip(known.states, ends, strict=True)):
            self._fail("answers are not stale", f"{order.order_id} was so long before it was asked about: {order}")

    def _nothing_open(self, command: CancelAll, shard: int, asked_at: float) -> None:
        for known in self.orders.values():
            order = known.states[-1]
            if (
                (known.shard, order.account, order.status) == (shard, command.account, "open")
                and command.product_id in (None, order.product_id)
                and not self._was_halted(order.product_id, asked_at)
            ):
                opened = next(
                    since for since, state in zip(known.since, known.states, strict=True) if state.status == "open"
                )
                if opened < asked_at:
                    self._fail("answers are not stale", f"{order.order_id} was open when all were cancelled")

    def _was_halted(self, product_id: str, asked_at: float) -> bool:
        """Whether its market was halted at some moment since then: cancels do nothing there."""
        changes = self._halted[product_id]
        before = [halted for at, halted in changes if at <= asked_at][-1:]
        return any(before) or any(halted for at, halted in changes if at > asked_at)
