"""The examples of tests/cases/matching.md, under its numbers: a right venue gives what is written there."""

import pytest

from tests.unit.core.floor import Floor, done, kinds, queue, refused, trades
from venue.commands import Deposit
from venue.events import AuctionIndicated, OrderChanged, Traded
from venue.orders import SelfTradePrevention
from venue.products import Asset, Product


def test_an_incoming_order_trades_at_the_resting_price() -> None:
    # 1. Coinbase Exchange: price improvement goes to the taker.
    floor = Floor()
    floor.buy("bid", 1, 100)
    assert trades(floor.sell("ask", 1, 80)) == [("bid", 1, 100)]
    assert floor.bids == floor.asks == []


def test_an_amend_down_keeps_its_priority_and_cancel_and_replace_does_not() -> None:
    # 2. Binance: at 87,000 the bids are A 1.00, YOU 5.50, B 4.00; YOU go down to 5.00. In lots of 0.01.
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
    # 2. CME, Kraken.
    floor = Floor()
    for name in ("A", "B"):
        floor.buy(name, 10, 100)
    floor.amend("A", "ann", size=11, hold=100)
    assert queue(floor, "buy") == [("B", 10), ("A", 11)]
    floor.amend("B", "ann", price=99)
    floor.amend("B", "ann", price=100, hold=10)
    assert queue(floor, "buy") == [("A", 11), ("B", 10)]


def test_the_rest_of_a_market_order_on_a_thin_book_is_cancelled() -> None:
    # 3. Binance: asks of 2 + 2, a market buy of 6.
    floor = Floor()
    floor.sell("a", 2, 100)
    floor.sell("b", 2, 101)
    events = floor.buy("m", 6, 110, type="market")
    assert trades(events) == [("a", 2, 100), ("b", 2, 101)]
    assert ("m", "canceled", 2) in done(events)
    assert floor.bids == floor.asks == []


def test_a_cancel_gives_the_whole_hold_back() -> None:
    # 4. exchange-core: 94,000,000 deposited; a bid of 500 at 18,500 with a lot value of 10 holds 92,500,000.
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


# 5. Coinbase Exchange. The taker b bids 100; its own ask a is the first that it meets, another's c stands behind it.
@pytest.mark.parametrize(
    ("stp", "mine", "taker", "printed", "asks", "bids"),
    [
        ("dc", 3, 10, [("c", 5)], [], [("b", 2)]),  # a is smaller: it goes, b shrinks to 7, trades 5, rests with 2
        ("dc", 10, 4, [], [("a", 6), ("c", 5)], []),  # b is smaller: it goes, a shrinks to 6
        ("dc", 4, 4, [], [("c", 5)], []),  # equal: both go
        ("co", 3, 4, [("c", 4)], [("c", 1)], []),  # the oldest goes in full, b goes on with all of its 4
        ("cn", 3, 4, [], [("a", 3), ("c", 5)], []),  # the newest goes, a stays as it was
        ("cb", 3, 4, [], [("c", 5)], []),  # both go
    ],
)
def test_the_takers_flag_rules_when_an_account_meets_itself(
    stp: SelfTradePrevention,
    mine: int,
    taker: int,
    printed: list[tuple[str, int]],
    asks: list[tuple[str, int]],
    bids: list[tuple[str, int]],
) -> None:
    floor = Floor()
    floor.sell("a", mine, 100, account="ann", stp="cb")  # the resting order's own flag says nothing
    floor.sell("c", 5, 100, account="cat")
    events = floor.buy("b", taker, 100, account="ann", stp=stp)
    assert [(name, size) for name, size, _ in trades(events)] == printed
    assert queue(floor, "sell") == asks
    assert queue(floor, "buy") == bids


def test_funds_that_meet_their_own_account_shrink_as_if_they_had_traded() -> None:
    # 5. A market order of 1,000 in funds meets an own ask of 3 at 100: 300 less, and 700 buy 7 from the next.
    floor = Floor()
    floor.sell("a", 3, 100, account="ann")
    floor.sell("c", 9, 100, account="cat")
    events = floor.buy("b", None, None, type="market", funds=1_000, stp="dc")
    (change,) = [event for event in events if isinstance(event, OrderChanged)]
    assert (change.order_id, change.released) == ("b", 300)
    assert done(events)[0] == ("a", "canceled", 3)
    assert trades(events) == [("c", 7, 100)]


def test_a_cancel_in_the_middle_of_a_queue_leaves_the_others_in_order() -> None:
    # 7.
    floor = Floor()
    for name in ("A", "B", "C"):
        floor.sell(name, 10, 100)
    floor.cancel("B", "bob")
    assert trades(floor.buy("sweep", 20, 100)) == [("A", 10, 100), ("C", 10, 100)]


def test_a_cancelled_best_level_leaves_no_phantom() -> None:
    # 7.
    floor = Floor()
    floor.sell("best", 1, 100)
    floor.sell("next", 1, 105)
    floor.cancel("best", "bob")
    assert floor.asks == [(105, 1, 1)]
    assert trades(floor.buy("low", 1, 104)) == []
    assert trades(floor.buy("high", 1, 105)) == [("next", 1, 105)]


