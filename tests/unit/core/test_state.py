"""The saved state: compact, versioned, and enough to go on."""

import gc
import sys
from pathlib import Path
from typing import Final

import msgspec
import pytest

from matcher.core import state
from matcher.core.engine import Engine
from matcher.core.working import WorkingOrder
from tests.naive.bounds import makers_max
from tests.unit.core.floor import Floor, kinds, refused, trades
from venue.commands import Deposit, ListProduct, PlaceOrder
from venue.money import UNITS_MAX

# What `everything` was saved as, by the program of each version.
SAVED: Final = Path(__file__).parent / "saved"


def everything() -> Floor:
    """A market with one of all that a state can hold."""
    floor = Floor(done_max=3)
    floor.apply(Deposit(transfer_id="t", account="ann", asset="USD", amount=5))
    for name in ("gone", "known"):
        floor.buy(name, 1, 100)
        floor.cancel(name, "ann")
    floor.sell("ice", 10, 101, display_size=3)
    floor.sell("behind", 2, 101, account="cat", maker_bps=-3)
    floor.buy("taker", 4, 101, taker_bps=7)
    floor.buy("stop", 1, 120, stop="entry", stop_price=110)
    floor.sell("loss", 1, 90, stop="loss", stop_price=80, time_in_force="GTT", expire_at=10**6)
    floor.amend("behind", "cat", size=3, hold=1)
    floor.buy("refused", 0, 100)
    floor.status("auction", reference=99, until=10**7)
    floor.buy("crossed", 1, 102)
    floor.expire(floor.at + 5)
    return floor


def test_a_restored_engine_is_the_same_and_goes_on_the_same() -> None:
    floor = everything()
    restored = Engine.restore(floor.engine.save(), done_max=3)
    assert restored.digest() == floor.engine.digest()
    assert restored.due == floor.engine.due == 10**6
    assert dict(restored.products) == dict(floor.engine.products)
    for name in ("known", "ice", "taker", "stop", "loss", "refused", "crossed", "gone", "never"):
        assert restored.order(name) == floor.engine.order(name)
        assert restored.fills(name) == floor.engine.fills(name)
    assert restored.order("gone") is None
    floor.engine = restored
    assert trades(floor.status("trading")) == [("ice", 1, 101)]
    assert floor.buy("gone", 1, 100) == []
    assert kinds(floor.sell("new", 1, 90)) != []


def test_what_this_version_and_the_one_before_have_saved_is_read_and_goes_on() -> None:
    """Whoever raises VERSION keeps a reader of the old one, and adds what `everything` saves then to the files here.

    A deployment that cannot read the checkpoints that it finds would replay the journal from its first row.
    """
    saved = {int(file.stem): file for file in SAVED.glob("*.state")}
    wanted = {state.VERSION, max(1, state.VERSION - 1)}
    assert wanted <= set(saved)
    assert wanted <= state.VERSIONS
    for version in wanted:
        floor = everything()
        placed = floor.engine
        floor.engine = Engine.restore(saved[version].read_bytes(), done_max=3)
        for name in ("known", "ice", "taker", "stop", "loss", "refused", "crossed", "gone", "never"):
            assert floor.engine.order(name) == placed.order(name)
            assert floor.engine.fills(name) == placed.fills(name)
        assert floor.engine.due == 10**6
        assert trades(floor.status("trading")) == [("ice", 1, 101)]
        assert floor.buy("gone", 1, 100) == []
    assert Engine.restore(saved[state.VERSION].read_bytes(), done_max=3).digest() == everything().engine.digest()


def test_an_uncross_that_is_not_through_is_saved_without_names_and_goes_on() -> None:
    floor = Floor()
    floor.status("auction", reference=100)
    for number in range(2):
        floor.buy(f"bid-{number}", 1, 100)
        floor.sell(f"ask-{number}", 1, 100)
    with makers_max(1):
        floor.status("trading")
    saved = floor.engine.save()
    # The book's last column. A program that looked for names would not read what those before it have saved.
    assert msgspec.msgpack.decode(saved)[4][0][-1] == [100, "trading", None, "command"]
    floor.engine = Engine.restore(saved)
    assert trades(floor.expire(floor.at + 1)) == [("bid-1", 1, 100)]


