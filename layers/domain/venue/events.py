"""What happened. Events are the journal, the tape and the only source of postings; a refusal is an event as well.

`sequence` is gapless per product over the events that carry it (received, open, match, change, done: the *full*
channel).
`account_sequence` is gapless per account and shard over the private events. A LevelChanged shows the book as of the
product sequence it names and takes no number of its own. Units as in venue.orders.
"""

from typing import Literal

import msgspec

from venue.orders import DoneReason, OrderType, SelfTradePrevention, Side, Stop, TimeInForce
from venue.products import MarketStatus, Product

ChangeReason = Literal["amend", "stp"]
StatusReason = Literal["command", "breaker", "time"]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """`at` is the time of the command that caused it, µs since 1970 UTC."""

    at: int


class ProductListed(Event, frozen=True, kw_only=True, tag="listed"):
    """A market opened or changed its rules."""

    product: Product


class Deposited(Event, frozen=True, kw_only=True, tag="deposited"):
    """Money came in from outside."""

    transfer_id: str
    account: str
    account_sequence: int
    asset: str
    amount: int


class OrderReceived(Event, frozen=True, kw_only=True, tag="received"):
    """The matcher took the order on; matching follows in the same command.

    `hold` as in the command, but 0 for a stop order that woke: StopAccepted told of its hold. Whoever may not see more
    of it than `display_size` lots must not see `size`.
    """

    sequence: int
    account_sequence: int
    order_id: str
    account: str
    product_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    client_oid: str | None
    price: int | None
    size: int | None
    funds: int | None = None
    hold: int
    stp: SelfTradePrevention | None = None
    expire_at: int | None = None
    stop: Stop | None = None
    stop_price: int | None = None
    display_size: int | None = None


class StopAccepted(Event, frozen=True, kw_only=True, tag="stop"):
    """The matcher keeps the order until a trade prints at its stop price. Private; no product sequence."""

    account_sequence: int
    order_id: str
    account: str
    product_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    client_oid: str | None
    price: int | None
    size: int | None
    funds: int | None
    hold: int
    stop: Stop
    stop_price: int
    stp: SelfTradePrevention | None = None
    expire_at: int | None = None
    display_size: int | None = None


class StopActivated(Event, frozen=True, kw_only=True, tag="activate"):
    """A trade printed at the order's stop price: its `received` follows. Private; no product sequence."""

    account_sequence: int
    order_id: str
    account: str
    product_id: str
    side: Side
    stop: Stop
    stop_price: int


class OrderOpened(Event, frozen=True, kw_only=True, tag="open"):
    """What was left of the order rests in the book, behind the others at its price.

    It comes again for an order that was amended out of its place, and for each further slice of an iceberg. Of an
    iceberg's `remaining` lots only `shown` may be seen by others (None: all).
    """

    sequence: int
    account_sequence: int
    order_id: str
    account: str
    product_id: str
    side: Side
    price: int
    remaining: int
    shown: int | None = None


class OrderChanged(Event, frozen=True, kw_only=True, tag="change"):
    """The order has another price or size now.

    By `amend`: less size at the same price left it where it stood; otherwise its trades and an `open` or `done`
    follow. By self-trade prevention (`stp`): it met an order of its own account and is smaller now. sequence: None for
    a stop order that still waits (then the event is private). size: lots, fills included. held: what was taken from
    the wallet for the amend; released: what goes back; minor units of the hold's asset. An order by funds has no size,
    and shrinks by `released`.
    """

    sequence: int | None
    account_sequence: int
    order_id: str
    account: str
    product_id: str
    side: Side
    reason: ChangeReason
    price: int | None
    old_price: int | None
    size: int | None
    old_size: int | None
    remaining: int
    shown: int | None = None
    held: int = 0
    released: int = 0
    amend_id: str | None = None


