"""Wallets, holds and claimed transfer ids in DynamoDB. Amounts are minor units.

A hold's item is also its order's proof of identity: it keeps the order as first sent, and is not deleted when the
order is done. A repeated client_oid therefore meets it, for as long as anyone may be expected to repeat it.
"""

import random
import time
from typing import Any

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PutError, PynamoDBException, TransactWriteError
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from venue import wire
from venue.commands import AmendOrder, AnyCommand, Deposit, PlaceOrder
from venue.errors import Busy, Conflict, RuleBroken, Unavailable
from venue.ports import Balance
from venue_aws.patience import CONNECT_S, CONTENTION_S, TABLE_READ_S, TABLE_RETRIES

# Orders and settlement of one account meet in one wallet; DynamoDB then lets one through and cancels the other.
ATTEMPTS_MAX = 6
_BACKOFF_S = 0.02
# DynamoDB deletes a hold's item after this, also that of an order that is still open: it can be cancelled then, and not
# amended any more. Its id is known to the journal alone from then on, see docs/adr/0014.
KEPT_S = 180 * 24 * 3600
# The index of the holds by account, the newest last.
BY_ACCOUNT = "by_account"
# What is claimed under this prefix is no hold, and is kept for ever.
CLAIM = "transfer:"

_DEPOSIT = msgspec.json.Decoder(Deposit)


class WalletItem(Model):
    """One account's amounts of one asset. `seen_<shard>` (settlement's mark) is not read here."""

    class Meta:
        table_name = ""

    account = UnicodeAttribute(hash_key=True)
    asset = UnicodeAttribute(range_key=True)
    free = NumberAttribute()
    held = NumberAttribute()


class HoldItem(Model):
    """What an order holds, or an amend took beyond that under its own id; or which deposit owns a transfer id."""

    class Meta:
        table_name = ""

    order_id = UnicodeAttribute(hash_key=True)
    account = UnicodeAttribute()
    asset = UnicodeAttribute()
    amount = NumberAttribute()
    created_at = NumberAttribute()  # µs
    command = UnicodeAttribute()  # JSON, as handed over first
    kept_until = NumberAttribute(null=True)  # s; DynamoDB deletes the item some time after. None: never


def bound[M: Model](model: type[M], *, table: str, region: str, endpoint_url: str | None) -> type[M]:
    """Give the model for one real table. Timeouts and attempts are bounded, so that a caller is told in time."""
    meta = {
        "table_name": table,
        "region": region,
        "host": endpoint_url,
        "connect_timeout_seconds": CONNECT_S,
        "read_timeout_seconds": TABLE_READ_S,
        "max_retry_attempts": TABLE_RETRIES,
    }
    return type(model.__name__, (model,), {"Meta": type("Meta", (), meta)})


