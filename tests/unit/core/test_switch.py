"""The dead-man switch: set anew again and again, it stays up; left alone, the account's orders end."""

from matcher.core.engine import Engine
from matcher.core.withdrawals import EXPIRED_MAX
from tests.unit.core.floor import Floor, done
from venue.commands import CancelAllAfter
from venue.events import AnyEvent, SwitchChanged
from venue.money import UNITS_MAX


def switch(floor: Floor, timeout: int, account: str = "ann") -> list[AnyEvent]:
    return floor.apply(CancelAllAfter(account=account, timeout=timeout))


def told(events: list[AnyEvent]) -> list[tuple[str, int | None, bool]]:
    return [(event.account, event.deadline, event.fell) for event in events if isinstance(event, SwitchChanged)]


def test_it_falls_at_its_deadline_and_takes_the_accounts_orders_along_and_no_others() -> None:
    floor = Floor()
    for name in ("a", "b"):
        floor.buy(name, 1, 100)
    floor.sell("s", 1, 120)
    armed_at = floor.at + 1
    assert told(switch(floor, 50)) == [("ann", armed_at + 50, False)]
    assert floor.engine.due == armed_at + 50
    assert floor.expire(armed_at + 49) == []
    events = floor.expire(armed_at + 50)
    assert done(events) == [("a", "canceled", 1), ("b", "canceled", 1)]
    assert told(events) == [("ann", None, True)]
    assert floor.held("ann", "buy") == 0
    assert floor.expire(10_000) == []
    assert floor.order("s").status == "open"


def test_each_time_it_is_set_the_old_deadline_is_forgotten() -> None:
    floor = Floor()
    floor.buy("a", 1, 100)
    switch(floor, 50)
    floor.at = 40
    assert told(switch(floor, 50)) == [("ann", 91, False)]
    assert floor.expire(60) == []
    assert floor.engine.due == 91
    assert done(floor.expire(91)) == [("a", "canceled", 1)]


def test_it_can_be_set_to_fall_earlier() -> None:
    floor = Floor()
    switch(floor, 500)
    switch(floor, 5)
    assert floor.engine.due == floor.at + 5


def test_taken_back_it_does_nothing() -> None:
    floor = Floor()
    floor.buy("a", 1, 100)
    switch(floor, 50)
    assert told(switch(floor, 0)) == [("ann", None, False)]
    assert (floor.engine.due, floor.expire(60)) == (None, [])


def test_there_is_nothing_to_take_back_where_none_is_set_and_nothing_changes() -> None:
    floor = Floor()
    before = floor.engine.digest()
    assert switch(floor, 0, "stranger") == []
    assert switch(floor, -5, "stranger") == []
    assert floor.engine.digest() == before


def test_it_falls_for_an_account_without_orders_too_and_once() -> None:
    floor = Floor()
    switch(floor, 5, "stranger")
    assert told(floor.expire(50)) == [("stranger", None, True)]
    assert floor.expire(51) == []


def test_it_falls_in_a_halted_market_as_orders_expire_there() -> None:
    floor = Floor()
    floor.buy("a", 1, 100)
    switch(floor, 50)
    floor.status("halted")
    assert done(floor.expire(60)) == [("a", "canceled", 1)]


def test_it_takes_stop_orders_along() -> None:
    floor = Floor()
    floor.buy("a", 1, 100, stop="entry", stop_price=110)
    switch(floor, 50)
    assert done(floor.expire(60)) == [("a", "canceled", 1)]
    assert floor.held("ann", "buy") == 0


def test_one_expire_has_a_bound_and_the_next_goes_on() -> None:
    floor = Floor()
    for number in range(EXPIRED_MAX - 1):
        floor.buy(f"a{number}", 1, 100)
    floor.buy("timed", 1, 100, account="cat", time_in_force="GTT", expire_at=10_000)
    floor.buy("other", 1, 100, account="dan")
    switch(floor, 5_000)
    floor.at += 1
    switch(floor, 5_000, "dan")
    first = floor.expire(10_000)
    assert len(done(first)) == EXPIRED_MAX
    assert told(first) == [("ann", None, True)]
    assert floor.engine.due is not None
    assert floor.engine.due <= 10_000
    second = floor.expire(10_001)
    assert (done(second), told(second)) == ([("other", "canceled", 1)], [("dan", None, True)])


def test_accounts_whose_time_comes_together_fall_in_the_order_of_their_deadlines() -> None:
    floor = Floor()
    for account, timeout in (("zoe", 30), ("bob", 30), ("ann", 40)):
        switch(floor, timeout, account)
    assert [account for account, _, _ in told(floor.expire(100))] == ["zoe", "bob", "ann"]


def test_a_deadline_has_63_bits() -> None:
    floor = Floor()
    assert told(switch(floor, UNITS_MAX)) == [("ann", UNITS_MAX, False)]


def test_it_is_saved_with_the_state() -> None:
    floor = Floor()
    floor.buy("a", 1, 100)
    switch(floor, 50)
    saved = Engine.restore(floor.engine.save())
    assert saved.digest() == floor.engine.digest()
    assert saved.due == floor.engine.due
    floor.engine = saved
    assert done(floor.expire(60)) == [("a", "canceled", 1)]


def test_setting_it_again_and_again_leaves_nothing_behind() -> None:
    floor = Floor()
    for number in range(200):
        switch(floor, 1_000_000, f"left{number}")
    for number in range(200):
        switch(floor, 0, f"left{number}")
    remembered = []
    for number in range(1_000):
        switch(floor, 1_000_000, f"account{number % 100}")
        remembered.append(len(floor.engine._register.switches._line))
    assert max(remembered) < 3 * 100
