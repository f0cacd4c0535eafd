"""The figures of ADR 0003: what a noun costs to make, to write as JSON and to read back.

    .venv/bin/python -m bench.nouns

The noun is a trade, the event with most fields. Each figure is the best of seven runs, ns for one noun.
"""

import dataclasses
import json
import sys
import timeit
from collections.abc import Callable

import msgspec

from venue.events import Traded
from venue.wire import encode

TRADE = Traded(
    at=1_750_000_000_123_456,
    sequence=81_231,
    trade_id=9_214,
    product_id="ACME-USD",
    side="sell",
    price=20_455,
    size=120,
    maker_order_id="0f0d2c52-5c0b-5a4f-a1f4-3b7f1a2f9c11",
    maker_account="3d1f3c0e-8a44-4f0e-9d53-6e1d3a1f7b20",
    maker_account_sequence=412,
    maker_fee=122_730_000,
    maker_released=0,
    taker_order_id="9a4b7a77-2a63-5e7f-8f0e-d7a5a0d8a0c2",
    taker_account="7be2c31d-0d55-4b3b-9b0c-1f2e3d4c5b6a",
    taker_account_sequence=97,
    taker_fee=245_460_000,
    taker_released=0,
)
FIELDS = {name: getattr(TRADE, name) for name in TRADE.__struct_fields__}
Plain = dataclasses.make_dataclass(
    "Plain", [(name, type(value)) for name, value in FIELDS.items()], frozen=True, slots=True
)
PLAIN = Plain(**FIELDS)
LINE = encode(TRADE)
PLAIN_LINE = json.dumps(FIELDS)
as_trade = msgspec.json.Decoder(Traded).decode
as_plain: Callable[[str], object] = msgspec.json.Decoder(Plain).decode


def best_ns(work: Callable[[], object], times: int = 20_000) -> float:
    """Time of one call, ns: the best of seven runs."""
    return min(timeit.repeat(work, number=times, repeat=7)) / times * 1e9


def main() -> None:
    """Write the table."""
    rows = {
        "make": (best_ns(lambda: Traded(**FIELDS)), best_ns(lambda: Plain(**FIELDS)), None),
        "write JSON": (
            best_ns(lambda: encode(TRADE)),
            best_ns(lambda: encode(PLAIN)),
            best_ns(lambda: json.dumps(dataclasses.asdict(PLAIN))),
        ),
        "read JSON": (
            best_ns(lambda: as_trade(LINE)),
            best_ns(lambda: as_plain(PLAIN_LINE)),
            best_ns(lambda: Plain(**json.loads(PLAIN_LINE))),
        ),
    }
    sys.stdout.write(f"{'ns for one trade':18}{'struct':>10}{'dataclass, msgspec':>20}{'dataclass, json':>18}\n")
    for name, (struct, mixed, plain) in rows.items():
        last = f"{plain:18.0f}" if plain else ""
        sys.stdout.write(f"{name:18}{struct:10.0f}{mixed:20.0f}{last}\n")


if __name__ == "__main__":
    main()
