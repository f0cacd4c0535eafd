"""Real order flow, and the reports that a right book makes of it. Nothing but the standard library is needed here.

The flow is that of the public matching-engine benchmark by Flash One Technologies. Its reports, sorted by (seq, type)
and joined by newlines:

    0,seq,side,order_id,price,quantity   accepted      2,seq,side,order_id,price            cancelled
    1,seq,price,quantity,maker,taker     trade         3,seq,side,order_id,price,quantity   modified
    4,seq,order_id                       no such order to cancel; 5: none to modify
"""

import csv
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TextIO, cast

# Messages that are made at a time before an engine takes them: the matcher's batches carry so many under full load
# (docs/speed.md). With a thousand, what is made pushes the book out of the processor's cache.
BATCH: Final = 50


class Message(NamedTuple):
    """One line of the flow; prices in ticks, quantities in lots. side: "buy", "sell", or empty for a cancel."""

    kind: str
    seq: int
    order_id: str
    side: str
    ioc: bool
    quantity: int
    price: int


def load(path: Path) -> list[Message]:
    """Read a flow, .csv or .csv.xz."""
    with lzma.open(path, "rt") if path.suffix == ".xz" else path.open() as flow:
        return list(read(cast("TextIO", flow)))


def read(flow: TextIO) -> Iterator[Message]:
    """Read the flow's csv, header included."""
    for row in csv.DictReader(flow):
        yield Message(
            kind=row["kind"],
            seq=int(row["seq"]),
            order_id=row["order_id"],
            side=row["side"],
            ioc=row["ioc"] == "1",
            quantity=int(row["quantity"] or 0),
            price=int(row["price_ticks"] or 0),
        )


def canonical(reports: Iterable[str]) -> str:
    """The report stream as the benchmark hashes it: by (seq, type), the trades of one message in match order."""

    def place(line: str) -> tuple[int, int]:
        kind, seq, _ = line.split(",", 2)
        return int(seq), int(kind)

    return "\n".join(sorted(reports, key=place))
