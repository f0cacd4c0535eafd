"""The witness sees each thing that must not be: one fault is planted for every invariant that it watches."""

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import pytest
from msgspec.structs import replace

from matcher.core.book import Book
from matcher.core.engine import Engine
from tests.naive.witness import Ledger, Witness
from tests.unit.core.floor import ACME_USD
from venue.commands import AnyCommand, CancelOrder, ListProduct, PlaceOrder, SetStatus
from venue.events import (
    AnyEvent,
    LevelChanged,
    OrderDone,
    OrderOpened,
    StatusChanged,
    Traded,
)
from venue.ledger import Posting, postings
from venue.orders import Order, Side
from venue.products import Product
from venue.spelling import spelled

Fault = Callable[[list[AnyEvent]], list[AnyEvent]]


def _order(order_id: str, side: Side, size: int, price: int, **terms: Any) -> PlaceOrder:
    account, hold = ("ann", size * price) if side == "buy" else ("bob", size)
    return PlaceOrder(
        order_id=order_id,
        account=terms.pop("account", account),
        product_id=ACME_USD.id,
        side=side,
        size=size,
        price=price,
        hold=hold,
        **terms,
    )


# Ann buys both asks at 100 for less than she bid, and what is left of her bid rests; bob takes his last ask back.
LIFE: list[AnyCommand] = [
    ListProduct(product=ACME_USD),
    _order("a", "sell", 5, 100),
    _order("b", "sell", 5, 100),
    _order("c", "sell", 5, 103),
    _order("d", "buy", 12, 102),
    CancelOrder(order_id="c", account="bob"),
    SetStatus(product_id=ACME_USD.id, status="auction"),
    _order("e", "buy", 3, 101),
]


def watch(
    fault: Fault = list, *, engine: Engine | None = None, ledger: Ledger = postings, life: list[AnyCommand] = LIFE
) -> None:
    """Let the witness see a life, with a fault in what it is told."""
    engine = engine or Engine()
    witness = Witness(engine, ledger=ledger)
    for at, command in enumerate(life):
        command = replace(command, at=at)
        witness.see(command, fault(list(spelled(engine.apply(command)))))


def on(kind: type[AnyEvent], change: Callable[[Any], AnyEvent]) -> Fault:
    """Tell another event in place of each of this kind."""
    return lambda events: [change(event) if isinstance(event, kind) else event for event in events]


def test_a_right_life_passes() -> None:
    watch()


@pytest.mark.parametrize(
    ("failure", "fault"),
    [
        ("the public sequence has a gap", on(OrderOpened, lambda event: replace(event, sequence=event.sequence + 1))),
        ("a private sequence has a gap", on(OrderDone, lambda event: replace(event, account_sequence=9))),
        ("the trade ids have a gap", on(Traded, lambda event: replace(event, trade_id=event.trade_id + 1))),
        ("as of another sequence", on(LevelChanged, lambda event: replace(event, sequence=0))),
        ("another order came first", on(Traded, lambda event: replace(event, maker_order_id="b"))),  # the younger
        ("another order came first", on(Traded, lambda event: replace(event, maker_order_id="c", price=103))),
        ("at the maker's price", on(Traded, lambda event: replace(event, price=101))),
        ("lots came or went", on(Traded, lambda event: replace(event, size=event.size + 1))),
        ("lots came or went", on(OrderDone, lambda event: replace(event, remaining=event.remaining + 1))),
        ("it is not filled", on(OrderDone, lambda event: replace(event, reason="filled"))),
        ("it is over, and holds something", on(OrderDone, lambda event: replace(event, released=0))),
        ("another hold than the ledger", on(Traded, lambda event: replace(event, taker_released=0))),
        ("another order was opened", on(OrderOpened, lambda event: replace(event, price=99))),
        ("not those that were told", lambda events: [one for one in events if not isinstance(one, LevelChanged)]),
        ("a level is told once a command", lambda events: [*events, *events[-1:]]),
        ("level changes come last", lambda events: [*events, events[0]]),
        ("other orders rest", on(OrderOpened, lambda event: replace(event, shown=1))),
    ],
)
def test_what_is_told_wrong_is_seen(failure: str, fault: Fault) -> None:
    with pytest.raises(AssertionError, match=failure):
        watch(fault)


def test_a_crossed_book_is_seen_once_it_may_trade() -> None:
    crossed = [*LIFE, _order("f", "sell", 1, 100)]
    watch(life=crossed)
    with pytest.raises(AssertionError, match="the book is crossed"):
        watch(on(StatusChanged, lambda event: replace(event, status="post_only")), life=crossed)


def test_a_trade_of_an_account_with_itself_is_seen_where_it_asked_for_none() -> None:
    class Deaf(Engine):
        """Does not hear what an order says of its own account."""

        def apply(self, command: AnyCommand) -> list[AnyEvent]:
            return super().apply(replace(command, stp=None) if isinstance(command, PlaceOrder) else command)

    life = [*LIFE[:2], _order("own", "buy", 5, 100, account="bob", stp="cn")]
    watch(life=life)
    with pytest.raises(AssertionError, match="an account traded with itself"):
        watch(engine=Deaf(), life=life)


def test_postings_that_do_not_sum_to_zero_are_seen() -> None:
    def losing(event: AnyEvent, product: Product | None) -> Iterator[Posting]:
        for posting in postings(event, product):
            yield replace(posting, free=posting.free - 1) if posting.kind == "match" and posting.free else posting

    with pytest.raises(AssertionError, match="the postings do not sum to zero"):
        watch(ledger=losing)


@pytest.mark.parametrize(("failure", "freed"), [("a hold is less than", 1), ("a hold is more than", -1)])
def test_a_hold_is_seen_that_engine_and_ledger_have_both_wrong(failure: str, freed: int) -> None:
    class Miscounting(Engine):
        """Frees another amount with the first trade of d."""

        def order(self, order_id: str) -> Order | None:
            known = super().order(order_id)
            return replace(known, hold=known.hold - freed) if known and order_id == "d" else known

    def told(trade: Traded) -> Traded:
        return replace(trade, taker_released=trade.taker_released + freed * (trade.trade_id == 1))

    with pytest.raises(AssertionError, match=failure):
        watch(on(Traded, told), engine=Miscounting())


def test_an_empty_level_and_one_that_counts_wrong_are_seen() -> None:
    class Haunted(Engine):
        """Keeps a level at 42 from which every order is gone."""

        def book(self, product_id: str) -> Book | None:
            book = super().book(product_id)
            if book is not None and book.asks.levels and 142 not in book.asks.levels:
                ghost = copy(book.asks.best())
                ghost.price, ghost.count, ghost.size, ghost.head, ghost.tail = 142, 0, 0, None, None
                book.asks.levels[142] = ghost
                book.asks.keys.insert(0, -142)
            return book

    class Swollen(Engine):
        """Adds a lot to a level that no order has."""

        def book(self, product_id: str) -> Book | None:
            book = super().book(product_id)
            if book is not None and book.asks.levels:
                book.asks.best().size += 1
            return book

    with pytest.raises(AssertionError, match="a level is empty"):
        watch(engine=Haunted())
    with pytest.raises(AssertionError, match="a level is not the sum of its orders"):
        watch(engine=Swollen())
