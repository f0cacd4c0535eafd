"""A made-up run for tests of the report: the recorded flow through a naive book, with invented times."""

import random
from collections.abc import Sequence

from local.demo.audit import Check
from local.demo.book import Change
from local.demo.drive import Call
from local.demo.figures import Delay, Print, Run, Trader
from local.demo.flow import Message
from venue.orders import Side

START = 1_790_000_000.0


class NaiveMarket:
    """Price-time priority by sorting; remembers what the plots draw."""

    def __init__(self) -> None:
        self.resting: dict[int, tuple[Side, int, int]] = {}
        self.prints: list[Print] = []
        self.changes: list[Change] = []

    def take(self, message: Message, at: float) -> None:
        """Apply one message of the recording."""
        old = self.resting.pop(message.order_id, None) if message.kind != "new" else None
        if old is not None:
            self._changed(at, old[0], old[1])
        if message.side is None or message.price is None or message.quantity is None:
            return
        if message.kind == "modify" and old is None:
            return
        rest = self._match(message.side, message.price, message.quantity, at)
        if rest and not message.ioc:
            self.resting[message.order_id] = (message.side, message.price, rest)
            self._changed(at, message.side, message.price)

    def _match(self, side: Side, limit: int, size: int, at: float) -> int:
        sign = 1 if side == "buy" else -1
        crossing = [
            (sign * price, order_id)
            for order_id, (other, price, _) in self.resting.items()
            if other != side and sign * price <= sign * limit
        ]
        for _, order_id in sorted(crossing, key=lambda found: found[0]):
            other, price, there = self.resting.pop(order_id)
            traded = min(size, there)
            if there > traded:
                self.resting[order_id] = (other, price, there - traded)
            self.prints.append(Print(at, price * 0.005, traded, bought=side == "buy"))
            self._changed(at, other, price)
            size -= traded
            if not size:
                break
        return size

    def _changed(self, at: float, side: Side, price: int) -> None:
        size = sum(rest for other, level, rest in self.resting.values() if (other, level) == (side, price))
        self.changes.append(Change(at, side, price * 0.005, size))

    def levels(self, side: Side) -> dict[str, str]:
        """What rests on one side, as decimals."""
        sizes: dict[int, int] = {}
        for other, price, rest in self.resting.values():
            if other == side:
                sizes[price] = sizes.get(price, 0) + rest
        return {f"{price * 0.005:.3f}": str(size) for price, size in sizes.items()}


def sample(messages: Sequence[Message], *, checks: Sequence[Check] = (), seed: int = 7) -> Run:
    """Give a whole run as the report takes it."""
    chance, market, calls, at = random.Random(seed), NaiveMarket(), list[Call](), START  # noqa: S311
    for message in messages:
        at += chance.expovariate(75)
        market.take(message, at)
        if message.kind != "new":
            calls.append(Call("cancel", at, chance.lognormvariate(4.0, 0.3), 200))
        if message.kind != "cancel":
            calls.append(Call("place", at, chance.lognormvariate(4.2, 0.3), 200))
    seconds = at - START
    delays = [Delay(sale.at, chance.lognormvariate(5, 0.4)) for sale in market.prints for _ in range(2)]
    traders = [
        Trader(
            name=f"trader-{number}",
            orders=140 + number,
            fills=12 + number,
            bought="412",
            sold="388",
            fees="61.27",
            base="100,024",
            quote="9,995,871.21",
        )
        for number in range(1, 9)
    ]
    return Run(
        product_id="ACME-USD",
        base="ACME",
        quote="USD",
        started=START,
        up_s=21.4,
        flow_s=seconds,
        drain_s=2.9,
        own_s=seconds + 6.1,
        messages=len(messages),
        clients=8,
        orders_sent=1173,
        orders_acknowledged=1173,
        orders_pending=0,
        refused={},
        cancels_sent=985,
        cancels_refused={"order_done": 44},
        modifies_void=8,
        trades_journal=len(market.prints),
        trades_websocket=len(market.prints),
        trades_tape=len(market.prints),
        ledger_imbalance=0,
        checks=checks,
        calls=calls,
        owner_delays=delays,
        public_delays=[Delay(delay.at, delay.ms * 1.05) for delay in delays[::2]],
        prints=market.prints,
        changes=market.changes,
        bids=market.levels("buy"),
        asks=market.levels("sell"),
        traders=traders,
        websocket_messages=9100,
        tape_objects=77,
    )
