"""The order desk: takes the hold, hands the command over, tells what became of it. Pure orchestration over ports."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from venue.commands import CancelAll, CancelAllAfter, CancelOrder, PlaceOrder
from venue.errors import Malformed, NotFound, RuleBroken, Unavailable, VenueError
from venue.handover import HandOver
from venue.identity import order_id_of
from venue.ledger import hold_asset
from venue.orders import Fill, Order
from venue.ports import Holds, Market, Markets, Orders, Wallets
from venue.products import Product
from venue.refusals import conflict, refusal
from venue.tickets import Ticket, command_of, same_request, secured
from venue.wire import Outcome

# How often one cancel of all asks a shard for more.
ROUNDS_MAX = 10

# After so long a batch begins no further hold: there must be time left to hand over those that have theirs, as
# venue_aws.patience counts it.
HOLDS_US = 1_500_000

# An order that the matcher reads later than this after it was placed is refused, and its hold freed.
DEADLINE_US = 30_000_000


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the matcher left it, with its fills; its status is `pending` while it waits in the order queue."""

    product: Product
    order: Order
    fills: list[Fill] = []

    @property
    def pending(self) -> bool:
        """Whether the outcome is still to come."""
        return self.order.status == "pending"


class Cancelled(msgspec.Struct, frozen=True, kw_only=True):
    """The orders that a cancel took out of the book; none yet when it is `pending` in the order queue."""

    order_ids: list[str] = []
    pending: bool = False


class Armed(msgspec.Struct, frozen=True, kw_only=True):
    """A dead-man switch as it was set, about `at` (µs), for so many seconds; 0: it is off."""

    at: int
    timeout_s: int


