"""What a client reads on its WebSocket, in Coinbase Exchange's dialect. docs/api/asyncapi.yaml describes every one.

Prices, sizes and amounts are decimal strings, times RFC 3339 with µs. A field that is None is left out. Fields marked
private are filled on the user channel only; no message names an account.
"""

from typing import Literal

import msgspec

from venue.events import StatusReason
from venue.orders import DoneReason, Liquidity, OrderType, Side, Stop, TimeInForce
from venue.products import MarketStatus


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """One JSON object in one WebSocket message."""


class Received(Message, frozen=True, kw_only=True, tag="received"):
    """The matcher took an order on. Of an iceberg everyone else is told `display_size` as its size."""

    time: str
    product_id: str
    sequence: int
    order_id: str
    side: Side
    order_type: OrderType
    size: str | None = None
    price: str | None = None
    funds: str | None = None
    display_size: str | None = None  # private
    client_oid: str | None = msgspec.field(default=None, name="client-oid")  # private
    user_sequence: int | None = None  # private


class Activate(Message, frozen=True, kw_only=True, tag="activate"):
    """A stop order was taken on and waits for its price. Private."""

    time: str
    product_id: str
    order_id: str
    side: Side
    order_type: OrderType
    stop_type: Stop
    stop_price: str
    size: str | None = None
    price: str | None = None
    funds: str | None = None
    client_oid: str | None = msgspec.field(default=None, name="client-oid")
    user_sequence: int


class Triggered(Message, frozen=True, kw_only=True, tag="triggered"):
    """A trade printed at a stop order's price; its `received` follows, for everyone. Private."""

    time: str
    product_id: str
    order_id: str
    side: Side
    stop_type: Stop
    stop_price: str
    user_sequence: int


class Opened(Message, frozen=True, kw_only=True, tag="open"):
    """The rest of an order rests in the book, behind the others at its price.

    It comes again for an order that was amended out of its place, and for each slice of an iceberg, of which everyone
    else is told `shown_size` as what remains.
    """

    time: str
    product_id: str
    sequence: int
    order_id: str
    side: Side
    price: str
    remaining_size: str
    shown_size: str | None = None  # private
    user_sequence: int | None = None  # private


class Changed(Message, frozen=True, kw_only=True, tag="change"):
    """An order has another price or size: amended (modify_order), or smaller because it met its own account (STP).

    Sizes include what is filled; of an iceberg everyone else is told what it shows as remaining, and no sizes. Where it
    lost its place, an `open`, or its trades, follow. A stop order that waits has no sequence: then this is private.
    """

    time: str
    product_id: str
    sequence: int | None = None
    order_id: str
    side: Side
    reason: Literal["STP", "modify_order"]
    old_price: str | None = None
    new_price: str | None = None
    old_size: str | None = None
    new_size: str | None = None
    remaining_size: str
    shown_size: str | None = None  # private
    amend_id: str | None = None  # private
    user_sequence: int | None = None  # private


class Match(Message, frozen=True, kw_only=True, tag="match"):
    """A trade, at the maker's price; `side` is the maker's.

    Private: the fee in the quote currency, whether the owner was maker or taker, and the rate of that role.
    """

    time: str
    product_id: str
    sequence: int
    trade_id: int
    maker_order_id: str
    taker_order_id: str
    side: Side
    size: str
    price: str
    fee: str | None = None
    liquidity: Liquidity | None = None
    maker_fee_rate: str | None = None
    taker_fee_rate: str | None = None
    user_sequence: int | None = None


class LastMatch(Message, frozen=True, kw_only=True, tag="last_match"):
    """The latest trade before a subscription to `matches`."""

    time: str
    product_id: str
    trade_id: int
    side: Side
    size: str
    price: str
    sequence: int | None = None
    maker_order_id: str | None = None
    taker_order_id: str | None = None


class Done(Message, frozen=True, kw_only=True, tag="done"):
    """An order left the book, or never rested. A market order has neither price nor remaining size."""

    time: str
    product_id: str
    sequence: int
    order_id: str
    side: Side
    reason: DoneReason
    price: str | None = None
    remaining_size: str | None = None
    user_sequence: int | None = None  # private


class Rejected(Message, frozen=True, kw_only=True, tag="rejected"):
    """A rule refused the order; nothing traded and its hold is free again. Private."""

    time: str
    product_id: str
    order_id: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    reason: str
    size: str | None = None
    price: str | None = None
    funds: str | None = None
    client_oid: str | None = msgspec.field(default=None, name="client-oid")
    user_sequence: int


