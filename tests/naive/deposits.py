"""Money that comes in from outside, for the naive market: all deposits, added up for every question."""

from matcher.core import reasons
from venue.commands import Deposit
from venue.events import Deposited, DepositRefused
from venue.money import UNITS_MAX


class NaiveDeposits:
    """Those that were taken, in order."""

    def __init__(self) -> None:
        self.taken: list[Deposit] = []

    def transfers(self) -> list[str]:
        return [one.transfer_id for one in self.taken]

    def total(self, asset: str) -> int:
        return sum(one.amount for one in self.taken if one.asset == asset)

    def totals(self) -> list[tuple[str, int]]:
        return [(asset, self.total(asset)) for asset in sorted({one.asset for one in self.taken})]

    def take(self, command: Deposit, sequence: int) -> Deposited | DepositRefused:
        """Take one whose id is new, if it is an amount; `sequence` is the account's next number."""
        if not 1 <= command.amount <= UNITS_MAX - self.total(command.asset):
            return DepositRefused(
                at=command.at,
                transfer_id=command.transfer_id,
                account=command.account,
                account_sequence=sequence,
                asset=command.asset,
                reason=reasons.BAD_AMOUNT,
            )
        self.taken.append(command)
        return Deposited(
            at=command.at,
            transfer_id=command.transfer_id,
            account=command.account,
            account_sequence=sequence,
            asset=command.asset,
            amount=command.amount,
        )