class OrderDesk:
    """Place and cancel. `clock` gives µs since 1970 UTC; `new_id` gives an id for an order whose owner gave none.

    `orders` is a function, because the journal is seldom needed and a connection to it costs.
    """

    def __init__(
        self,
        *,
        markets: Markets,
        wallets: Wallets,
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

    def place(self, ticket: Ticket, *, account: str, wait: bool = True) -> Placed:
        """Place an order, once for a (account, client_oid): a repeat is answered with what the first one became.

        wait: False leaves it in the order queue at once. Raises Malformed, NotFound for an unknown product,
        RuleBroken (nothing is held then, or settlement frees it), Conflict for a client_oid with other content,
        Unavailable when it may be sent again under the same client_oid.
        """
        market = self._markets.market(ticket.product_id)
        asked, command = self._secured(ticket, market, account)
        outcome = self._handover.deliver(command, shard=market.product.shard, owner=market.owner, wait=wait)
        return self._became(asked, command, market.product, outcome, ticket)

    def place_all(self, tickets: Sequence[Ticket], *, account: str, wait: bool = True) -> list[Placed | VenueError]:
        """Place orders of one product, which reach the matcher together; each has an answer of its own, in their order.

        Raises Malformed for more than one product, NotFound for an unknown one.
        """
        if len({ticket.product_id for ticket in tickets}) != 1:
            raise Malformed("orders: all of one product", field="orders")
        market = self._markets.market(tickets[0].product_id)
        answers: dict[int, Placed | VenueError] = {}
        sent: dict[int, tuple[PlaceOrder, PlaceOrder]] = {}
        until = self._clock() + HOLDS_US
        for index, ticket in enumerate(tickets):
            try:
                if self._clock() > until:
                    raise Unavailable("the orders before it took too long", retry_after_s=1)
                sent[index] = self._secured(ticket, market, account)
            except VenueError as error:
                answers[index] = error
        commands = [command for _, command in sent.values()]
        outcomes = self._handover.deliver_all(commands, shard=market.product.shard, owner=market.owner, wait=wait)
        for (index, (asked, command)), outcome in zip(sent.items(), outcomes, strict=True):
            try:
                if isinstance(outcome, Unavailable):
                    raise outcome
                answers[index] = self._became(asked, command, market.product, outcome, tickets[index])
            except VenueError as error:
                answers[index] = error
        return [answers[index] for index in range(len(tickets))]

    def cancel(self, order_id: str, *, account: str, product_id: str | None = None, wait: bool = True) -> Cancelled:
        """Cancel one order. Raises NotFound for an unknown order or another's, RuleBroken `order_done` when over.

        Raises Unavailable when neither road took it; then the same cancel may be sent again.
        """
        command = CancelOrder(order_id=order_id, account=account)
        owners = self._everywhere() if product_id is None else self._owners(product_id)
        if len(owners) > 1:
            # The others would refuse it, aloud, and in the queue of one of them it would never meet its order.
            owners = self._owners(self._product_of(order_id, account=account))
        done = self._cancelled(command, owners, wait=wait)
        if done is not None:
            return done
        order = self._orders().order(order_id, account=account)
        if order is None:
            waiting = waiting_order(self._wallets, order_id, account=account)
            if waiting is None:
                raise NotFound("order not found")
            # The order is still in the queue; the cancel follows it there, behind it in the same group.
            shard = self._markets.market(waiting.product_id).product.shard
            self._handover.deliver(command, shard=shard, wait=False)
            return Cancelled(pending=True)
        if order.status not in {"open", "active"}:
            raise refusal("order_done")
        # It came into its book after the matcher had looked for it, or another shard's matcher has it.
        done = self._cancelled(command, self._owners(order.product_id), wait=wait)
        if done is None:
            raise Unavailable("the order and its cancel keep missing each other", retry_after_s=1)
        return done

    def cancel_all(self, *, account: str, product_id: str | None = None, wait: bool = True) -> Cancelled:
        """Cancel every resting order of an account, of one product or of all: the oldest thousand of each shard at a
        time, at most `ROUNDS_MAX` times.

        An order that still waits in the order queue is not resting yet. wait: False sends the cancel there, behind
        every order that was queued before it. Raises Unavailable, after it has asked every shard, when one took it on
        neither road.
        """
        command = CancelAll(account=account, product_id=product_id)
        cancelled: list[str] = []
        pending = False
        owners = self._everywhere() if product_id is None else self._owners(product_id)
        failure: Unavailable | None = None
        for shard, owner in owners.items():
            for _ in range(ROUNDS_MAX):
                try:
                    outcome = self._handover.deliver(command, shard=shard, owner=owner, wait=wait)
                except Unavailable as error:
                    failure = error  # which is no reason to leave the orders of other shards alone
                    break
                if outcome is None:
                    pending = True
                    break
                cancelled += [order.order_id for order in outcome.orders]
                if not outcome.more:
                    break
        if failure is not None:
            raise failure
        return Cancelled(order_ids=cancelled, pending=pending)

    def cancel_all_after(self, timeout_s: int, *, account: str) -> Armed:
        """Cancel all of an account's orders unless it asks again within the timeout; 0: do not. In every shard.

        Raises Unavailable when some shard may not have heard of it; then it may be sent again. It never waits in the
        queue: it could undo there what is asked later.
        """
        now = self._clock()
        command = CancelAllAfter(account=account, timeout=timeout_s * 1_000_000)
        for shard, owner in self._everywhere().items():
            self._handover.insist(command, shard=shard, owner=owner)
        return Armed(at=now, timeout_s=timeout_s)

    def _secured(self, ticket: Ticket, market: Market, account: str) -> tuple[PlaceOrder, PlaceOrder]:
        """Give what is asked, and the command to hand over, its hold taken."""
        now = self._clock()
        order_id = order_id_of(account, ticket.client_oid) if ticket.client_oid else self._new_id()
        asked = command_of(
            ticket, market.product, order_id=order_id, account=account, at=now, deadline=now + DEADLINE_US
        )
        return asked, self._held(asked, market, now, lasting=isinstance(ticket.cancel_after, str))

    def _became(
        self, asked: PlaceOrder, command: PlaceOrder, product: Product, outcome: Outcome | None, ticket: Ticket
    ) -> Placed:
        if outcome is None:
            return Placed(product=product, order=order_waiting(command))
        placed = self._placed(command, product, outcome)
        lasting = isinstance(ticket.cancel_after, str)
        if outcome.replayed and not same_request(placed.order, asked, lasting=lasting):
            raise conflict("client_oid", "an order")
        if placed.order.status == "rejected":
            raise refusal(placed.order.reject_reason or outcome.refused or "refused")
        return placed

    def _held(self, asked: PlaceOrder, market: Market, now: int, *, lasting: bool) -> PlaceOrder:
        """Give the command to hand over, its hold taken: the one of the first attempt, where there was one."""
        try:
            command = secured(asked, market)
        except (RuleBroken, Unavailable):
            # The book may have changed since a first attempt, which then still counts.
            first = self._wallets.held_order(asked.order_id) if asked.client_oid else None
            if first is None:
                raise
        else:
            first = self._wallets.hold(command, asset=hold_asset(market.product, command.side), at=now)
            if first is None:
                return command
        if not same_request(first, asked, lasting=lasting):
            raise conflict("client_oid", "an order")
        return msgspec.structs.replace(first, deadline=asked.deadline)

    def _cancelled(self, command: CancelOrder, owners: Mapping[int, str | None], *, wait: bool) -> Cancelled | None:
        """Ask each shard in turn for an order; None when no one has it. Raises RuleBroken `order_done`."""
        for shard, owner in owners.items():
            outcome = self._handover.deliver(command, shard=shard, owner=owner, wait=wait)
            if outcome is None:
                return Cancelled(pending=True)
            if outcome.refused is None:
                return Cancelled(order_ids=[order.order_id for order in outcome.orders])
            if outcome.refused != "not_found":
                raise refusal(outcome.refused)
        return None

    def _product_of(self, order_id: str, *, account: str) -> str:
        """The product of an order, wherever it is by now. Raises NotFound for an unknown order or another's."""
        order = waiting_order(self._wallets, order_id, account=account) or self._orders().order(
            order_id, account=account
        )
        if order is None:
            raise NotFound("order not found")
        return order.product_id

    def _owners(self, product_id: str | None) -> dict[int, str | None]:
        """The shards to ask, with their owners' addresses as far as known. Raises NotFound for an unknown product."""
        if product_id is not None:
            market = self._markets.market(product_id)
            return {market.product.shard: market.owner}
        try:
            return dict(self._markets.owners()) or {0: None}
        except Unavailable:
            return {0: None}

    def _everywhere(self) -> dict[int, str | None]:
        """Every shard, also those whose owner nobody knows now: what they are asked waits in the queue."""
        owners = self._owners(None)
        return {shard: owners.get(shard) for shard in sorted({*owners, *self._markets.shards()})}

    def _placed(self, command: PlaceOrder, product: Product, outcome: Outcome) -> Placed:
        if outcome.orders:
            return Placed(product=product, order=outcome.orders[0], fills=outcome.fills)
        if not outcome.replayed:
            raise refusal(outcome.refused or "refused")
        # Done so long ago that the matcher knows no more than its id.
        journal = self._orders()
        order = journal.order(command.order_id, account=command.account)
        if order is None:
            raise Unavailable("the journal does not know this order yet", retry_after_s=1)
        fills = journal.fills_of(command.order_id, account=command.account)
        return Placed(product=product, order=order, fills=fills)


def waiting_order(holds: Holds, order_id: str, *, account: str) -> Order | None:
    """The account's order that holds its money but is not in the journal yet: it is still on its way."""
    command = holds.held_order(order_id)
    return order_waiting(command) if command is not None and command.account == account else None


def order_waiting(command: PlaceOrder) -> Order:
    """The order that a command becomes, before the matcher has seen it."""
    return Order(
        order_id=command.order_id,
        account=command.account,
        product_id=command.product_id,
        side=command.side,
        type=command.type,
        time_in_force=command.time_in_force,
        post_only=command.post_only,
        client_oid=command.client_oid,
        price=command.price,
        size=command.size,
        funds=command.funds,
        status="pending",
        created_at=command.at,
        hold=command.hold,
        stp=command.stp,
        expire_at=command.expire_at,
        stop=command.stop,
        stop_price=command.stop_price,
        display_size=command.display_size,
    )
