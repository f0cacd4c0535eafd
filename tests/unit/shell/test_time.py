"""Time in the sequencer: what is due is done before any command of that time, and in quiet times when it is asked."""

import asyncio

from msgspec.structs import replace

from tests.unit.shell.test_sequencer import PRODUCT, Bench, order, running, settle
from venue import wire
from venue.commands import AnyCommand, Expire, PlaceOrder, SetStatus
from venue.events import AuctionIndicated, OrderDone, StatusChanged, Traded


def lasting(number: int, *, until: int) -> PlaceOrder:
    return replace(order(number), time_in_force="GTT", expire_at=until)


def meeting(number: int) -> PlaceOrder:
    """An order that trades with any of the others."""
    return replace(order(number, account="bob"), side="sell", price=1, size=1, hold=1)


def told(bench: Bench) -> list[object]:
    return [event for entry in bench.journal.entries for event in wire.EVENTS.decode(entry.events)]


def kinds(bench: Bench) -> list[type[AnyCommand]]:
    return [type(command) for commands in bench.journal.commands() for command in commands]


async def test_an_order_does_not_trade_at_its_expiry_even_if_nobody_has_looked_at_the_clock() -> None:
    async with running() as bench:
        await bench.sequencer.submit(lasting(1, until=5000))
        bench.clock.now = 5000
        outcome = wire.OUTCOME.decode(await bench.sequencer.submit(meeting(2)))
        assert (outcome.orders[0].status, outcome.fills) == ("open", [])
        ended = [event for event in told(bench) if isinstance(event, OrderDone)]
        assert [(event.order_id, event.reason, event.at) for event in ended] == [(order(1).order_id, "expired", 5000)]
        assert bench.journal.commands()[-1] == [Expire(at=5000), replace(meeting(2), at=5000)]


async def test_an_order_trades_up_to_its_expiry() -> None:
    async with running() as bench:
        await bench.sequencer.submit(lasting(1, until=5000))
        bench.clock.now = 4999
        await bench.sequencer.submit(meeting(2))
        assert any(isinstance(event, Traded) for event in told(bench))
        assert Expire not in kinds(bench)


async def test_it_expires_in_quiet_times_too_and_once() -> None:
    async with running() as bench:
        await bench.sequencer.submit(lasting(1, until=5000))
        for now in (4999, 5000, 5001):
            bench.clock.now = now
            bench.sequencer.pass_time()
            await settle()
        assert kinds(bench).count(Expire) == 1
        last = bench.engine.order(order(1).order_id)
        assert last is not None
        assert (last.status, last.done_reason, last.hold) == ("done", "expired", 0)
        assert bench.journal.entries[-1].orders == [last]


async def test_what_is_due_waits_for_room_and_the_command_waits_for_it() -> None:
    async with running() as bench:
        count = 3000
        for number in range(1, count + 1):
            # Each at a level of its own: two events, so that all of them are more than one batch takes.
            await bench.sequencer.submit(replace(lasting(number, until=5000), price=number, hold=10**10))
        before = len(bench.journal.entries)
        bench.clock.now = 5000
        bench.journal.gate.clear()
        late = bench.sequencer.submit(meeting(count + 1))
        await settle()
        bench.journal.gate.set()
        assert wire.OUTCOME.decode(await late).fills == []
        entries = bench.journal.entries[before:]
        ended = [event for entry in entries for event in wire.EVENTS.decode(entry.events) if type(event) is OrderDone]
        assert len(ended) == count
        commands = [command for entry in entries for command in wire.COMMANDS.decode(entry.commands)]
        assert commands == [Expire(at=5000)] * 3 + [replace(meeting(count + 1), at=5000)]
        assert len(entries) == 2


async def test_an_auction_ends_in_time_before_the_next_order_and_tells_how_it_stands_until_then() -> None:
    async with running() as bench:
        await bench.sequencer.submit(SetStatus(product_id=PRODUCT.id, status="auction", until=5000))
        await bench.sequencer.submit(order(1))
        await bench.sequencer.submit(meeting(2))
        bench.clock.now = 2000
        bench.sequencer.pass_time()
        await settle()
        assert not any(isinstance(event, AuctionIndicated) for event in told(bench))
        bench.sequencer.pass_time(auctions=True)
        bench.sequencer.pass_time(auctions=True)
        await settle()
        indicated = [event for event in told(bench) if isinstance(event, AuctionIndicated)]
        assert [(event.price, event.volume, event.surplus) for event in indicated] == [(1, 1, 0)]
        bench.clock.now = 6000
        await bench.sequencer.submit(order(3))
        states = [(event.status, event.reason) for event in told(bench) if isinstance(event, StatusChanged)]
        assert states == [("auction", "command"), ("trading", "time")]
        assert [event.size for event in told(bench) if isinstance(event, Traded)] == [1]
        assert kinds(bench)[-2:] == [Expire, PlaceOrder]


async def test_a_sequencer_that_is_over_lets_no_time_pass() -> None:
    async with running() as bench:
        await bench.sequencer.submit(lasting(1, until=5000))
        await bench.sequencer.drain()
        bench.clock.now = 6000
        bench.sequencer.pass_time(auctions=True)
        await asyncio.sleep(0)
        assert Expire not in kinds(bench)
