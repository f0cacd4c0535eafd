"""Dead-man switches: an account's open orders end when it has not been heard of for as long as it said itself."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from venue.commands import CancelAllAfter
from venue.events import AnyEvent, SwitchChanged
from venue.money import UNITS_MAX

if TYPE_CHECKING:
    from matcher.core.register import Register
    from matcher.core.working import Account

# So few times that no longer count need not be looked for.
_STALE_MAX: Final = 64


class Switches:
    """Until when each account that asked for it wants to be heard of. `deadlines`: µs, by the account's name."""

    def __init__(self) -> None:
        self.deadlines: dict[str, int] = {}
        # (time, name), with some that no longer count: they are dropped when they outnumber the others.
        self._line: list[tuple[int, str]] = []

    def arm(self, name: str, deadline: int) -> None:
        """Set an account's switch, instead of what it was set to."""
        self.deadlines[name] = deadline
        heappush(self._line, (deadline, name))
        if len(self._line) > 2 * len(self.deadlines) + _STALE_MAX:
            self._line = [(at, name) for name, at in self.deadlines.items()]
            heapify(self._line)

    def disarm(self, name: str) -> None:
        """Forget an account's switch."""
        self.deadlines.pop(name, None)

    def first(self) -> tuple[int, str] | None:
        """Which falls next: (µs, name)."""
        while self._line and self.deadlines.get(self._line[0][1]) != self._line[0][0]:
            heappop(self._line)
        return self._line[0] if self._line else None


def change(command: CancelAllAfter, register: Register) -> list[AnyEvent]:
    """Set the switch of an account anew, or take it back; nothing where there is none to take back."""
    switches, name = register.switches, command.account
    if command.timeout > 0:
        deadline = min(command.at + command.timeout, UNITS_MAX)
        switches.arm(name, deadline)
        return [told(register.account(name), command.at, deadline)]
    if name not in switches.deadlines:
        return []
    switches.disarm(name)
    return [told(register.account(name), command.at, None)]


def told(account: Account, at: int, deadline: int | None, *, fell: bool = False) -> SwitchChanged:
    """What the account is told of its switch."""
    return SwitchChanged(
        at=at, account_sequence=account.next_sequence(), account=account.name, deadline=deadline, fell=fell
    )
