"""What the venue can be asked to do. A command carries its time and ids inside, so that a replay needs nothing else."""

import msgspec

from venue.orders import OrderType, Side, TimeInForce
from venue.products import Product


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """`at` is stamped by the matcher when it takes the command: µs since 1970 UTC, never running backwards."""

    at: int = 0


class PlaceOrder(Command, frozen=True, kw_only=True, tag="place"):
    """Buy or sell. The hold has been taken from the wallet before this command was sent.

    price: ticks; a limit order's limit, a market order's worst price (None: any). size: lots. funds: minor units of
    the quote asset that a market buy may spend, fees included (then size is None). hold: minor units, of the quote
    asset for a buy, of the base asset for a sell. Rates in basis points, looked up by the caller. deadline: µs; a
    command taken later than this is refused (None: never).
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


class CancelOrder(Command, frozen=True, kw_only=True, tag="cancel"):
    """Take one resting order of this account out of its book."""

    order_id: str
    account: str


class CancelAll(Command, frozen=True, kw_only=True, tag="cancel_all"):
    """Take every resting order of this account out of one book, or of all books of the shard."""

    account: str
    product_id: str | None = None


class Deposit(Command, frozen=True, kw_only=True, tag="deposit"):
    """Credit an account from outside the venue. `transfer_id` is unique for ever: a repeat changes nothing."""

    transfer_id: str
    account: str
    asset: str
    amount: int  # minor units


class ListProduct(Command, frozen=True, kw_only=True, tag="list"):
    """Open a market, or change its rules when it exists."""

    product: Product


AnyCommand = PlaceOrder | CancelOrder | CancelAll | Deposit | ListProduct
