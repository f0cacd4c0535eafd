"""What each part of the venue says happened. The audit compares these; it asks no one anything itself."""

from collections.abc import Mapping, Sequence

import msgspec

from local.demo.book import Levels

# (account, asset) -> (free, held), in minor units.
Balances = Mapping[tuple[str, str], tuple[int, int]]


class Trade(msgspec.Struct, frozen=True, order=True):
    """One trade as any witness describes it: ticks and lots, and the two orders that met."""

    trade_id: int
    sequence: int
    price: int
    size: int
    maker_order_id: str
    taker_order_id: str


class PrivateFill(msgspec.Struct, frozen=True, order=True):
    """One side of a trade, as an account's own channel tells it."""

    trade_id: int
    account: str
    order_id: str


class Span(msgspec.Struct, frozen=True):
    """The product sequences of this run: after `first`, up to and with `last`."""

    first: int
    last: int


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that was witnessed of one run. Where a witness may see a thing twice, the list says so by repeating it."""

    span: Span
    journal: Sequence[Trade]
    websocket: Sequence[Trade]  # the matches channel, as received
    tape: Sequence[Trade]  # S3 objects, as stored
    ticker: Sequence[int]  # the trades that the ticker channel told, as received
    journal_fills: Sequence[PrivateFill]
    websocket_fills: Sequence[PrivateFill]  # the user channels, as received
    journal_sequences: Sequence[int]
    stream_sequences: Sequence[int]  # the full channel
    tape_sequences: Sequence[int]
    acknowledged: Sequence[str]  # order ids that REST answered for
    journal_orders: Sequence[str]
    wallets: Balances
    ledger: Balances
    told: Balances  # the last wallet messages on the user channels
    lost: Sequence[str]  # WebSocket sessions that the venue closed, and why
    rebuilt: tuple[Levels, Levels]  # bids, asks: from level 2
    shown: tuple[Levels, Levels]  # by REST
    resting: tuple[Levels, Levels]  # open orders in the journal, summed
