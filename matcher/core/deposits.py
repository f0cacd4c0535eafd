"""Money that comes in from outside."""

from matcher.core import reasons
from matcher.core.register import Register
from venue.commands import Deposit
from venue.events import AnyEvent, Deposited, DepositRefused
from venue.money import UNITS_MAX


def deposit(command: Deposit, register: Register) -> list[AnyEvent]:
    """Credit an account once for a transfer id.

    What ever came in of an asset fits 63 bits in all: then so does whatever any account has of it, for trades and fees
    only move it. The core itself keeps no balances.
    """
    if command.transfer_id in register.transfers:
        return []
    account_sequence = register.account(command.account).next_sequence()
    before = register.deposited.get(command.asset, 0)
    if not 0 < command.amount <= UNITS_MAX - before:
        return [
            DepositRefused(
                at=command.at,
                transfer_id=command.transfer_id,
                account=command.account,
                account_sequence=account_sequence,
                asset=command.asset,
                reason=reasons.BAD_AMOUNT,
            )
        ]
    register.transfers[command.transfer_id] = None
    register.deposited[command.asset] = before + command.amount
    return [
        Deposited(
            at=command.at,
            transfer_id=command.transfer_id,
            account=command.account,
            account_sequence=account_sequence,
            asset=command.asset,
            amount=command.amount,
        )
    ]
