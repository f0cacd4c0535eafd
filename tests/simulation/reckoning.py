"""The reckoning when a run has come to rest: nothing is missing, nothing is there twice, and every sum is right."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from venue import wire
from venue.ledger import hold_asset
from venue.wire import Batch
from venue_aws.cache import LEVELS_MAX
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
    auditor = venue.auditor
    for name in auditor.promised:
        if name not in auditor.orders and name not in auditor.transfers:
            auditor.fail("nothing acknowledged is lost", f"{name} was taken by the order queue and never done")


def _wallets(venue: Venue) -> None:
    auditor, table = venue.auditor, venue.table
    totals: defaultdict[str, int] = defaultdict(int)
    for key, wallet in table.wallets.items():
        totals[key[1]] += wallet.free + wallet.held
        free, held = auditor.ledgers[key].until(auditor.sequence)
        if (wallet.free + wallet.taken, wallet.held - wallet.taken) != (free, held):
            auditor.fail("wallets are the ledger's", f"{key} has {wallet}, the ledger says {free} and {held}")
    if any(totals.values()):
        auditor.fail("money is conserved", f"all wallets together have {dict(totals)}")
    missing = auditor.ledgers.keys() - table.wallets.keys()
    if missing:
        auditor.fail("wallets are the ledger's", f"never settled: {sorted(missing)}")
    settled = table.settled.get("venue:shard-0", 0)
    if settled != auditor.sequence:
        auditor.fail("settlement is complete", f"{settled} of {auditor.sequence} batches")


def _holds(venue: Venue) -> None:
    """What wallets hold is what open orders need, and what orders hold that never came."""
    auditor = venue.auditor
    due: defaultdict[tuple[str, str], int] = defaultdict(int)
    for known in auditor.orders.values():
        order = known.states[-1]
        product = auditor.engine.product(order.product_id)
        if order.status == "open" and product is not None:
            due[order.account, hold_asset(product, order.side)] += order.hold
    for order_id, (command, asset) in venue.table.holds.items():
        if order_id not in auditor.orders:
            due[command.account, asset] += command.hold
    for key, wallet in venue.table.wallets.items():
        if wallet.held != due[key]:
            auditor.fail("holds are what open orders need", f"{key} holds {wallet.held}, {due[key]} are needed")


def _tape(venue: Venue) -> None:
    """Every record of every batch, in order where it comes first."""
    auditor = venue.auditor
    rules = Rules(venue.database.products.values, clock=lambda: 0.0)
    due: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in venue.database.batches.get(0, ()):
        events = wire.EVENTS.decode(row.events)
        batch = Batch(shard=0, sequence=row.sequence, at=row.at, events=events, postings=row.postings)
        for record in cut(batch, rules):
            due["-" if record.product is None else record.product.id].append((record.batch, record.part))
    there: defaultdict[str, dict[tuple[int, int], None]] = defaultdict(dict)
    for key, record in venue.tape:
        there[key][record.batch, record.part] = None
    for key, parts in due.items():
        if list(there[key]) != parts:
            auditor.fail("the tape is complete and in order", f"{key}: {list(there[key])} instead of {parts}")


def stale_markets(venue: Venue) -> list[str]:
    """Give the products whose book in Redis is not the one that follows from the journal."""
    engine = venue.auditor.engine
    stale = []
    for product_id in engine.products:
        market = venue.redis.markets.get(product_id)
        if market is None or (market.book.bids, market.book.asks) != engine.depth(product_id, LEVELS_MAX):
            stale.append(product_id)
    return stale
