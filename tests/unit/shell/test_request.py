"""What the matcher takes from outside."""

import msgspec
import pytest

from matcher.shell.request import Unreadable, read_one
from tests.unit.shell.test_sequencer import PRODUCT
from venue import wire
from venue.commands import (
    AmendOrder,
    AnyCommand,
    CancelAll,
    CancelAllAfter,
    CancelProduct,
    Expire,
    ListProduct,
    PlaceOrder,
    SetStatus,
)

ID = "8a1d4f0e-0000-4000-8000-000000000001"
ORDER = PlaceOrder(order_id=ID, account="alice", product_id="ACME-USD", side="buy", price=1, size=1)
AMEND = AmendOrder(amend_id=ID, order_id=ID, account="alice", product_id="ACME-USD", side="buy", size=2)
STATUS = SetStatus(product_id="ACME-USD", status="halted", until=5, reference=7)


@pytest.mark.parametrize(
    "command",
    [
        ORDER,
        msgspec.structs.replace(ORDER, time_in_force="GTT", expire_at=5, display_size=1, stp="dc"),
        msgspec.structs.replace(ORDER, stop="loss", stop_price=5),
        AMEND,
        STATUS,
        CancelAll(account="alice"),
        CancelAllAfter(account="alice", timeout=0),
        CancelProduct(product_id="ACME-USD"),
        ListProduct(product=PRODUCT),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_the_core_understands_is_taken(command: AnyCommand) -> None:
    assert read_one(wire.encode(command)) == command


@pytest.mark.parametrize(
    ("command", "more", "because"),
    [
        (Expire(), {}, "time"),
        (AMEND, {"amend_id": "again"}, "amend_id"),
        (AMEND, {"order_id": ID.upper()}, "order_id"),
        (AMEND, {"account": ""}, "name"),
        (STATUS, {"until": 2**63}, "63 bits"),
        (STATUS, {"reference": -(2**63)}, "63 bits"),
        (STATUS, {"product_id": "a\x00b"}, "name"),
        (CancelAllAfter(account="alice", timeout=0), {"timeout": -1}, "timeout"),
        (CancelAllAfter(account="alice", timeout=0), {"timeout": 86_400_000_001}, "timeout"),
        (CancelProduct(product_id="ACME-USD"), {"limit": 0}, "limit"),
        (CancelProduct(product_id="ACME-USD"), {"limit": 1001}, "limit"),
        (ListProduct(product=PRODUCT), {"product": msgspec.structs.replace(PRODUCT, size_max=2**63)}, "63 bits"),
        (ListProduct(product=PRODUCT), {"product": msgspec.structs.replace(PRODUCT, id="A\nB")}, "name"),
    ],
    ids=str,
)
def test_what_nobody_may_send_is_refused_with_the_reason(
    command: AnyCommand, more: dict[str, object], because: str
) -> None:
    with pytest.raises(Unreadable, match=because):
        read_one(wire.encode(msgspec.structs.replace(command, **more)))


def test_a_product_whose_rules_make_no_sense_is_refused() -> None:
    body = wire.encode(ListProduct(product=PRODUCT)).replace(b'"tick_units":500000', b'"tick_units":0')
    with pytest.raises(Unreadable, match="tick"):
        read_one(body)
