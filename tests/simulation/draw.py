"""Draws the run of a seed: a few callers, what they ask for, and what goes wrong meanwhile."""

from collections.abc import Sequence
from random import Random
from typing import Final

import msgspec

from tests.simulation.plan import (
    ACCOUNTS,
    ACME,
    BOLT,
    LENGTH_S,
    PRODUCTS,
    Action,
    Amend,
    Arm,
    Cancel,
    CancelAll,
    Deposit,
    Fault,
    Place,
    PlaceAll,
    Plan,
    Reconcile,
    SetStatus,
    Step,
)
from tests.simulation.process import EPOCH_US
from tests.simulation.trouble import AT_ONCE, LASTING, ONCE
from venue.orders import OrderType, Side, Stop, TimeInForce
from venue.products import MarketStatus, Product
from venue.tickets import Ticket

# Among the kinds of trouble: nothing but an owner that sleeps, and a few callers.
SLEEPER: Final = "sleeper"
# Stops and orders at the market's price go by it.
_MIDDLE: Final = 100


def plan_of(seed: int, *, trouble: Sequence[str] = ()) -> Plan:
    """Draw the run of a seed; with no other kinds of `trouble` than these, where any are named."""
    rng = Random(seed)
    steps: list[Step] = []
    accounts = ACCOUNTS[: rng.choice((2, 3, 3, 4))]
    for account in accounts:
        for asset, amount in (("USD", "2500"), ("ACME", "60"), ("BOLT", "40")):
            steps.append(
                Deposit(at=rng.uniform(0.5, 2.0), number=len(steps), account=account, asset=asset, amount=amount)
            )
    bursts = [rng.uniform(2.5, LENGTH_S) for _ in range(4)]
    sleeps = SLEEPER in trouble
    for _ in range(4 if sleeps else rng.randrange(24, 48)):
        at = rng.uniform(2.5, LENGTH_S) if rng.randrange(2) else rng.choice(bursts) + rng.uniform(0, 0.05)
        steps.append(_action(rng, at, len(steps), steps, rng.choice(accounts)))
    if not sleeps and rng.randrange(3) == 0:
        steps += _operations(rng, len(steps))
    # Most runs know a few kinds of trouble only: then each comes often, and several of one kind meet.
    everything = ONCE + LASTING + AT_ONCE
    kinds = rng.sample(everything, rng.choice((3, 6, 12, len(everything))))
    kinds = list(trouble) or kinds
    faults = [_fault(rng, rng.choice(kinds)) for _ in range(0 if sleeps else rng.randrange(0, 11))]
    reconciles = any(fault.kind.startswith("reconcile") for fault in faults)
    for _ in range(rng.randrange(1, 4) if reconciles else rng.choice((0, 0, 1, 2))):
        at = rng.uniform(2.5, LENGTH_S + 1) if rng.randrange(2) else rng.choice(bursts) + rng.uniform(-0.05, 0.05)
        steps.append(Reconcile(at=at, number=len(steps)))
    steps += faults
    if sleeps or rng.randrange(3) == 0:
        steps += _sleeper(rng, len(steps))
    shards = 1 if sleeps else rng.choice((1, 2))
    return Plan(
        seed=seed,
        steps=sorted(steps, key=lambda step: step.at),
        shards=shards,
        matchers=rng.choice((2, 3)) if shards > 1 else 2,
        shards_max=rng.randrange(1, shards + 1),
    )


def _sleeper(rng: Random, number: int) -> list[Step]:
    """What takes most to come about: an owner sleeps until another has its shard, and wakes while callers ask it.

    An account places an order with the other one, and cancels all it has with the one that wakes.
    """
    at, seconds = rng.uniform(1.5, 3.5), rng.uniform(3.5, 6.5)
    account, woke = rng.choice(ACCOUNTS[:2]), at + seconds
    ticket = Ticket(product_id=ACME.id, side="buy", price=ACME.format_price(60), size="1", client_oid=f"oid-{number}")
    return [
        Fault(at=at, kind="pause", seconds=seconds, owner=True),
        Place(at=woke - rng.uniform(0.85, 1.2), number=number, account=account, ticket=ticket, tries=1, waits=True),
        CancelAll(at=woke - rng.uniform(0.05, 0.6), number=number + 1, account=account, product_id=None, waits=True),
    ]


def _fault(rng: Random, kind: str) -> Fault:
    seconds = rng.choice((0.3, 1.0, 3.0, 6.0, 9.0)) * rng.uniform(0.7, 1.3)
    return Fault(at=rng.uniform(1.0, LENGTH_S), kind=kind, seconds=seconds, owner=rng.randrange(4) > 0)


