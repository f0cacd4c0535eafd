"""The chain: each journal row's checksum covers the row and the checksum before it, so no row changes unnoticed."""

import hashlib
import struct
from typing import Final

from matcher.shell.errors import JournalBroken

# What the first checksum of a journal follows.
_NOTHING: Final = bytes(32)


class Chain:
    """Where one shard's checksums stand: `last` is that of the last row, None while no row had one.

    Rows from before there were checksums have none. They are good before the first row that has one, and never after.
    """

    __slots__ = ("_shard", "last")

    def __init__(self, shard: int, last: bytes | None = None) -> None:
        self._shard = shard
        self.last = last

    def seal(self, sequence: int, at: int, commands: bytes, events: bytes) -> bytes:
        """Give the next row's checksum: SHA-256, 32 bytes."""
        head = struct.pack(">qqqqq", self._shard, sequence, at, len(commands), len(events))
        seal = hashlib.sha256(self.last or _NOTHING)
        for part in (head, commands, events):
            seal.update(part)
        self.last = seal.digest()
        return self.last

    def check(self, sequence: int, at: int, commands: bytes, events: bytes, checksum: bytes | None) -> None:
        """Take the next row as the journal has it. Raises JournalBroken when it is not what was once sealed."""
        if checksum is None and self.last is None:
            return
        if self.seal(sequence, at, commands, events) != checksum:
            what = "has no checksum" if checksum is None else "does not fit its checksum"
            raise JournalBroken(f"batch {sequence} of shard {self._shard} {what}")
