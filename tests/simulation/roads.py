"""The order of each account on the queue road: what it left in the order queue is done in the order of its leaving.

That is said of commands that go no other way. Whoever is also handed over directly, or was given up by the queue and
brought back later, is excused.
"""

from collections import defaultdict
from typing import Final

import msgspec

from tests.simulation.queue import Stored
from venue import wire
from venue.commands import AmendOrder, AnyCommand, PlaceOrder


def name_of(command: AnyCommand) -> str | None:
    """What names a command for ever; None for those that have no name."""
    match command:
        case PlaceOrder(order_id=name) | AmendOrder(amend_id=name):
            return name
        case _:
            return None


class Roads:
    """Which commands wait in the order queue alone, by message group, the oldest first."""

    def __init__(self) -> None:
        self._waiting: Final = defaultdict[str, dict[str, None]](dict)
        self._groups: Final = dict[str, str]()
        self._excused: Final = set[str]()

    def taken(self, message: Stored) -> None:
        """The queue took a message."""
        name = _name_in(message)
        if name is not None and name not in self._excused and name not in self._groups:
            self._groups[name] = message.group
            self._waiting[message.group][name] = None

    def given_up(self, message: Stored) -> None:
        """It became a dead letter."""
        name = _name_in(message)
        if name is not None:
            self._excuse(name)

    def offered(self, command: AnyCommand) -> None:
        """It was handed to a matcher directly."""
        name = name_of(command)
        if name is not None:
            self._excuse(name)

    def done(self, command: AnyCommand) -> str | None:
        """It had its effect; gives what it has overtaken."""
        name = name_of(command)
        group = None if name is None else self._groups.pop(name, None)
        if name is None or group is None:
            return None
        waiting = self._waiting[group]
        first = next(iter(waiting))
        del waiting[name]
        return None if first == name else first

    def _excuse(self, name: str) -> None:
        self._excused.add(name)
        group = self._groups.pop(name, None)
        if group is not None:
            del self._waiting[group][name]


def _name_in(message: Stored) -> str | None:
    try:
        return name_of(wire.COMMAND.decode(message.body))
    except msgspec.DecodeError:
        return None
