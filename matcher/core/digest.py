"""A fingerprint of a shard's whole state, the same on every machine and for every order of dicts and hashes."""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from matcher.core.book import Book
from matcher.core.working import Account, WorkingOrder

_encode = msgspec.json.Encoder().encode


def digest_of(
    *,
    books: Mapping[str, Book],
    accounts: Mapping[str, Account],
    transfers: Iterable[str],
    order_ids: Iterable[str],
    done: Iterable[WorkingOrder],
) -> str:
    """SHA-256 in hex. `order_ids` and `done` count in the order in which they are given; the rest is put in order."""
    sha = hashlib.sha256()
    for product_id in sorted(books):
        book = books[product_id]
        sha.update(_encode(["book", book.product, book.sequence, book.trade_id]))
        for ladder in (book.bids, book.asks):
            for level in ladder:
                sha.update(_encode([level.price, level.size, level.count, [_state(order) for order in level]]))
    for name in sorted(accounts):
        account = accounts[name]
        # A cancel-all takes an account's orders in this order, so it is state as well.
        sha.update(_encode(["account", name, account.sequence, list(account.orders)]))
    sha.update(_encode(["transfers", sorted(transfers)]))
    sha.update(_encode(["orders", list(order_ids)]))
    for order in done:
        sha.update(_encode(_state(order)))
    return sha.hexdigest()


def _state(order: WorkingOrder) -> list[object]:
    """What decides how the order goes on: its view, its rates, its exact fee total, and the trades it answers with."""
    command = order.command
    trades = [trade.trade_id for trade in order.trades or ()]
    return [order.view(), command.maker_bps, command.taker_bps, str(order.weighted), trades]
