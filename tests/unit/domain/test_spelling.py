"""One event that stands for several says the same as they do."""

import pytest

from venue import wire
from venue.commands import PlaceOrder
from venue.events import AnyEvent, LevelChanged, OrderDone, OrderOpened, OrderReceived, OrderRested
from venue.ledger import postings
from venue.products import Asset, Product
from venue.spelling import spelled

PRODUCT = Product(
    id="A-B", base=Asset(id="A", name="A", scale=0), quote=Asset(id="B", name="B", scale=0), tick_units=1, lot_units=1
)
ORDER = PlaceOrder(at=7, order_id="o", account="ann", product_id="A-B", side="buy", price=3, size=5, hold=15)
RESTED = OrderRested(at=7, order=ORDER, sequence=12, account_sequence=5, level_size=9)
RESTED_LONG: list[AnyEvent] = [
    OrderReceived(at=7, order=ORDER, sequence=11, account_sequence=4),
    OrderOpened(
        at=7,
        sequence=12,
        account_sequence=5,
        order_id="o",
        account="ann",
        product_id="A-B",
        side="buy",
        price=3,
        remaining=5,
    ),
    LevelChanged(at=7, sequence=12, product_id="A-B", side="buy", price=3, size=9),
]


def done(level_size: int | None = None) -> OrderDone:
    return OrderDone(
        at=8,
        sequence=13,
        account_sequence=6,
        order_id="o",
        account="ann",
        product_id="A-B",
        side="buy",
        price=3,
        remaining=5,
        reason="canceled",
        released=15,
        level_size=level_size,
    )


DONE_LONG: list[AnyEvent] = [done(), LevelChanged(at=8, sequence=13, product_id="A-B", side="buy", price=3, size=0)]


def test_an_order_that_rests_at_once_was_received_and_opened_and_changed_its_level() -> None:
    assert list(spelled([RESTED])) == RESTED_LONG


def test_a_cancel_changed_its_level() -> None:
    assert list(spelled([done(level_size=0)])) == DONE_LONG


def test_what_is_spelled_out_stays_as_it_is() -> None:
    long: list[AnyEvent] = [*RESTED_LONG, *DONE_LONG]
    assert list(spelled(long)) == long


@pytest.mark.parametrize("event", [RESTED, done(level_size=0)])
def test_both_forms_move_the_same_money(event: AnyEvent) -> None:
    long = [posting for each in spelled([event]) for posting in postings(each, PRODUCT)]
    assert long
    assert list(postings(event, PRODUCT)) == long


@pytest.mark.parametrize("event", [RESTED, done(level_size=0), done()])
def test_both_forms_travel(event: AnyEvent) -> None:
    assert wire.EVENTS.decode(wire.encode([event])) == [event]


def test_what_is_as_always_does_not_travel() -> None:
    assert b"null" not in wire.encode([RESTED, done()])
