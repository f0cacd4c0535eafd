"""What happens in a run: who asks for what, what goes wrong, and when. Data, so that a failing run can be cut down."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import msgspec

from tests.simulation.process import EPOCH_US
from tests.simulation.trouble import AT_ONCE, LASTING, ONCE
from venue.orders import OrderType, Side, TimeInForce
from venue.products import Asset, Product
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
PRODUCTS: Final = [ACME, BOLT]
ACCOUNTS: Final = ("ann", "bob", "cat", "dan")
# So long do the callers call and the faults fall; then the venue comes to rest.
LENGTH_S: Final = 9.0
SLEEPER: Final = "sleeper"


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


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """A cancel of the order that the action `of` placed."""

    at: float
    number: int
    account: str
    of: int
    waits: bool


class CancelAll(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """A cancel of all that an account has open."""

    at: float
    number: int
    account: str
    waits: bool


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """Something goes wrong. `seconds`: how long it lasts, or by how much a clock jumps. `owner`: whether it is the
    owner's process that is hit, or a standby's."""

    at: float
    kind: str
    seconds: float
    owner: bool


type Action = Deposit | Place | Cancel | CancelAll
type Step = Action | Fault


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `seed` decides how long everything takes."""

    seed: int
    steps: list[Deposit | Place | Cancel | CancelAll | Fault]


def plan_of(seed: int, *, trouble: Sequence[str] = ()) -> Plan:
    """Draw the run of a seed; with no other kinds of `trouble` than these, where any are named.

    SLEEPER among them: nothing but an owner that sleeps, and a few callers.
    """
    rng = Random(seed)
    steps: list[Step] = []
    for account in ACCOUNTS:
        for asset, amount in (("USD", "2500"), ("ACME", "60"), ("BOLT", "40")):
            steps.append(
                Deposit(at=rng.uniform(0.5, 2.0), number=len(steps), account=account, asset=asset, amount=amount)
            )
    bursts = [rng.uniform(2.5, LENGTH_S) for _ in range(4)]
    sleeps = SLEEPER in trouble
    for _ in range(4 if sleeps else rng.randrange(24, 48)):
        at = rng.uniform(2.5, LENGTH_S) if rng.randrange(2) else rng.choice(bursts) + rng.uniform(0, 0.05)
        steps.append(_action(rng, at, len(steps), steps))
    # Most runs know a few kinds of trouble only: then each comes often, and several of one kind meet.
    everything = ONCE + LASTING + AT_ONCE
    kinds = rng.sample(everything, rng.choice((3, 6, 12, len(everything))))
    kinds = list(trouble) or kinds
    steps += [_fault(rng, rng.choice(kinds)) for _ in range(0 if sleeps else rng.randrange(0, 11))]
    if sleeps or rng.randrange(3) == 0:
        steps += _sleeper(rng, len(steps))
    return Plan(seed=seed, steps=sorted(steps, key=lambda step: step.at))


def _sleeper(rng: Random, number: int) -> list[Step]:
    """What takes most to come about: an owner sleeps until another has its shard, and wakes while callers ask it.

    An account places an order with the other one, and cancels all it has with the one that wakes.
    """
    at, seconds = rng.uniform(1.5, 3.5), rng.uniform(3.5, 6.5)
    account, woke = rng.choice(ACCOUNTS), at + seconds
    ticket = Ticket(product_id=ACME.id, side="buy", price=ACME.format_price(60), size="1", client_oid=f"oid-{number}")
    return [
        Fault(at=at, kind="pause", seconds=seconds, owner=True),
        Place(at=woke - rng.uniform(0.85, 1.2), number=number, account=account, ticket=ticket, tries=1, waits=True),
        CancelAll(at=woke - rng.uniform(0.05, 0.6), number=number + 1, account=account, waits=True),
    ]


def _fault(rng: Random, kind: str) -> Fault:
    seconds = rng.choice((0.3, 1.0, 3.0, 6.0, 9.0)) * rng.uniform(0.7, 1.3)
    return Fault(at=rng.uniform(1.0, LENGTH_S), kind=kind, seconds=seconds, owner=rng.randrange(4) > 0)


def _action(rng: Random, at: float, number: int, before: list[Step]) -> Action:
    account, waits = rng.choice(ACCOUNTS), rng.randrange(6) > 0
    placed = [step for step in before if isinstance(step, Place)]
    draw = rng.randrange(100)
    if draw < 18 and placed:
        of = rng.choice(placed)
        return Cancel(
            at=max(at, of.at + rng.choice((0.0, 0.001, 1.0))),
            number=number,
            account=of.account,
            of=of.number,
            waits=waits,
        )
    if draw < 28:
        return CancelAll(at=at, number=number, account=account, waits=waits)
    if draw < 40 and placed:
        again = rng.choice(placed)
        return msgspec.structs.replace(again, at=again.at + rng.choice((0.0, 0.01, 1.0, 5.0)), number=number)
    return Place(
        at=at, number=number, account=account, ticket=_ticket(rng, number, at), tries=rng.choice((1, 2, 4)), waits=waits
    )


def _ticket(rng: Random, number: int, at: float) -> Ticket:
    side: Side = rng.choice(("buy", "sell"))
    type_: OrderType = "market" if rng.randrange(5) == 0 else "limit"
    product = ACME if rng.randrange(3) else BOLT
    size = str(rng.choice((1, 1, 2, 3, 7, 20, 90)))
    client_oid = f"oid-{number}"
    if type_ == "market":
        by_funds = side == "buy" and rng.randrange(2) == 0
        return Ticket(
            product_id=product.id,
            side=side,
            type=type_,
            size=None if by_funds else size,
            funds=rng.choice(("3.33", "12.5", "77.01")) if by_funds else None,
            client_oid=client_oid,
        )
    tif: TimeInForce = rng.choice(("GTC", "GTC", "GTC", "GTC", "GTT", "IOC", "FOK"))
    until_s = at + rng.choice((0.5, 2.0, 6.0))
    return Ticket(
        product_id=product.id,
        side=side,
        price=product.format_price(100 + rng.randrange(-6, 7)),
        size=size,
        time_in_force=tif,
        post_only=tif == "GTC" and rng.randrange(6) == 0,
        cancel_after=EPOCH_US + round(until_s * 1_000_000) if tif == "GTT" else None,
        client_oid=client_oid,
    )


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
