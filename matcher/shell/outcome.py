"""What one command is answered with: the order as it left it, its fills, or why it was refused."""

from collections.abc import Sequence
from typing import Final

from matcher.core.engine import Engine
from venue.commands import (
    AmendOrder,
    AnyCommand,
    CancelAll,
    CancelOrder,
    CancelProduct,
    Deposit,
    ListProduct,
    PlaceOrder,
    SetStatus,
)
from venue.events import (
    AmendRefused,
    AnyEvent,
    CancelRefused,
    DepositRefused,
    ListingRefused,
    OrderDone,
    OrderRefused,
    StatusRefused,
)
from venue.orders import Order
from venue.wire import Outcome

# The one refusal that is no event: the id belongs to another account's order, of which nothing is shown.
ORDER_ID_TAKEN: Final = "order_id_taken"

_REFUSALS: Final = (AmendRefused, CancelRefused, DepositRefused, ListingRefused, OrderRefused, StatusRefused)


def outcome_of(engine: Engine, command: AnyCommand, events: Sequence[AnyEvent]) -> Outcome:
    """Tell what became of `command`, right after the engine applied it with `events` as the result."""
    match command:
        case PlaceOrder(order_id=order_id):
            order = engine.order(order_id)
            if order is None:
                return Outcome(replayed=True)  # done so long ago that only its id is known
            if order.account != command.account:
                return Outcome(refused=ORDER_ID_TAKEN, replayed=True)
            return Outcome(
                orders=[order], fills=engine.fills(order_id), refused=order.reject_reason, replayed=not events
            )
        case AmendOrder(order_id=order_id, account=account):
            orders = _own(engine, order_id, account)
            fills = engine.fills(order_id) if orders else []
            return Outcome(orders=orders, fills=fills, refused=_refusal(events), replayed=not events)
        case CancelOrder(order_id=order_id, account=account):
            return Outcome(orders=_own(engine, order_id, account), refused=_refusal(events))
        case Deposit() | ListProduct() | SetStatus():
            return Outcome(refused=_refusal(events), replayed=not events)
        case CancelAll() | CancelProduct():
            return Outcome(orders=_done(engine, events), more=engine.leaves_more(command))
        case _:
            return Outcome(orders=_done(engine, events), refused=_refusal(events))


def _refusal(events: Sequence[AnyEvent]) -> str | None:
    for event in events:
        if isinstance(event, _REFUSALS):
            return event.reason
    return None


def _own(engine: Engine, order_id: str, account: str) -> list[Order]:
    order = engine.order(order_id)
    return [order] if order is not None and order.account == account else []


def _done(engine: Engine, events: Sequence[AnyEvent]) -> list[Order]:
    orders = (engine.order(event.order_id) for event in events if isinstance(event, OrderDone))
    return [order for order in orders if order is not None]