def _operations(rng: Random, number: int) -> list[Step]:
    """An operator's day: a market is halted, called, narrowed."""
    product, at = rng.choice(PRODUCTS), rng.uniform(2.5, LENGTH_S - 1)
    found: list[Step] = []
    for _ in range(rng.randrange(1, 4)):
        status: MarketStatus = rng.choice(
            ("trading", "post_only", "limit_only", "cancel_only", "halted", "auction", "auction")
        )
        ends = status in ("halted", "auction") and rng.randrange(3) > 0
        reference = product.format_price(_MIDDLE + rng.randrange(-6, 7)) if rng.randrange(3) == 0 else None
        found.append(
            SetStatus(
                at=at,
                number=number + len(found),
                product_id=product.id,
                status=status,
                for_s=rng.uniform(0.3, 2.0) if ends else None,
                reference=reference,
            )
        )
        at += rng.uniform(0.1, 2.0)
    return found


def _action(rng: Random, at: float, number: int, before: list[Step], account: str) -> Action:
    waits = rng.randrange(6) > 0
    placed = [step for step in before if isinstance(step, Place)]
    draw = rng.randrange(100)
    if draw < 14 and placed:
        of = rng.choice(placed)
        return Cancel(
            at=max(at, of.at + rng.choice((0.0, 0.001, 1.0))),
            number=number,
            account=of.account,
            of=of.number,
            waits=waits,
        )
    if draw < 20:
        market = rng.choice((None, None, ACME.id, BOLT.id))
        return CancelAll(at=at, number=number, account=account, product_id=market, waits=waits)
    if draw < 30 and placed:
        again = rng.choice(placed)
        return msgspec.structs.replace(again, at=again.at + rng.choice((0.0, 0.01, 1.0, 5.0)), number=number)
    if draw < 42 and placed:
        return _amend(rng, at, number, rng.choice(placed), waits=waits)
    if draw < 44:
        return Arm(at=at, number=number, account=account, timeout_s=rng.choice((0, 1, 3)))
    if draw < 50:
        product = rng.choice(PRODUCTS)
        tickets = [_ticket(rng, f"oid-{number}-{place}", at, product) for place in range(rng.randrange(2, 5))]
        return PlaceAll(at=at, number=number, account=account, tickets=tickets, waits=waits)
    ticket = _ticket(rng, f"oid-{number}", at, ACME if rng.randrange(3) else BOLT)
    return Place(at=at, number=number, account=account, ticket=ticket, tries=rng.choice((1, 2, 4)), waits=waits)


def _amend(rng: Random, at: float, number: int, of: Place, *, waits: bool) -> Amend:
    price, size = _price(rng, ACME), str(rng.choice((1, 2, 4, 10, 30)))
    which = rng.randrange(3)
    return Amend(
        at=max(at, of.at + rng.choice((0.0, 0.002, 0.5))),
        number=number,
        account=of.account,
        of=of.number,
        price=price if which != 1 else None,
        size=size if which != 0 else None,
        waits=waits,
    )


def _price(rng: Random, product: Product) -> str:
    return product.format_price(_MIDDLE + rng.randrange(-6, 7))


def _ticket(rng: Random, client_oid: str, at: float, product: Product) -> Ticket:
    side: Side = rng.choice(("buy", "sell"))
    type_: OrderType = "market" if rng.randrange(5) == 0 else "limit"
    size = str(rng.choice((1, 1, 2, 3, 7, 20, 90)))
    stop: Stop | None = rng.choice(("loss", "entry")) if rng.randrange(8) == 0 else None
    stop_price = None if stop is None else product.format_price(_MIDDLE + rng.randrange(-3, 4))
    if type_ == "market":
        by_funds = side == "buy" and rng.randrange(2) == 0
        return Ticket(
            product_id=product.id,
            side=side,
            type=type_,
            size=None if by_funds else size,
            funds=rng.choice(("3.33", "12.5", "77.01")) if by_funds else None,
            client_oid=client_oid,
            stop=stop,
            stop_price=stop_price,
        )
    tif: TimeInForce = rng.choice(("GTC", "GTC", "GTC", "GTC", "GTT", "IOC", "FOK"))
    until_s = at + rng.choice((0.5, 2.0, 6.0))
    iceberg = tif == "GTC" and stop is None and int(size) > 2 and rng.randrange(3) == 0
    return Ticket(
        product_id=product.id,
        side=side,
        price=_price(rng, product),
        size=size,
        time_in_force=tif,
        post_only=tif == "GTC" and not iceberg and rng.randrange(6) == 0,
        cancel_after=EPOCH_US + round(until_s * 1_000_000) if tif == "GTT" else None,
        client_oid=client_oid,
        stp=rng.choice(("dc", "dc", "co", "cn", "cb")),
        stop=stop,
        stop_price=stop_price,
        display_size="1" if iceberg else None,
    )
