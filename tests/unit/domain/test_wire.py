"""One encoding for every hop: what is written is what is read."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from venue import wire
from venue.commands import AnyCommand, CancelAll, CancelOrder, Deposit, ListProduct, PlaceOrder
from venue.events import AnyEvent, CancelRefused, DepositRefused, ListingRefused, ProductListed
from venue.ledger import Posting
from venue.products import Asset, Product
from venue.wire import Batch, Outcome, TapeRecord, WalletChanged

PRODUCT = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme", scale=0),
    quote=Asset(id="USD", name="US dollar", scale=8),
    tick_units=500_000,
    lot_units=1,
)
PLACE = PlaceOrder(at=1, order_id="o", account="a", product_id="ACME-USD", side="buy", price=1, size=2, hold=1_000_000)
COMMANDS: list[AnyCommand] = [
    PLACE,
    PlaceOrder(order_id="o", account="a", product_id="P", side="buy", type="market", funds=5, hold=5, deadline=9),
    CancelOrder(order_id="o", account="a"),
    CancelAll(account="a"),
    Deposit(transfer_id="t", account="a", asset="USD", amount=2**63 - 1),
    ListProduct(product=PRODUCT),
]
EVENTS: list[AnyEvent] = [
    ProductListed(at=1, product=PRODUCT),
    CancelRefused(at=1, account_sequence=1, order_id="o", account="a", reason="not_found"),
    DepositRefused(at=1, account_sequence=1, transfer_id="t", account="a", asset="USD", reason="bad_amount"),
    ListingRefused(at=1, product_id="P", reason="wrong_shard"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_command_is_read_as_it_was_written(command: AnyCommand) -> None:
    assert wire.COMMAND.decode(wire.encode(command)) == command


def test_a_list_of_commands_is_read_as_it_was_written() -> None:
    assert wire.COMMANDS.decode(wire.encode(COMMANDS)) == COMMANDS


def test_a_batch_is_read_as_it_was_written() -> None:
    batch = Batch(shard=0, sequence=7, at=1, events=EVENTS, postings=[Posting("a", "USD", "deposit", 1, -1)])
    assert wire.batches(wire.encode(batch)) == [batch]


def test_a_tape_record_is_read_as_it_was_written() -> None:
    wallet = WalletChanged(account="a", asset="USD", free=1, held=2, shard=0, sequence=7, at=1)
    record = TapeRecord(shard=0, batch=7, part=0, at=1, product=PRODUCT, events=EVENTS, wallets=[wallet])
    assert wire.records(wire.encode(record)) == [record]
    assert wire.records(wire.array([wire.encode(record)] * 2)) == [record, record]


def test_an_outcome_is_read_as_it_was_written() -> None:
    outcome = Outcome(refused="post_only")
    assert wire.OUTCOME.decode(wire.encode(outcome)) == outcome


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"kind":"drop"}',
        b'{"kind":"cancel","account":"a"}',
        b'{"kind":"cancel","order_id":7,"account":"a"}',
        wire.encode(PLACE).replace(b'"size":2', b'"size":2.5'),
        wire.encode(PLACE).replace(b'"size":2', b'"size":"2"'),
        wire.encode(PLACE).replace(b'"size":2', b'"size":true'),
        wire.encode(PLACE).replace(b'"size":2', b'"size":NaN'),
        wire.encode(PLACE).replace(b'"buy"', b'"BUY"'),
        wire.encode(PLACE)[:-1],
    ],
)
def test_what_is_not_a_command_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        wire.COMMAND.decode(body)


def test_a_message_is_one_batch_or_a_run_of_them() -> None:
    first = Batch(shard=0, sequence=1, at=5, events=[], postings=[])
    second = Batch(shard=0, sequence=2, at=6, events=None, postings=None)
    assert wire.batches(wire.encode(first)) == [first]
    assert wire.batches(wire.array([wire.encode(first), wire.encode(second)])) == [first, second]


@given(sizes=st.lists(st.integers(1, 12), max_size=30), most=st.integers(1, 40))
def test_runs_keep_the_order_and_are_as_long_as_they_may_be(sizes: list[int], most: int) -> None:
    pieces = [b"x" * size for size in sizes]
    runs = list(wire.runs(pieces, bytes_max=most))
    assert [piece for run in runs for piece in run] == pieces
    assert all(len(b",".join(run)) <= most or len(run) == 1 for run in runs)
    for run, following in pairwise(runs):
        assert len(b",".join([*run, following[0]])) > most
