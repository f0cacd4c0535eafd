"""What the REST API tells an account of its own, in Coinbase Exchange's dialect; `quotes` is what it tells everyone.

Decimals are text, times RFC 3339 in UTC.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from venue.amends import Amended
from venue.cashier import Credited
from venue.desk import Armed, Placed
from venue.errors import Malformed, RuleBroken, VenueError
from venue.identity import wallet_id_of
from venue.instants import rfc3339
from venue.money import format_units
from venue.orders import (
    DoneReason,
    Fill,
    Liquidity,
    Order,
    OrderType,
    SelfTradePrevention,
    Side,
    Status,
    Stop,
    TimeInForce,
)
from venue.ports import Balance
from venue.products import Asset, Product
from venue_aws.pages import Entry


class Answer(BaseModel):
    """A JSON object; a member without a value is null."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Error(Answer):
    """Every answer that is not a success. `reject_reason` names the rule on 422, `field` the part at fault on 400."""

    message: str
    code: str
    request_id: str
    reject_reason: str | None = None
    field: str | None = None


def error_body(error: VenueError, request_id: str) -> dict[str, Any]:
    """Write an error, without the members that it has not."""
    body: dict[str, Any] = {"message": error.message, "code": error.code, "request_id": request_id}
    if isinstance(error, RuleBroken):
        body["reject_reason"] = error.code
    if isinstance(error, Malformed) and error.field is not None:
        body["field"] = error.field
    return body


class FillView(Answer):
    """One side of a trade. `fee` in the quote currency; liquidity M: maker, T: taker."""

    trade_id: int
    product_id: str
    order_id: str
    side: Side
    liquidity: Liquidity
    price: str
    size: str
    fee: str
    created_at: str
    settled: bool = True

    @classmethod
    def of(cls, fill: Fill, product: Product) -> "FillView":
        """Write one fill."""
        return cls(
            trade_id=fill.trade_id,
            product_id=fill.product_id,
            order_id=fill.order_id,
            side=fill.side,
            liquidity=fill.liquidity,
            price=product.format_price(fill.price),
            size=product.format_size(fill.size),
            fee=format_units(fill.fee, product.quote.scale),
            created_at=rfc3339(fill.at),
        )


class FeesView(Answer):
    """The dearest rates of any market; each market's own are in /products. `usd_volume` makes no difference here."""

    maker_fee_rate: str
    taker_fee_rate: str
    usd_volume: str | None = None

    @classmethod
    def of(cls, products: Sequence[Product]) -> "FeesView":
        """Write the rates."""
        maker = max((product.maker_bps for product in products), default=0)
        taker = max((product.taker_bps for product in products), default=0)
        return cls(maker_fee_rate=format_units(maker, 4), taker_fee_rate=format_units(taker, 4))


class OrderView(Answer):
    """An order as it is now; a stop order that waits is `active`. `executed_value`, `fill_fees`: quote currency."""

    id: str
    client_oid: str | None
    product_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    price: str | None
    size: str | None
    funds: str | None
    created_at: str
    status: Status
    done_at: str | None
    done_reason: DoneReason | None
    reject_reason: str | None
    filled_size: str
    executed_value: str
    fill_fees: str
    settled: bool
    stp: SelfTradePrevention | None
    expire_time: str | None
    stop: Stop | None
    stop_price: str | None
    display_size: str | None

    @classmethod
    def of(cls, order: Order, product: Product) -> "OrderView":
        """Write one order. A market order's worst price is the venue's own affair and is not shown."""
        return cls(**_order(order, product))


class PlacedOrder(OrderView):
    """An order as the matcher left it, with its fills."""

    fills: list[FillView]

    @classmethod
    def placed(cls, placed: Placed | Amended) -> "PlacedOrder":
        """Write a placed or amended order."""
        fills = [FillView.of(fill, placed.product) for fill in placed.fills]
        return cls(**_order(placed.order, placed.product), fills=fills)


class BatchedOrder(Answer):
    """What became of one order of a batch: the order, or why there is none; `status` as it would be by itself."""

    status: int
    order: PlacedOrder | None = None
    error: Error | None = None

    @classmethod
    def of(cls, answer: Placed | VenueError, request_id: str) -> "BatchedOrder":
        """Write one answer."""
        if isinstance(answer, Placed):
            return cls(status=202 if answer.pending else 200, order=PlacedOrder.placed(answer))
        return cls(status=answer.status, error=Error(**error_body(answer, request_id)))


