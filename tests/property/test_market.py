"""Whatever traders do, in whatever order: what must hold of a market holds after every command."""

from collections.abc import Iterator

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.core import reasons
from matcher.core.engine import Engine
from tests.property.lives import ACCOUNTS, PRODUCT, Step, Traders, lives, needed
from tests.property.naive import NaiveBook
from tests.property.witness import Witness
from venue import wire
from venue.commands import AnyCommand, CancelAll, CancelOrder, Deposit, ListProduct, PlaceOrder
from venue.events import AnyEvent, OrderRefused, Traded

market = settings(max_examples=200, deadline=None)


def commands_of(life: list[Step]) -> Iterator[AnyCommand]:
    """The market opens, then its traders' commands follow."""
    traders = Traders()
    yield ListProduct(product=PRODUCT)
    for step in life:
        command = traders.command(step)
        if command is not None:
            yield command


@market
@given(lives, st.integers(0, 20_000), st.integers(0, 1_000))
def test_books_wallets_holds_and_sequences_stay_right_after_every_command(
    life: list[Step], dollars: int, shares: int
) -> None:
    engine = Engine()
    witness = Witness(engine)
    for account in ACCOUNTS:
        for asset, amount in (("USD", dollars), ("ACME", shares)):
            deposit = Deposit(transfer_id=f"{account}-{asset}", account=account, asset=asset, amount=amount)
            events = engine.apply(deposit)
            witness.see(events)
    total = witness.total()
    assert not any(total.values()), "what users have is what the world is short of"
    for command in commands_of(life):
        if isinstance(command, PlaceOrder):
            known = engine.order(command.order_id) is not None
            if not known and not witness.take_hold(command):
                continue
        events = engine.apply(command)
        witness.see(events)
        witness.check()
        assert not any(witness.total().values())


@market
@given(lives)
def test_a_replay_gives_the_same_events_and_the_same_digest(life: list[Step]) -> None:
    first, second = Engine(), Engine()
    commands = list(commands_of(life))
    told = [first.apply(command) for command in commands]
    # The replay reads its commands from a journal.
    again = [second.apply(command) for command in wire.COMMANDS.decode(wire.encode(commands))]
    assert again == told
    assert second.digest() == first.digest()


@market
@given(lives)
def test_every_event_survives_the_wire(life: list[Step]) -> None:
    engine = Engine()
    events: list[AnyEvent] = []
    for command in commands_of(life):
        events += engine.apply(command)
    assert wire.EVENTS.decode(wire.encode(events)) == events


@market
@given(lives)
def test_a_repeated_order_changes_nothing(life: list[Step]) -> None:
    engine = Engine()
    commands = list(commands_of(life))
    for command in commands:
        engine.apply(command)
    digest = engine.digest()
    for command in commands:
        if isinstance(command, PlaceOrder):
            assert engine.apply(command) == []
    assert engine.digest() == digest


@market
@given(lives)
def test_the_engine_agrees_with_a_naive_book(life: list[Step]) -> None:
    engine = Engine()
    naive = NaiveBook()
    seen: set[str] = set()
    for command in commands_of(life):
        events = engine.apply(command)
        match command:
            case PlaceOrder() if command.order_id not in seen:
                seen.add(command.order_id)
                agree_on(command, events, naive)
            case CancelOrder():
                naive.cancel(command.order_id, command.account)
            case CancelAll() if command.product_id in (None, PRODUCT.id):
                naive.cancel_all(command.account)
        assert engine.resting(PRODUCT.id, 1_000) == (naive.side("buy"), naive.side("sell"))


def agree_on(order: PlaceOrder, events: list[AnyEvent], naive: NaiveBook) -> None:
    """The naive book trades as the engine did, and the engine refused only what there is a reason to refuse."""
    refusal = next((event for event in events if isinstance(event, OrderRefused)), None)
    if refusal is not None and refusal.reason not in {reasons.POST_ONLY, reasons.FOK}:
        assert not well_formed(order), refusal.reason
        return
    assert well_formed(order)
    trades = [(event.maker_order_id, event.price, event.size) for event in events if isinstance(event, Traded)]
    assert naive.place(order) == (None if refusal else trades)


def well_formed(order: PlaceOrder) -> bool:
    """The rules once more, as one sentence each."""
    in_time = order.deadline is None or order.at <= order.deadline
    priced = order.price is None or 1 <= order.price <= PRODUCT.price_max
    sized = order.size is not None and 1 <= order.size <= PRODUCT.size_max
    held = order.hold >= needed(order)
    if order.type == "limit":
        may_wait = not order.post_only or order.time_in_force == "GTC"
        return in_time and priced and order.price is not None and sized and order.funds is None and held and may_wait
    if order.post_only or not (in_time and priced and held):
        return False
    if order.funds is None:
        return sized and (order.side == "sell" or order.price is not None)
    return order.side == "buy" and order.size is None and order.funds > 0 and order.time_in_force != "FOK"


@given(st.binary(max_size=200))
def test_no_bytes_make_the_decoder_do_anything_but_refuse(body: bytes) -> None:
    try:
        command = wire.COMMAND.decode(body)
    except msgspec.DecodeError:
        return
    assert isinstance(command, PlaceOrder | CancelOrder | CancelAll | Deposit | ListProduct)
