"""No command does work without end: what is left over is cancelled, or waits for the next one."""

from collections.abc import Iterator

import msgspec
import pytest

from matcher.core.trade import MAKERS_MAX
from matcher.core.withdrawals import EXPIRED_MAX
from tests.naive.bounds import makers_max
from tests.naive.market import NaiveMarket
from tests.unit.core.floor import ACME_USD, Floor, done, kinds, queue, refused, trades
from venue.commands import AnyCommand, CancelAll, CancelAllAfter, CancelProduct, ListProduct, PlaceOrder, SetStatus
from venue.events import StatusChanged, Traded
from venue.orders import TimeInForce
from venue.products import MarketStatus


def sells(count: int, *, price: int = 100, display_size: int | None = None, size: int = 1) -> Iterator[PlaceOrder]:
    for number in range(count):
        yield PlaceOrder(
            order_id=f"maker-{number}",
            account="bob",
            product_id=ACME_USD.id,
            side="sell",
            price=price + number,
            size=size,
            hold=size,
            display_size=display_size,
        )


def buy(size: int, time_in_force: TimeInForce = "GTC") -> PlaceOrder:
    return PlaceOrder(
        order_id="taker",
        account="ann",
        product_id=ACME_USD.id,
        side="buy",
        price=5_000,
        size=size,
        hold=10**9,
        time_in_force=time_in_force,
    )


def status(floor: Floor) -> str:
    """What state the market is in."""
    book = floor.engine.book(ACME_USD.id)
    assert book is not None
    return book.status


def applied(floor: Floor, *commands: AnyCommand) -> Floor:
    """The floor after these commands, of which the naive market told the same."""
    naive = NaiveMarket()
    naive.apply(ListProduct(at=floor.at, product=floor.product))
    for command in commands:
        events = floor.apply(command)
        assert naive.apply(msgspec.structs.replace(command, at=floor.at)) == events
    assert naive.digest() == floor.engine.digest()
    return floor


def test_an_order_meets_so_many_makers_and_what_is_left_of_it_is_cancelled() -> None:
    floor = applied(Floor(), *sells(MAKERS_MAX + 1), buy(MAKERS_MAX + 1))
    assert len(trades(floor.events)) == MAKERS_MAX
    assert done(floor.events)[-1] == ("taker", "canceled", 1)
    assert queue(floor, "sell") == [(f"maker-{MAKERS_MAX}", 1)]
    assert floor.held("ann", "buy") == 0


def test_an_order_that_is_filled_by_the_last_maker_it_may_meet_is_filled() -> None:
    floor = applied(Floor(), *sells(MAKERS_MAX + 1), buy(MAKERS_MAX))
    assert done(floor.events)[-1] == ("taker", "filled", 0)


def test_an_order_rests_behind_the_last_maker_that_it_may_meet() -> None:
    floor = applied(Floor(), *sells(MAKERS_MAX), buy(MAKERS_MAX + 1))
    assert queue(floor, "buy") == [("taker", 1)]


@pytest.mark.parametrize(("more", "is_taken"), [(0, True), (1, False)])
def test_fill_or_kill_needs_no_more_makers_than_it_may_meet(more: int, is_taken: bool) -> None:  # noqa: FBT001
    floor = applied(Floor(), *sells(MAKERS_MAX + more), buy(MAKERS_MAX + more, "FOK"))
    assert len(trades(floor.events)) == (MAKERS_MAX if is_taken else 0)
    assert is_taken or refused(floor.events[-1:]) == "fok"


@pytest.mark.parametrize("time_in_force", ["IOC", "FOK"])
def test_each_slice_of_an_iceberg_counts(time_in_force: TimeInForce) -> None:
    makers = MAKERS_MAX // 100
    floor = applied(Floor(), *sells(makers + 1, size=100, display_size=1), buy(MAKERS_MAX + 1, time_in_force))
    assert len(trades(floor.events)) == (MAKERS_MAX if time_in_force == "IOC" else 0)


def test_stop_orders_wait_in_line_when_those_before_them_have_met_enough_makers() -> None:
    stops = [
        PlaceOrder(
            order_id=f"stop-{number}",
            account="cat",
            product_id=ACME_USD.id,
            side="buy",
            type="limit",
            price=5_000,
            size=600,
            hold=10**9,
            stop="entry",
            stop_price=100,
        )
        for number in range(3)
    ]
    floor = applied(Floor(), *sells(2_000), *stops, buy(1))
    first = len(trades(floor.events))
    assert first == 1 + 600 + 600
    assert floor.engine.due == 0
    floor.expire(floor.at + 1)
    assert len(trades(floor.events)) == first + 600


def test_cancel_all_takes_so_many_and_says_that_there_are_more() -> None:
    floor = applied(Floor(), *sells(3), CancelAll(account="bob", limit=2))
    assert [order_id for order_id, _, _ in done(floor.events)] == ["maker-0", "maker-1"]
    again = CancelAll(account="bob", product_id=ACME_USD.id, limit=2)
    assert floor.engine.leaves_more(again)
    assert kinds(floor.apply(again)) == ["done", "level"]
    assert not floor.engine.leaves_more(again)
    assert floor.apply(CancelAll(account="bob", limit=-1)) == []


def test_whether_a_cancelled_product_has_more_orders_is_told() -> None:
    floor = applied(Floor(), *sells(2), CancelProduct(product_id=ACME_USD.id, limit=1))
    assert floor.engine.leaves_more(CancelProduct(product_id=ACME_USD.id))
    assert not floor.engine.leaves_more(CancelProduct(product_id="NONE"))
    floor.apply(CancelProduct(product_id=ACME_USD.id))
    assert not floor.engine.leaves_more(CancelProduct(product_id=ACME_USD.id))