class SwitchView(Answer):
    """A dead-man switch: all orders are cancelled about `trigger_time` unless it is set again; null: it is off."""

    current_time: str
    trigger_time: str | None

    @classmethod
    def of(cls, armed: Armed) -> "SwitchView":
        """Write a switch."""
        falls = rfc3339(armed.at + armed.timeout_s * 1_000_000) if armed.timeout_s else None
        return cls(current_time=rfc3339(armed.at), trigger_time=falls)


class AccountView(Answer):
    """One currency's wallet: balance = available + hold."""

    id: str
    currency: str
    balance: str
    available: str
    hold: str
    profile_id: str
    trading_enabled: bool = True

    @classmethod
    def of(cls, balance: Balance, asset: Asset, account: str) -> "AccountView":
        """Write one wallet."""
        return cls(
            id=wallet_id_of(account, asset.id),
            currency=asset.id,
            balance=format_units(balance.free + balance.held, asset.scale),
            available=format_units(balance.free, asset.scale),
            hold=format_units(balance.held, asset.scale),
            profile_id=account,
        )


class LedgerDetails(Answer):
    """What an entry belongs to."""

    order_id: str | None
    trade_id: str | None
    product_id: str | None


class LedgerEntry(Answer):
    """One change of an account's balance. type: transfer (in or out of the venue), match, fee."""

    id: str
    amount: str
    balance: str
    created_at: str
    type: str
    details: LedgerDetails


class HoldView(Answer):
    """What an open order still holds."""

    id: str
    created_at: str
    amount: str
    type: str = "order"
    ref: str


class DepositView(Answer):
    """A deposit: `done` when it is in the ledger, `pending` while it is on its way there."""

    id: str
    account_id: str
    currency: str
    amount: str
    status: str

    @classmethod
    def of(cls, credited: Credited) -> "DepositView":
        """Write a deposit."""
        return cls(
            id=credited.transfer_id,
            account_id=credited.account,
            currency=credited.asset.id,
            amount=format_units(credited.amount, credited.asset.scale),
            status="pending" if credited.pending else "done",
        )


def ledger_entries(entries: Sequence[Entry], balance: int, asset: Asset) -> list[LedgerEntry]:
    """Write a page of the ledger, newest first, of which the newest left `balance` minor units."""
    written = []
    for entry in entries:
        details = LedgerDetails(
            order_id=entry.order_id,
            trade_id=None if entry.trade_id is None else str(entry.trade_id),
            product_id=entry.product_id,
        )
        written.append(
            LedgerEntry(
                id=f"{entry.shard}-{entry.sequence}-{entry.ordinal}",
                amount=format_units(entry.amount, asset.scale),
                balance=format_units(balance, asset.scale),
                created_at=rfc3339(entry.at),
                type="transfer" if entry.kind == "deposit" else entry.kind,
                details=details,
            )
        )
        balance -= entry.amount
    return written


def hold_view(order: Order, asset: Asset) -> HoldView:
    """Write what an open order holds."""
    return HoldView(
        id=order.order_id,
        created_at=rfc3339(order.created_at),
        amount=format_units(order.hold, asset.scale),
        ref=order.order_id,
    )


def _order(order: Order, product: Product) -> dict[str, Any]:
    limit = order.price if order.type == "limit" else None
    quote = product.quote.scale
    return {
        "id": order.order_id,
        "client_oid": order.client_oid,
        "product_id": order.product_id,
        "side": order.side,
        "type": order.type,
        "time_in_force": order.time_in_force,
        "post_only": order.post_only,
        "price": None if limit is None else product.format_price(limit),
        "size": None if order.size is None else product.format_size(order.size),
        "funds": None if order.funds is None else format_units(order.funds, quote),
        "created_at": rfc3339(order.created_at),
        "status": order.status,
        "done_at": None if order.done_at is None else rfc3339(order.done_at),
        "done_reason": order.done_reason,
        "reject_reason": order.reject_reason,
        "filled_size": product.format_size(order.filled),
        "executed_value": format_units(order.executed_value, quote),
        "fill_fees": format_units(order.fees, quote),
        "settled": order.status == "done",
        "stp": order.stp,
        "expire_time": None if order.expire_at is None else rfc3339(order.expire_at),
        "stop": order.stop,
        "stop_price": None if order.stop_price is None else product.format_price(order.stop_price),
        "display_size": None if order.display_size is None else product.format_size(order.display_size),
    }
