"""What may come from outside: bytes to commands, checked for all that the journal's columns cannot hold.

Rules of the market are the core's; here is only what no command may carry: ids that are not UUIDs in their canonical
form, texts that PostgreSQL does not store or nobody can read, and numbers too large to be kept.
"""

import re
from typing import Final

import msgspec

from venue import wire
from venue.commands import (
    AmendOrder,
    AnyCommand,
    CancelAll,
    CancelAllAfter,
    CancelOrder,
    CancelProduct,
    Deposit,
    Expire,
    ListProduct,
    PlaceOrder,
    SetStatus,
)
from venue.money import UNITS_MAX

BODY_BYTES_MAX: Final = 256 * 1024
COMMANDS_MAX: Final = 64
TEXT_MAX: Final = 128
# How long a dead-man switch may be set for: a day.
TIMEOUT_US_MAX: Final = 86_400_000_000
# How many orders one command may cancel.
ORDERS_MAX: Final = 1_000

# The third: nested so deep that no command could be in there.
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


class Unreadable(Exception):
    """The body is not a command, or one that nobody may send; the message says why."""


def read_one(body: bytes | str) -> AnyCommand:
    """Decode one command. Raises Unreadable."""
    try:
        command: AnyCommand = wire.COMMAND.decode(body)
    except _UNDECODABLE as error:
        raise Unreadable(str(error)) from error
    _check(command)
    return command


def read_many(body: bytes) -> list[AnyCommand]:
    """Decode an array of one to COMMANDS_MAX commands. Raises Unreadable; then none of them counts."""
    try:
        commands = wire.COMMANDS.decode(body)
    except _UNDECODABLE as error:
        raise Unreadable(str(error)) from error
    if not 0 < len(commands) <= COMMANDS_MAX:
        raise Unreadable(f"an array of commands has 1 to {COMMANDS_MAX} of them")
    for command in commands:
        _check(command)
    return commands


def _check(command: AnyCommand) -> None:
    match command:
        case PlaceOrder():
            _identifier(command.order_id, "order_id")
            _text(command.account, command.product_id, command.client_oid or "-")
        case AmendOrder():
            _identifier(command.amend_id, "amend_id")
            _identifier(command.order_id, "order_id")
            _text(command.account, command.product_id)
        case CancelOrder():
            _identifier(command.order_id, "order_id")
            _text(command.account)
        case CancelAll():
            _text(command.account, command.product_id or "-")
            _limit(command.limit)
        case CancelAllAfter():
            _text(command.account)
            if not 0 <= command.timeout <= TIMEOUT_US_MAX:
                raise Unreadable(f"timeout is from 0 to {TIMEOUT_US_MAX} µs")
        case Deposit():
            _text(command.account, command.transfer_id, command.asset)
        case SetStatus():
            _text(command.product_id)
            _storable(command.until, command.reference)
        case ListProduct(product=product):
            _text(product.id, product.base.id, product.base.name, product.quote.id, product.quote.name)
            _storable(*(value for value in msgspec.structs.astuple(product) if isinstance(value, int)))
        case CancelProduct():
            _text(command.product_id)
            _limit(command.limit)
        case Expire():
            raise Unreadable("time is the matcher's own")


def _limit(limit: int) -> None:
    if not 0 < limit <= ORDERS_MAX:
        raise Unreadable(f"limit is from 1 to {ORDERS_MAX}")


def _identifier(text: str, name: str) -> None:
    if _UUID(text) is None:
        raise Unreadable(f"{name} is not a UUID in lower case")


def _text(*texts: str) -> None:
    for text in texts:
        if not text or len(text) > TEXT_MAX or not text.isprintable():
            raise Unreadable(f"a name is empty, longer than {TEXT_MAX} characters, or not printable")


def _storable(*numbers: int | None) -> None:
    if any(number is not None and abs(number) > UNITS_MAX for number in numbers):
        raise Unreadable("a number has more than 63 bits")
