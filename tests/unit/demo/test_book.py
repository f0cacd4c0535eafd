"""A client's level-2 book: a snapshot, then absolute sizes, none of them from before the snapshot."""

from local.demo.book import Book

SNAPSHOT = {
    "type": "snapshot",
    "sequence": 40,
    "bids": [["168.995", "12", 2], ["168.990", "3", 1]],
    "asks": [["169.005", "8", 1]],
}


def test_updates_set_add_and_remove_levels() -> None:
    book = Book()
    book.restart(SNAPSHOT)
    assert book.update([("buy", "168.995", "4"), ("sell", "169.005", "0")], sequence=41)
    assert book.update([("sell", "169.010", "7")], sequence=44)
    assert (book.bids, book.asks) == ({"168.995": "4", "168.990": "3"}, {"169.010": "7"})
    assert book.sequence == 44


def test_an_update_that_the_snapshot_already_holds_changes_nothing() -> None:
    book = Book()
    book.restart(SNAPSHOT)
    assert not book.update([("buy", "168.995", "99")], sequence=40)
    assert book.bids["168.995"] == "12"


def test_a_level_that_is_gone_already_may_be_removed_again() -> None:
    book = Book()
    book.restart(SNAPSHOT)
    assert book.update([("buy", "1.000", "0")], sequence=41)
    assert book.bids == {"168.995": "12", "168.990": "3"}
