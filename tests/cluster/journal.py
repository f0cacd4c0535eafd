"""The journal read from its first row on, by nobody but the engine: what must be true of it after whatever happened.

It reads with a client of its own and none of the matcher's recovery, so that it can be held against both.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg.rows import TupleRow, dict_row

from matcher.core.engine import Engine
from matcher.shell.outcome import outcome_of
from tests.cluster.callers import Heard
from tests.cluster.database import NewDatabase
from tests.cluster.process import MatcherProcess
from venue import wire
from venue.commands import AmendOrder, AnyCommand, CancelAll, CancelOrder, Deposit, PlaceOrder
from venue.events import AnyEvent, LevelChanged, Traded
from venue.ledger import Posting, imbalance, postings
from venue.orders import Order
from venue.spelling import spelled
from venue.wire import Outcome


class Replayed(msgspec.Struct):
    """The books after the journal's last batch, and all that was told on the way.

    outcomes: what became of each command when it was journalled, by its `name_of`. epochs: of each batch.
    """

    engine: Engine
    outcomes: defaultdict[str, list[Outcome]]
    events: list[AnyEvent]
    postings: list[tuple[int, int, int, Posting]]  # batch, place in it, time
    epochs: list[int]

    @property
    def sequence(self) -> int:
        """That of the last batch."""
        return len(self.epochs)


def check(database: NewDatabase, heard: Iterable[Heard], owner: MatcherProcess) -> Replayed:
    """All of it, while nobody asks the owner for anything."""
    books, replayed = owner.books(), replay(database)
    assert books["sequence"] == replayed.sequence, f"recovered up to {books['sequence']} of {replayed.sequence}"
    assert books["digest"] == replayed.engine.digest(), "the books are not those that the journal gives"
    check_acknowledged(heard, replayed)
    check_tables(database, replayed)
    return replayed


def name_of(command: AnyCommand) -> str:
    """By what a command is found again. Those that have no id of their own share a name."""
    match command:
        case PlaceOrder():
            return f"place {command.order_id}"
        case CancelOrder():
            return f"cancel {command.order_id}"
        case AmendOrder():
            return f"amend {command.amend_id}"
        case Deposit():
            return f"deposit {command.transfer_id}"
        case _:
            return type(command).__name__


def replay(database: NewDatabase) -> Replayed:
    """Play the whole journal. Raises AssertionError on gaps, on other events than then, on an epoch that falls."""
    found = Replayed(Engine(), defaultdict(list), [], [], [])
    last_at = 0
    for sequence, epoch, at, commands, events in _batches(database):
        assert sequence == found.sequence + 1, f"batch {sequence} follows batch {found.sequence}"
        assert not found.epochs or epoch >= found.epochs[-1], f"batch {sequence} is of an old epoch, {epoch}"
        assert at >= last_at, f"batch {sequence} is older than the one before it"
        found.epochs.append(epoch)
        last_at = at
        told = [event for command in wire.COMMANDS.decode(commands) for event in _apply(found, command)]
        assert wire.encode(told) == events, f"batch {sequence} gives other events than it gave then"
        moved = [posting for event in told for posting in postings(event, _product(found.engine, event))]
        assert imbalance(moved) == {}, f"the postings of batch {sequence} do not sum to zero"
        found.postings += [(sequence, place, at, posting) for place, posting in enumerate(moved)]
        found.events += told
    check_sequences(found.events)
    return found


def _batches(database: NewDatabase) -> Iterable[TupleRow]:
    with psycopg.connect(database.url) as connection:
        return connection.execute(
            "SELECT sequence, epoch, at, commands, events FROM batches WHERE shard = 0 ORDER BY sequence"
        ).fetchall()


def _apply(found: Replayed, command: AnyCommand) -> list[AnyEvent]:
    events = found.engine.apply(command)
    assert events, f"the journal has a command without effect, perhaps for the second time: {command}"
    found.outcomes[name_of(command)].append(outcome_of(found.engine, command, events))
    return events


def _product(engine: Engine, event: AnyEvent) -> Any:
    product_id = getattr(event, "product_id", None)
    return None if product_id is None else engine.product(product_id)


def check_sequences(events: Iterable[AnyEvent]) -> None:
    """Every product's public events, its trades, and every account's private events are numbered without a gap."""
    last: Counter[tuple[str, str]] = Counter()

    def count(kind: str, name: str, number: int) -> None:
        last[kind, name] += 1
        assert number == last[kind, name], f"{kind} {name}: {number} where {last[kind, name]} is next"

    for event in spelled(events):
        if isinstance(event, LevelChanged):
            continue
        sequence = getattr(event, "sequence", None)
        if sequence is not None:
            count("product", getattr(event, "product_id"), sequence)  # noqa: B009  # not all events have one
        if isinstance(event, Traded):
            count("trades of", event.product_id, event.trade_id)
            count("account", event.maker_account, event.maker_account_sequence)
            count("account", event.taker_account, event.taker_account_sequence)
        elif (private := getattr(event, "account_sequence", None)) is not None:
            count("account", getattr(event, "account"), private)  # noqa: B009


def check_acknowledged(heard: Iterable[Heard], replayed: Replayed) -> None:
    """Whatever was acknowledged is in the journal, and became there what its caller was told."""
    for each in heard:
        journalled = replayed.outcomes.get(name_of(each.command), [])
        if each.outcome.replayed:
            assert journalled, f"acknowledged again, and not in the journal: {each.command}"
        elif each.outcome.orders or not isinstance(each.command, CancelAll):  # which may find nothing to cancel
            assert each.outcome in journalled, f"acknowledged with {each.outcome}, journalled {journalled}"


def check_tables(database: NewDatabase, replayed: Replayed) -> None:
    """Orders, trades and postings, which are written beside the batches, are what the batches make of them."""
    engine, trades = replayed.engine, [event for event in replayed.events if isinstance(event, Traded)]
    stored = [_order(row) for row in _rows(database, "orders")]
    for order in stored:
        assert order == engine.order(order.order_id), f"in the table {order}"
    placed = {name.removeprefix("place ") for name in replayed.outcomes if name.startswith("place ")}
    assert {order.order_id for order in stored} == placed, "the table of orders has other orders"
    columns = [name for name in Traded.__struct_fields__ if not name.endswith(("released", "account_sequence"))]
    assert _plain(_rows(database, "trades"), columns) == sorted(_tuples(trades, columns), key=repr), "other trades"
    columns = ["sequence", "ordinal", "at", *Posting.__struct_fields__]
    wanted = [(*place, *msgspec.structs.astuple(posting)) for *place, posting in replayed.postings]
    assert _plain(_rows(database, "postings"), columns) == sorted(wanted, key=repr), "other postings"


def _rows(database: NewDatabase, table: str) -> list[dict[str, Any]]:
    with psycopg.connect(database.url, row_factory=dict_row) as connection:
        return connection.execute(f"SELECT * FROM {table}".encode()).fetchall()  # noqa: S608


def _order(row: dict[str, Any]) -> Order:
    named = {name: row["id" if name == "order_id" else name] for name in Order.__struct_fields__}
    return msgspec.convert(named | {"order_id": str(row["id"])}, Order)


def _plain(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rows as tuples, ids as text, in an order of their own."""
    ids = ("order_id", "maker_order_id", "taker_order_id")
    named = ([str(row[name]) if name in ids and row[name] else row[name] for name in columns] for row in rows)
    return sorted(map(tuple, named), key=repr)


def _tuples(events: Iterable[Traded], columns: Sequence[str]) -> list[tuple[Any, ...]]:
    return [tuple(getattr(event, name) for name in columns) for event in events]
