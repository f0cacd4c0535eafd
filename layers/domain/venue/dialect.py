"""Each event as the WebSocket message that Coinbase Exchange's dialect has for it. Pure.

What belongs to one account only (its own id of the order, its sequence, its fees) is in the private form; `publicly`
takes it out again.
"""

from typing import Literal

from msgspec.structs import replace

from venue.events import (
    AmendRefused,
    AuctionIndicated,
    CancelRefused,
    ChangeReason,
    Deposited,
    DepositRefused,
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
from venue.identity import wallet_id_of
from venue.instants import rfc3339
from venue.messages import (
    Activate,
    AmendRejected,
    Auction,
    CancelAllAfter,
    CancelRejected,
    Changed,
    Deposit,
    DepositRejected,
    Done,
    MarketState,
    Match,
    Opened,
    Received,
    Rejected,
    Ticker,
    Triggered,
    Wallet,
)
from venue.money import BASIS_POINTS, format_units
from venue.orders import Side
from venue.products import Asset, Product
from venue.wire import WalletChanged

_OTHER_SIDE: dict[Side, Side] = {"buy": "sell", "sell": "buy"}
_CHANGED_BY: dict[ChangeReason, Literal["STP", "modify_order"]] = {"stp": "STP", "amend": "modify_order"}
_RATE_SCALE = len(str(BASIS_POINTS)) - 1


def received(event: OrderReceived, product: Product) -> Received:
    """Tell the owner that the order was taken on."""
    return Received(
        time=rfc3339(event.at),
        product_id=product.id,
        sequence=event.sequence,
        order_id=event.order_id,
        side=event.side,
        order_type=event.type,
        size=_size(event.size, product),
        price=_price(event.price, product),
        funds=_funds(event.funds, product),
        display_size=_size(event.display_size, product),
        client_oid=event.client_oid,
        user_sequence=event.account_sequence,
    )


def activate(event: StopAccepted, product: Product) -> Activate:
    """Tell the owner that the order waits for its stop price."""
    order = event.order
    if order.stop is None or order.stop_price is None:
        raise ValueError("only a stop order is told of so")
    return Activate(
        time=rfc3339(event.at),
        product_id=product.id,
        order_id=order.order_id,
        side=order.side,
        order_type=order.type,
        stop_type=order.stop,
        stop_price=product.format_price(order.stop_price),
        size=_size(order.size, product),
        price=_price(order.price if order.type == "limit" else None, product),
        funds=_funds(order.funds, product),
        client_oid=order.client_oid,
        user_sequence=event.account_sequence,
    )


def triggered(event: StopActivated, product: Product) -> Triggered:
    """Tell the owner that the order wakes."""
    return Triggered(
        time=rfc3339(event.at),
        product_id=product.id,
        order_id=event.order_id,
        side=event.side,
        stop_type=event.stop,
        stop_price=product.format_price(event.stop_price),
        user_sequence=event.account_sequence,
    )


def opened(event: OrderOpened, product: Product) -> Opened:
    """Tell the owner that the rest of the order rests."""
    return Opened(
        time=rfc3339(event.at),
        product_id=product.id,
        sequence=event.sequence,
        order_id=event.order_id,
        side=event.side,
        price=product.format_price(event.price),
        remaining_size=product.format_size(event.remaining),
        shown_size=_size(event.shown, product),
        user_sequence=event.account_sequence,
    )


def changed(event: OrderChanged, product: Product) -> Changed:
    """Tell the owner what the order is now."""
    return Changed(
        time=rfc3339(event.at),
        product_id=product.id,
        sequence=event.sequence,
        order_id=event.order_id,
        side=event.side,
        reason=_CHANGED_BY[event.reason],
        old_price=_price(event.old_price, product),
        new_price=_price(event.price, product),
        old_size=_size(event.old_size, product),
        new_size=_size(event.size, product),
        remaining_size=product.format_size(event.remaining),
        shown_size=_size(event.shown, product),
        amend_id=event.amend_id,
        user_sequence=event.account_sequence,
    )


def done(event: OrderDone, product: Product) -> Done:
    """Tell the owner that the order is over."""
    return Done(
        time=rfc3339(event.at),
        product_id=product.id,
        sequence=event.sequence,
        order_id=event.order_id,
        side=event.side,
        reason=event.reason,
        price=_price(event.price, product),
        remaining_size=None if event.price is None else product.format_size(event.remaining),
        user_sequence=event.account_sequence,
    )


def publicly(message: Received | Opened | Changed | Done) -> Received | Opened | Changed | Done:
    """Take out what only the owner may read: of an iceberg, all but what it shows."""
    match message:
        case Received(display_size=shown):
            size = message.size if shown is None else shown
            return replace(message, size=size, display_size=None, user_sequence=None, client_oid=None)
        case Opened(shown_size=shown):
            left = message.remaining_size if shown is None else shown
            return replace(message, remaining_size=left, shown_size=None, user_sequence=None)
        case Changed(shown_size=None):
            return replace(message, amend_id=None, user_sequence=None)
        case Changed(shown_size=str() as shown):
            return replace(
                message,
                old_size=None,
                new_size=None,
                remaining_size=shown,
                shown_size=None,
                amend_id=None,
                user_sequence=None,
            )
        case _:
            return replace(message, user_sequence=None)


def match(event: Traded, product: Product) -> Match:
    """Tell everyone of a trade."""
    return Match(
        time=rfc3339(event.at),
        product_id=product.id,
        sequence=event.sequence,
        trade_id=event.trade_id,
        maker_order_id=event.maker_order_id,
        taker_order_id=event.taker_order_id,
        side=event.side,
        size=product.format_size(event.size),
        price=product.format_price(event.price),
    )


def makers_match(told: Match, event: Traded, product: Product) -> Match:
    """Tell the maker of the trade that everyone was `told` of."""
    return replace(
        told,
        liquidity="M",
        fee=format_units(event.maker_fee, product.quote.scale),
        maker_fee_rate=format_units(product.maker_bps, _RATE_SCALE),
        user_sequence=event.maker_account_sequence,
    )


def takers_match(told: Match, event: Traded, product: Product) -> Match:
    """Tell the taker of the trade that everyone was `told` of."""
    return replace(
        told,
        liquidity="T",
        fee=format_units(event.taker_fee, product.quote.scale),
        taker_fee_rate=format_units(product.taker_bps, _RATE_SCALE),
        user_sequence=event.taker_account_sequence,
    )


def ticker(event: Traded, product: Product) -> Ticker:
    """Tell everyone of the latest trade; the side is the taker's."""
    return Ticker(
        time=rfc3339(event.at),
        product_id=product.id,
        sequence=event.sequence,
        trade_id=event.trade_id,
        side=_OTHER_SIDE[event.side],
        price=product.format_price(event.price),
        last_size=product.format_size(event.size),
    )


def rejected(event: OrderRefused, product: Product) -> Rejected:
    """Tell the owner which rule refused the order."""
    return Rejected(
        time=rfc3339(event.at),
        product_id=product.id,
        order_id=event.order_id,
        side=event.side,
        order_type=event.type,
        time_in_force=event.time_in_force,
        reason=event.reason,
        size=_size(event.size, product),
        price=_price(event.price, product),
        funds=_funds(event.funds, product),
        client_oid=event.client_oid,
        user_sequence=event.account_sequence,
    )


def unpriced_rejected(event: OrderRefused) -> Rejected:
    """Tell the owner that the order named a product whose rules nobody knows: its numbers mean nothing."""
    return Rejected(
        time=rfc3339(event.at),
        product_id=event.product_id,
        order_id=event.order_id,
        side=event.side,
        order_type=event.type,
        time_in_force=event.time_in_force,
        reason=event.reason,
        client_oid=event.client_oid,
        user_sequence=event.account_sequence,
    )


def cancel_rejected(event: CancelRefused) -> CancelRejected:
    """Tell the owner that there was nothing to cancel."""
    return CancelRejected(
        time=rfc3339(event.at),
        order_id=event.order_id,
        reason=event.reason,
        user_sequence=event.account_sequence,
    )


def amend_rejected(event: AmendRefused) -> AmendRejected:
    """Tell the owner that the order stays as it was."""
    return AmendRejected(
        time=rfc3339(event.at),
        product_id=event.product_id,
        order_id=event.order_id,
        amend_id=event.amend_id,
        reason=event.reason,
        user_sequence=event.account_sequence,
    )


def market_state(event: StatusChanged, product: Product) -> MarketState:
    """Tell everyone what the market accepts now."""
    return MarketState(
        time=rfc3339(event.at),
        product_id=product.id,
        status=event.status,
        reason=event.reason,
        until=None if event.until is None else rfc3339(event.until),
        reference_price=_price(event.reference, product),
    )


def auction(event: AuctionIndicated, product: Product) -> Auction:
    """Tell everyone where the auction stands."""
    return Auction(
        time=rfc3339(event.at),
        product_id=product.id,
        indicative_open_price=_price(event.price, product),
        indicative_open_size=product.format_size(event.volume),
        surplus=product.format_size(abs(event.surplus)),
        surplus_side=None if not event.surplus else "buy" if event.surplus > 0 else "sell",
    )


def cancel_all_after(event: SwitchChanged) -> CancelAllAfter:
    """Tell the owner of the dead-man switch."""
    return CancelAllAfter(
        time=rfc3339(event.at),
        deadline=None if event.deadline is None else rfc3339(event.deadline),
        fell=event.fell,
        user_sequence=event.account_sequence,
    )


def deposit(event: Deposited, asset: Asset) -> Deposit:
    """Tell the owner that money came in."""
    return Deposit(
        time=rfc3339(event.at),
        id=event.transfer_id,
        currency=asset.id,
        amount=format_units(event.amount, asset.scale),
        user_sequence=event.account_sequence,
    )


def deposit_rejected(event: DepositRefused) -> DepositRejected:
    """Tell the owner that no money came in."""
    return DepositRejected(
        time=rfc3339(event.at),
        id=event.transfer_id,
        currency=event.asset,
        reason=event.reason,
        user_sequence=event.account_sequence,
    )


def wallet(change: WalletChanged, asset: Asset) -> Wallet:
    """Tell the owner what the wallet holds now."""
    return Wallet(
        time=rfc3339(change.at),
        account_id=wallet_id_of(change.account, change.asset),
        currency=asset.id,
        available=format_units(change.free, asset.scale),
        hold=format_units(change.held, asset.scale),
        balance=format_units(change.free + change.held, asset.scale),
        shard=change.shard,
        sequence=change.sequence,
    )


def _price(ticks: int | None, product: Product) -> str | None:
    return None if ticks is None else product.format_price(ticks)


def _size(lots: int | None, product: Product) -> str | None:
    return None if lots is None else product.format_size(lots)


def _funds(units: int | None, product: Product) -> str | None:
    return None if units is None else format_units(units, product.quote.scale)
