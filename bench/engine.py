"""How fast the matching core is, and whether it is right: real order flow in, canonical reports out.

    python -m bench.engine --workload FILE.csv.xz --reports OUT
    python -m bench.engine --workload FILE.csv.xz --compare [--rivals PYTHON] [--charts DIRECTORY]
    python -m bench.engine --depth [--charts DIRECTORY]

The flow and its reports: see bench.flow. Its modify is sent as a cancel and a new order; ids being unique for ever
here, the new one is called `<id>.<message>`. Reports name it `<id>`.

--compare takes the time of the production book, of the bare book (bench.floor) and of engines from PyPI (bench.rivals,
where PYTHON has them installed), one after the other, round after round; the best round of each counts. All seconds
are the processor's, so that what else runs on the machine counts for little. --depth tells what an operation costs, and
what memory an order takes, at 1,000, 10,000 and 100,000 resting orders.
"""

import argparse
import gc
import hashlib
import time
from itertools import batched
from pathlib import Path

import msgspec

from bench import comparison, depth
from bench.flow import BATCH, Message, canonical, load
from matcher.core.engine import Engine
from venue.commands import AnyCommand, CancelOrder, ListProduct, PlaceOrder
from venue.events import AnyEvent, OrderDone, Traded
from venue.holds import hold_for
from venue.products import Asset, Product
from venue.wire import COMMANDS, encode

PRODUCT = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme", scale=0),
    quote=Asset(id="USD", name="US dollar", scale=8),
    tick_units=500_000,
    lot_units=1,
)
ACCOUNTS = 8


class Replay:
    """Feeds messages to an engine and writes down what it did: `commands` as they were applied, `reports` by line."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.commands: list[AnyCommand] = []
        self.reports: list[str] = []
        self.trades: list[tuple[int, int]] = []
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
        order = PlaceOrder(
            at=message.seq,
            order_id=order_id,
            account=_account(message.order_id),
            product_id=PRODUCT.id,
            side="buy" if message.side == "buy" else "sell",
            price=message.price,
            size=message.quantity,
            time_in_force="IOC" if message.ioc else "GTC",
        )
        events = self._apply(msgspec.structs.replace(order, hold=hold_for(order, PRODUCT)))
        for event in events:
            if isinstance(event, Traded):
                self.trades.append((event.price, event.size))
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


def seconds_for(commands: list[AnyCommand]) -> float:
    """Time a fresh engine on the commands, its events made and dropped: processor seconds.

    As in the service, a command has just been decoded when it is applied: batch after batch is, while the clock stands.
    """
    batches = [encode(list(batch)) for batch in batched(commands, BATCH, strict=False)]
    engine = Engine()
    apply = engine.apply
    seconds = 0.0
    gc.collect()
    gc.freeze()
    for batch in batches:
        decoded = COMMANDS.decode(batch)
        start = time.process_time()
        for command in decoded:
            apply(command)
        seconds += time.process_time() - start
    gc.unfreeze()
    return seconds


def main() -> None:
    """Replay a workload, write its reports, print their hash and the engine's speed."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=main.__doc__)
    parser.add_argument("--workload", type=Path, help="the order flow, .csv or .csv.xz")
    parser.add_argument("--reports", type=Path, help="where to write the canonical reports")
    parser.add_argument("--rounds", type=int, default=3, help="how often to take the time; the best counts")
    parser.add_argument("--compare", action="store_true", help="beside a bare book and engines from PyPI")
    parser.add_argument("--rivals", type=Path, help="a Python that has the engines from PyPI")
    parser.add_argument("--depth", action="store_true", help="cost and memory at growing depth")
    parser.add_argument("--charts", type=Path, default=Path(".local/bench"), help="where to draw")
    arguments = parser.parse_args()
    if arguments.workload is not None:
        replay = replayed(load(arguments.workload), reports=arguments.reports, rounds=arguments.rounds)
        if arguments.compare:
            comparison.compare(
                arguments.workload,
                lambda: seconds_for(replay.commands),
                trades=replay.trades,
                rounds=arguments.rounds,
                rivals=arguments.rivals,
                charts_in=arguments.charts,
            )
    if arguments.depth:
        depth.measure(arguments.charts)


def replayed(messages: list[Message], *, reports: Path | None, rounds: int) -> Replay:
    """Replay the messages and print what came of it."""
    replay = Replay()
    for message in messages:
        replay.take(message)
    text = canonical(replay.reports)
    if reports is not None:
        reports.write_text(text)
    seconds = min(seconds_for(replay.commands) for _ in range(rounds))
    trades = sum(report.startswith("1,") for report in replay.reports)
    print(f"messages   {len(messages):>10,}   commands {len(replay.commands):,}")
    print(f"reports    {len(replay.reports):>10,}   trades {trades:,}")
    print(f"sha-256    {hashlib.sha256(text.encode()).hexdigest()}")
    print(f"messages/s {len(messages) / seconds:>10,.0f}   commands/s {len(replay.commands) / seconds:,.0f}")
    return replay


def _original(order_id: str) -> str:
    return order_id.partition(".")[0]


def _account(order_id: str) -> str:
    return f"account-{int(order_id) % ACCOUNTS}"


def _code(message: Message) -> int:
    return 0 if message.side == "buy" else 1


if __name__ == "__main__":
    main()