class Traded(Event, frozen=True, kw_only=True, tag="match"):
    """Two orders met, at the maker's price; in an uncross at its one price, the older order being the maker.

    `side` is the maker's, as in Coinbase's dialect. Fees and releases in minor units: a fee is taken from the quote
    asset of its payer; `*_released` goes back from held to free because the hold was larger than what is still needed
    (quote asset; always 0 for the seller).
    """

    sequence: int
    trade_id: int
    product_id: str
    side: Side
    price: int
    size: int
    maker_order_id: str
    maker_account: str
    maker_account_sequence: int
    maker_fee: int
    maker_released: int = 0
    taker_order_id: str
    taker_account: str
    taker_account_sequence: int
    taker_fee: int
    taker_released: int = 0


class OrderDone(Event, frozen=True, kw_only=True, tag="done"):
    """The order left the book, or never rested. `released` is the rest of its hold, minor units of the hold's asset."""

    sequence: int
    account_sequence: int
    order_id: str
    account: str
    product_id: str
    side: Side
    price: int | None
    remaining: int  # lots that were not filled; 0 for an order by funds
    reason: DoneReason
    released: int


class OrderRefused(Event, frozen=True, kw_only=True, tag="refused"):
    """The order broke a rule: nothing traded, nothing rests, its whole hold is released.

    It carries the command's fields, so that the journal can answer what was refused. Private; no product sequence.
    """

    account_sequence: int
    order_id: str
    account: str
    product_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    client_oid: str | None
    price: int | None
    size: int | None
    funds: int | None
    hold: int
    reason: str
    stp: SelfTradePrevention | None = None
    expire_at: int | None = None
    stop: Stop | None = None
    stop_price: int | None = None
    display_size: int | None = None


class AmendRefused(Event, frozen=True, kw_only=True, tag="amend_refused"):
    """The order stays as it is, and what was held for the amend goes back. Private; no product sequence."""

    account_sequence: int
    amend_id: str
    order_id: str
    account: str
    product_id: str
    side: Side
    hold: int
    reason: str


class CancelRefused(Event, frozen=True, kw_only=True, tag="cancel_refused"):
    """Nothing is cancelled: `reason` is not_found, order_done or halted. Private; no product sequence."""

    account_sequence: int
    order_id: str
    account: str
    reason: str


class DepositRefused(Event, frozen=True, kw_only=True, tag="deposit_refused"):
    """No money came in, and `transfer_id` is still free: the command's amount was not one. Private."""

    transfer_id: str
    account: str
    account_sequence: int
    asset: str
    reason: str


class ListingRefused(Event, frozen=True, kw_only=True, tag="listing_refused"):
    """The market stays as it was."""

    product_id: str
    reason: str


class StatusChanged(Event, frozen=True, kw_only=True, tag="status"):
    """A market accepts something else now. Public; no product sequence. `reference` in ticks, `until` in µs."""

    product_id: str
    status: MarketStatus
    reason: StatusReason
    until: int | None
    reference: int | None


class StatusRefused(Event, frozen=True, kw_only=True, tag="status_refused"):
    """The market stays as it was."""

    product_id: str
    reason: str


class AuctionIndicated(Event, frozen=True, kw_only=True, tag="indicative"):
    """Where the auction would trade now: `volume` lots at `price` ticks (None: nothing would). Public, no sequence.

    surplus: lots that would be left at that price; more buyers than sellers where it is positive.
    """

    product_id: str
    price: int | None
    volume: int
    surplus: int


class LevelChanged(Event, frozen=True, kw_only=True, tag="level"):
    """All that is shown at one price, in lots, after a command (0: the level is gone). One per level and command."""

    sequence: int
    product_id: str
    side: Side
    price: int
    size: int


AnyEvent = (
    ProductListed
    | Deposited
    | OrderReceived
    | OrderOpened
    | Traded
    | OrderDone
    | OrderRefused
    | CancelRefused
    | DepositRefused
    | ListingRefused
    | LevelChanged
    | StopAccepted
    | StopActivated
    | OrderChanged
    | AmendRefused
    | StatusChanged
    | StatusRefused
    | AuctionIndicated
)