def test_orders_of_a_halted_market_are_none_that_a_cancel_of_all_could_take() -> None:
    floor = applied(Floor(), *sells(1))
    floor.status("halted")
    assert not floor.engine.leaves_more(CancelAll(account="bob"))


def test_an_uncross_makes_so_many_trades_a_command_and_the_market_is_halted_until_it_is_through() -> None:
    gathering = SetStatus(product_id=ACME_USD.id, status="auction", reference=100)
    bids = [msgspec.structs.replace(buy(1), order_id=f"bid-{number}", price=100) for number in range(MAKERS_MAX + 2)]
    asks = [msgspec.structs.replace(one, price=100) for one in sells(MAKERS_MAX + 1)]
    floor = applied(Floor(), gathering, *bids, *asks, SetStatus(product_id=ACME_USD.id, status="post_only"))
    assert len(trades(floor.events)) == MAKERS_MAX
    assert kinds(floor.events)[-3:] == ["status", "level", "level"]
    assert (status(floor), floor.engine.due) == ("halted", 0)
    assert refused(floor.sell("late", 1, 100)) == "halted"
    assert kinds(floor.expire(floor.at + 1)) == ["match", "done", "done", "status", "level", "level"]
    assert (status(floor), floor.engine.due) == ("post_only", None)
    assert queue(floor, "buy") == [(f"bid-{MAKERS_MAX + 1}", 1)]


@pytest.mark.parametrize(("asked", "volume"), [("halted", 0), ("auction", 0), ("trading", 1)])
def test_an_operator_may_stop_an_uncross_that_is_not_through(asked: MarketStatus, volume: int) -> None:
    floor = Floor()
    floor.status("auction", reference=100)
    with makers_max(2):
        for number in range(3):
            floor.buy(f"bid-{number}", 1, 101)
            floor.sell(f"ask-{number}", 1, 100)
        assert len(trades(floor.status("trading"))) == 2
        events = floor.status(asked)
    assert len(trades(events)) == volume
    assert (status(floor), floor.engine.due) == (asked, None)
    assert trades(floor.expire(floor.at + 1)) == []


def test_markets_share_what_one_command_may_do_and_the_others_follow_at_once() -> None:
    other = msgspec.structs.replace(ACME_USD, id="ZETA-USD")
    floor = Floor()
    floor.apply(ListProduct(product=other))
    for product_id in (ACME_USD.id, other.id):
        floor.apply(SetStatus(product_id=product_id, status="auction", until=50, reference=100))
        for number in range(2):
            floor.buy(f"{product_id}-bid-{number}", 1, 100, product_id=product_id)
            floor.sell(f"{product_id}-ask-{number}", 1, 100, product_id=product_id)
    with makers_max(2):
        assert {event.product_id for event in floor.expire(50) if isinstance(event, Traded)} == {ACME_USD.id}
        assert floor.engine.due == 50
        assert {event.product_id for event in floor.expire(51) if isinstance(event, Traded)} == {other.id}
        assert floor.engine.due is None


def test_an_uncross_may_begin_in_a_halt_that_has_an_end() -> None:
    floor = Floor()
    floor.status("auction", reference=100)
    for number in range(2):
        floor.buy(f"bid-{number}", 1, 100)
        floor.sell(f"ask-{number}", 1, 100)
    floor.status("halted", until=1_000)
    with makers_max(1):
        assert [event.until for event in floor.status("trading") if isinstance(event, StatusChanged)] == [None]
        assert (status(floor), floor.engine.due) == ("halted", 0)
    floor.expire(floor.at + 1)
    assert status(floor) == "trading"


@pytest.mark.parametrize(("makers", "markets"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_one_expire_opens_so_many_markets_as_have_met_too_few_makers_before(makers: int, markets: int) -> None:
    floor = Floor()
    names = [ACME_USD.id, "BETA-USD", "ZETA-USD"]
    for name in names:
        floor.apply(ListProduct(product=msgspec.structs.replace(ACME_USD, id=name)))
        floor.apply(SetStatus(product_id=name, status="auction", until=50, reference=100))
        for number in range(2):
            floor.buy(f"{name}-bid-{number}", 1, 100, product_id=name)
            floor.sell(f"{name}-ask-{number}", 1, 100, product_id=name)
    with makers_max(makers):
        told = {event.product_id for event in floor.expire(50) if isinstance(event, Traded)}
    assert told == set(names[:markets])


def test_expired_orders_and_fallen_switches_have_one_bound() -> None:
    floor = Floor()
    for number in range(2):
        floor.buy(f"timed-{number}", 1, 100, account="cat", time_in_force="GTT", expire_at=1_000)
    accounts = [f"account-{number:04}" for number in range(EXPIRED_MAX)]
    for account in accounts:
        floor.apply(CancelAllAfter(account=account, timeout=2_000))
    # Two orders, and of the switches, which have no orders and count one each, so many less.
    events = floor.expire(10_000)
    assert kinds(events).count("switch") == EXPIRED_MAX - 2
    assert kinds(floor.expire(10_000)).count("switch") == 2


def test_a_fallen_switch_counts_itself_and_its_orders() -> None:
    floor = Floor()
    for number in range(EXPIRED_MAX - 2):
        floor.buy(f"a-{number}", 1, 100, account="ann")
    for account in ("ann", "bob", "cat"):
        floor.apply(CancelAllAfter(account=account, timeout=5_000 + len(account)))
    # 998 orders and a switch, then another switch: a thousand.
    assert kinds(floor.expire(100_000)).count("switch") == 2
    assert kinds(floor.expire(100_000)).count("switch") == 1
