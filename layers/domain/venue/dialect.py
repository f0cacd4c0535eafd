"""Each event as the WebSocket message that Coinbase Exchange's dialect has for it. Pure.

What belongs to one account only (its own id of the order, its sequence, its fees) is in the private form; `publicly`
takes it out again.
"""

from msgspec.structs import replace

from venue.events import (
    CancelRefused,
    Deposited,
    DepositRefused,
    OrderDone,
    OrderOpened,
    OrderReceived,
    OrderRefused,
    Traded,
)
from venue.identity import wallet_id_of
from venue.instants import rfc3339
from venue.messages import (
    CancelRejected,
    Deposit,
    DepositRejected,
    Done,
    Match,
    Opened,
    Received,
    Rejected,
    Ticker,
    Wallet,
)
from venue.money import BASIS_POINTS, format_units
from venue.orders import Side
from venue.products import Asset, Product
from venue.wire import WalletChanged

_OTHER_SIDE: dict[Side, Side] = {"buy": "sell", "sell": "buy"}
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
        client_oid=event.client_oid,
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


def publicly(message: Received | Opened | Done) -> Received | Opened | Done:
    """Take out what only the owner may read."""
    if isinstance(message, Received):
        return replace(message, user_sequence=None, client_oid=None)
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
