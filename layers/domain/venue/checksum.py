"""The book checksum of Kraken's v2 feed, by which a client sees that its copy of the book is right."""

from collections.abc import Iterable
from itertools import islice
from zlib import crc32

LEVELS = 10


def book_checksum(*, bids: Iterable[tuple[str, str]], asks: Iterable[tuple[str, str]]) -> int:
    """CRC-32 of the best ten asks, then the best ten bids: (price, size) as the feed writes them, best first.

    Each number goes in without its decimal point and its leading zeros, so the number of decimals matters.
    Source: https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
    """
    digits = (_digits(number) for side in (asks, bids) for level in islice(side, LEVELS) for number in level)
    return crc32("".join(digits).encode())


def _digits(number: str) -> str:
    return number.replace(".", "").lstrip("0")
