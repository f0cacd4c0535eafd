"""The long form of events: one event for each thing that happened, as the public messages have it.

The core tells in one event what nearly always happens together (docs/adr/0018). Whoever follows books and orders step
by step reads the long form, and need not know the short one.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from venue.events import AnyEvent, LevelChanged, OrderDone, OrderOpened, OrderReceived, OrderRested

# A struct compares by all its fields, so what stands for several events must come without what it adds.
_DONE_FIELDS: Final = OrderDone.__struct_fields__[:-1]


def spelled(events: Iterable[AnyEvent]) -> Iterator[AnyEvent]:
    """Tell the same, in the same order, in the long form. What is in the long form already stays as it is."""
    for event in events:
        if type(event) is OrderRested:
            yield from _rested(event)
        elif type(event) is OrderDone and event.level_size is not None:
            yield from _done(event, event.level_size)
        else:
            yield event


def _rested(event: OrderRested) -> Iterator[AnyEvent]:
    at, order, sequence, private = event.at, event.order, event.sequence, event.account_sequence
    price, size = order.price or 0, order.size or 0
    yield OrderReceived(at, order, sequence - 1, private - 1)
    yield OrderOpened(at, sequence, private, order.order_id, order.account, order.product_id, order.side, price, size)
    yield LevelChanged(at, sequence, order.product_id, order.side, price, event.level_size)


def _done(event: OrderDone, level_size: int) -> Iterator[AnyEvent]:
    yield OrderDone(event.at, *(getattr(event, name) for name in _DONE_FIELDS[1:]))
    yield LevelChanged(event.at, event.sequence, event.product_id, event.side, event.price or 0, level_size)
