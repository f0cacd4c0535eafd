"""What can go wrong in the service around the core.

Refused                 a command was not executed, and will not be; the caller may bring it elsewhere or again
  NotOwner              this process does not own the shard (any more)
  Starting              the books are being recovered
  Overloaded            too many commands are waiting, or a checkpoint has been due for too long
UnknownShard            there is no such shard
OutcomeUnknown          the command may or may not be in the journal; the same id may be sent again
JournalBroken           the journal does not tell what this program would have done: it must not go on
LeaseLost               the lease could not be renewed in time
"""

from typing import ClassVar


class MatcherError(Exception):
    """`code` is stable and travels in the body of a 503."""

    code: ClassVar[str] = "unavailable"


class Refused(MatcherError):
    """The command was not executed, and will not be."""


class NotOwner(Refused):
    """Another process owns the shard, or none does."""

    code = "not_owner"


class Starting(Refused):
    """The books are not recovered yet."""

    code = "starting"


class Overloaded(Refused):
    """Too many commands are waiting for the journal, or the journal has run too far ahead of its checkpoints."""

    code = "busy"


class UnknownShard(MatcherError):
    """No shard has this number."""

    code = "unknown_shard"


class OutcomeUnknown(MatcherError):
    """The commit was not heard of. The order may stand; the same id may be sent again and tells."""

    code = "outcome_unknown"


class JournalBroken(MatcherError):
    """A gap, a row that was changed, or events that this program derives differently."""

    code = "journal_broken"


class LeaseLost(MatcherError):
    """The lease ran out before it could be renewed."""
