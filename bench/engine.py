"""How fast the matching core is, and whether it is right: real order flow in, canonical reports out.

    python -m bench.engine --workload FILE.csv.xz --reports OUT

The flow is that of the public matching-engine benchmark by Flash One Technologies. Its modify is sent as a cancel and
a new order; ids being unique for ever here, the new one is called `<id>.<message>`. Reports name it `<id>`. Their
lines, sorted by (seq, type) and joined by newlines:

    0,seq,side,order_id,price,quantity   accepted      2,seq,side,order_id,price            cancelled
    1,seq,price,quantity,maker,taker     trade         3,seq,side,order_id,price,quantity   modified
    4,seq,order_id                       no such order to cancel; 5: none to modify
"""

import argparse
import csv
import gc
import hashlib
import lzma
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO, cast

import msgspec

from matcher.core.engine import Engine
from venue.commands import AnyCommand, CancelOrder, ListProduct, PlaceOrder
from venue.events import AnyEvent, OrderDone, Traded
from venue.holds import hold_for
from venue.orders import Side
from venue.products import Asset, Product

PRODUCT = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme", scale=0),
    quote=Asset(id="USD", name="US dollar", scale=8),
    tick_units=500_000,
    lot_units=1,
)
ACCOUNTS = 8


class Message(msgspec.Struct, frozen=True):
    """One line of the flow; prices in ticks, quantities in lots, None where a cancel has none."""

    kind: str
    seq: int
    order_id: str
    side: Side | None
    ioc: bool
    quantity: int
    price: int


class Replay:
    """Feeds messages to an engine and writes down what it did: `commands` as they were applied, `reports` by line."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.commands: list[AnyCommand] = []
        self.reports: list[str] = []
        # The flow's order id -> the id under which the order lives here.
        self._named: dict[str, str] = {}
        self._apply(ListProduct(product=PRODUCT))

    def take(self, message: Message) -> None:
        """Apply one message."""
        match message.kind:
            case "new":
                self._new(message)
            case "cancel":
                self._cancel(message)
            case "modify":
                self._modify(message)
            case kind:
                raise ValueError(f"unknown kind of message: {kind}")

    def _new(self, message: Message) -> None:
        self._named[message.order_id] = message.order_id
        self.reports.append(f"0,{message.seq},{_code(message)},{message.order_id},{message.price},{message.quantity}")
        for event in self._place(message, message.order_id):
            if isinstance(event, OrderDone) and event.order_id == message.order_id and event.reason == "canceled":
                self.reports.append(f"2,{message.seq},{_code(message)},{message.order_id},{message.price}")

    def _cancel(self, message: Message) -> None:
        done = self._withdraw(message)
        if done is None:
            self.reports.append(f"4,{message.seq},{message.order_id}")
        else:
            side = 0 if done.side == "buy" else 1
            self.reports.append(f"2,{message.seq},{side},{message.order_id},{done.price}")

    def _modify(self, message: Message) -> None:
        if self._withdraw(message) is None:
            self.reports.append(f"5,{message.seq},{message.order_id}")
            return
        self._named[message.order_id] = f"{message.order_id}.{message.seq}"
        self._place(message, self._named[message.order_id])
        self.reports.append(f"3,{message.seq},{_code(message)},{message.order_id},{message.price},{message.quantity}")

    def _place(self, message: Message, order_id: str) -> list[AnyEvent]:
        assert message.side is not None
        order = PlaceOrder(
            at=message.seq,
            order_id=order_id,
            account=_account(message.order_id),
            product_id=PRODUCT.id,
            side=message.side,
            price=message.price,
            size=message.quantity,
            time_in_force="IOC" if message.ioc else "GTC",
        )
        events = self._apply(msgspec.structs.replace(order, hold=hold_for(order, PRODUCT)))
        for event in events:
            if isinstance(event, Traded):
                maker, taker = _original(event.maker_order_id), _original(event.taker_order_id)
                self.reports.append(f"1,{message.seq},{event.price},{event.size},{maker},{taker}")
        return events

    def _withdraw(self, message: Message) -> OrderDone | None:
        order_id = self._named.get(message.order_id, message.order_id)
        command = CancelOrder(at=message.seq, order_id=order_id, account=_account(message.order_id))
        return next((event for event in self._apply(command) if isinstance(event, OrderDone)), None)

    def _apply(self, command: AnyCommand) -> list[AnyEvent]:
        self.commands.append(command)
        return self.engine.apply(command)


def canonical(reports: Iterable[str]) -> str:
    """The report stream as the benchmark hashes it: by (seq, type), the trades of one message in match order."""

    def place(line: str) -> tuple[int, int]:
        kind, seq, _ = line.split(",", 2)
        return int(seq), int(kind)

    return "\n".join(sorted(reports, key=place))


def read(flow: TextIO) -> Iterator[Message]:
    """Read the flow's csv, header included."""
    for row in csv.DictReader(flow):
        yield Message(
            kind=row["kind"],
            seq=int(row["seq"]),
            order_id=row["order_id"],
            side=cast("Side", row["side"]) if row["side"] else None,
            ioc=row["ioc"] == "1",
            quantity=int(row["quantity"] or 0),
            price=int(row["price_ticks"] or 0),
        )


def seconds_for(commands: list[AnyCommand]) -> float:
    """Time a fresh engine on the commands, its events made and dropped."""
    engine = Engine()
    apply = engine.apply
    gc.collect()
    gc.freeze()
    start = time.perf_counter()
    for command in commands:
        apply(command)
    seconds = time.perf_counter() - start
    gc.unfreeze()
    return seconds


def main() -> None:
    """Replay a workload, write its reports, print their hash and the engine's speed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--workload", type=Path, required=True, help="the order flow, .csv or .csv.xz")
    parser.add_argument("--reports", type=Path, help="where to write the canonical reports")
    parser.add_argument("--rounds", type=int, default=3, help="how often to take the time; the best counts")
    arguments = parser.parse_args()
    path: Path = arguments.workload
    with lzma.open(path, "rt") if path.suffix == ".xz" else path.open() as flow:
        messages = list(read(cast("TextIO", flow)))
    replay = Replay()
    for message in messages:
        replay.take(message)
    text = canonical(replay.reports)
    if arguments.reports:
        arguments.reports.write_text(text)
    seconds = min(seconds_for(replay.commands) for _ in range(arguments.rounds))
    trades = sum(report.startswith("1,") for report in replay.reports)
    print(f"messages   {len(messages):>10,}   commands {len(replay.commands):,}")
    print(f"reports    {len(replay.reports):>10,}   trades {trades:,}")
    print(f"sha-256    {hashlib.sha256(text.encode()).hexdigest()}")
    print(f"messages/s {len(messages) / seconds:>10,.0f}   commands/s {len(replay.commands) / seconds:,.0f}")


def _original(order_id: str) -> str:
    return order_id.partition(".")[0]


def _account(order_id: str) -> str:
    return f"account-{int(order_id) % ACCOUNTS}"


def _code(message: Message) -> int:
    return 0 if message.side == "buy" else 1


if __name__ == "__main__":
    main()
