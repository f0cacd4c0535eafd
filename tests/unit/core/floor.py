"""An engine with one market, and traders whose wallets are kept the way the venue keeps them."""

from collections import defaultdict
from typing import TypedDict, Unpack

import msgspec

from matcher.core.engine import Engine
from venue.commands import AmendOrder, AnyCommand, CancelAll, CancelOrder, Expire, ListProduct, PlaceOrder, SetStatus
from venue.events import AnyEvent, LevelChanged, OrderDone, OrderRefused, Traded
from venue.holds import hold_for
from venue.ledger import hold_asset, imbalance, postings
from venue.orders import Order, OrderType, SelfTradePrevention, Side, Stop, TimeInForce
from venue.products import Asset, MarketStatus, Product
from venue.spelling import spelled

# One tick on one lot is one minor unit of USD; one lot is one minor unit of ACME.
ACME_USD = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme", scale=0),
    quote=Asset(id="USD", name="US dollar", scale=0),
    tick_units=1,
    lot_units=1,
    size_min=1,
    size_max=1_000_000,
    price_max=1_000_000,
)


class Terms(TypedDict, total=False):
    """What a test may say of an order beyond its side, size and price."""

    account: str
    product_id: str
    type: OrderType
    funds: int | None
    time_in_force: TimeInForce
    post_only: bool
    client_oid: str | None
    maker_bps: int
    taker_bps: int
    hold: int
    deadline: int | None
    stp: SelfTradePrevention | None
    expire_at: int | None
    stop: Stop | None
    stop_price: int | None
    display_size: int | None


class Floor:
    """Places orders with the hold they need (unless told otherwise) and applies every posting to the wallets.

    `wallets` is what settlement makes of the postings: (account, asset) -> [free, held]. An account may start a test
    in debt: what a test checks is what changes.
    """

    def __init__(self, product: Product = ACME_USD, *, done_max: int = 100_000) -> None:
        self.product = product
        self.engine = Engine(done_max=done_max)
        self.at = 0
        self.amends = 0
        self.events: list[AnyEvent] = []
        self.wallets: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        self.apply(ListProduct(product=product))

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        """Apply it one microsecond after the last, and settle. Gives what was told, in the long form."""
        self.at += 1
        events = self.engine.apply(msgspec.structs.replace(command, at=self.at))
        for event in events:
            moved = list(postings(event, self.engine.product(getattr(event, "product_id", ""))))
            assert imbalance(moved) == {}
            for posting in moved:
                wallet = self.wallets[posting.account, posting.asset]
                wallet[0] += posting.free
                wallet[1] += posting.held
        told = list(spelled(events))
        self.events += told
        return told

    def buy(self, order_id: str, size: int | None, price: int | None, **terms: Unpack[Terms]) -> list[AnyEvent]:
        """Place a buy; the account is `ann` unless told otherwise."""
        return self._place("buy", order_id, size, price, terms)

    def sell(self, order_id: str, size: int | None, price: int | None, **terms: Unpack[Terms]) -> list[AnyEvent]:
        """Place a sell; the account is `bob` unless told otherwise."""
        return self._place("sell", order_id, size, price, terms)

    def _place(self, side: Side, order_id: str, size: int | None, price: int | None, terms: Terms) -> list[AnyEvent]:
        stated: Terms = {"account": "ann" if side == "buy" else "bob", "product_id": self.product.id, **terms}
        order = PlaceOrder(order_id=order_id, side=side, size=size, price=price, **stated)
        if "hold" not in terms and not (side == "buy" and (price is None or size is None) and order.funds is None):
            order = msgspec.structs.replace(order, hold=hold_for(order, self.product))
        return self.apply(order)

    def amend(
        self, order_id: str, account: str, *, price: int | None = None, size: int | None = None, hold: int = 0
    ) -> list[AnyEvent]:
        """Amend one order of the floor's product; `hold` is what was taken for it on top."""
        self.amends += 1
        known = self.engine.order(order_id)
        return self.apply(
            AmendOrder(
                amend_id=f"amend-{self.amends}",
                order_id=order_id,
                account=account,
                product_id=self.product.id,
                side="buy" if known is None else known.side,
                price=price,
                size=size,
                hold=hold,
            )
        )

    def expire(self, at: int) -> list[AnyEvent]:
        """Let time come to `at`."""
        self.at = at - 1
        return self.apply(Expire())

    def status(self, status: MarketStatus, *, reference: int | None = None, until: int | None = None) -> list[AnyEvent]:
        """Put the market into another state."""
        return self.apply(SetStatus(product_id=self.product.id, status=status, reference=reference, until=until))

    def cancel(self, order_id: str, account: str) -> list[AnyEvent]:
        """Cancel one order."""
        return self.apply(CancelOrder(order_id=order_id, account=account))

    def cancel_all(self, account: str, product_id: str | None = None) -> list[AnyEvent]:
        """Cancel all orders of an account."""
        return self.apply(CancelAll(account=account, product_id=product_id))

    def order(self, order_id: str) -> Order:
        """An order that must be known."""
        order = self.engine.order(order_id)
        assert order is not None
        return order

    def held(self, account: str, side: Side) -> int:
        """What the account's orders of one side hold."""
        return self.wallets[account, hold_asset(self.product, side)][1]

    def balances(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(account, asset) -> (free, held), without the empty ones."""
        return {key: (free, held) for key, (free, held) in self.wallets.items() if free or held}

    @property
    def bids(self) -> list[tuple[int, int, int]]:
        """(ticks, lots, orders), best first."""
        return self.engine.depth(self.product.id, 100)[0]

    @property
    def asks(self) -> list[tuple[int, int, int]]:
        """(ticks, lots, orders), best first."""
        return self.engine.depth(self.product.id, 100)[1]


def trades(events: list[AnyEvent]) -> list[tuple[str, int, int]]:
    """(maker order, lots, ticks) of each trade."""
    return [(event.maker_order_id, event.size, event.price) for event in events if isinstance(event, Traded)]


def done(events: list[AnyEvent]) -> list[tuple[str, str, int]]:
    """(order, reason, lots not filled) of each order that ended."""
    return [(event.order_id, event.reason, event.remaining) for event in events if isinstance(event, OrderDone)]


def levels(events: list[AnyEvent]) -> list[tuple[Side, int, int]]:
    """(side, ticks, lots) of each level that changed."""
    return [(event.side, event.price, event.size) for event in events if isinstance(event, LevelChanged)]


def refused(events: list[AnyEvent]) -> str:
    """The reason of the one refusal that there is."""
    (refusal,) = events
    assert isinstance(refusal, OrderRefused)
    return refusal.reason


def queue(floor: Floor, side: Side) -> list[tuple[str, int]]:
    """(order, lots shown) in the order in which they trade."""
    found = floor.engine.resting(floor.product.id, 100)[0 if side == "buy" else 1]
    return [(order_id, size) for _, size, order_id in found]


def kinds(events: list[AnyEvent]) -> list[str]:
    """The events' names, as they travel."""
    return [str(type(event).__struct_config__.tag) for event in events]
