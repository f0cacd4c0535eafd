"""What the order desk needs from outside, as protocols. The adapters are in `venue_aws`; tests bring their own.

Any port may raise `Unavailable` when what stands behind it does not answer in time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from venue.commands import AmendOrder, AnyCommand, Deposit, PlaceOrder
from venue.orders import Fill, Order
from venue.products import Asset, Product
from venue.wire import Outcome


class NotServed(Exception):
    """This address did not answer the command: nobody there, not the owner, too busy, or too late.

    The outcome is unknown; the same command may be sent again, anywhere, because its id is the same.
    """


class Top(msgspec.Struct, frozen=True, kw_only=True):
    """A book's best bid and ask: ticks and lots, None where that side is empty. `sequence` is the product's."""

    bid: int | None = None
    bid_size: int | None = None
    ask: int | None = None
    ask_size: int | None = None
    sequence: int = 0


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of a product to take an order for it.

    top is None when the book cannot be seen now, owner when nobody knows who owns the product's shard.
    """

    product: Product
    top: Top | None = None
    owner: str | None = None


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet as it stands, minor units."""

    asset: str
    free: int = 0
    held: int = 0


class Markets(Protocol):
    """Product rules, tops of books, and who owns which shard."""

    def market(self, product_id: str) -> Market:
        """Raise NotFound for a product that is not listed."""
        ...

    def assets(self) -> Mapping[str, Asset]:
        """Every asset that some product trades, by id."""
        ...

    def owners(self) -> Mapping[int, str]:
        """The address of each shard's owner, as far as known."""
        ...

    def shards(self) -> frozenset[int]:
        """Every shard that some product is traded in, whoever owns it."""
        ...


class Holds(Protocol):
    """What orders hold."""

    def held_order(self, order_id: str) -> PlaceOrder | None:
        """The order that this id holds for, as first sent; it may still be on its way to the matcher."""
        ...


class Wallets(Holds, Protocol):
    """Free and held amounts, and the holds that orders have on them."""

    def hold(self, order: PlaceOrder, *, asset: str, at: int) -> PlaceOrder | None:
        """Move `order.hold` of `asset` from free to held, once for an order id. `at` in µs.

        Answer None when it was done now; the order as first sent when its hold was there already (then nothing
        moved). Raises RuleBroken `insufficient_funds` when too little is free (then nothing moved either).
        """
        ...


class AmendHolds(Holds, Protocol):
    """What amends need beyond what their orders hold."""

    def held_amend(self, amend_id: str) -> AmendOrder | None:
        """The amend of this id, as first sent."""
        ...

    def hold_more(self, amend: AmendOrder, *, asset: str, at: int) -> AmendOrder | None:
        """As Wallets.hold, for an amend and by its own id; `amend.hold` may be 0."""
        ...


class Transfers(Protocol):
    """Which transfer ids are taken, and by what."""

    def claim(self, deposit: Deposit, *, at: int) -> Deposit:
        """Answer the deposit that owns this transfer id: this one, when none came before. `at` in µs."""
        ...


class Orders(Protocol):
    """What the journal knows of orders."""

    def order(self, order_id: str, *, account: str) -> Order | None:
        """One order of this account; None for an unknown one and for another's."""
        ...

    def fills_of(self, order_id: str, *, account: str) -> list[Fill]:
        """An order's fills, newest first."""
        ...


class Matcher(Protocol):
    """A matcher at some address, asked at once."""

    def submit(self, command: AnyCommand, *, url: str) -> Outcome:
        """Answer after the commit. Raises NotServed."""
        ...

    def submit_all(self, commands: Sequence[AnyCommand], *, url: str) -> list[Outcome]:
        """The same for several, in their order. Raises NotServed for all of them."""
        ...


class OrderQueue(Protocol):
    """The road that waits: the outcome is certain, only late."""

    def put(self, command: AnyCommand, *, shard: int) -> None:
        """Raise Unavailable when the queue does not take it."""
        ...


def assets_of(products: Iterable[Product]) -> dict[str, Asset]:
    """Every asset that the products trade, by id, in the order of the ids."""
    found = {asset.id: asset for product in products for asset in (product.base, product.quote)}
    return dict(sorted(found.items()))
