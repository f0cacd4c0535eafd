"""Bugs of what the matcher refuses and posts."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from matcher.core import engine
from matcher.core.admission import refusal
from matcher.shell import batch
from tests.simulation import watch
from tests.simulation.bugs.bug import Bug
from venue.commands import PlaceOrder
from venue.events import AmendRefused, AnyEvent, OrderChanged, OrderRefused
from venue.ledger import FEES, Posting, postings
from venue.products import Product


def _however_late(command: PlaceOrder, *more: Any) -> Any:
    return refusal(msgspec.structs.replace(command, deadline=None), *more)


def _but(wrong: Callable[[Posting], Posting | None]) -> Callable[[AnyEvent, Product | None], Iterator[Posting]]:
    """Derive postings as ever, but for those that are `wrong`."""

    def derive(event: AnyEvent, product: Product | None) -> Iterator[Posting]:
        return (changed for posting in postings(event, product) if (changed := wrong(posting)) is not None)

    return derive


def _no_refunds(event: AnyEvent, product: Product | None) -> Iterator[Posting]:
    return iter(()) if isinstance(event, OrderRefused) else postings(event, product)


def _rounded(posting: Posting) -> Posting:
    if posting.kind != "release":
        return posting
    return msgspec.structs.replace(posting, free=posting.free // 10 * 10, held=-(posting.free // 10 * 10))


def _twice(event: AnyEvent, product: Product | None) -> Iterator[Posting]:
    for posting in postings(event, product):
        yield posting
        if isinstance(event, OrderChanged) and posting.kind == "release":
            yield posting


def _kept(event: AnyEvent, product: Product | None) -> Iterator[Posting]:
    for posting in postings(event, product):
        if not isinstance(event, AmendRefused) or posting.kind != "release":
            yield posting


def _for_all(wrong: Callable[[AnyEvent, Product | None], Iterator[Posting]]) -> list[tuple[Any, str, Any]]:
    """In the auditor's arithmetic as well: then only the sums can tell."""
    return [(batch, "postings", wrong), (watch, "postings", wrong)]


POSTINGS: Final = [
    Bug(
        "deadline_ignored",
        "An order is taken however late it comes.",
        [(engine, "refusal", _however_late)],
        ("clock_forward",),
    ),
    Bug("refusal_keeps_hold", "A refused order's hold is not given back.", [(batch, "postings", _no_refunds)]),
    Bug(
        "fee_to_nobody",
        "Fees are taken, and nobody has them.",
        [(batch, "postings", _but(lambda posting: None if posting.account == FEES else posting))],
    ),
    Bug("release_rounded", "What is released is rounded down.", [(batch, "postings", _but(_rounded))]),
    Bug("amend_releases_twice", "What an amend gives back of a hold is given back twice.", _for_all(_twice)),
    Bug("refused_amend_keeps_hold", "What was held for a refused amend is not given back.", _for_all(_kept)),
]
