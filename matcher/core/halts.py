"""What a market accepts, and how that changes: by command, by its circuit breaker, by time."""

from matcher.core import auction, reasons
from matcher.core.book import Book, Uncrossing
from matcher.core.turn import Turn
from venue.commands import SetStatus
from venue.events import StatusChanged, StatusReason
from venue.products import MarketStatus


def command(asked: SetStatus, turn: Turn) -> None:
    """Do what an operator asks; nothing where that is so already."""
    book = turn.book
    is_so = (asked.status, asked.until) == (book.status, book.until) and book.uncrossing is None
    if is_so and asked.reference is None:
        return
    if asked.reference is not None:
        book.refer_to(asked.reference)
    change(turn, asked.status, until=asked.until, reason="command")


def refusal(asked: SetStatus, book: Book) -> str | None:
    """Give the reason for which a market stays as it is, or None when the operator may have it so."""
    if asked.until is not None and (asked.status not in {"halted", "auction"} or asked.until <= asked.at):
        return reasons.BAD_UNTIL
    if asked.reference is not None and not 0 < asked.reference <= book.product.price_max:
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
    """Go on with an uncross; end a halt or an auction whose time is up; let an auction tell where it stands."""
    book = turn.book
    if book.uncrossing is not None:
        _uncross(turn, book.uncrossing)
    elif book.until is not None and book.until <= turn.at:
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
    """Be in another state. Bids and asks that meet are uncrossed first wherever trading is not merely put off."""
    book = turn.book
    book.uncrossing = None
    found = None if status in {"halted", "auction"} else auction.balance(book)
    if found is None:
        _enter(turn, status, until, reason)
    else:
        _uncross(turn, Uncrossing(found.price, status, until, reason))


def _uncross(turn: Turn, uncrossing: Uncrossing) -> None:
    """Trade what may trade in one command; until all of it has, the market is halted."""
    book, reason = turn.book, uncrossing.reason
    if auction.uncross(turn, uncrossing.price):
        # Orders that left between two commands may have left others that meet at another price.
        change(turn, uncrossing.status, until=uncrossing.until, reason=reason)
        return
    book.uncrossing = uncrossing
    if (book.status, book.until) != ("halted", None):
        _enter(turn, "halted", None, reason)


def _enter(turn: Turn, status: MarketStatus, until: int | None, reason: StatusReason) -> None:
    book = turn.book
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
