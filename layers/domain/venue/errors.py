"""What can go wrong, as the API tells it.

VenueError
  Malformed          400  the request cannot be read; `field` names the part at fault
  TooLarge           413  the request is larger than the venue reads
  Unauthenticated    401  no valid token
  Forbidden          403  valid token, not your right
  NotFound           404  no such thing, or not yours
  Conflict           409  the same client_oid or key, other content
  RuleBroken         422  readable, but a rule of the venue refuses it; `code` is the reject_reason
  Busy               429  too much at once; Retry-After says when
  Unavailable        503  the outcome is unknown or the venue cannot answer; the same client_oid may be sent again
"""

from typing import ClassVar


class VenueError(Exception):
    """An answer that is not a success: stable `code`, HTTP `status`, and whether sending the same again can help."""

    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    default_code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, code: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.retry_after_s = retry_after_s


class Malformed(VenueError):
    """The request cannot be read; `field` names the part at fault, where one is."""

    status = 400
    default_code = "malformed"

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message, code=code)
        self.field = field


class TooLarge(VenueError):
    """The request is larger than the venue reads."""

    status = 413
    default_code = "too_large"


class Unauthenticated(VenueError):
    """No valid token."""

    status = 401
    default_code = "unauthenticated"


class Forbidden(VenueError):
    """A valid token without the right."""

    status = 403
    default_code = "forbidden"


class NotFound(VenueError):
    """No such thing, or another account's: existence is not leaked."""

    status = 404
    default_code = "not_found"


class Conflict(VenueError):
    """The same client_oid or key with other content."""

    status = 409
    default_code = "conflict"


class RuleBroken(VenueError):
    """Readable, but a rule refuses it."""

    status = 422
    default_code = "rule_broken"


class Busy(VenueError):
    """Too much at once."""

    status = 429
    retryable = True
    default_code = "busy"


class Unavailable(VenueError):
    """The outcome is unknown, or the venue cannot answer now."""

    status = 503
    retryable = True
    default_code = "unavailable"
