"""What may come from outside: bytes to commands, checked for all that the journal's columns cannot hold.

Rules of the market are the core's; here is only what no command may carry: ids that are not UUIDs in their canonical
form, and texts that PostgreSQL does not store or nobody can read.
"""

import re
from typing import Final

import msgspec

from venue import wire
from venue.commands import AnyCommand, CancelAll, CancelOrder, Deposit, ListProduct, PlaceOrder

BODY_BYTES_MAX: Final = 256 * 1024
COMMANDS_MAX: Final = 64
TEXT_MAX: Final = 128

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
    # The core knows more than this service does: what is refused with "yet" needs its timers, and words in the feed.
    match command:
        case PlaceOrder():
            _identifier(command.order_id)
            _text(command.account, command.product_id, command.client_oid or "-")
            if (
                command.expire_at is not None
                or command.stop is not None
                or command.stop_price is not None
                or command.display_size is not None
                or command.stp is not None
            ):
                raise Unreadable("nobody may send expire_at, stop, stop_price, display_size or stp yet")
        case CancelOrder():
            _identifier(command.order_id)
            _text(command.account)
        case CancelAll():
            _text(command.account, command.product_id or "-")
        case Deposit():
            _text(command.account, command.transfer_id, command.asset)
        case ListProduct():
            raise Unreadable("products are listed by the catalogue")
        case _:
            raise Unreadable("nobody may send this kind of command yet")


def _identifier(order_id: str) -> None:
    if _UUID(order_id) is None:
        raise Unreadable("order_id is not a UUID in lower case")


def _text(*texts: str) -> None:
    for text in texts:
        if not text or len(text) > TEXT_MAX or not text.isprintable():
            raise Unreadable(f"a name is empty, longer than {TEXT_MAX} characters, or not printable")
