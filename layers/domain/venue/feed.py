"""What the tape means to those who listen: records in, WebSocket messages with their topics out. Pure.

Messages of the `full`, `matches` and `user` channels are told one by one, in the order of the tape. Levels, tickers
and wallets are conflated over the records of one call: a level, product or wallet that changed often is told once, as
it was last.
"""

from collections.abc import Iterable, Iterator

import msgspec

from venue import dialect
from venue.events import (
    AmendRefused,
    AnyEvent,
    AuctionIndicated,
    CancelRefused,
    Deposited,
    DepositRefused,
    LevelChanged,
    OrderChanged,
    OrderDone,
    OrderOpened,
    OrderReceived,
    OrderRefused,
    StatusChanged,
    StopAccepted,
    StopActivated,
    SwitchChanged,
    Traded,
)
from venue.instants import rfc3339
from venue.ledger import FEES, WORLD
from venue.messages import Changed, Done, Level2Update, Message, Opened, Received
from venue.orders import Side
from venue.products import Asset, Product
from venue.spelling import spelled
from venue.wire import TapeRecord, WalletChanged

# Every channel, and whether it is told per product.
PUBLIC_CHANNELS = frozenset({"full", "level2", "level2_batch", "matches", "status", "ticker", "ticker_batch"})
CHANNELS = PUBLIC_CHANNELS | {"user"}
STATUS = "status"
WITHOUT_PRODUCTS = frozenset({STATUS})
# In one l2update, which must stay well below what one WebSocket message may hold.
CHANGES_MAX = 1000


class Publication(msgspec.Struct, frozen=True):
    """One message for everyone who listens to any of `topics`; who listens to several gets it once."""

    topics: tuple[str, ...]
    message: Message


def topic_of(channel: str, product_id: str) -> str:
    """Name a public channel of one product."""
    return f"{channel}#{product_id}"


def user_topic_of(account: str, product_id: str | None = None) -> str:
    """Name an account's private messages of one product, or (None) those of no product: wallets, deposits."""
    return f"user#{account}#{product_id}" if product_id else f"user#{account}"


def publications(records: Iterable[TapeRecord]) -> list[Publication]:
    """Give the messages of `records`, which come in the order of the tape; a record that comes twice is told once."""
    once = {(record.shard, record.batch, record.part): record for record in records}
    markets: dict[str, _Market] = {}
    wallets = _Wallets()
    told: list[Publication] = []
    for record in once.values():
        if record.product is not None:
            market = markets.setdefault(record.product.id, _Market(record.product))
            market.product = record.product
            for event in spelled(record.events):
                told.extend(market.tell(event))
        else:
            for event in record.events:
                told.extend(_without_product(event, record.assets))
            wallets.see(record)
    for market in markets.values():
        told.extend(market.conflated())
    told.extend(wallets.conflated())
    return told


