"""The amend desk: holds what an amend needs beyond its order's hold, hands it over, tells what the order is then."""

from collections.abc import Callable

import msgspec

from venue.commands import AmendOrder, PlaceOrder
from venue.desk import DEADLINE_US, order_waiting
from venue.errors import Malformed, NotFound
from venue.handover import HandOver
from venue.holds import hold_for
from venue.identity import amend_id_of
from venue.ledger import hold_asset
from venue.money import UNITS_MAX
from venue.orders import Fill, Order
from venue.ports import AmendHolds, Markets, Orders
from venue.products import Product
from venue.refusals import conflict, refusal
from venue.tickets import parsed


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What its owner wants of an order: decimals as in the API; the size counts what is filled. None: as it is."""

    price: str | None = None
    size: str | None = None
    amend_id: str | None = None


class Amended(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the amend left it, with all its fills; as it was, while the amend waits in the order queue."""

    product: Product
    order: Order
    fills: list[Fill] = []
    pending: bool = False


class AmendDesk:
    """Amends orders. Its parts are those of venue.desk.OrderDesk."""

    def __init__(
        self,
        *,
        markets: Markets,
        wallets: AmendHolds,
        handover: HandOver,
        orders: Callable[[], Orders],
        clock: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._markets = markets
        self._wallets = wallets
        self._handover = handover
        self._orders = orders
        self._clock = clock
        self._new_id = new_id

    def amend(self, change: Change, *, order_id: str, account: str, wait: bool = True) -> Amended:
        """Change an order, once for a (account, amend_id): a repeat is answered with what the order is now.

        Raises Malformed, NotFound for an unknown order or another's, RuleBroken (it stays as it was, and nothing is
        held or settlement frees it), Conflict for an amend_id with other content, Unavailable when it may be sent
        again under the same amend_id.
        """
        if change.price is None and change.size is None:
            raise Malformed("price: an amend names a price, a size, or both", field="price")
        placed = self._wallets.held_order(order_id)
        if placed is None or placed.account != account:
            raise NotFound("order not found")
        # What is not in the journal yet waits in the queue, and the amend behind it, in the same group.
        order = self._orders().order(order_id, account=account) or order_waiting(placed)
        market = self._markets.market(order.product_id)
        now, product = self._clock(), market.product
        asked = AmendOrder(
            at=now,
            amend_id=amend_id_of(account, change.amend_id) if change.amend_id else self._new_id(),
            order_id=order_id,
            account=account,
            product_id=order.product_id,
            side=order.side,
            price=None if change.price is None else parsed("price", change.price, product.parse_price),
            size=None if change.size is None else parsed("size", change.size, product.parse_size),
            deadline=now + DEADLINE_US,
        )
        command = self._held(asked, order, placed, product, is_repeatable=change.amend_id is not None)
        outcome = self._handover.deliver(
            command, shard=product.shard, owner=market.owner, wait=wait and order.status != "pending"
        )
        if outcome is None:
            return Amended(product=product, order=order, pending=True)
        if outcome.refused is not None:
            raise refusal(outcome.refused)
        if outcome.orders:
            return Amended(product=product, order=outcome.orders[0], fills=outcome.fills)
        # A repeat, of an order that was done so long ago that the matcher knows no more than its id.
        return Amended(product=product, order=order, fills=self._orders().fills_of(order_id, account=account))

    def _held(
        self, asked: AmendOrder, order: Order, placed: PlaceOrder, product: Product, *, is_repeatable: bool
    ) -> AmendOrder:
        """Give the command to hand over, its hold taken: the one of the first attempt, where there was one."""
        first = self._wallets.held_amend(asked.amend_id) if is_repeatable else None
        if first is None:
            if order.status in {"done", "rejected"}:
                raise refusal("order_done")
            command = msgspec.structs.replace(asked, hold=_more(asked, order, placed, product))
            first = self._wallets.hold_more(command, asset=hold_asset(product, order.side), at=asked.at)
            if first is None:
                return command
        if (first.order_id, first.price, first.size) != (asked.order_id, asked.price, asked.size):
            raise conflict("amend_id", "an amend")
        return msgspec.structs.replace(first, deadline=asked.deadline)


def _more(asked: AmendOrder, order: Order, placed: PlaceOrder, product: Product) -> int:
    """What the order needs beyond what it holds: at most a unit too much, which the matcher gives back."""
    if order.type != "limit" or order.price is None or order.size is None:
        raise refusal("bad_amend")
    price = order.price if asked.price is None else asked.price
    left = (order.size if asked.size is None else asked.size) - order.filled
    needed = hold_for(msgspec.structs.replace(placed, price=price, size=max(left, 0)), product)
    if max(needed, product.notional(price, max(left, 0))) > UNITS_MAX:
        raise refusal("too_large")
    return max(0, needed - order.hold)
