"""How much an order must hold so that it can always pay, whatever it trades at, fees rounded up included.

Fees of one order are rounded up on its running total, not on each fill: then many small fills cost no more than one
large one, and the hold below is always enough.
"""

from venue.commands import PlaceOrder
from venue.money import BASIS_POINTS, divide_up
from venue.products import Product


def fee_on(weighted_notional: int) -> int:
    """The fee for a sum of notional x basis points, in minor units of the quote asset, rounded up."""
    return divide_up(weighted_notional, BASIS_POINTS)


def hold_for(order: PlaceOrder, product: Product) -> int:
    """The hold that `order` needs: minor units of the quote asset for a buy, of the base asset for a sell.

    Raises ValueError for a buy by size without a price: nothing bounds what it costs.
    """
    if order.side == "sell":
        return (order.size or 0) * product.lot_units
    if order.funds is not None:
        return order.funds
    if order.price is None or order.size is None:
        raise ValueError("a buy by size needs a price to bound its cost")
    notional = product.notional(order.price, order.size)
    return notional + fee_on(notional * max(order.maker_bps, order.taker_bps, 0))
