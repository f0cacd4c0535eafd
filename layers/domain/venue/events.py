"""What happened. Events are the journal, the tape and the only source of postings; a refusal is an event as well.

`sequence` is gapless per product over the events that carry it (received, open, match, done: the *full* channel).
`account_sequence` is gapless per account and shard over the private events. A LevelChanged shows the book as of the
product sequence it names and takes no number of its own. Units as in venue.orders.
"""

import msgspec

from venue.orders import DoneReason, OrderType, Side, TimeInForce
from venue.products import Product


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
    """The matcher took the order on; matching follows in the same command. `hold` as in the command."""

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
    funds: int | None
    hold: int


class OrderOpened(Event, frozen=True, kw_only=True, tag="open"):
    """What was left of the order rests in the book."""

    sequence: int
    account_sequence: int
    order_id: str
    account: str
    product_id: str
    side: Side
    price: int
    remaining: int


class Traded(Event, frozen=True, kw_only=True, tag="match"):
    """Two orders met, at the maker's price.

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
    maker_released: int
    taker_order_id: str
    taker_account: str
    taker_account_sequence: int
    taker_fee: int
    taker_released: int


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


class CancelRefused(Event, frozen=True, kw_only=True, tag="cancel_refused"):
    """There is nothing to cancel: `reason` is not_found or order_done. Private; no product sequence."""

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


class LevelChanged(Event, frozen=True, kw_only=True, tag="level"):
    """All that rests at one price, in lots, after a command (0: the level is gone). One per level and command."""

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
)
