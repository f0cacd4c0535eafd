"""The cashier: money that comes in from outside, credited once for each key."""

from collections.abc import Callable

import msgspec

from venue.commands import Deposit
from venue.errors import Conflict, Malformed, RuleBroken
from venue.handover import HandOver
from venue.identity import transfer_id_of
from venue.ports import Markets, Transfers
from venue.products import Asset
from venue.tickets import positive_units

# Assets belong to no product; their ledger events are the first shard's.
TREASURY_SHARD = 0


class Credited(msgspec.Struct, frozen=True, kw_only=True):
    """A deposit, in the ledger or (pending) on its way there."""

    transfer_id: str
    account: str
    asset: Asset
    amount: int  # minor units
    pending: bool = False


class Cashier:
    """Takes deposits. `clock` gives µs since 1970 UTC."""

    def __init__(self, *, markets: Markets, transfers: Transfers, handover: HandOver, clock: Callable[[], int]) -> None:
        self._markets = markets
        self._transfers = transfers
        self._handover = handover
        self._clock = clock

    def deposit(self, *, key: str, account: str, asset_id: str, amount: str) -> Credited:
        """Credit `amount` (a decimal) to an account. The same key credits once and answers the same again.

        Raises RuleBroken `unknown_asset`, Malformed for the amount, Conflict for a known key with other content,
        Unavailable when it may be sent again under the same key.
        """
        asset = self._markets.assets().get(asset_id)
        if asset is None:
            raise RuleBroken(f"currency: {asset_id} is not known here", code="unknown_asset")
        try:
            units = positive_units(amount, asset.scale)
        except ValueError as error:
            raise Malformed(f"amount: {error}", field="amount") from error
        deposit = Deposit(transfer_id=transfer_id_of(key), account=account, asset=asset.id, amount=units)
        if self._transfers.claim(deposit, at=self._clock()) != deposit:
            raise Conflict("key: was used before for a deposit with other content")
        outcome = self._handover.deliver(deposit, shard=TREASURY_SHARD)
        if outcome is not None and outcome.refused is not None:
            raise RuleBroken(outcome.refused.replace("_", " "), code=outcome.refused)
        return Credited(
            transfer_id=deposit.transfer_id, account=account, asset=asset, amount=units, pending=outcome is None
        )
