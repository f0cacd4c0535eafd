"""What the simulated database's tables are made of."""

from collections.abc import Iterator
from typing import Any

import msgspec

from venue.ledger import Posting


class Row:
    """A row of an answer: values by name or place."""

    __slots__ = ("_values",)

    def __init__(self, **values: Any) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values.values())

    def values(self) -> list[Any]:
        """All of them, in order."""
        return list(self._values.values())

    def items(self) -> list[tuple[str, Any]]:
        """All of them with their names, in order."""
        return list(self._values.items())


class Held(msgspec.Struct):
    """A row of `leases`."""

    epoch: int
    owner: str
    address: str
    expires_at: float
    head: int = 0


class Committed(msgspec.Struct, frozen=True):
    """One journal batch as it was committed."""

    shard: int
    sequence: int
    epoch: int
    at: int
    commands: bytes
    events: bytes
    checksum: bytes
    postings: list[Posting]
