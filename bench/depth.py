"""What an operation costs, and what memory a resting order takes, as the book grows.

Beside the operations stands a mere look-up of as many objects: by what it grows, the processor's caches are to blame.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from bench import charts
from matcher.core.engine import Engine
from venue.commands import AmendOrder, AnyCommand, CancelOrder, ListProduct, PlaceOrder
from venue.orders import Side
from venue.products import Asset, Product

PRODUCT = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme", scale=0),
    quote=Asset(id="USD", name="US dollar", scale=8),
    tick_units=500_000,
    lot_units=1,
)
DEPTHS = (1_000, 3_000, 10_000, 30_000, 100_000)
MIDDLE = 1_000_000
CHUNK, CHUNKS = 50, 40


def measure(charts_in: Path) -> None:
    """Print a table, draw a chart: each order on a level of its own, the worst that a book can be."""
    rows: dict[str, list[float]] = {}
    print(f"{'resting orders':<34}" + "".join(f"{depth:>10,}" for depth in DEPTHS))
    for depth in DEPTHS:
        for name, nanoseconds in _costs(depth).items():
            rows.setdefault(name, []).append(nanoseconds)
    for name, row in rows.items():
        print(f"{name:<34}" + "".join(f"{cost:>10,.0f}" for cost in row))
    for name, at in (("one level each", 1), ("50 on a level", 50)):
        print(f"memory per resting order, {name}: {_memory(20_000, at):,.0f} bytes")
    charts.lines(charts_in / "depth.svg", DEPTHS, rows, title="Cost of an operation by depth", units="nanoseconds")


def _costs(depth: int) -> dict[str, float]:
    engine = _filled(depth, 1)
    numbers = iter(range(10**9))
    # Deterministic and everywhere: multiples of a prime, round the side.
    spread = [(number * 7919) % (depth // 2) for number in range(CHUNK * CHUNKS)]

    def order(price: int, size: int = 1, side: Side = "buy") -> PlaceOrder:
        return _order(f"n{next(numbers)}", side, price, size)

    near = [order(MIDDLE - 1) for _ in spread]
    # Prices between the levels there are: each opens a level somewhere in the book.
    new_level = [order(MIDDLE - 2 * place - 1) for place in spread]
    anywhere = [order(MIDDLE - 2 * place) for place in spread]
    crossing = [order(MIDDLE - 2 * (depth // 2), side="sell") for _ in spread]
    return {
        "place at the touch, new level": _time(engine, near[::1], undo=_cancel),
        "place anywhere, known level": _time(engine, anywhere, undo=_cancel),
        "place anywhere, new level": _time(engine, new_level, undo=_cancel),
        "cancel anywhere": _time(engine, [order(MIDDLE - 2 * place) for place in spread], undo=_cancel, timed="undo"),
        "amend down": _time(engine, [order(MIDDLE - 2 * place, 5) for place in spread], undo=_amend, timed="undo"),
        "trade with the best": _time(engine, crossing, undo=None),
        "only look up as many objects": _look_up(depth, spread),
    }


def _look_up(depth: int, spread: list[int]) -> float:
    """Nanoseconds for what no book is spared: finding ten of so many objects, most of them in no cache."""
    orders = {number: _resting(number, depth, 1) for number in range(depth)}
    best = float("inf")
    for start in range(0, len(spread), CHUNK):
        chunk = [[(place * 2 + 7919 * step) % depth for step in range(10)] for place in spread[start : start + CHUNK]]
        begin = time.perf_counter_ns()
        for numbers in chunk:
            for number in numbers:
                orders[number].price  # noqa: B018
        best = min(best, (time.perf_counter_ns() - begin) / len(chunk))
    return best


def _time(
    engine: Engine,
    commands: list[PlaceOrder],
    *,
    undo: Callable[[PlaceOrder], AnyCommand] | None,
    timed: str = "do",
) -> float:
    """Nanoseconds for one command: the fastest chunk, for whatever else runs on the machine only adds."""
    best = float("inf")
    gc.collect()
    gc.disable()
    for start in range(0, len(commands), CHUNK):
        chunk = commands[start : start + CHUNK]
        undone = [undo(command) for command in chunk] if undo is not None else []
        begin = time.perf_counter_ns()
        for command in chunk:
            engine.apply(command)
        middle = time.perf_counter_ns()
        for after in undone:
            engine.apply(after)
        end = time.perf_counter_ns()
        best = min(best, (middle - begin if timed == "do" else end - middle) / len(chunk))
    gc.enable()
    return best


def _cancel(order: PlaceOrder) -> AnyCommand:
    return CancelOrder(order_id=order.order_id, account=order.account)


def _amend(order: PlaceOrder) -> AnyCommand:
    return AmendOrder(
        amend_id=order.order_id,
        order_id=order.order_id,
        account=order.account,
        product_id=order.product_id,
        side=order.side,
        size=2,
    )


def _memory(depth: int, on_a_level: int) -> float:
    orders = [_resting(number, depth, on_a_level) for number in range(depth)]
    engine = Engine()
    engine.apply(ListProduct(product=PRODUCT))
    gc.collect()
    tracemalloc.start()
    for order in orders:
        engine.apply(order)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    # The command belongs to it, and was made before.
    return held / depth + _command_bytes(orders)


def _command_bytes(orders: list[PlaceOrder]) -> float:
    tracemalloc.start()
    copies = [_order(order.order_id, order.side, order.price or 0, order.size or 0) for order in orders]
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held / len(copies)


def _filled(depth: int, on_a_level: int) -> Engine:
    engine = Engine()
    engine.apply(ListProduct(product=PRODUCT))
    for number in range(depth):
        engine.apply(_resting(number, depth, on_a_level))
    return engine


def _resting(number: int, depth: int, on_a_level: int) -> PlaceOrder:
    """Half of them bids below the middle, half asks above it, on every second tick."""
    place = number // 2 % (depth // 2 // on_a_level)
    if number % 2:
        return _order(f"a{number}", "sell", MIDDLE + 2 * place + 2, 10)
    return _order(f"b{number}", "buy", MIDDLE - 2 * place - 2, 10)


def _order(order_id: str, side: Side, price: int, size: int) -> PlaceOrder:
    return PlaceOrder(
        order_id=order_id,
        account=f"account-{len(order_id)}",
        product_id=PRODUCT.id,
        side=side,
        price=price,
        size=size,
        hold=10**17,
    )
