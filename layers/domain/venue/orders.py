"""Orders as everyone but the book sees them: a snapshot of what one became, and its fills."""

from typing import Literal

import msgspec

Side = Literal["buy", "sell"]
OrderType = Literal["limit", "market"]
TimeInForce = Literal["GTC", "GTT", "IOC", "FOK"]  # GTT: until `expire_at`
Status = Literal["pending", "active", "open", "done", "rejected"]  # active: waits for its stop price
DoneReason = Literal["filled", "canceled", "expired"]
# What the incoming order does when it meets one of its own account: decrement and cancel, cancel oldest, newest, both.
SelfTradePrevention = Literal["dc", "co", "cn", "cb"]
# When a stop order wakes: `loss` at a last trade at or below its stop price, `entry` at one at or above it.
Stop = Literal["loss", "entry"]
Liquidity = Literal["M", "T"]  # maker, taker


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order at one moment. Prices in ticks, sizes in lots, amounts in minor units, times in µs since 1970 UTC.

    `hold` is what is still held for it: minor units of the quote asset for a buy, of the base asset for a sell. Price
    and size are what amends and self-trade prevention have made of them.
    """

    order_id: str
    account: str
    product_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    client_oid: str | None
    price: int | None  # a limit order's limit; a market order's worst price, None for no bound
    size: int | None
    funds: int | None  # a market buy's budget, fees included
    status: Status
    created_at: int
    filled: int = 0
    executed_value: int = 0
    fees: int = 0
    hold: int = 0
    done_at: int | None = None
    done_reason: DoneReason | None = None
    reject_reason: str | None = None
    stp: SelfTradePrevention | None = None
    expire_at: int | None = None
    stop: Stop | None = None
    stop_price: int | None = None
    display_size: int | None = None


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a trade, as its owner sees it. Units as in Order; `fee` in minor units of the quote asset."""

    trade_id: int
    product_id: str
    order_id: str
    account: str
    side: Side
    liquidity: Liquidity
    price: int
    size: int
    fee: int
    at: int
