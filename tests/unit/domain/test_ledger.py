"""Double entry: what every event moves, and that nothing is made or lost."""

import msgspec
import pytest

from venue import ledger
from venue.commands import PlaceOrder
from venue.events import (
    AmendRefused,
    AnyEvent,
    Deposited,
    LevelChanged,
    OrderChanged,
    OrderDone,
    OrderReceived,
    OrderRefused,
    StopAccepted,
    Traded,
)
from venue.ledger import FEES, WORLD, Posting, imbalance, postings
from venue.products import Asset, Product

PRODUCT = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme", scale=2),
    quote=Asset(id="USD", name="US dollar", scale=4),
    tick_units=50,
    lot_units=10,
)
DEPOSITED = Deposited(at=1, transfer_id="t", account="ann", account_sequence=1, asset="USD", amount=700)
RECEIVED = OrderReceived(
    at=1,
    order=PlaceOrder(
        at=1,
        order_id="o",
        account="ann",
        product_id="ACME-USD",
        side="buy",
        price=3,
        size=4,
        hold=61,
    ),
    sequence=1,
    account_sequence=1,
)
REFUSED = OrderRefused(
    at=1,
    order=PlaceOrder(
        at=1,
        order_id="o",
        account="ann",
        product_id="ACME-USD",
        side="sell",
        price=3,
        size=4,
        hold=40,
    ),
    account_sequence=1,
    reason="post_only",
)
DONE = OrderDone(
    at=1,
    sequence=2,
    account_sequence=2,
    order_id="o",
    account="ann",
    product_id="ACME-USD",
    side="buy",
    price=3,
    remaining=4,
    reason="canceled",
    released=61,
)
# 4 lots at 3 ticks: 4 x 10 minor units of ACME, 4 x 3 x 5 of USD. Ann buys from Bob, who waited.
TRADED = Traded(
    at=1,
    sequence=3,
    trade_id=9,
    product_id="ACME-USD",
    side="sell",
    price=3,
    size=4,
    maker_order_id="b",
    maker_account="bob",
    maker_account_sequence=5,
    maker_fee=1,
    maker_released=0,
    taker_order_id="a",
    taker_account="ann",
    taker_account_sequence=7,
    taker_fee=2,
    taker_released=11,
)
STOPPED = StopAccepted(
    at=1,
    order=PlaceOrder(
        at=1,
        order_id="o",
        account="ann",
        product_id="ACME-USD",
        side="sell",
        price=3,
        size=4,
        hold=40,
        stop="loss",
        stop_price=3,
    ),
    account_sequence=1,
)
CHANGED = OrderChanged(
    at=1,
    sequence=4,
    account_sequence=1,
    order_id="o",
    account="ann",
    product_id="ACME-USD",
    side="buy",
    reason="amend",
    price=4,
    old_price=3,
    size=4,
    old_size=4,
    remaining=4,
    held=25,
    released=5,
    amend_id="x",
)
AMEND_REFUSED = AmendRefused(
    at=1,
    account_sequence=1,
    amend_id="x",
    order_id="o",
    account="ann",
    product_id="ACME-USD",
    side="buy",
    hold=25,
    reason="order_done",
)
EVENTS: list[AnyEvent] = [
    STOPPED,
    CHANGED,
    AMEND_REFUSED,
    DEPOSITED,
    RECEIVED,
    REFUSED,
    DONE,
    TRADED,
    msgspec.structs.replace(TRADED, side="buy", maker_released=11, taker_released=0),
    msgspec.structs.replace(TRADED, maker_account="ann"),
    msgspec.structs.replace(TRADED, maker_fee=-1),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_postings_of_an_event_sum_to_zero(event: AnyEvent) -> None:
    given = list(postings(event, PRODUCT))
    assert given
    assert imbalance(given) == {}


def test_a_deposit_comes_from_the_world() -> None:
    assert list(postings(DEPOSITED, None)) == [
        Posting(WORLD, "USD", "deposit", -700, 0),
        Posting("ann", "USD", "deposit", 700, 0),
    ]


def test_a_received_order_moves_its_hold_from_free_to_held() -> None:
    assert list(postings(RECEIVED, PRODUCT)) == [Posting("ann", "USD", "hold", -61, 61, "o", None, "ACME-USD")]


def test_a_refused_sell_holds_the_base_asset_and_gets_it_back() -> None:
    assert list(postings(REFUSED, PRODUCT)) == [
        Posting("ann", "ACME", "hold", -40, 40, "o", None, "ACME-USD"),
        Posting("ann", "ACME", "release", 40, -40, "o", None, "ACME-USD"),
    ]


def test_a_done_order_gets_the_rest_of_its_hold_back() -> None:
    assert list(postings(DONE, PRODUCT)) == [Posting("ann", "USD", "release", 61, -61, "o", None, "ACME-USD")]


def test_a_trade_swaps_base_for_quote_and_pays_the_fees() -> None:
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for posting in postings(TRADED, PRODUCT):
        free, held = sums.get((posting.account, posting.asset), (0, 0))
        sums[posting.account, posting.asset] = (free + posting.free, held + posting.held)
    assert sums == {
        ("ann", "USD"): (11, -60 - 2 - 11),
        ("ann", "ACME"): (40, 0),
        ("bob", "USD"): (60 - 1, 0),
        ("bob", "ACME"): (0, -40),
        (FEES, "USD"): (3, 0),
    }


def test_an_event_that_moves_nothing_gives_no_postings() -> None:
    level = LevelChanged(at=1, sequence=1, product_id="ACME-USD", side="buy", price=3, size=0)
    assert list(postings(level, PRODUCT)) == []
    unheld = msgspec.structs.replace(RECEIVED.order, hold=0)
    assert list(postings(msgspec.structs.replace(RECEIVED, order=unheld), PRODUCT)) == []


def test_a_refusal_for_an_unknown_market_moves_nothing() -> None:
    assert list(postings(REFUSED, None)) == []


def test_a_trade_without_its_product_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs its product"):
        list(postings(TRADED, None))


def test_an_imbalance_names_the_asset_and_what_is_missing() -> None:
    trade = [posting for posting in postings(TRADED, PRODUCT) if posting.account != FEES]
    assert imbalance(trade) == {"USD": -3}


def test_a_buy_holds_quote_and_a_sell_holds_base() -> None:
    assert ledger.hold_asset(PRODUCT, "buy") == "USD"
    assert ledger.hold_asset(PRODUCT, "sell") == "ACME"


def test_a_stop_order_holds_when_it_is_accepted_and_not_again_when_it_wakes() -> None:
    assert list(postings(STOPPED, PRODUCT)) == [Posting("ann", "ACME", "hold", -40, 40, "o", None, "ACME-USD")]
    unheld = msgspec.structs.replace(RECEIVED.order, hold=0)
    assert list(postings(msgspec.structs.replace(RECEIVED, order=unheld), PRODUCT)) == []


def test_a_change_holds_what_it_brought_and_releases_what_is_too_much() -> None:
    assert list(postings(CHANGED, PRODUCT)) == [
        Posting("ann", "USD", "hold", -25, 25, "o", None, "ACME-USD", "x"),
        Posting("ann", "USD", "release", 5, -5, "o", None, "ACME-USD"),
    ]
    assert list(postings(msgspec.structs.replace(CHANGED, held=0, released=0), PRODUCT)) == []


def test_a_refused_amend_gives_back_what_it_held() -> None:
    assert list(postings(AMEND_REFUSED, PRODUCT)) == [
        Posting("ann", "USD", "hold", -25, 25, "o", None, "ACME-USD", "x"),
        Posting("ann", "USD", "release", 25, -25, "o", None, "ACME-USD"),
    ]
    assert list(postings(AMEND_REFUSED, None)) == []
