"""What happens in a run: who asks for what, what goes wrong, and when. Data, so that a failing run can be cut down."""

from collections.abc import Callable
from typing import Final

import msgspec

from venue.products import Asset, MarketStatus, Product
from venue.tickets import Ticket

USD: Final = Asset(id="USD", name="US dollar", scale=2)
# One tick on one lot is 5 cents, and fees are fractions of one: what is rounded wrongly shows.
ACME: Final = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme", scale=0),
    quote=USD,
    tick_units=5,
    lot_units=1,
    size_max=1_000,
    price_max=2_000,
    maker_bps=10,
    taker_bps=25,
)
BOLT: Final = msgspec.structs.replace(ACME, id="BOLT-USD", base=Asset(id="BOLT", name="Bolt", scale=0), maker_bps=0)
PRODUCTS: Final = (ACME, BOLT)
ACCOUNTS: Final = ("ann", "bob", "cat", "dan")
# So long do the callers call and the faults fall; then the venue comes to rest.
LENGTH_S: Final = 9.0


class Deposit(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """Money comes in, by an operator who does not give up."""

    at: float
    number: int
    account: str
    asset: str
    amount: str


class Place(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """An order; `tries`: how often its owner tries when the venue cannot say. waits: False asks for the order queue."""

    at: float
    number: int
    account: str
    ticket: Ticket
    tries: int
    waits: bool


class PlaceAll(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """Orders of one product that are sent together."""

    at: float
    number: int
    account: str
    tickets: list[Ticket]
    waits: bool


class Amend(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """Another price, size, or both for the order that the action `of` placed."""

    at: float
    number: int
    account: str
    of: int
    price: str | None
    size: str | None
    waits: bool


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """A cancel of the order that the action `of` placed."""

    at: float
    number: int
    account: str
    of: int
    waits: bool


class CancelAll(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """A cancel of all that an account has open, in one market or in all."""

    at: float
    number: int
    account: str
    product_id: str | None
    waits: bool


class Arm(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """A dead-man switch is set, or taken back with 0."""

    at: float
    number: int
    account: str
    timeout_s: int


class SetStatus(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """An operator changes what a market accepts; for_s: until then (a halt, an auction). reference: a price."""

    at: float
    number: int
    product_id: str
    status: MarketStatus
    for_s: float | None = None
    reference: str | None = None


class Reconcile(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """The clock begins a reconciliation."""

    at: float
    number: int


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """Something goes wrong. `seconds`: how long it lasts, or by how much a clock jumps. `owner`: whether it is the
    owner's process that is hit, or a standby's."""

    at: float
    kind: str
    seconds: float
    owner: bool


type Action = Deposit | Place | PlaceAll | Amend | Cancel | CancelAll | Arm | SetStatus
type Step = Action | Reconcile | Fault


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `seed` decides how long everything takes. matchers: so many run; shards_max: that one of them owns."""

    seed: int
    steps: list[Deposit | Place | PlaceAll | Amend | Cancel | CancelAll | Arm | SetStatus | Reconcile | Fault]
    shards: int = 1
    matchers: int = 2
    shards_max: int = 1

    def products(self) -> list[Product]:
        """The catalogue: products dealt to the shards in turn."""
        return [msgspec.structs.replace(each, shard=number % self.shards) for number, each in enumerate(PRODUCTS)]


def shortest(plan: Plan, fails: Callable[[Plan], bool], *, tries_max: int = 400) -> Plan:
    """Cut a failing plan down: leave out ever smaller parts as long as it still fails."""
    size = max(len(plan.steps) // 2, 1)
    tries = 0
    while True:
        position = 0
        while position < len(plan.steps) and tries < tries_max:
            tries += 1
            fewer = msgspec.structs.replace(plan, steps=plan.steps[:position] + plan.steps[position + size :])
            if fails(fewer):
                plan = fewer
            else:
                position += size
        if size == 1 or tries >= tries_max:
            return plan
        size //= 2
