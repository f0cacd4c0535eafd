"""A small tape to listen to: two products, one of every event."""

from typing import Any

from venue.commands import PlaceOrder
from venue.events import (
    AmendRefused,
    AnyEvent,
    AuctionIndicated,
    CancelRefused,
    Deposited,
    DepositRefused,
    LevelChanged,
    ListingRefused,
    OrderChanged,
    OrderDone,
    OrderOpened,
    OrderReceived,
    OrderRefused,
    ProductListed,
    StatusChanged,
    StatusRefused,
    StopAccepted,
    StopActivated,
    SwitchChanged,
    Traded,
)
from venue.products import Asset, Product
from venue.wire import TapeRecord

AT = 1_700_000_000_123_456  # 2023-11-14T22:13:20.123456Z
USD = Asset(id="USD", name="US dollar", scale=8)
BTC = Asset(id="BTC", name="Bitcoin", scale=8)
ACME = Asset(id="ACME", name="Acme Inc.", scale=0)
# A tick is 0.01 USD, a lot 0.0001 BTC.
BTC_USD = Product(id="BTC-USD", base=BTC, quote=USD, tick_units=1_000_000, lot_units=10_000, maker_bps=10, taker_bps=20)
# A tick is 0.005 USD, a lot one share.
ACME_USD = Product(id="ACME-USD", base=ACME, quote=USD, tick_units=500_000, lot_units=1, maker_bps=10, taker_bps=20)


def received(sequence: int = 1, **other: Any) -> OrderReceived:
    fields: dict[str, Any] = {
        "at": AT,
        "sequence": sequence,
        "account_sequence": 7,
        "order_id": "order-1",
        "account": "alice",
        "product_id": "BTC-USD",
        "side": "buy",
        "type": "limit",
        "time_in_force": "GTC",
        "post_only": False,
        "client_oid": "mine-1",
        "price": 4_000_000,
        "size": 15_000,
        "funds": None,
        "hold": 1,
    }
    return OrderReceived(**_with_order({**fields, **other}))


_OWN = {"at", "sequence", "account_sequence", "reason"}


def _with_order(fields: dict[str, Any]) -> dict[str, Any]:
    """Let the event's order have those of the fields that are not the event's own."""
    own: dict[str, Any] = {name: fields.pop(name) for name in fields.keys() & _OWN}
    return {**own, "order": PlaceOrder(at=own["at"], **fields)}


def opened(sequence: int = 2, **other: Any) -> OrderOpened:
    fields: dict[str, Any] = {
        "at": AT,
        "sequence": sequence,
        "account_sequence": 8,
        "order_id": "order-1",
        "account": "alice",
        "product_id": "BTC-USD",
        "side": "buy",
        "price": 4_000_000,
        "remaining": 5_000,
    }
    return OrderOpened(**{**fields, **other})


def traded(sequence: int = 3, **other: Any) -> Traded:
    fields: dict[str, Any] = {
        "at": AT,
        "sequence": sequence,
        "trade_id": 10,
        "product_id": "BTC-USD",
        "side": "sell",
        "price": 3_999_950,
        "size": 10_000,
        "maker_order_id": "order-m",
        "maker_account": "bob",
        "maker_account_sequence": 21,
        "maker_fee": 3_999_950_000,
        "maker_released": 0,
        "taker_order_id": "order-1",
        "taker_account": "alice",
        "taker_account_sequence": 9,
        "taker_fee": 7_999_900_000,
        "taker_released": 0,
    }
    return Traded(**{**fields, **other})


def done(sequence: int = 4, **other: Any) -> OrderDone:
    fields: dict[str, Any] = {
        "at": AT,
        "sequence": sequence,
        "account_sequence": 10,
        "order_id": "order-1",
        "account": "alice",
        "product_id": "BTC-USD",
        "side": "buy",
        "price": 4_000_000,
        "remaining": 5_000,
        "reason": "canceled",
        "released": 5,
    }
    return OrderDone(**{**fields, **other})


def refused(**other: Any) -> OrderRefused:
    fields: dict[str, Any] = {
        "at": AT,
        "account_sequence": 11,
        "order_id": "order-2",
        "account": "alice",
        "product_id": "BTC-USD",
        "side": "buy",
        "type": "market",
        "time_in_force": "IOC",
        "post_only": False,
        "client_oid": None,
        "price": None,
        "size": None,
        "funds": 12_345_000_000,
        "hold": 12_345_000_000,
        "reason": "no_liquidity",
    }
    return OrderRefused(**_with_order({**fields, **other}))


