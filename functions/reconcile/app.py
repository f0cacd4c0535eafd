"""Every few minutes: is every wallet what the ledger says, and every hold an order's? It tells, and mends nothing."""

import time
from collections.abc import Callable

import msgspec

from venue.reconciliation import Found, Reconciliation
from venue_aws import wiring
from venue_aws.observed import Event, Handler, Line, logger, observed

# It begins nothing new after this; the function's own limit leaves it time to finish what it has begun.
RUN_US = 60_000_000


def build(reconciliation: Callable[[], Reconciliation]) -> Handler[None]:
    """Make the handler."""

    @observed
    def reconcile(event: Event, line: Line) -> None:
        del event  # a clock's tick says nothing
        found = reconciliation().run(until=time.time_ns() // 1000 + RUN_US)
        _tell(found, line)

    return reconcile


def _tell(found: Found, line: Line) -> None:
    for difference in found.differences:
        logger.error("wallet_differs", extra=msgspec.to_builtins(difference))
    for asset, amount in found.imbalance.items():
        logger.error("asset_does_not_sum_to_zero", extra={"asset": asset, "amount": amount})
    line.gauge("LedgerImbalance", found.size)
    line.gauge("WalletsDiffering", len(found.differences))
    line.gauge("LedgerBehind", found.behind)
    line.gauge("WalletsLeft", found.left)
    line.count("HoldsForgotten", found.forgotten)
    line.count("HoldsFreed", found.freed)
    line.tell(
        wallets=found.wallets,
        batches=found.batches,
        behind=found.behind,
        left=found.left,
        walked=found.walked,
        forgotten=found.forgotten,
        freed=found.freed,
        imbalance=found.size,
        differing=len(found.differences),
    )


handler = build(wiring.early(wiring.reconciliation))
