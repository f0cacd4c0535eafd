"""Decimals become whole units exactly, or are refused."""

import pytest

from venue.money import UNITS_MAX, divide_up, format_units, parse_units


@pytest.mark.parametrize(
    ("text", "scale", "units"),
    [
        ("0", 0, 0),
        ("1", 0, 1),
        ("1", 8, 100_000_000),
        ("0.00000001", 8, 1),
        ("1.10", 1, 11),
        ("1.000000000000000000000000000000", 0, 1),
        ("007.50", 2, 750),
        ("92233720368.54775807", 8, UNITS_MAX),
    ],
)
def test_a_plain_decimal_becomes_whole_units(text: str, scale: int, units: int) -> None:
    assert parse_units(text, scale) == units


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "-1",
        "-0",
        ".5",
        "5.",
        "1e3",
        "1E-3",
        "NaN",
        "nan",
        "sNaN",
        "inf",
        "Infinity",
        "0x10",
        "1_000",
        "1,000",
        "1.2.3",
        "١٢",  # Arabic-Indic digits
        "１２",  # full-width digits
        "²",
        "1\u200b",
        "1\x00",
        "9" * 31,
        "0." + "0" * 31,
    ],
)
def test_anything_but_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a plain positive decimal number"):
        parse_units(text, 8)


def test_a_megabyte_of_digits_is_refused() -> None:
    with pytest.raises(ValueError, match="not a plain positive decimal number"):
        parse_units("1" * 1_000_000, 8)


def test_more_decimals_than_the_scale_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 2 decimals"):
        parse_units("1.005", 2)


def test_one_unit_more_than_63_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        parse_units("92233720368.54775808", 8)


@pytest.mark.parametrize(
    ("units", "scale", "text"),
    [
        (0, 0, "0"),
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-1, 0, "-1"),
        (-1, 2, "-0.01"),
        (-5, 2, "-0.05"),
        (-1250, 3, "-1.250"),
        (12, 0, "12"),
        (100, 1, "10.0"),
    ],
)
def test_units_are_written_with_all_their_decimals(units: int, scale: int, text: str) -> None:
    assert format_units(units, scale) == text


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [(0, 10, 0), (1, 10, 1), (10, 10, 1), (11, 10, 2), (-1, 10, 0), (-11, 10, -1)],
)
def test_division_rounds_up(numerator: int, denominator: int, quotient: int) -> None:
    assert divide_up(numerator, denominator) == quotient
