"""Whatever traders and operators do, in whatever order: what must hold of a market holds after every command."""

from collections import Counter
from random import Random
from typing import get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.core import reasons
from matcher.core.engine import Engine
from matcher.core.trade import MAKERS_MAX
from tests.campaigns.differential import MAKERS_FEW, commands_of, failure_of, makers_of, play, shortest
from tests.naive.flow import REGIMES, Flow, Regime
from venue import wire
from venue.commands import AmendOrder, AnyCommand, Command, Deposit, PlaceOrder
from venue.events import AnyEvent

market = settings(max_examples=150, deadline=None)


def _life(rng: Random, regime: Regime, count: int) -> list[AnyCommand]:
    return list(Flow(rng, regime).commands(count))


# Short ones for a failure that needs no more, and long enough ones for a book to fill and empty again.
counts = st.one_of(st.integers(0, 12), st.integers(40, 120))
lives = st.builds(_life, st.randoms(use_true_random=False), st.sampled_from(REGIMES), counts)


@market
@given(lives, st.sampled_from([MAKERS_FEW, MAKERS_MAX]))
def test_the_engine_agrees_with_a_naive_market_and_with_a_witness(life: list[AnyCommand], makers: int) -> None:
    play(life, makers=makers)


def test_a_thousand_seeded_runs_agree_and_meet_every_kind_of_command_event_and_refusal() -> None:
    told: Counter[str] = Counter()
    asked: set[type[AnyCommand]] = set()
    refused: set[str] = set()
    for seed in range(1_000):
        commands = commands_of(seed)
        asked |= {type(command) for command in commands}
        play(commands, told, makers=makers_of(seed))
        engine = Engine()
        refused |= {getattr(event, "reason", "") for command in commands for event in engine.apply(command)}
    assert told.keys() == {kind.__name__ for kind in get_args(AnyEvent)}
    assert asked == set(Command.__subclasses__())
    # Those numbers no flow of small ones has.
    assert reasons.MEANING.keys() - refused <= {reasons.TOO_LARGE, reasons.UNBOUNDED}


@market
@given(lives)
def test_a_replay_gives_the_same_events_and_the_same_digest(life: list[AnyCommand]) -> None:
    first, second = Engine(), Engine()
    told = [first.apply(command) for command in life]
    # The replay reads its commands from a journal.
    again = [second.apply(command) for command in wire.COMMANDS.decode(wire.encode(life))]
    assert again == told
    assert second.digest() == first.digest()


@market
@given(lives, st.integers(0, 120))
def test_a_saved_and_restored_engine_goes_on_as_if_nothing_had_been(life: list[AnyCommand], when: int) -> None:
    through, engine = Engine(done_max=9), Engine(done_max=9)
    for number, command in enumerate(life):
        if number == when:
            engine = Engine.restore(engine.save(), done_max=9)
            assert engine.digest() == through.digest()
            assert engine.due == through.due
        assert engine.apply(command) == through.apply(command)
    assert engine.digest() == through.digest()


@market
@given(lives)
def test_every_event_survives_the_wire(life: list[AnyCommand]) -> None:
    engine = Engine()
    events: list[AnyEvent] = []
    for command in life:
        events += engine.apply(command)
    assert wire.EVENTS.decode(wire.encode(events)) == events


@market
@given(lives)
def test_a_repeated_id_changes_nothing(life: list[AnyCommand]) -> None:
    engine = Engine()
    for command in life:
        engine.apply(command)
    digest = engine.digest()
    deposited = {command.transfer_id for command in life if isinstance(command, Deposit) and command.amount}
    for command in life:
        if isinstance(command, PlaceOrder | AmendOrder):
            assert engine.apply(command) == []
        if isinstance(command, Deposit) and command.transfer_id in deposited:
            assert engine.apply(command) == []
    assert engine.digest() == digest


def test_a_failing_run_is_cut_down_to_what_makes_it_fail() -> None:
    # Listing a product without a shard of its own is no command at all: nothing knows what to do with it.
    bad = msgspec.structs.replace(commands_of(1)[0], product=None)
    commands = [*commands_of(1)[:30], bad, *commands_of(1)[30:60]]
    assert failure_of(commands) is not None
    assert shortest(commands) == [bad]


@given(st.binary(max_size=200))
def test_no_bytes_make_the_decoder_do_anything_but_refuse(body: bytes) -> None:
    try:
        command = wire.COMMAND.decode(body)
    except msgspec.DecodeError:
        return
    assert isinstance(command, Command)