def stopped(**other: Any) -> StopAccepted:
    fields: dict[str, Any] = {
        "at": AT,
        "account_sequence": 13,
        "order_id": "order-3",
        "account": "alice",
        "product_id": "BTC-USD",
        "side": "sell",
        "client_oid": "mine-3",
        "price": 3_900_000,
        "size": 15_000,
        "stop": "loss",
        "stop_price": 3_950_000,
    }
    return StopAccepted(**_with_order({**fields, **other}))


def woken() -> StopActivated:
    return StopActivated(
        at=AT,
        account_sequence=14,
        order_id="order-3",
        account="alice",
        product_id="BTC-USD",
        side="sell",
        stop="loss",
        stop_price=3_950_000,
    )


def changed(sequence: int | None = 5, **other: Any) -> OrderChanged:
    fields: dict[str, Any] = {
        "at": AT,
        "sequence": sequence,
        "account_sequence": 15,
        "order_id": "order-1",
        "account": "alice",
        "product_id": "BTC-USD",
        "side": "buy",
        "reason": "amend",
        "price": 4_000_100,
        "old_price": 4_000_000,
        "size": 20_000,
        "old_size": 15_000,
        "remaining": 10_000,
        "amend_id": "amend-1",
    }
    return OrderChanged(**{**fields, **other})


def amend_refused(**other: Any) -> AmendRefused:
    fields: dict[str, Any] = {
        "at": AT,
        "account_sequence": 16,
        "amend_id": "amend-2",
        "order_id": "order-1",
        "account": "alice",
        "product_id": "BTC-USD",
        "side": "buy",
        "hold": 5,
        "reason": "order_done",
    }
    return AmendRefused(**{**fields, **other})


def status(**other: Any) -> StatusChanged:
    fields: dict[str, Any] = {
        "at": AT,
        "product_id": "BTC-USD",
        "status": "halted",
        "reason": "breaker",
        "until": AT + 1_000_000,
        "reference": 4_000_000,
    }
    return StatusChanged(**{**fields, **other})


def status_refused() -> StatusRefused:
    return StatusRefused(at=AT, product_id="XXX-USD", reason="unknown_product")


def indicated(**other: Any) -> AuctionIndicated:
    fields: dict[str, Any] = {
        "at": AT,
        "product_id": "BTC-USD",
        "price": 4_000_000,
        "volume": 10_000,
        "surplus": -5_000,
    }
    return AuctionIndicated(**{**fields, **other})


def switched(**other: Any) -> SwitchChanged:
    fields: dict[str, Any] = {"at": AT, "account_sequence": 17, "account": "alice", "deadline": AT + 1_000_000}
    return SwitchChanged(**{**fields, **other})


def level(sequence: int, price: int, size: int, side: str = "buy") -> LevelChanged:
    return LevelChanged(at=AT, sequence=sequence, product_id="BTC-USD", side=side, price=price, size=size)  # type: ignore[arg-type]


def deposited(**other: Any) -> Deposited:
    fields: dict[str, Any] = {
        "at": AT,
        "transfer_id": "t-1",
        "account": "alice",
        "account_sequence": 1,
        "asset": "USD",
        "amount": 100_000_000_000,
    }
    return Deposited(**{**fields, **other})


def deposit_refused() -> DepositRefused:
    return DepositRefused(
        at=AT, transfer_id="t-2", account="alice", account_sequence=2, asset="USD", reason="bad_amount"
    )


def cancel_refused() -> CancelRefused:
    return CancelRefused(at=AT, account_sequence=12, order_id="order-9", account="alice", reason="not_found")


def listing_refused() -> ListingRefused:
    return ListingRefused(at=AT, product_id="XXX-USD", reason="bad_rules")


def listed() -> ProductListed:
    return ProductListed(at=AT, product=BTC_USD)


def record(*events: AnyEvent, product: Product | None = BTC_USD, batch: int = 1, part: int = 0) -> TapeRecord:
    assets = [] if product else [USD]
    return TapeRecord(shard=0, batch=batch, part=part, at=AT, product=product, assets=assets, events=list(events))
