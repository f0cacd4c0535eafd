"""The reckoning when a run has come to rest: nothing is missing, nothing is there twice, and every sum is right."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from venue import wire
from venue.ledger import hold_asset
from venue.wire import Batch
from venue_aws.rules import Rules
from venue_aws.tape import cut

if TYPE_CHECKING:
    from tests.simulation.venue import Venue


def reckon(venue: Venue) -> None:
    """Tell the auditor whatever is not as it must be."""
    _promises(venue)
    _wallets(venue)
    _holds(venue)
    _tape(venue)


def _promises(venue: Venue) -> None:
    answers = venue.auditor.answers
    done = answers.orders.keys() | answers.transfers | answers.amends.keys()
    for name in venue.auditor.promised:
        if name not in done:
            venue.auditor.fail("nothing acknowledged is lost", f"{name} was taken by the order queue and never done")


def _wallets(venue: Venue) -> None:
    auditor, table = venue.auditor, venue.table
    ends = {watch.shard: watch.sequence for watch in auditor.watches}
    totals: defaultdict[str, int] = defaultdict(int)
    for key, wallet in table.wallets.items():
        totals[key[1]] += wallet.free + wallet.held
        free, held = auditor.due(key, ends)
        if (wallet.free + wallet.taken, wallet.held - wallet.taken) != (free, held):
            auditor.fail("wallets are the ledger's", f"{key} has {wallet}, the ledger says {free} and {held}")
    if any(totals.values()):
        auditor.fail("money is conserved", f"all wallets together have {dict(totals)}")
    missing = auditor.touched() - table.wallets.keys()
    if missing:
        auditor.fail("wallets are the ledger's", f"never settled: {sorted(missing)}")
    for shard, end in ends.items():
        settled = table.settled.get(f"venue:shard-{shard}", 0)
        if settled != end:
            auditor.fail("settlement is complete", f"{settled} of {end} batches of shard {shard}")


def _holds(venue: Venue) -> None:
    """What wallets hold is what open orders need, and nothing else: the reconciliation has seen to what never came."""
    auditor = venue.auditor
    due: defaultdict[tuple[str, str], int] = defaultdict(int)
    for known in auditor.answers.orders.values():
        order = known.states[-1]
        product = auditor.watches[known.shard].engine.product(order.product_id)
        if order.status in ("open", "active") and product is not None:
            due[order.account, hold_asset(product, order.side)] += order.hold
    for key, wallet in venue.table.wallets.items():
        if wallet.held != due[key]:
            auditor.fail("holds are what open orders need", f"{key} holds {wallet.held}, {due[key]} are needed")


def _tape(venue: Venue) -> None:
    """Every record of every batch, in order where it comes first."""
    tables = venue.database.tables
    rules = Rules(tables.products.values, clock=lambda: 0.0)
    due: defaultdict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    for shard, rows in tables.batches.items():
        for row in rows:
            events = wire.EVENTS.decode(row.events)
            batch = Batch(shard=shard, sequence=row.sequence, at=row.at, events=events, postings=row.postings)
            for record in cut(batch, rules):
                due[shard, "-" if record.product is None else record.product.id].append((record.batch, record.part))
    there: defaultdict[tuple[int, str], dict[tuple[int, int], None]] = defaultdict(dict)
    for key, record in venue.tape:
        there[record.shard, key][record.batch, record.part] = None
    for name, parts in due.items():
        if list(there[name]) != parts:
            venue.auditor.fail("the tape is complete and in order", f"{name}: {list(there[name])} instead of {parts}")
