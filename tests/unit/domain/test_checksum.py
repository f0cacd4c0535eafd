"""The book checksum against Kraken's own worked example."""

import json
from pathlib import Path

from venue.checksum import book_checksum

CASE = json.loads((Path(__file__).parents[2] / "cases" / "kraken-checksum.json").read_text())
BIDS = [(price, size) for price, size in CASE["bids"]]
ASKS = [(price, size) for price, size in CASE["asks"]]


def test_krakens_own_example_gives_krakens_own_number() -> None:
    assert book_checksum(bids=BIDS, asks=ASKS) == CASE["crc32"] == 3310070434


def test_levels_beyond_the_tenth_do_not_count() -> None:
    deeper = [*ASKS, ("45300.0", "1.00000000")]
    assert book_checksum(bids=BIDS, asks=deeper) == CASE["crc32"]


def test_a_changed_size_changes_the_checksum() -> None:
    assert book_checksum(bids=[(BIDS[0][0], "0.10000001"), *BIDS[1:]], asks=ASKS) != CASE["crc32"]


def test_the_sides_are_not_interchangeable() -> None:
    assert book_checksum(bids=ASKS, asks=BIDS) != CASE["crc32"]


def test_an_empty_book_has_the_checksum_of_nothing() -> None:
    assert book_checksum(bids=[], asks=[]) == 0
