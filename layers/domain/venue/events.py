"""What happened. Events are the journal, the tape and the only source of postings; a refusal is an event as well.

`sequence` is gapless per product over the events that carry it (received, open, match, change, done: the *full*
channel).
`account_sequence` is gapless per account and shard over the private events. A LevelChanged shows the book as of the
product sequence it names and takes no number of its own. An OrderRested, and an OrderDone with a level's size, stand
for several events: venue.spelling gives those. Units as in venue.orders.

Fields stand in the order in which the core gives them, by position: a trade is made so in a sixth of the time that its
seventeen names take. Everybody else names them. No event is part of a cycle, so the collector need not follow any.
"""

from typing import Literal

import msgspec

from venue.commands import PlaceOrder
from venue.orders import DoneReason, OrderType, SelfTradePrevention, Side, Stop, TimeInForce
from venue.products import MarketStatus, Product

ChangeReason = Literal["amend", "stp"]
StatusReason = Literal["command", "breaker", "time"]


class Event(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag_field="kind"):
    """`at` is the time of the command that caused it, µs since 1970 UTC."""

    at: int


class ProductListed(Event, frozen=True, tag="listed"):
    """A market opened or changed its rules."""

    product: Product


class Deposited(Event, frozen=True, tag="deposited"):
    """Money came in from outside."""

    transfer_id: str
    account: str
    account_sequence: int
    asset: str
    amount: int


class OrderTold(Event, frozen=True):
    """An event that brings the whole order along, as it was when that happened."""

    order: PlaceOrder

    @property
    def order_id(self) -> str:
        return self.order.order_id

    @property
    def account(self) -> str:
        return self.order.account

    @property
    def product_id(self) -> str:
        return self.order.product_id

    @property
    def side(self) -> Side:
        return self.order.side

    @property
    def type(self) -> OrderType:
        return self.order.type

    @property
    def time_in_force(self) -> TimeInForce:
        return self.order.time_in_force

    @property
    def post_only(self) -> bool:
        return self.order.post_only

    @property
    def client_oid(self) -> str | None:
        return self.order.client_oid

    @property
    def price(self) -> int | None:
        return self.order.price

    @property
    def size(self) -> int | None:
        return self.order.size

    @property
    def funds(self) -> int | None:
        return self.order.funds

    @property
    def hold(self) -> int:
        return self.order.hold

    @property
    def stp(self) -> SelfTradePrevention | None:
        return self.order.stp

    @property
    def expire_at(self) -> int | None:
        return self.order.expire_at

    @property
    def stop(self) -> Stop | None:
        return self.order.stop

    @property
    def stop_price(self) -> int | None:
        return self.order.stop_price

    @property
    def display_size(self) -> int | None:
        return self.order.display_size


class OrderReceived(OrderTold, frozen=True, tag="received"):
    """The matcher took the order on; matching follows in the same command.

    A stop order that woke has the price and size that amends have made of them, and a hold of 0: StopAccepted told of
    its hold. Whoever may not see more of it than `display_size` lots must not see `size`.
    """

    sequence: int
    account_sequence: int


class OrderRested(OrderTold, frozen=True, tag="rest"):
    """The matcher took the order on, and the whole of it rests: `received`, `open` and `level` in one.

    So go most orders, but no icebergs. It takes two numbers of each sequence, and names the later ones. `level_size`
    lots are shown at its price now.
    """

    sequence: int
    account_sequence: int
    level_size: int


class StopAccepted(OrderTold, frozen=True, tag="stop"):
    """The matcher keeps the order until a trade prints at its stop price. Private; no product sequence."""

    account_sequence: int


class StopActivated(Event, frozen=True, tag="activate"):
    """A trade printed at the order's stop price: its `received` follows. Private; no product sequence."""

    account_sequence: int
    order_id: str
    account: str
    product_id: str
    side: Side
    stop: Stop
    stop_price: int


class OrderOpened(Event, frozen=True, tag="open"):
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


class OrderChanged(Event, frozen=True, tag="change"):
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


class Traded(Event, frozen=True, tag="match"):
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
    taker_order_id: str
    taker_account: str
    taker_account_sequence: int
    taker_fee: int
    maker_released: int = 0
    taker_released: int = 0


class OrderDone(Event, frozen=True, tag="done"):
    """The order left the book, or never rested. `released` is the rest of its hold, minor units of the hold's asset.

    `level_size` lots are shown at its price now, where nothing else touched the level; a `level` tells it otherwise.
    """

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
    level_size: int | None = None


class OrderRefused(OrderTold, frozen=True, tag="refused"):
    """The order broke a rule: nothing traded, nothing rests, its whole hold is released.

    It carries the command, so that the journal can answer what was refused; where a number fits no 63 bits, none.
    Private; no product sequence.
    """

    account_sequence: int
    reason: str


class AmendRefused(Event, frozen=True, tag="amend_refused"):
    """The order stays as it is, and what was held for the amend goes back. Private; no product sequence."""

    account_sequence: int
    amend_id: str
    order_id: str
    account: str
    product_id: str
    side: Side
    hold: int
    reason: str


class CancelRefused(Event, frozen=True, tag="cancel_refused"):
    """Nothing is cancelled: `reason` is not_found, order_done or halted. Private; no product sequence."""

    account_sequence: int
    order_id: str
    account: str
    reason: str


class SwitchChanged(Event, frozen=True, tag="switch"):
    """An account's dead-man switch is set to fall at `deadline` (µs), or is off (None): taken back, or because it fell.

    Private; no product sequence. Those of its orders that ended so are told before.
    """

    account_sequence: int
    account: str
    deadline: int | None
    fell: bool = False


class DepositRefused(Event, frozen=True, tag="deposit_refused"):
    """No money came in, and `transfer_id` is still free: the command's amount was not one. Private."""

    transfer_id: str
    account: str
    account_sequence: int
    asset: str
    reason: str


class ListingRefused(Event, frozen=True, tag="listing_refused"):
    """The market stays as it was."""

    product_id: str
    reason: str


class StatusChanged(Event, frozen=True, tag="status"):
    """A market accepts something else now. Public; no product sequence. `reference` in ticks, `until` in µs."""

    product_id: str
    status: MarketStatus
    reason: StatusReason
    until: int | None
    reference: int | None


class StatusRefused(Event, frozen=True, tag="status_refused"):
    """The market stays as it was."""

    product_id: str
    reason: str


class AuctionIndicated(Event, frozen=True, tag="indicative"):
    """Where the auction would trade now: `volume` lots at `price` ticks (None: nothing would). Public, no sequence.

    surplus: lots that would be left at that price; more buyers than sellers where it is positive.
    """

    product_id: str
    price: int | None
    volume: int
    surplus: int


class LevelChanged(Event, frozen=True, tag="level"):
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
    | OrderRested
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
    | SwitchChanged
)
