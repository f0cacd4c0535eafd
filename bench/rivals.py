"""Matching engines from PyPI on the same flow, each in the words of its own API. Runs in a virtual environment of
theirs, by itself, and needs nothing of the venue:

    python bench/rivals.py NAME FLOW SECONDS

prints one JSON object: how many messages it took in how many seconds of the processor, and a hash of the trades that it
made. Orders are made before the clock runs, as ours are. What they lack (IOC, modify) is done with a cancel.
"""

import gc
import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import batched
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.floor import BareBook
from bench.flow import BATCH, Message, load

# price, quantity
type Trades = list[tuple[int, int]]
type Step = Callable[[], Any]


def floor(messages: list[Message]) -> Iterator[Step]:
    """The bare book of bench.floor: the trades among its reports."""
    book = BareBook()
    for kind, seq, order_id, side_name, ioc, quantity, price in messages:
        side = 0 if side_name == "buy" else 1
        if kind == "new":
            yield partial(book.new, seq, order_id, side, price, quantity, ioc)
        elif kind == "cancel":
            yield partial(book.cancel, seq, order_id)
        else:
            yield partial(book.modify, seq, order_id, side, price, quantity)


def lightmatchingengine(messages: list[Message]) -> Iterator[Step]:
    """lightmatchingengine 2019: lists in dicts, the best price by min() over all of them."""
    from lightmatchingengine.lightmatchingengine import LightMatchingEngine, Side

    engine = LightMatchingEngine()
    named: dict[str, int] = {}

    def cancel(order_id: str) -> bool:
        try:
            return engine.cancel_order(named[order_id], "ACME") is not None
        except (AssertionError, KeyError):
            # It keeps filled orders on its map, and then misses their level.
            return False

    def new(order_id: str, side: int, price: int, quantity: int, ioc: bool) -> Trades:
        order, trades = engine.add_order("ACME", price, quantity, side)
        named[order_id] = order.order_id
        if ioc and order.leaves_qty:
            engine.cancel_order(order.order_id, "ACME")
        return [(trade.trade_price, trade.trade_qty) for trade in trades if trade.order_id != order.order_id]

    def modify(order_id: str, side: int, price: int, quantity: int) -> Trades:
        return new(order_id, side, price, quantity, False) if cancel(order_id) else []

    for message in messages:
        _, _, order_id, side_name, ioc, quantity, price = message
        side = Side.BUY if side_name == "buy" else Side.SELL
        if message.kind == "new":
            yield lambda o=order_id, s=side, p=price, q=quantity, i=ioc: new(o, s, p, q, i)
        elif message.kind == "cancel":
            yield lambda o=order_id: cancel(o)
        else:
            yield lambda o=order_id, s=side, p=price, q=quantity: modify(o, s, p, q)


def pyorderbook(messages: list[Message]) -> Iterator[Step]:
    """pyorderbook: heaps of levels, Decimal prices, UUIDs."""
    import pyorderbook as module
    from pyorderbook.order import Order, Side

    logging.disable(logging.CRITICAL)
    book = module.Book()
    named: dict[str, Any] = {}

    def cancel(order_id: str) -> bool:
        order = named.get(order_id)
        if order is None or order.id not in book.order_map:
            return False
        book.cancel(order)
        return True

    def new(order_id: str, order: Any, ioc: bool) -> Trades:
        named[order_id] = order
        trades = book.match(order).trades
        if ioc and order.quantity:
            book.cancel(order)
        return [(int(trade.fill_price), trade.fill_quantity) for trade in trades]

    def modify(order_id: str, order: Any) -> Trades:
        return new(order_id, order, False) if cancel(order_id) else []

    for message in messages:
        if message.kind == "cancel":
            yield lambda o=message.order_id: cancel(o)
            continue
        side = Side.BID if message.side == "buy" else Side.ASK
        order = Order(side, "ACME", message.price, message.quantity)
        if message.kind == "new":
            yield lambda o=message.order_id, r=order, i=message.ioc: new(o, r, i)
        else:
            yield lambda o=message.order_id, r=order: modify(o, r)


def order_matching(messages: list[Message]) -> Iterator[Step]:
    """order-matching: dataclasses, matched by call."""
    from datetime import datetime, timedelta

    from loguru import logger
    from order_matching.enums import Side
    from order_matching.matching_engine import MatchingEngine
    from order_matching.order import LimitOrder
    from order_matching.orders import Orders

    logger.remove()
    engine = MatchingEngine(seed=1)
    start = datetime(2026, 1, 1)

    def cancel(order_id: str) -> bool:
        try:
            engine.cancel_order(order_id)
        except ValueError:
            return False
        return True

    def new(order: Any, ioc: bool) -> Trades:
        engine.place(Orders([order]))
        trades = engine.match(timestamp=order.timestamp).trades
        if ioc and order.size:
            cancel(order.order_id)
        return [(int(trade.price), int(trade.size)) for trade in trades]

    def modify(order: Any) -> Trades:
        return new(order, False) if cancel(order.order_id) else []

    for message in messages:
        if message.kind == "cancel":
            yield lambda o=message.order_id: cancel(o)
            continue
        order = LimitOrder(
            side=Side.BUY if message.side == "buy" else Side.SELL,
            price=message.price,
            size=message.quantity,
            timestamp=start + timedelta(microseconds=message.seq),
            order_id=message.order_id,
            trader_id="x",
        )
        if message.kind == "new":
            yield lambda r=order, i=message.ioc: new(r, i)
        else:
            yield lambda r=order: modify(r)


RIVALS = {engine.__name__: engine for engine in (floor, lightmatchingengine, pyorderbook, order_matching)}


def run(name: str, flow: Path, seconds_max: float) -> dict[str, Any]:
    """Let an engine take the flow for at most so long."""
    return {"engine": name, **run_steps(RIVALS[name](load(flow)), seconds_max)}


def run_steps(steps: Iterator[Step], seconds_max: float) -> dict[str, Any]:
    """Take steps for as long as that; give what was done. Orders are made batch by batch, while the clock stands."""
    clock = time.process_time
    seconds, messages = 0.0, 0
    done: list[Any] = []
    gc.collect()
    gc.freeze()
    for batch in batched(steps, BATCH, strict=False):
        made = []
        start = clock()
        for step in batch:
            made.append(step())  # noqa: PERF401
        seconds += clock() - start
        done += [one for found in made if isinstance(found, list) for one in found]
        messages += len(batch)
        if seconds > seconds_max:
            break
    gc.unfreeze()
    # The bare book tells more than trades: a report of type 1 is one.
    trades = [one if len(one) == 2 else (one[2], one[3]) for one in done if len(one) == 2 or one[0] == 1]
    return {"messages": messages, "seconds": seconds, "trades": len(trades), "hash": hash_of(trades)}


def hash_of(trades: Trades) -> str:
    """A fingerprint of the trades, price and quantity, in order."""
    return hashlib.sha256(repr(trades).encode()).hexdigest()[:16]


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))))
