"""From what a client wrote to the command the matcher takes: decimals become ticks, lots, minor units, or go back."""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from venue.commands import PlaceOrder
from venue.errors import Malformed, RuleBroken, Unavailable
from venue.holds import hold_for
from venue.money import BASIS_POINTS, UNITS_MAX, divide_up, parse_units
from venue.orders import Order, OrderType, SelfTradePrevention, Side, Stop, TimeInForce
from venue.ports import Market
from venue.products import Product

# A market order by size may trade this far beyond the best price it saw, and no further: a thin book cannot ruin it.
COLLAR_BPS = 500

Length = Literal["min", "hour", "day"]
LENGTHS_US: Final[dict[Length, int]] = {"min": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000}


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """An order as its owner wrote it: decimals are text, as in the API. cancel_after: a length of time, or µs."""

    product_id: str
    side: Side
    type: OrderType = "limit"
    price: str | None = None
    size: str | None = None
    funds: str | None = None
    time_in_force: TimeInForce | None = None
    post_only: bool = False
    client_oid: str | None = None
    stp: SelfTradePrevention = "dc"
    cancel_after: Length | int | None = None
    stop: Stop | None = None
    stop_price: str | None = None
    display_size: str | None = None


def command_of(ticket: Ticket, product: Product, *, order_id: str, account: str, at: int, deadline: int) -> PlaceOrder:
    """Give the ticket's command, without a worst price for a market order and without a hold (see `secured`).

    at: µs, when it was placed; the matcher will stamp it again. deadline: µs, when it is too late to take it.

    Raises Malformed, naming the field, for what is missing, out of place, off tick or off lot.
    """
    read = _limit if ticket.type == "limit" else _market
    price, size, funds, time_in_force = read(ticket, product)
    stop_price, display_size = _terms(ticket, product, time_in_force)
    return PlaceOrder(
        at=at,
        order_id=order_id,
        account=account,
        product_id=product.id,
        side=ticket.side,
        type=ticket.type,
        price=price,
        size=size,
        funds=funds,
        time_in_force=time_in_force,
        post_only=ticket.post_only,
        client_oid=ticket.client_oid,
        maker_bps=product.maker_bps,
        taker_bps=product.taker_bps,
        deadline=deadline,
        stp=ticket.stp,
        expire_at=_end(ticket, time_in_force, at),
        stop=ticket.stop,
        stop_price=stop_price,
        display_size=display_size,
    )


def secured(command: PlaceOrder, market: Market) -> PlaceOrder:
    """Add the worst price of a market order and the hold. That of a stop order is measured from its stop price.

    Raises RuleBroken `no_liquidity` for a market buy by size that meets no ask, `too_large` for an order that no
    wallet can hold; Unavailable for a market buy by size while the book cannot be seen.
    """
    if command.type == "market" and command.size is not None:
        command = msgspec.structs.replace(command, price=_worst_price(command, market))
    hold = hold_for(command, market.product)
    notional = market.product.notional(command.price or 0, command.size or 0)
    if max(hold, notional) > UNITS_MAX:
        raise RuleBroken("the order is worth more than a wallet can hold", code="too_large")
    return msgspec.structs.replace(command, hold=hold)


def same_request(known: PlaceOrder | Order, again: PlaceOrder, *, lasting: bool = False) -> bool:
    """Tell whether a repeated id asks for the same thing. What the venue worked out itself does not count.

    lasting: `again` names a length of time, which every request counts from its own. An Order's numbers may have been
    amended since, so that they tell nothing.
    """
    return (
        _terms_of(known) == _terms_of(again)
        and ((known.expire_at is None) == (again.expire_at is None) if lasting else known.expire_at == again.expire_at)
        and (isinstance(known, Order) or _numbers_of(known) == _numbers_of(again))
    )


def _terms_of(order: PlaceOrder | Order) -> tuple[object, ...]:
    return (
        order.account,
        order.product_id,
        order.side,
        order.type,
        order.time_in_force,
        order.post_only,
        order.stp,
        order.stop,
        order.stop_price,
        order.display_size,
    )


def _numbers_of(order: PlaceOrder) -> tuple[int | None, ...]:
    return None if order.type == "market" else order.price, order.size, order.funds


