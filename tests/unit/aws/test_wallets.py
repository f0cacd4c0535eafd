"""Holds under contention: how often, and for how long, an order tries to get at its wallet."""

from typing import Any

import pytest
from pynamodb.exceptions import CancellationReason, TransactWriteError

from venue.commands import AmendOrder, PlaceOrder
from venue.errors import Busy
from venue_aws.wallets import ATTEMPTS_MAX, HoldItem, WalletItem, Wallets

ORDER = PlaceOrder(order_id="o-1", account="alice", product_id="ACME-USD", side="buy", price=1, size=1, hold=1)


class Crowded(Wallets):
    """Somebody else is always at the wallet."""

    def __init__(self, **terms: Any) -> None:
        super().__init__(wallets=WalletItem, holds=HoldItem, connection=terms.pop("connection", None), **terms)
        self.attempts = 0

    def _take(self, hold_id: str, command: PlaceOrder | AmendOrder, asset: str, at: int) -> None:  # noqa: ARG002 - the real one's
        self.attempts += 1
        raise conflict()


def conflict() -> TransactWriteError:
    """What DynamoDB answers when another transaction is at work on the wallet."""

    class Cancelled(TransactWriteError):
        @property
        def cancellation_reasons(self) -> list[CancellationReason | None]:
            return [None, CancellationReason(code="TransactionConflict")]

    return Cancelled("conflict")


def test_an_order_tries_a_few_times_to_get_at_its_wallet() -> None:
    wallets = Crowded()
    with pytest.raises(Busy):
        wallets.hold(ORDER, asset="USD", at=1)
    assert wallets.attempts == ATTEMPTS_MAX


def test_when_the_time_for_it_is_over_no_further_attempt_begins() -> None:
    wallets = Crowded(contention_s=0)
    with pytest.raises(Busy):
        wallets.hold(ORDER, asset="USD", at=1)
    assert wallets.attempts == 1
