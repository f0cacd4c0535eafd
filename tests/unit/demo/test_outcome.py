"""Amounts as the report shows them."""

import pytest

from local.demo.outcome import grouped


@pytest.mark.parametrize(
    ("amount", "decimals", "shown"),
    [
        ("100024", None, "100,024"),
        ("9995871.21500000", 2, "9,995,871.21"),
        ("0.00999999", 2, "0.00"),
        ("-1250.5", 2, "-1,250.5"),
        ("12.345", 0, "12"),
    ],
)
def test_amounts_are_grouped_and_cut_but_never_rounded(amount: str, decimals: int | None, shown: str) -> None:
    assert grouped(amount, decimals=decimals) == shown
