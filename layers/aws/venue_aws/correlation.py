"""How a request is followed through the logs: by the id that its client gave it, and by the orders that it was about.

Up to the matcher the client's own id goes along, as a header or as a message's attribute. From the journal on an
order's id is what leads everywhere: see docs/adr/0019.
"""

import re
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final

from venue.errors import Malformed
from venue.events import AnyEvent

HEADER: Final = "X-Correlation-Id"
ATTRIBUTE: Final = "correlation_id"
# So many orders of one call are named in its line of log; the batches are told of all.
ORDERS_MAX: Final = 20
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}").fullmatch
_ORDERS: Final = ("order_id", "maker_order_id", "taker_order_id")

# Of the request that is being answered; None where its client gave none.
followed: ContextVar[str | None] = ContextVar("followed", default=None)


def read(given: str) -> str:
    """Give the id that a client sent. Raises Malformed for one that would not stand in a header or a line of log."""
    if _ID(given) is None:
        raise Malformed(f"{HEADER}: 1 to 64 letters, digits, dots, colons, hyphens and underscores", field=HEADER)
    return given


def orders_of(events: Iterable[AnyEvent]) -> list[str]:
    """Give the first ORDERS_MAX orders that events are about."""
    found: dict[str, None] = {}
    for event in events:
        found |= {order: None for name in _ORDERS if (order := getattr(event, name, None))}
        if len(found) >= ORDERS_MAX:
            break
    return list(found)[:ORDERS_MAX]
