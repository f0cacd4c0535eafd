"""What a market accepts, and how that changes: by command, by its circuit breaker, by time."""

from matcher.core import auction, reasons
from matcher.core.turn import Turn
from venue.commands import SetStatus
from venue.events import StatusChanged, StatusReason, StatusRefused
from venue.products import MarketStatus


def command(asked: SetStatus, turn: Turn) -> None:
    """Do what an operator asks; nothing where that is so already."""
    book = turn.book
    reason = _refusal(asked, book.product.price_max)
    if reason is not None:
        turn.events.append(StatusRefused(at=asked.at, product_id=asked.product_id, reason=reason))
        return
    if asked.reference is None and (asked.status, asked.until) == (book.status, book.until):
        return
    if asked.reference is not None:
        book.refer_to(asked.reference)
    change(turn, asked.status, until=asked.until, reason="command")


def _refusal(asked: SetStatus, price_max: int) -> str | None:
    if asked.until is not None and (asked.status not in {"halted", "auction"} or asked.until <= asked.at):
        return reasons.BAD_UNTIL
    if asked.reference is not None and not 0 < asked.reference <= price_max:
        return reasons.BAD_REFERENCE
    return None


def trip(turn: Turn) -> None:
    """A trade would have printed too far from the reference price: halt, and then call an auction."""
    halt_us = turn.book.product.halt_us
    if halt_us:
        change(turn, "halted", until=turn.at + halt_us, reason="breaker")
    else:
        _call_auction(turn, "breaker")


def pass_time(turn: Turn) -> None:
    """End a halt or an auction whose time is up; let an auction tell where it stands."""
    book = turn.book
    if book.until is not None and book.until <= turn.at:
        if book.status == "halted":
            _call_auction(turn, "time")
        else:
            change(turn, "trading", until=None, reason="time")
    if book.status == "auction":
        auction.indicate(turn)


def _call_auction(turn: Turn, reason: StatusReason) -> None:
    auction_us = turn.book.product.auction_us
    change(turn, "auction", until=turn.at + auction_us if auction_us else None, reason=reason)


def change(turn: Turn, status: MarketStatus, *, until: int | None, reason: StatusReason) -> None:
    """Be in another state. Bids and asks that meet are uncrossed wherever trading is not merely put off."""
    book = turn.book
    if status not in {"halted", "auction"}:
        auction.uncross(turn)
    book.enter(status, until)
    book.indicated = None
    turn.events.append(
        StatusChanged(
            at=turn.at,
            product_id=book.product_id,
            status=status,
            reason=reason,
            until=until,
            reference=book.reference,
        )
    )
