"""From what a client wrote to the command the matcher takes: decimals become ticks, lots, minor units, or go back."""

from collections.abc import Callable

import msgspec

from venue.commands import PlaceOrder
from venue.errors import Malformed, RuleBroken, Unavailable
from venue.holds import hold_for
from venue.money import BASIS_POINTS, UNITS_MAX, divide_up, parse_units
from venue.orders import Order, OrderType, Side, TimeInForce
from venue.ports import Market
from venue.products import Product

# A market order by size may trade this far beyond the best price it saw, and no further: a thin book cannot ruin it.
COLLAR_BPS = 500


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """An order as its owner wrote it: decimals are text, as in the API."""

    product_id: str
    side: Side
    type: OrderType = "limit"
    price: str | None = None
    size: str | None = None
    funds: str | None = None
    time_in_force: TimeInForce | None = None
    post_only: bool = False
    client_oid: str | None = None


def command_of(ticket: Ticket, product: Product, *, order_id: str, account: str, at: int, deadline: int) -> PlaceOrder:
    """Give the ticket's command, without a worst price for a market order and without a hold (see `secured`).

    at: µs, when it was placed; the matcher will stamp it again. deadline: µs, when it is too late to take it.

    Raises Malformed, naming the field, for what is missing, out of place, off tick or off lot.
    """
    read = _limit if ticket.type == "limit" else _market
    price, size, funds, time_in_force = read(ticket, product)
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
    )


def secured(command: PlaceOrder, market: Market) -> PlaceOrder:
    """Add the worst price of a market order and the hold.

    Raises RuleBroken `no_liquidity` for a market buy by size that meets no ask, `too_large` for an order that no
    wallet can hold; Unavailable for a market buy by size while the book cannot be seen.
    """
    if command.type == "market" and command.size is not None:
        command = msgspec.structs.replace(command, price=_worst_price(command.side, market))
    hold = hold_for(command, market.product)
    notional = market.product.notional(command.price or 0, command.size or 0)
    if max(hold, notional) > UNITS_MAX:
        raise RuleBroken("the order is worth more than a wallet can hold", code="too_large")
    return msgspec.structs.replace(command, hold=hold)


def same_request(known: PlaceOrder | Order, again: PlaceOrder) -> bool:
    """Tell whether a repeated id asks for the same thing. What the venue worked out itself does not count."""
    return (
        known.account == again.account
        and known.product_id == again.product_id
        and known.side == again.side
        and known.type == again.type
        and (known.type == "market" or known.price == again.price)
        and known.size == again.size
        and known.funds == again.funds
        and known.time_in_force == again.time_in_force
        and known.post_only == again.post_only
    )


def _limit(ticket: Ticket, product: Product) -> tuple[int | None, int | None, int | None, TimeInForce]:
    time_in_force = ticket.time_in_force or "GTC"
    if ticket.funds is not None:
        raise Malformed("funds: only a market order takes funds", field="funds")
    if ticket.post_only and time_in_force != "GTC":
        raise Malformed(f"post_only: a post-only order cannot be {time_in_force}", field="post_only")
    price = _parsed("price", ticket.price, product.parse_price)
    size = _parsed("size", ticket.size, product.parse_size)
    return price, size, None, time_in_force


def _market(ticket: Ticket, product: Product) -> tuple[int | None, int | None, int | None, TimeInForce]:
    time_in_force = ticket.time_in_force or "IOC"
    if ticket.price is not None:
        raise Malformed("price: a market order takes no price", field="price")
    if ticket.post_only:
        raise Malformed("post_only: a market order never rests", field="post_only")
    if time_in_force == "GTC":
        raise Malformed("time_in_force: a market order never rests; it is IOC or FOK", field="time_in_force")
    if ticket.funds is None:
        return None, _parsed("size", ticket.size, product.parse_size), None, time_in_force
    if ticket.size is not None:
        raise Malformed("funds: a market order takes either size or funds", field="funds")
    if ticket.side == "sell":
        raise Malformed("funds: a market sell takes a size", field="funds")
    return (
        None,
        None,
        _parsed("funds", ticket.funds, lambda text: positive_units(text, product.quote.scale)),
        time_in_force,
    )


def positive_units(text: str, scale: int) -> int:
    """Give the minor units of a positive amount. Raises ValueError for zero and for anything but a decimal."""
    units = parse_units(text, scale)
    if units == 0:
        raise ValueError("must be more than 0")
    return units


def _parsed(field: str, text: str | None, parse: Callable[[str], int]) -> int:
    if text is None:
        raise Malformed(f"{field}: required", field=field)
    try:
        return parse(text)
    except ValueError as error:
        raise Malformed(f"{field}: {error}", field=field) from error


def _worst_price(side: Side, market: Market) -> int | None:
    top = market.top
    if side == "sell":
        # The hold of a sell does not depend on its price; without a bid in sight the matcher decides what it meets.
        if top is None or top.bid is None:
            return None
        return max(1, top.bid * (BASIS_POINTS - COLLAR_BPS) // BASIS_POINTS)
    if top is None:
        raise Unavailable("the book cannot be seen now, so nothing bounds this order's cost", retry_after_s=1)
    if top.ask is None:
        raise RuleBroken("there is no ask to buy from", code="no_liquidity")
    return min(market.product.price_max, divide_up(top.ask * (BASIS_POINTS + COLLAR_BPS), BASIS_POINTS))