def test_a_state_is_compact() -> None:
    floor = Floor()
    for number in range(1_000):
        floor.buy(f"00000000-0000-0000-0000-{number:012d}", 1, 100 + number % 50)
    assert len(floor.engine.save()) < 220 * 1_000


def test_numbers_that_need_more_than_64_bits_are_saved() -> None:
    floor = Floor()
    floor.buy("b", 1, 100, hold=10**40)
    floor.sell("s", 10**30, 10**30, deadline=10**30, maker_bps=10**30, expire_at=10**30)
    (order,) = [one for one in floor.engine.state().orders if one.reject_reason == "too_large"]
    assert order.hold == 0
    large = Floor(msgspec.structs.replace(floor.product, id="LARGE-USD", price_max=10**12))
    for number in range(3):
        large.sell(f"s{number}", 10**6, 9 * 10**12)
        large.sell(f"t{number}", 10**6, 9 * 10**11, taker_bps=10_000, maker_bps=10_000)
        large.buy(f"b{number}", 10**6, 9 * 10**11)
    assert max(int(one.weighted) for one in large.engine.state().orders) > UNITS_MAX
    for floor_ in (floor, large):
        assert Engine.restore(floor_.engine.save()).digest() == floor_.engine.digest()


def test_a_deadline_that_fits_no_63_bits_is_refused_and_hinders_no_saving() -> None:
    floor = Floor()
    assert kinds(floor.buy("a", 1, 100, deadline=UNITS_MAX)) == ["received", "open", "level"]
    assert refused(floor.buy("b", 1, 100, deadline=UNITS_MAX + 1)) == "deadline"
    assert Engine.restore(floor.engine.save()).digest() == floor.engine.digest()


def test_another_version_and_other_bytes_are_not_read() -> None:
    saved = Floor().engine.state()
    with pytest.raises(ValueError, match="version 99"):
        Engine.restore(state.encode(msgspec.structs.replace(saved, version=99)))
    with pytest.raises(ValueError, match="not a saved state"):
        Engine.restore(b"nonsense")


def test_a_state_without_a_later_column_is_read_with_its_default() -> None:
    floor = Floor()
    floor.buy("b", 1, 100)
    saved = floor.engine.state()
    assert saved.order_columns[-1] == "display_size"
    (order,) = saved.orders
    older = msgspec.structs.replace(
        saved,
        order_columns=saved.order_columns[:-1],
        orders=[msgspec.structs.replace(order, command=order.command[:-1])],
    )
    assert Engine.restore(state.encode(older)).digest() == floor.engine.digest()


def test_every_field_of_an_order_is_saved() -> None:
    assert set(state.ORDER_COLUMNS) == set(PlaceOrder.__struct_fields__)
    # What is not saved follows from the rest: the account's books, the place in the level's list, the rounded fees.
    derived = {"trader", "buy", "fees", "lot", "next", "previous"}
    saved = set(state.SavedOrder.__struct_fields__)
    # How an order ended is told only when it has.
    assert derived | (saved - {"done_reason"}) | {"ended"} == set(WorkingOrder.__struct_fields__)


def test_nothing_outlives_an_engine_that_is_dropped() -> None:
    commands = [
        PlaceOrder(order_id=f"o{number}", account="ann", product_id="ACME-USD", side="buy", price=price, size=1, hold=9)
        for number, price in enumerate((5, 5, 5, 6))
    ]
    before = _counts(commands)
    engine = Engine()
    engine.apply(ListProduct(product=Floor().product))
    assert [len(engine.apply(command)) for command in commands] == [1] * 4
    assert _counts(commands) == [count + 1 for count in before]
    del engine
    gc.collect()
    assert _counts(commands) == before


def _counts(commands: list[PlaceOrder]) -> list[int]:
    """How often each is held."""
    return [sys.getrefcount(command) for command in commands]
