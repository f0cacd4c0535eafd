"""Instants are µs since 1970 UTC inside the venue and RFC 3339 outside. Arithmetic only: nothing here reads a clock."""

from functools import lru_cache

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND


def rfc3339(at: int) -> str:
    """Write µs since 1970 UTC as RFC 3339 with six decimals: "1970-01-01T00:00:00.000000Z"."""
    days, rest = divmod(at, _DAY)
    seconds, micros = divmod(rest, _SECOND)
    return f"{day_of(days)}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{micros:06d}Z"


@lru_cache(maxsize=64)
def day_of(days: int) -> str:
    """Write days since 1970-01-01 as an ISO date of the Gregorian calendar.

    The algorithm is Howard Hinnant's civil_from_days (public domain): years start in March, so that a leap day is last.
    """
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = year_of_era + era * 400 + (month <= 2)
    return f"{year:04d}-{month:02d}-{day:02d}"