def _limit(ticket: Ticket, product: Product) -> tuple[int | None, int | None, int | None, TimeInForce]:
    time_in_force = ticket.time_in_force or "GTC"
    if ticket.funds is not None:
        raise Malformed("funds: only a market order takes funds", field="funds")
    if ticket.post_only and time_in_force in {"IOC", "FOK"}:
        raise Malformed(f"post_only: a post-only order cannot be {time_in_force}", field="post_only")
    price = parsed("price", ticket.price, product.parse_price)
    size = parsed("size", ticket.size, product.parse_size)
    return price, size, None, time_in_force


def _market(ticket: Ticket, product: Product) -> tuple[int | None, int | None, int | None, TimeInForce]:
    time_in_force = ticket.time_in_force or "IOC"
    if ticket.price is not None:
        raise Malformed("price: a market order takes no price", field="price")
    if ticket.post_only:
        raise Malformed("post_only: a market order never rests", field="post_only")
    if time_in_force in {"GTC", "GTT"}:
        raise Malformed("time_in_force: a market order never rests; it is IOC or FOK", field="time_in_force")
    if ticket.funds is None:
        return None, parsed("size", ticket.size, product.parse_size), None, time_in_force
    if ticket.size is not None:
        raise Malformed("funds: a market order takes either size or funds", field="funds")
    if ticket.side == "sell":
        raise Malformed("funds: a market sell takes a size", field="funds")
    if time_in_force == "FOK":
        raise Malformed("time_in_force: an order by funds has no size to be filled whole", field="time_in_force")
    funds = parsed("funds", ticket.funds, lambda text: positive_units(text, product.quote.scale))
    return None, None, funds, time_in_force


def _terms(ticket: Ticket, product: Product, time_in_force: TimeInForce) -> tuple[int | None, int | None]:
    """The stop price and the display size, in ticks and lots."""
    stop_price = display_size = None
    if ticket.stop is not None:
        if ticket.post_only or time_in_force == "FOK":
            raise Malformed("stop: neither with post_only nor with FOK", field="stop")
        stop_price = parsed("stop_price", ticket.stop_price, product.parse_price)
    elif ticket.stop_price is not None:
        raise Malformed("stop_price: only with stop, which is loss or entry", field="stop_price")
    if ticket.display_size is not None:
        if ticket.type != "limit" or time_in_force not in {"GTC", "GTT"}:
            raise Malformed("display_size: only for a limit order that may rest", field="display_size")
        display_size = parsed("display_size", ticket.display_size, product.parse_size)
    return stop_price, display_size


def _end(ticket: Ticket, time_in_force: TimeInForce, at: int) -> int | None:
    """When the order expires, µs."""
    after = ticket.cancel_after
    if (time_in_force == "GTT") != (after is not None):
        raise Malformed("cancel_after: goes with time_in_force GTT, and GTT with it", field="cancel_after")
    return at + LENGTHS_US[after] if isinstance(after, str) else after


def positive_units(text: str, scale: int) -> int:
    """Give the minor units of a positive amount. Raises ValueError for zero and for anything but a decimal."""
    units = parse_units(text, scale)
    if units == 0:
        raise ValueError("must be more than 0")
    return units


def parsed(field: str, text: str | None, parse: Callable[[str], int]) -> int:
    """Give the whole number that `parse` reads in a field. Raises Malformed, naming the field."""
    if text is None:
        raise Malformed(f"{field}: required", field=field)
    try:
        return parse(text)
    except ValueError as error:
        raise Malformed(f"{field}: {error}", field=field) from error


def _worst_price(order: PlaceOrder, market: Market) -> int | None:
    """How far a market order by size may go, in ticks; None for a sell without a bid in sight: the matcher decides."""
    top = market.top
    if order.side == "sell":
        best = order.stop_price or (top.bid if top is not None else None)
        return None if best is None else max(1, best * (BASIS_POINTS - COLLAR_BPS) // BASIS_POINTS)
    best = order.stop_price
    if best is None:
        if top is None:
            raise Unavailable("the book cannot be seen now, so nothing bounds this order's cost", retry_after_s=1)
        best = top.ask
    if best is None:
        raise RuleBroken("there is no ask to buy from", code="no_liquidity")
    return min(market.product.price_max, divide_up(best * (BASIS_POINTS + COLLAR_BPS), BASIS_POINTS))
