"""Instants as RFC 3339, reckoned without a clock: the standard library's calendar must agree."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venue.instants import rfc3339

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_700_000_000_123_456, "2023-11-14T22:13:20.123456Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (4_107_542_399_999_999, "2100-02-28T23:59:59.999999Z"),
        (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_microseconds(at: int, written: str) -> None:
    assert rfc3339(at) == written


@given(st.integers(min_value=0, max_value=LAST))
def test_every_instant_is_what_the_calendar_says(at: int) -> None:
    assert rfc3339(at) == (EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


@given(st.integers(min_value=0, max_value=LAST - 1))
def test_a_later_instant_is_written_later(at: int) -> None:
    assert rfc3339(at) < rfc3339(at + 1)
