"""What the venue can be asked to do. A command carries its time and ids inside, so that a replay needs nothing else."""

import msgspec

from venue.orders import OrderType, SelfTradePrevention, Side, Stop, TimeInForce
from venue.products import MarketStatus, Product


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="kind"):
    """`at` is stamped by the matcher when it takes the command: µs since 1970 UTC, never running backwards."""

    at: int = 0


class PlaceOrder(Command, frozen=True, kw_only=True, tag="place"):
    """Buy or sell. The hold has been taken from the wallet before this command was sent.

    price: ticks; a limit order's limit, a market order's worst price (None: any). size: lots. funds: minor units of
    the quote asset that a market buy may spend, fees included (then size is None). hold: minor units, of the quote
    asset for a buy, of the base asset for a sell. Rates in basis points, looked up by the caller. deadline: µs; a
    command taken later than this is refused (None: never).

    stp: what happens where it meets an order of its own account (None: they trade). expire_at: µs, for GTT. stop and
    stop_price (ticks): the order waits, unseen, until a trade prints there. display_size: lots that are shown at a
    time.
    """

    order_id: str
    account: str
    product_id: str
    side: Side
    type: OrderType = "limit"
    price: int | None = None
    size: int | None = None
    funds: int | None = None
    time_in_force: TimeInForce = "GTC"
    post_only: bool = False
    client_oid: str | None = None
    maker_bps: int = 0
    taker_bps: int = 0
    hold: int = 0
    deadline: int | None = None
    stp: SelfTradePrevention | None = None
    expire_at: int | None = None
    stop: Stop | None = None
    stop_price: int | None = None
    display_size: int | None = None


class AmendOrder(Command, frozen=True, kw_only=True, tag="amend"):
    """Change the price (ticks), the size (lots, what is filled already included), or both; None leaves it.

    Less size at the same price keeps the order's priority; anything else puts it behind the others, and it may trade.
    `amend_id` is unique for ever: a repeat changes nothing. `hold` (minor units, as in PlaceOrder) was taken from the
    wallet on top of what the order holds; what is too much goes back. product_id and side are those of the order: they
    say what `hold` is counted in even where there is no such order.
    """

    amend_id: str
    order_id: str
    account: str
    product_id: str
    side: Side
    price: int | None = None
    size: int | None = None
    hold: int = 0
    deadline: int | None = None


class CancelOrder(Command, frozen=True, kw_only=True, tag="cancel"):
    """Take one resting order of this account out of its book."""

    order_id: str
    account: str


class CancelAll(Command, frozen=True, kw_only=True, tag="cancel_all"):
    """Take this account's open orders out of one book, or of all books of the shard.

    The oldest first, at most `limit` of them: repeat it until nothing happens.
    """

    account: str
    product_id: str | None = None
    limit: int = 1_000


class CancelAllAfter(Command, frozen=True, kw_only=True, tag="cancel_all_after"):
    """Take every open order of this account out of all books of the shard, `timeout` µs from now; 0: do not.

    A dead-man switch: it is set anew by each of these, and falls when none has come in time. What expires is not asked
    whether its market is halted, and neither is what ends so. Whatever is left of the orders after one Expire is due.
    """

    account: str
    timeout: int


class CancelProduct(Command, frozen=True, kw_only=True, tag="cancel_product"):
    """Take every order out of one book, the oldest first, at most `limit` of them: repeat it until nothing happens."""

    product_id: str
    limit: int = 1_000


class Expire(Command, frozen=True, kw_only=True, tag="expire"):
    """What is due at `at` happens: orders expire, switches fall, halts and auctions end, auctions tell how they stand.

    Nothing is due by itself: an order is good until this command says otherwise. Send it whenever `Engine.due` has
    come, before any other command of that time.
    """


class SetStatus(Command, frozen=True, kw_only=True, tag="set_status"):
    """Change what a market accepts (venue.products.MarketStatus). Leaving an auction uncrosses the book.

    until: µs, when a halt turns into an auction, or an auction into trading (None: when another SetStatus says so).
    reference: ticks, what collar, circuit breaker and auction go by from now on (None: as before).
    """

    product_id: str
    status: MarketStatus
    until: int | None = None
    reference: int | None = None


class Deposit(Command, frozen=True, kw_only=True, tag="deposit"):
    """Credit an account from outside the venue. `transfer_id` is unique for ever: a repeat changes nothing."""

    transfer_id: str
    account: str
    asset: str
    amount: int  # minor units


class ListProduct(Command, frozen=True, kw_only=True, tag="list"):
    """Open a market, or change its rules when it exists."""

    product: Product


AnyCommand = (
    PlaceOrder
    | CancelOrder
    | CancelAll
    | CancelAllAfter
    | Deposit
    | ListProduct
    | AmendOrder
    | CancelProduct
    | Expire
    | SetStatus
)
