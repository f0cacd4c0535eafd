"""Money is whole numbers: decimals are parsed to integer units exactly, or refused; no float takes part.

An asset's *scale* is the number of decimals of its minor unit (USD with scale 8 counts in 0.00000001 USD).
"""

import re

# A signed 64-bit column holds every amount; what does not fit is refused at the edge.
UNITS_MAX = 2**63 - 1
BASIS_POINTS = 10_000

_DECIMAL = re.compile(r"\d{1,30}(?:\.\d{1,30})?", re.ASCII)


def parse_units(text: str, scale: int) -> int:
    """Give the integer units (10**-scale) that the plain decimal `text` names.

    Raises ValueError for anything else: a sign, an exponent, NaN, more decimals than `scale`, more than 63 bits.
    """
    if not _DECIMAL.fullmatch(text):
        raise ValueError("not a plain positive decimal number")
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > scale:
        raise ValueError(f"more than {scale} decimals")
    units = int(whole + fraction.ljust(scale, "0"))
    if units > UNITS_MAX:
        raise ValueError("too large")
    return units


def format_units(units: int, scale: int) -> str:
    """Write integer units as a decimal with exactly `scale` decimals: format_units(-1250, 3) == "-1.250"."""
    if scale == 0:
        return str(units)
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def divide_up(numerator: int, denominator: int) -> int:
    """Divide and round towards plus infinity: fees are rounded up, against the payer."""
    return -(-numerator // denominator)
