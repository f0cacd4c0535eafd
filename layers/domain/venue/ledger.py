"""Double entry: every event gives postings that sum to zero per asset, over free and held of all accounts."""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from venue.events import (
    AmendRefused,
    AnyEvent,
    Deposited,
    OrderChanged,
    OrderDone,
    OrderReceived,
    OrderRefused,
    OrderRested,
    StopAccepted,
    Traded,
)
from venue.orders import Side
from venue.products import Product

# The venue's own accounts. World is the other side of every deposit, so it runs negative by what users brought in.
WORLD = "venue:world"
FEES = "venue:fees"

PostingKind = Literal["deposit", "hold", "match", "fee", "release"]


class Posting(msgspec.Struct, frozen=True, omit_defaults=True):
    """One account's change in one asset, minor units.

    A `hold` was taken in the wallet before the command was sent: the ledger keeps it, settlement does not apply it.
    `amend_id`: the amend of the order that it was taken for (None: the order itself).
    """

    account: str
    asset: str
    kind: PostingKind
    free: int
    held: int
    order_id: str | None = None
    trade_id: int | None = None
    product_id: str | None = None
    amend_id: str | None = None


def postings(event: AnyEvent, product: Product | None) -> Iterator[Posting]:
    """Derive the postings of one event. `product` is that of the event; None for events without one.

    Per asset, free + held of what is given sums to zero: nothing is made, nothing is lost.
    """
    match event:
        case Deposited():
            yield Posting(WORLD, event.asset, "deposit", -event.amount, 0)
            yield Posting(event.account, event.asset, "deposit", event.amount, 0)
        case OrderReceived() | OrderRested() | StopAccepted() if event.hold:
            yield _moved(event, _of(product), "hold", -event.hold)
        case OrderRefused() if event.hold and product is not None:
            yield _moved(event, product, "hold", -event.hold)
            yield _moved(event, product, "release", event.hold)
        case AmendRefused() if event.hold and product is not None:
            yield _moved(event, product, "hold", -event.hold, event.amend_id)
            yield _moved(event, product, "release", event.hold)
        case OrderDone() if event.released:
            yield _moved(event, _of(product), "release", event.released)
        case OrderChanged():
            if event.held:
                yield _moved(event, _of(product), "hold", -event.held, event.amend_id)
            if event.released:
                yield _moved(event, _of(product), "release", event.released)
        case Traded():
            yield from _trade(event, _of(product))
        case _:
            return


def imbalance(of: Iterable[Posting]) -> dict[str, int]:
    """Give per asset what the postings fail to sum to: empty when all is right."""
    sums: dict[str, int] = {}
    for posting in of:
        sums[posting.asset] = sums.get(posting.asset, 0) + posting.free + posting.held
    return {asset: total for asset, total in sums.items() if total}


def hold_asset(product: Product, side: Side) -> str:
    """The asset that an order holds: the quote for a buy, the base for a sell."""
    return product.quote.id if side == "buy" else product.base.id


def _of(product: Product | None) -> Product:
    if product is None:
        raise ValueError("this event needs its product")
    return product


def _moved(
    event: OrderReceived | OrderRested | StopAccepted | OrderRefused | AmendRefused | OrderChanged | OrderDone,
    product: Product,
    kind: PostingKind,
    to_free: int,
    amend_id: str | None = None,
) -> Posting:
    return Posting(
        event.account,
        hold_asset(product, event.side),
        kind,
        to_free,
        -to_free,
        event.order_id,
        None,
        product.id,
        amend_id,
    )


def _trade(event: Traded, product: Product) -> Iterator[Posting]:
    value = product.notional(event.price, event.size)
    units = event.size * product.lot_units
    quote, base, trade = product.quote.id, product.base.id, event.trade_id
    maker = (event.maker_account, event.maker_order_id, event.maker_fee, event.maker_released)
    taker = (event.taker_account, event.taker_order_id, event.taker_fee, event.taker_released)
    buyer, seller = (maker, taker) if event.side == "buy" else (taker, maker)

    account, order_id, fee, released = buyer
    yield Posting(account, quote, "match", 0, -value, order_id, trade, product.id)
    yield Posting(account, base, "match", units, 0, order_id, trade, product.id)
    if fee:
        yield Posting(account, quote, "fee", 0, -fee, order_id, trade, product.id)
    if released:
        yield Posting(account, quote, "release", released, -released, order_id, trade, product.id)

    account, order_id, fee, _ = seller
    yield Posting(account, base, "match", 0, -units, order_id, trade, product.id)
    yield Posting(account, quote, "match", value, 0, order_id, trade, product.id)
    if fee:
        yield Posting(account, quote, "fee", -fee, 0, order_id, trade, product.id)

    fees = event.maker_fee + event.taker_fee
    if fees:
        yield Posting(FEES, quote, "fee", fees, 0, None, trade, product.id)