class _Market:
    """One product's events within one call: orders and trades are told at once, levels and ticker at the end."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self._levels: dict[tuple[Side, int], int] = {}
        self._first: int | None = None
        self._last = 0
        self._at = 0
        self._trade: Traded | None = None

    def tell(self, event: AnyEvent) -> Iterator[Publication]:
        product = self.product
        match event:
            case OrderReceived():
                self._pass(event.sequence, event.at)
                yield from self._order(event.account, dialect.received(event, product))
            case OrderOpened():
                self._pass(event.sequence, event.at)
                yield from self._order(event.account, dialect.opened(event, product))
            case OrderChanged(sequence=None):
                yield self._private(event.account, dialect.changed(event, product))
            case OrderChanged(sequence=int() as sequence):
                self._pass(sequence, event.at)
                yield from self._order(event.account, dialect.changed(event, product))
            case OrderDone():
                self._pass(event.sequence, event.at)
                yield from self._order(event.account, dialect.done(event, product))
            case Traded():
                self._pass(event.sequence, event.at)
                self._trade = event
                yield from self._match(event)
            case LevelChanged():
                self._pass(event.sequence, event.at)
                # Taken out first, so that the changes stand in the order of each level's latest one.
                self._levels.pop((event.side, event.price), None)
                self._levels[event.side, event.price] = event.size
            case StatusChanged():
                yield Publication((STATUS,), dialect.market_state(event, product))
            case AuctionIndicated():
                yield Publication((STATUS,), dialect.auction(event, product))
            case _:
                yield from self._told_privately(event)

    def _told_privately(self, event: AnyEvent) -> Iterator[Publication]:
        product = self.product
        match event:
            case OrderRefused():
                yield self._private(event.account, dialect.rejected(event, product))
            case StopAccepted():
                yield self._private(event.account, dialect.activate(event, product))
            case StopActivated():
                yield self._private(event.account, dialect.triggered(event, product))
            case AmendRefused():
                yield self._private(event.account, dialect.amend_rejected(event))
            case _:
                return

    def conflated(self) -> Iterator[Publication]:
        product = self.product
        if self._first is not None:
            # Told even where no level changed: first_sequence to sequence must leave no gap.
            changes = [
                (side, product.format_price(price), product.format_size(size))
                for (side, price), size in self._levels.items()
            ]
            for start in range(0, len(changes) or 1, CHANGES_MAX):
                update = Level2Update(
                    product_id=product.id,
                    time=rfc3339(self._at),
                    first_sequence=self._first,
                    sequence=self._last,
                    changes=changes[start : start + CHANGES_MAX],
                )
                yield Publication((topic_of("level2", product.id), topic_of("level2_batch", product.id)), update)
        if self._trade is not None:
            topics = (topic_of("ticker", product.id), topic_of("ticker_batch", product.id))
            yield Publication(topics, dialect.ticker(self._trade, product))

    def _pass(self, sequence: int, at: int) -> None:
        self._first = sequence if self._first is None else min(self._first, sequence)
        self._last = max(self._last, sequence)
        self._at = max(self._at, at)

    def _order(self, account: str, message: Received | Opened | Changed | Done) -> Iterator[Publication]:
        yield Publication((topic_of("full", self.product.id),), dialect.publicly(message))
        yield self._private(account, message)

    def _match(self, trade: Traded) -> Iterator[Publication]:
        told = dialect.match(trade, self.product)
        yield Publication((topic_of("matches", self.product.id), topic_of("full", self.product.id)), told)
        yield self._private(trade.maker_account, dialect.makers_match(told, trade, self.product))
        yield self._private(trade.taker_account, dialect.takers_match(told, trade, self.product))

    def _private(self, account: str, message: Message) -> Publication:
        return Publication((user_topic_of(account, self.product.id),), message)


class _Wallets:
    """The latest of each wallet within one call: shard by shard, as their sequences do not compare."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], WalletChanged] = {}
        self._assets: dict[str, Asset] = {}

    def see(self, record: TapeRecord) -> None:
        self._assets.update((asset.id, asset) for asset in record.assets)
        for change in record.wallets:
            if change.account in (WORLD, FEES):
                continue  # nobody listens for the venue
            before = self._latest.get((change.account, change.asset))
            # A redelivered batch can bring an older one after a newer one.
            stale = before is not None and before.shard == change.shard and before.sequence > change.sequence
            if not stale:
                self._latest[change.account, change.asset] = change

    def conflated(self) -> Iterator[Publication]:
        for change in self._latest.values():
            if asset := self._assets.get(change.asset):
                yield Publication((user_topic_of(change.account),), dialect.wallet(change, asset))


def _without_product(event: AnyEvent, assets: Iterable[Asset]) -> Iterator[Publication]:
    match event:
        case Deposited():
            for asset in assets:
                if asset.id == event.asset:
                    yield Publication((user_topic_of(event.account),), dialect.deposit(event, asset))
        case DepositRefused():
            yield Publication((user_topic_of(event.account),), dialect.deposit_rejected(event))
        case CancelRefused():
            yield Publication((user_topic_of(event.account),), dialect.cancel_rejected(event))
        case OrderRefused():
            yield Publication((user_topic_of(event.account),), dialect.unpriced_rejected(event))
        case SwitchChanged():
            yield Publication((user_topic_of(event.account),), dialect.cancel_all_after(event))
        case AmendRefused():
            yield Publication((user_topic_of(event.account),), dialect.amend_rejected(event))
        case _:
            return
