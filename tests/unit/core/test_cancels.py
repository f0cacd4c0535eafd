"""Taking orders out of the book."""

import msgspec
import pytest

from tests.unit.core.floor import ACME_USD, Floor, done, kinds, levels
from venue.commands import ListProduct
from venue.events import AnyEvent, CancelRefused

OTHER = msgspec.structs.replace(ACME_USD, id="OTHER-USD")


def reason(events: list[AnyEvent]) -> str:
    (refusal,) = events
    assert isinstance(refusal, CancelRefused)
    return refusal.reason


def test_a_cancel_tells_what_was_left_and_frees_it() -> None:
    floor = Floor()
    floor.sell("s", 10, 100)
    floor.buy("b", 4, 100)
    events = floor.cancel("s", "bob")
    assert kinds(events) == ["done", "level"]
    assert done(events) == [("s", "canceled", 6)]
    assert levels(events) == [("sell", 100, 0)]
    assert floor.held("bob", "sell") == 0
    order = floor.order("s")
    assert (order.status, order.filled, order.hold, order.done_at) == ("done", 4, 0, floor.at)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_cancel_anywhere_in_a_queue_leaves_the_others_in_order(position: int) -> None:
    floor = Floor()
    names = ["A", "B", "C"]
    for name in names:
        floor.sell(name, 1, 100)
    floor.cancel(names.pop(position), "bob")
    floor.sell("D", 1, 100)
    assert [order_id for _, _, order_id in floor.engine.resting("ACME-USD", 9)[1]] == [*names, "D"]
    assert floor.asks == [(100, 3, 3)]


def test_an_order_that_never_was_is_not_found() -> None:
    assert reason(Floor().cancel("nothing", "ann")) == "not_found"


def test_anothers_order_is_not_found() -> None:
    floor = Floor()
    floor.sell("s", 1, 100)
    assert reason(floor.cancel("s", "ann")) == "not_found"
    assert floor.asks == [(100, 1, 1)]


def test_an_order_that_is_done_cannot_be_cancelled() -> None:
    floor = Floor()
    floor.sell("filled", 1, 100)
    floor.buy("taker", 1, 100)
    floor.buy("cancelled", 1, 100)
    floor.cancel("cancelled", "ann")
    floor.buy("refused", 0, 100)
    assert reason(floor.cancel("filled", "bob")) == "order_done"
    assert reason(floor.cancel("cancelled", "ann")) == "order_done"
    assert reason(floor.cancel("refused", "ann")) == "order_done"


def test_cancel_all_takes_the_accounts_orders_oldest_first_and_leaves_the_others() -> None:
    floor = Floor()
    floor.buy("b1", 1, 90)
    floor.buy("other", 5, 90, account="cat")
    floor.sell("s1", 1, 100, account="ann")
    floor.buy("b2", 1, 90)
    events = floor.cancel_all("ann")
    assert [order_id for order_id, _, _ in done(events)] == ["b1", "s1", "b2"]
    assert levels(events) == [("buy", 90, 5), ("sell", 100, 0)]
    assert floor.held("ann", "buy") == floor.held("ann", "sell") == 0


def test_cancel_all_of_one_product_leaves_the_other_products() -> None:
    floor = Floor()
    floor.apply(ListProduct(product=OTHER))
    floor.buy("here", 1, 90)
    floor.buy("there", 1, 90, product_id="OTHER-USD")
    assert [order_id for order_id, _, _ in done(floor.cancel_all("ann", "OTHER-USD"))] == ["there"]
    assert floor.order("here").status == "open"
    assert [order_id for order_id, _, _ in done(floor.cancel_all("ann"))] == ["here"]


def test_cancel_all_without_orders_says_nothing() -> None:
    floor = Floor()
    floor.buy("b", 1, 90)
    floor.cancel("b", "ann")
    assert floor.cancel_all("ann") == []
    assert floor.cancel_all("nobody") == []
    assert floor.cancel_all("ann", "NONE") == []


def test_a_filled_maker_is_no_longer_among_an_accounts_orders() -> None:
    floor = Floor()
    floor.sell("s", 1, 100)
    floor.buy("b", 1, 100)
    assert floor.cancel_all("bob") == []
