"""The ladder of price levels, by itself."""

from matcher.core.ladder import BLOCK_MAX, Ladder
from matcher.core.working import Account, Trader, WorkingOrder, working
from venue.commands import PlaceOrder
from venue.orders import Side

ANN = Trader(Account("ann"), None)


def order(name: str, side: Side, price: int, size: int = 1) -> WorkingOrder:
    command = PlaceOrder(order_id=name, account="ann", product_id="P", side=side, price=price, size=size)
    return working(command, ANN, 1, 0)


def ladder_of(side: Side, prices: list[int]) -> tuple[Ladder, list[WorkingOrder]]:
    ladder = Ladder(side)
    orders = [order(f"o{number}", side, price) for number, price in enumerate(prices)]
    for one in orders:
        ladder.add(one, one.price)
    return ladder, orders


def test_the_best_bid_is_the_highest_and_the_best_ask_the_lowest() -> None:
    assert ladder_of("buy", [5, 9, 7])[0].best().price == 9
    assert ladder_of("sell", [5, 9, 7])[0].best().price == 5


def test_levels_come_best_first() -> None:
    assert [level.price for level in ladder_of("buy", [5, 9, 7, 9])[0]] == [9, 7, 5]
    assert [level.price for level in ladder_of("sell", [5, 9, 7, 9])[0]] == [5, 7, 9]


def test_only_a_price_that_reaches_the_best_crosses() -> None:
    asks, _ = ladder_of("sell", [5, 9])
    assert (asks.crosses(4), asks.crosses(5), asks.crosses(None)) == (False, True, True)
    bids, _ = ladder_of("buy", [5, 9])
    assert (bids.crosses(10), bids.crosses(9), bids.crosses(None)) == (False, True, True)
    assert not Ladder("buy").crosses(None)


def test_the_levels_within_a_price_come_best_first_and_no_others() -> None:
    asks, _ = ladder_of("sell", [5, 5, 6, 9])
    assert [level.price for level in asks.reach(6)] == [5, 6]
    assert [level.price for level in asks.reach(None)] == [5, 6, 9]
    bids, _ = ladder_of("buy", [5, 6, 9])
    assert [level.price for level in bids.reach(6)] == [9, 6]
    assert list(bids.reach(10)) == []


def test_an_emptied_level_is_gone() -> None:
    ladder, orders = ladder_of("sell", [5, 9])
    ladder.remove(orders[0], ladder.levels[5])
    assert ladder.best().price == 9
    assert 5 not in ladder.levels
    ladder.remove(orders[1], ladder.levels[9])
    assert not ladder.keys
    assert not ladder.levels


def test_removed_orders_hold_on_to_no_others() -> None:
    ladder, orders = ladder_of("sell", [5, 5, 5])
    ladder.remove(orders[1], ladder.levels[5])
    assert orders[1].next is None
    assert orders[1].previous is None
    assert list(ladder.levels[5]) == [orders[0], orders[2]]


def test_thousands_of_levels_come_and_go_in_order() -> None:
    # 7919 and 10,007 are prime: the prices come in no order and none comes twice.
    prices = [number * 7919 % 10_007 for number in range(1, 4_001)]
    sides: tuple[Side, Side] = ("buy", "sell")
    for side in sides:
        ladder, orders = ladder_of(side, prices)
        assert len(ladder.far) > 4
        left = set(prices[::10])
        for one in reversed(orders):
            if one.price not in left:
                ladder.remove(one, ladder.levels[one.price])
        assert [level.price for level in ladder] == sorted(left, reverse=side == "buy")
        while ladder.keys:
            best = ladder.best()
            assert best.price == (max(left) if side == "buy" else min(left))
            left.remove(best.price)
            for one in list(best):
                ladder.remove(one, best)
        assert not left
        assert not ladder.far


def test_the_best_of_many_levels_may_be_better_than_all_or_worse_than_all_that_came_before() -> None:
    for prices in (list(range(1, 3_000)), list(range(3_000, 1, -1))):
        ladder, _ = ladder_of("buy", prices)
        assert [level.price for level in ladder] == sorted(prices, reverse=True)
        assert max(len(block) for block in (ladder.keys, *ladder.far)) <= BLOCK_MAX