class Wallets:
    """The wallets of all accounts. Raises Unavailable when DynamoDB does not answer, Busy under contention."""

    def __init__(
        self,
        *,
        wallets: type[WalletItem],
        holds: type[HoldItem],
        connection: Connection,
        contention_s: float = CONTENTION_S,
    ) -> None:
        self._wallets = wallets
        self._holds = holds
        self._connection = connection
        self._contention_s = contention_s

    def hold(self, order: PlaceOrder, *, asset: str, at: int) -> PlaceOrder | None:
        """Take the hold, all or nothing; see venue.ports.Wallets."""
        return self._hold(order.order_id, order, asset, at)

    def hold_more(self, amend: AmendOrder, *, asset: str, at: int) -> AmendOrder | None:
        """Take what an amend needs beyond its order's hold; see venue.ports.Wallets."""
        return self._hold(amend.amend_id, amend, asset, at)

    def held_order(self, order_id: str) -> PlaceOrder | None:
        """Give the order that holds under this id, as first sent."""
        command = self._command(order_id)
        return command if isinstance(command, PlaceOrder) else None

    def held_amend(self, amend_id: str) -> AmendOrder | None:
        """Give the amend of this id, as first sent."""
        command = self._command(amend_id)
        return command if isinstance(command, AmendOrder) else None

    def _hold[C: (PlaceOrder, AmendOrder)](self, hold_id: str, command: C, asset: str, at: int) -> C | None:
        last_s = time.monotonic() + self._contention_s
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                if time.monotonic() > last_s:
                    break
                # Chance only spreads competitors out in time; no result depends on it.
                time.sleep(_BACKOFF_S * attempt * (0.5 + random.random()))  # noqa: S311
            try:
                self._take(hold_id, command, asset, at)
            except TransactWriteError as error:
                known = self._judge(error, hold_id)
                if isinstance(known, type(command)):
                    return known
                if known is not None:
                    raise Conflict("this id holds for something else") from error
            else:
                return None
        raise Busy("too many orders of this account at once", retry_after_s=1)

    def _command(self, hold_id: str) -> AnyCommand | None:
        try:
            item = self._holds.get(hold_id, consistent_read=True)
        except DoesNotExist:
            return None
        except PynamoDBException as error:
            raise _unavailable() from error
        return _read(item.command)

    def balances(self, account: str) -> list[Balance]:
        """Give all wallets of an account, by asset; those never touched are not among them."""
        try:
            items = list(self._wallets.query(account, consistent_read=True))
        except PynamoDBException as error:
            raise _unavailable() from error
        return [Balance(asset=item.asset, free=int(item.free), held=int(item.held)) for item in items]

    def _take(self, hold_id: str, command: PlaceOrder | AmendOrder, asset: str, at: int) -> None:
        hold = self._holds(
            hold_id,
            account=command.account,
            asset=asset,
            amount=command.hold,
            created_at=at,
            command=wire.encode(command).decode(),
            kept_until=at // 1_000_000 + KEPT_S,
        )
        with TransactWrite(connection=self._connection) as transaction:
            transaction.save(hold, condition=HoldItem.order_id.does_not_exist(), return_values="ALL_OLD")
            transaction.update(
                self._wallets(command.account, asset),
                actions=[WalletItem.free.add(-command.hold), WalletItem.held.add(command.hold)],
                condition=WalletItem.free >= command.hold,
            )

    def _judge(self, error: TransactWriteError, hold_id: str) -> AnyCommand | None:
        """Say why the transaction did not happen: the known command, None to try again, or raise the answer."""
        codes = [reason.code if reason else None for reason in error.cancellation_reasons]
        if len(codes) != 2:
            raise _unavailable() from error
        reason = error.cancellation_reasons[0]
        if codes[0] == "ConditionalCheckFailed":
            item: dict[str, Any] | None = reason.raw_item if reason else None
            return _read(item["command"]["S"]) if item else self._command(hold_id)
        if "TransactionConflict" in codes:
            return None
        if codes[1] == "ConditionalCheckFailed":
            raise RuleBroken("Insufficient funds", code="insufficient_funds") from error
        raise _unavailable() from error


class TransferClaims:
    """Which deposit owns a transfer id: the first that asks. Kept among the holds, under its own prefix."""

    def __init__(self, *, holds: type[HoldItem]) -> None:
        self._holds = holds

    def claim(self, deposit: Deposit, *, at: int) -> Deposit:
        """Give the owner of the transfer id; see venue.ports.Transfers."""
        item = self._holds(
            f"{CLAIM}{deposit.transfer_id}",
            account=deposit.account,
            asset=deposit.asset,
            amount=deposit.amount,
            created_at=at,
            command=wire.encode(deposit).decode(),
        )
        try:
            item.save(condition=HoldItem.order_id.does_not_exist())
        except PutError as error:
            if error.cause_response_code != "ConditionalCheckFailedException":
                raise _unavailable() from error
        else:
            return deposit
        try:
            first = self._holds.get(item.order_id, consistent_read=True)
        except PynamoDBException as error:
            raise _unavailable() from error
        return _DEPOSIT.decode(first.command)


def _read(command: str) -> AnyCommand:
    read: AnyCommand = wire.COMMAND.decode(command)
    return read


def _unavailable() -> Unavailable:
    return Unavailable("the wallets do not answer now", retry_after_s=1)
