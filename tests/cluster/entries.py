"""Batches as they go into the journal, with nothing asked and nothing told."""

from collections.abc import Sequence

from matcher.shell.journal import Entry
from venue.ledger import Posting


def entry(sequence: int, *, postings: Sequence[Posting] = ()) -> Entry:
    """One of them, with what it moves."""
    return Entry(
        sequence=sequence,
        at=0,
        commands=b"[]",
        events=b"[]",
        checksum=b"",
        orders=[],
        trades=[],
        postings=list(postings),
        products=[],
    )