def test_a_cancel_or_amend_of_a_filled_order_is_refused() -> None:
    # 7.
    floor = Floor()
    floor.sell("A", 1, 100)
    floor.buy("B", 1, 100)
    for order_id, account in (("A", "bob"), ("B", "ann")):
        assert kinds(floor.cancel(order_id, account)) == ["cancel_refused"]
        assert kinds(floor.amend(order_id, account, size=2)) == ["amend_refused"]


def test_an_order_id_stays_taken_after_a_cancel_and_after_a_fill() -> None:
    # 7.
    floor = Floor()
    floor.sell("cancelled", 1, 100)
    floor.cancel("cancelled", "bob")
    floor.sell("filled", 1, 100)
    floor.buy("taker", 1, 100)
    for order_id in ("cancelled", "filled", "taker"):
        assert floor.sell(order_id, 1, 100) == []
    assert floor.asks == []


def test_an_ioc_fills_what_it_can_and_cancels_the_rest() -> None:
    # 8.
    floor = Floor()
    floor.sell("A", 10, 100)
    events = floor.buy("ioc", 15, 100, time_in_force="IOC")
    assert trades(events) == [("A", 10, 100)]
    assert ("ioc", "canceled", 5) in done(events)
    assert floor.bids == floor.asks == []


def test_a_fok_that_cannot_fill_trades_nothing() -> None:
    # 8.
    floor = Floor()
    floor.sell("A", 10, 100)
    assert refused(floor.buy("fok", 15, 100, time_in_force="FOK")) == "fok"
    assert floor.asks == [(100, 10, 1)]
    assert floor.held("ann", "buy") == 0


def test_a_post_only_order_that_would_cross_is_refused_and_its_hold_released() -> None:
    # 8.
    floor = Floor()
    floor.sell("A", 10, 100)
    assert refused(floor.buy("post", 5, 100, post_only=True)) == "post_only"
    assert floor.asks == [(100, 10, 1)]
    assert floor.bids == []
    assert floor.wallets["ann", "USD"] == [0, 0]


def test_a_marketable_limit_stops_at_its_own_price_and_rests_there() -> None:
    # 9.
    floor = Floor()
    floor.sell("A", 5, 100)
    floor.sell("B", 10, 105)
    assert trades(floor.buy("buy", 12, 102)) == [("A", 5, 100)]
    assert floor.bids == [(102, 7, 1)]
    assert floor.asks == [(105, 10, 1)]


Orders = list[tuple[int, int]]  # (lots, ticks)


def uncrossed(bids: Orders, asks: Orders, reference: int | None) -> tuple[AuctionIndicated, list[Traded]]:
    """What an auction indicates, and what then trades."""
    floor = Floor()
    floor.status("auction", reference=reference)
    for number, (size, price) in enumerate(bids):
        floor.buy(f"b{number}", size, price)
    for number, (size, price) in enumerate(asks):
        floor.sell(f"a{number}", size, price)
    (told,) = floor.expire(floor.at + 1)
    assert isinstance(told, AuctionIndicated)
    return told, [event for event in floor.status("trading") if isinstance(event, Traded)]


@pytest.mark.parametrize(("reference", "price"), [(650, 639), (637, 637), (600, 635)])
def test_an_uncross_trades_most_then_leaves_least_then_goes_by_the_reference(reference: int, price: int) -> None:
    # 10. ASX. At 640: 500 bid for, 1,500 offered: 500 trade. At 635 to 639: 1,500 and 1,000. At 634: 2,500 and 1,000.
    bids = [(500, 640), (500, 639), (500, 639), (1_000, 634), (500, 633)]
    asks = [(1_000, 610), (500, 640), (520, 641), (550, 642), (519, 643)]
    told, traded = uncrossed(bids, asks, reference)
    assert (told.price, told.volume, told.surplus) == (price, 1_000, 500)
    # Of the bids the best trades first, then the older of the two at 639.
    assert [(one.taker_order_id, one.maker_order_id, one.size, one.price) for one in traded] == [
        ("a0", "b0", 500, price),
        ("a0", "b1", 500, price),
    ]


def test_an_uncross_trades_at_the_one_price_where_most_does() -> None:
    # 11. MarketGrid.
    bids = [(45, 13_000), (95, 12_900), (25, 12_800), (35, 12_700), (25, 12_600), (55, 12_500), (200, 12_400)]
    bids += [(80, 12_300), (60, 12_200)]
    asks = [(35, 13_100), (50, 13_000), (10, 12_900), (15, 12_800), (10, 12_700), (20, 12_600), (90, 12_500)]
    asks += [(155, 12_400), (125, 12_300), (10, 12_200)]
    told, traded = uncrossed(bids, asks, None)
    assert (told.price, told.volume, told.surplus) == (12_400, 290, 190)
    assert {one.price for one in traded} == {12_400}
    assert sum(one.size for one in traded) == 290
