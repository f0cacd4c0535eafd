"""The flow keeps each order's own order, whatever the clients do."""

import random
from collections import Counter
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.demo.flow import Message, Schedule, account_number, client_oid, read

RUN = UUID("7d7b1c2e-0000-4000-8000-000000000001")


def messages_about(order_ids: list[int]) -> list[Message]:
    return [Message(kind="cancel", seq=place, order_id=order_id) for place, order_id in enumerate(order_ids)]


def test_the_recording_is_two_thousand_messages_of_a_market_in_ticks_and_lots() -> None:
    messages = read()
    assert len(messages) == 2000
    assert Counter(message.kind for message in messages) == {"new": 1015, "cancel": 819, "modify": 166}
    assert messages[0] == Message(kind="new", seq=0, order_id=814347, side="sell", ioc=False, quantity=88, price=33721)
    assert messages[1] == Message(kind="cancel", seq=1, order_id=814347)
    assert sum(message.ioc for message in messages) == 164


def test_a_shorter_run_takes_the_first_messages() -> None:
    assert read(limit=30) == read()[:30]


def test_an_order_belongs_to_one_account_and_all_accounts_have_orders() -> None:
    owners = {message.order_id: account_number(message.order_id, 8) for message in read()}
    assert owners[814347] == account_number(814347, 8)
    shares = Counter(owners.values())
    assert set(shares) == set(range(8))
    assert max(shares.values()) < 2 * min(shares.values())


def test_orders_are_named_anew_in_every_run_and_after_every_modify() -> None:
    names = {client_oid(run, 5, version) for run in (RUN, uuid4()) for version in (0, 1)}
    assert len(names) == 4
    assert client_oid(RUN, 5, 0) == client_oid(RUN, 5, 0)


@given(
    order_ids=st.lists(st.integers(0, 5), max_size=60),
    clients=st.integers(1, 9),
    window=st.integers(1, 20),
    seed=st.integers(0, 2**16),
)
def test_no_order_overtakes_itself_and_nobody_leaves_the_window(
    order_ids: list[int], clients: int, window: int, seed: int
) -> None:
    """Clients take and finish in any interleaving that chance picks."""
    chance = random.Random(seed)  # noqa: S311
    messages = messages_about(order_ids)
    schedule, out, taken = Schedule(messages, window=window), dict[int, Message](), list[int]()
    while not schedule.finished:
        task = schedule.take() if len(out) < clients else None
        if task is not None:
            place, message = task
            assert message.order_id not in {other.order_id for other in out.values()}
            unfinished = set(range(len(messages))) - (set(taken) - out.keys())
            assert place < min(unfinished) + window
            out[place] = message
            taken.append(place)
        else:
            assert out, "nothing is out, and nothing may leave: the flow would hang"
        if out and (task is None or chance.random() < 0.5):
            place = chance.choice(sorted(out))
            del out[place]
            schedule.done(place)
    assert sorted(taken) == list(range(len(messages)))
    for order_id in set(order_ids):
        places = [place for place in taken if messages[place].order_id == order_id]
        assert places == sorted(places)


def test_one_client_sends_the_flow_exactly_as_it_was_recorded() -> None:
    messages = read(limit=200)
    schedule, places = Schedule(messages, window=1), list[int]()
    while (task := schedule.take()) is not None:
        places.append(task[0])
        schedule.done(task[0])
    assert places == list(range(200))
    assert schedule.finished


def test_a_window_that_lets_nothing_through_is_refused() -> None:
    with pytest.raises(ValueError, match="window"):
        Schedule([], window=0)
