"""Decimals and units: nothing is lost between them."""

from decimal import Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from venue.money import UNITS_MAX, divide_up, format_units, parse_units

scales = st.integers(0, 18)


@given(st.integers(0, UNITS_MAX), scales)
def test_what_is_written_is_read_back(units: int, scale: int) -> None:
    assert parse_units(format_units(units, scale), scale) == units


@given(st.integers(-UNITS_MAX, UNITS_MAX), scales)
def test_what_is_written_is_the_number(units: int, scale: int) -> None:
    with localcontext(prec=60):
        assert Decimal(format_units(units, scale)) * 10**scale == units


@given(st.text(max_size=40), scales)
def test_any_text_is_either_exactly_a_number_of_units_or_refused(text: str, scale: int) -> None:
    try:
        units = parse_units(text, scale)
    except ValueError:
        return
    with localcontext(prec=60):
        assert Decimal(text) * 10**scale == units
    assert 0 <= units <= UNITS_MAX


@given(st.from_regex(r"[0-9.eE+\-_]{1,12}", fullmatch=True), scales)
def test_text_that_looks_like_a_number_is_either_exactly_one_or_refused(text: str, scale: int) -> None:
    try:
        units = parse_units(text, scale)
    except ValueError:
        return
    assert Decimal(text) * 10**scale == units


@given(st.integers(), st.integers(1, 10**12))
def test_division_rounds_up_by_less_than_one(numerator: int, denominator: int) -> None:
    assert 0 <= divide_up(numerator, denominator) * denominator - numerator < denominator
