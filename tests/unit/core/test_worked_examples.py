"""Examples from the documentation of public venues, restated: a right venue gives these numbers."""

from tests.unit.core.floor import Floor, done, kinds, queue, refused, trades
from venue.commands import Deposit
from venue.products import Asset, Product


def test_an_incoming_order_trades_at_the_resting_price() -> None:
    # Coinbase Exchange: price improvement goes to the taker.
    floor = Floor()
    floor.buy("bid", 1, 100)
    assert trades(floor.sell("ask", 1, 80)) == [("bid", 1, 100)]
    assert floor.bids == floor.asks == []


def test_an_amend_down_keeps_its_priority_and_cancel_and_replace_does_not() -> None:
    # Binance: at 87,000 the bids are A 1.00, YOU 5.50, B 4.00; YOU go down to 5.00. In lots of 0.01.
    for amended in (True, False):
        floor = Floor()
        for name, size in (("A", 100), ("YOU", 550), ("B", 400)):
            floor.buy(name, size, 87_000)
        if amended:
            floor.amend("YOU", "ann", size=500)
            assert queue(floor, "buy") == [("A", 100), ("YOU", 500), ("B", 400)]
        else:
            floor.cancel("YOU", "ann")
            floor.buy("YOU again", 500, 87_000)
            assert queue(floor, "buy") == [("A", 100), ("B", 400), ("YOU again", 500)]


def test_more_size_or_another_price_loses_priority() -> None:
    # CME, Kraken.
    floor = Floor()
    for name in ("A", "B"):
        floor.buy(name, 10, 100)
    floor.amend("A", "ann", size=11, hold=100)
    assert queue(floor, "buy") == [("B", 10), ("A", 11)]
    floor.amend("B", "ann", price=99)
    floor.amend("B", "ann", price=100, hold=10)
    assert queue(floor, "buy") == [("A", 11), ("B", 10)]


def test_the_rest_of_a_market_order_on_a_thin_book_is_cancelled() -> None:
    # Binance: asks of 2 + 2, a market buy of 6.
    floor = Floor()
    floor.sell("a", 2, 100)
    floor.sell("b", 2, 101)
    events = floor.buy("m", 6, 110, type="market")
    assert trades(events) == [("a", 2, 100), ("b", 2, 101)]
    assert ("m", "canceled", 2) in done(events)
    assert floor.bids == floor.asks == []


def test_a_cancel_gives_the_whole_hold_back() -> None:
    # exchange-core: 94,000,000 deposited; a bid of 500 at 18,500 with a lot value of 10 holds 92,500,000.
    product = Product(
        id="XBT-LTC",
        base=Asset(id="XBT", name="Bitcoin", scale=0),
        quote=Asset(id="LTC", name="Litecoin", scale=0),
        tick_units=10,
        lot_units=1,
    )
    floor = Floor(product)
    floor.apply(Deposit(transfer_id="d", account="ann", asset="LTC", amount=94_000_000))
    floor.buy("bid", 500, 18_500)
    assert floor.wallets["ann", "LTC"] == [1_500_000, 92_500_000]
    floor.cancel("bid", "ann")
    assert floor.wallets["ann", "LTC"] == [94_000_000, 0]


def test_a_cancel_in_the_middle_of_a_queue_leaves_the_others_in_order() -> None:
    floor = Floor()
    for name in ("A", "B", "C"):
        floor.sell(name, 10, 100)
    floor.cancel("B", "bob")
    assert trades(floor.buy("sweep", 20, 100)) == [("A", 10, 100), ("C", 10, 100)]


def test_a_cancelled_best_level_leaves_no_phantom() -> None:
    floor = Floor()
    floor.sell("best", 1, 100)
    floor.sell("next", 1, 105)
    floor.cancel("best", "bob")
    assert floor.asks == [(105, 1, 1)]
    assert trades(floor.buy("low", 1, 104)) == []
    assert trades(floor.buy("high", 1, 105)) == [("next", 1, 105)]


def test_a_cancel_of_a_filled_order_is_refused() -> None:
    floor = Floor()
    floor.sell("A", 1, 100)
    floor.buy("B", 1, 100)
    assert kinds(floor.cancel("A", "bob")) == ["cancel_refused"]
    assert kinds(floor.cancel("B", "ann")) == ["cancel_refused"]


def test_an_order_id_stays_taken_after_a_cancel_and_after_a_fill() -> None:
    floor = Floor()
    floor.sell("cancelled", 1, 100)
    floor.cancel("cancelled", "bob")
    floor.sell("filled", 1, 100)
    floor.buy("taker", 1, 100)
    for order_id in ("cancelled", "filled", "taker"):
        assert floor.sell(order_id, 1, 100) == []
    assert floor.asks == []


def test_an_ioc_fills_what_it_can_and_cancels_the_rest() -> None:
    floor = Floor()
    floor.sell("A", 10, 100)
    events = floor.buy("ioc", 15, 100, time_in_force="IOC")
    assert trades(events) == [("A", 10, 100)]
    assert ("ioc", "canceled", 5) in done(events)
    assert floor.bids == floor.asks == []


def test_a_fok_that_cannot_fill_trades_nothing() -> None:
    floor = Floor()
    floor.sell("A", 10, 100)
    assert refused(floor.buy("fok", 15, 100, time_in_force="FOK")) == "fok"
    assert floor.asks == [(100, 10, 1)]
    assert floor.held("ann", "buy") == 0


def test_a_post_only_order_that_would_cross_is_refused_and_its_hold_released() -> None:
    floor = Floor()
    floor.sell("A", 10, 100)
    assert refused(floor.buy("post", 5, 100, post_only=True)) == "post_only"
    assert floor.asks == [(100, 10, 1)]
    assert floor.bids == []
    assert floor.wallets["ann", "USD"] == [0, 0]


def test_a_marketable_limit_stops_at_its_own_price_and_rests_there() -> None:
    floor = Floor()
    floor.sell("A", 5, 100)
    floor.sell("B", 10, 105)
    assert trades(floor.buy("buy", 12, 102)) == [("A", 5, 100)]
    assert floor.bids == [(102, 7, 1)]
    assert floor.asks == [(105, 10, 1)]
