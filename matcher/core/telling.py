"""The events that repeat what an order's command said, made from the order."""

from msgspec.structs import replace

from matcher.core.book import Book
from matcher.core.working import WorkingOrder, storable
from venue.commands import PlaceOrder
from venue.events import (
    ChangeReason,
    OrderChanged,
    OrderOpened,
    OrderReceived,
    OrderRefused,
    StopAccepted,
    StopActivated,
)


def received(order: WorkingOrder, book: Book, at: int, told: PlaceOrder) -> OrderReceived:
    """It is taken on, as `told`: its command, or what that has become where it waited before."""
    account = order.account
    book.sequence += 1
    account.sequence += 1
    return OrderReceived(at, told, book.sequence, account.sequence)


def accepted(order: WorkingOrder, *, at: int) -> StopAccepted:
    """It waits for its stop price."""
    return StopAccepted(at, order.command, order.account.next_sequence())


def as_it_woke(order: WorkingOrder) -> PlaceOrder:
    """A stop order's command with what amends have made of it, and without the hold, which was told before."""
    return replace(order.command, price=order.price or None, size=order.size or None, hold=0)


def activated(order: WorkingOrder, *, at: int) -> StopActivated:
    """Its stop price was reached."""
    command = order.command
    assert command.stop is not None
    assert command.stop_price is not None
    return StopActivated(
        at=at,
        account_sequence=order.account.next_sequence(),
        order_id=command.order_id,
        account=command.account,
        product_id=command.product_id,
        side=command.side,
        stop=command.stop,
        stop_price=command.stop_price,
    )


def opened(order: WorkingOrder, book: Book, at: int) -> OrderOpened:
    """It rests, behind the others at its price."""
    command = order.command
    account = order.account
    book.sequence += 1
    account.sequence += 1
    return OrderOpened(
        at,
        book.sequence,
        account.sequence,
        command.order_id,
        account.name,
        command.product_id,
        command.side,
        order.price,
        order.remaining,
        None if command.display_size is None else order.remaining - order.hidden,
    )


def changed(
    order: WorkingOrder,
    book: Book,
    *,
    at: int,
    reason: ChangeReason,
    old_price: int,
    old_size: int,
    released: int,
    held: int = 0,
    amend_id: str | None = None,
) -> OrderChanged:
    """It has another price or size."""
    command = order.command
    if order.waiting is None:
        book.sequence += 1
    return OrderChanged(
        at=at,
        sequence=book.sequence if order.waiting is None else None,
        account_sequence=order.account.next_sequence(),
        order_id=order.order_id,
        account=order.account.name,
        product_id=book.product_id,
        side=command.side,
        reason=reason,
        price=order.price or None,
        old_price=old_price or None,
        size=None if order.funds is not None else order.size,
        old_size=None if order.funds is not None else old_size,
        remaining=order.remaining,
        shown=shown(order),
        held=held,
        released=released,
        amend_id=amend_id,
    )


def shown(order: WorkingOrder) -> int | None:
    """What others may see of an iceberg's remaining lots; None for any other order."""
    return None if order.command.display_size is None else order.remaining - order.hidden


def refused(order: WorkingOrder, reason: str) -> OrderRefused:
    """End it before it began. Numbers that fit no 63 bits cannot have been held; they are not repeated."""
    command = order.command
    order.hold = 0
    order.done_at = command.at
    order.reject_reason = reason
    order.command = replace(
        command,
        price=storable(command.price),
        size=storable(command.size),
        funds=storable(command.funds),
        hold=max(storable(command.hold) or 0, 0),
        deadline=storable(command.deadline),
        expire_at=storable(command.expire_at),
        stop_price=storable(command.stop_price),
        display_size=storable(command.display_size),
        maker_bps=storable(command.maker_bps) or 0,
        taker_bps=storable(command.taker_bps) or 0,
    )
    order.price = order.size = order.remaining = 0
    order.funds = None
    return OrderRefused(command.at, order.command, order.account.next_sequence(), reason)