class AmendRejected(Message, frozen=True, kw_only=True, tag="amend_rejected"):
    """The order stays as it was, and what was held for the amend is free again. Private."""

    time: str
    product_id: str
    order_id: str
    amend_id: str
    reason: str
    user_sequence: int


class CancelRejected(Message, frozen=True, kw_only=True, tag="cancel_rejected"):
    """There was nothing to cancel. Private."""

    time: str
    order_id: str
    reason: str
    user_sequence: int


class CancelAllAfter(Message, frozen=True, kw_only=True, tag="cancel_all_after"):
    """The account's dead-man switch falls at `deadline`; without one it is off, and with `fell` it has just fallen.

    Each shard has one, so that this comes once for each. Private.
    """

    time: str
    deadline: str | None = None
    fell: bool = False
    user_sequence: int


class Deposit(Message, frozen=True, kw_only=True, tag="deposit"):
    """Money came in. Private."""

    time: str
    id: str
    currency: str
    amount: str
    user_sequence: int


class DepositRejected(Message, frozen=True, kw_only=True, tag="deposit_rejected"):
    """No money came in. Private."""

    time: str
    id: str
    currency: str
    reason: str
    user_sequence: int


class Wallet(Message, frozen=True, kw_only=True, tag="wallet"):
    """A wallet after a change: balance = available + hold. `sequence` grows per shard, lower is stale. Private."""

    time: str
    account_id: str
    currency: str
    available: str
    hold: str
    balance: str
    shard: int
    sequence: int


class Snapshot(Message, frozen=True, kw_only=True, tag="snapshot"):
    """The book as of `sequence`, [price, size] best first, with the CRC-32 of its top ten levels."""

    product_id: str
    time: str | None = None
    sequence: int
    checksum: int | None = None
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class Level2Update(Message, frozen=True, kw_only=True, tag="l2update"):
    """All levels that changed from `first_sequence` to `sequence`: [side, price, size], absolute ("0": gone).

    Conflated: a level that changed several times is told once. A client whose book stands at a sequence below
    first_sequence - 1 has missed one and must subscribe again; one whose book stands above `sequence` ignores it.
    """

    product_id: str
    time: str
    first_sequence: int
    sequence: int
    changes: list[tuple[Side, str, str]]


class Ticker(Message, frozen=True, kw_only=True, tag="ticker"):
    """The latest trade. `side` is the taker's, as in Coinbase's dialect."""

    time: str
    product_id: str
    sequence: int | None = None
    trade_id: int
    side: Side | None = None
    price: str
    last_size: str
    best_bid: str | None = None
    best_ask: str | None = None


class MarketState(Message, frozen=True, kw_only=True, tag="market_state"):
    """A market accepts something else now, by an operator (command), its circuit breaker, or because time was up.

    `until`: when a halt turns into an auction, or an auction into trading. `reference_price`: what collar, circuit
    breaker and auction go by.
    """

    time: str
    product_id: str
    status: MarketStatus
    reason: StatusReason
    until: str | None = None
    reference_price: str | None = None


class Auction(Message, frozen=True, kw_only=True, tag="auction"):
    """Where an auction would trade now; without a price nothing would. `surplus`, of `surplus_side`, would be left."""

    time: str
    product_id: str
    indicative_open_price: str | None = None
    indicative_open_size: str
    surplus: str
    surplus_side: Side | None = None


class Channel(msgspec.Struct, frozen=True, omit_defaults=True):
    """One channel of a subscription, with its products (none for `status`)."""

    name: str
    product_ids: list[str] = []


class Subscriptions(Message, frozen=True, kw_only=True, tag="subscriptions"):
    """All that this socket is subscribed to, after each subscribe and unsubscribe.

    cancel_on_disconnect: true where the account's orders are cancelled when this socket ends.
    """

    channels: list[Channel]
    cancel_on_disconnect: bool | None = None


class Failure(Message, frozen=True, kw_only=True, tag="error"):
    """The last message was not carried out; the socket stays open."""

    message: str
    reason: str


class Status(Message, frozen=True, kw_only=True, tag="status"):
    """The products and currencies, each as REST gives them in /products and /currencies."""

    products: list[msgspec.Raw]
    currencies: list[msgspec.Raw] = []


AnyMessage = (
    Received
    | Activate
    | Triggered
    | Opened
    | Changed
    | Match
    | LastMatch
    | Done
    | Rejected
    | AmendRejected
    | CancelRejected
    | CancelAllAfter
    | MarketState
    | Auction
    | Deposit
    | DepositRejected
    | Wallet
    | Snapshot
    | Level2Update
    | Ticker
    | Subscriptions
    | Failure
    | Status
)

encode = msgspec.json.Encoder().encode
