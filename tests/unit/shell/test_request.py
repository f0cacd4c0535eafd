"""What the matcher takes from outside, and what the core alone understands so far."""

import msgspec
import pytest

from matcher.shell.request import Unreadable, read_one
from venue import wire
from venue.commands import AnyCommand, CancelProduct, Expire, PlaceOrder, SetStatus

ORDER = PlaceOrder(
    order_id="8a1d4f0e-0000-4000-8000-000000000001", account="alice", product_id="ACME-USD", side="buy", price=1, size=1
)


def test_an_order_of_the_kinds_on_offer_is_taken() -> None:
    assert read_one(wire.encode(ORDER)) == ORDER


@pytest.mark.parametrize(
    "more", [{"expire_at": 5}, {"stop": "loss", "stop_price": 5}, {"display_size": 1}, {"stp": "dc"}], ids=str
)
def test_an_order_that_needs_what_this_service_lacks_is_refused(more: dict[str, object]) -> None:
    with pytest.raises(Unreadable, match="yet"):
        read_one(wire.encode(msgspec.structs.replace(ORDER, **more)))


@pytest.mark.parametrize(
    "command",
    [Expire(), CancelProduct(product_id="ACME-USD"), SetStatus(product_id="ACME-USD", status="halted")],
    ids=lambda command: type(command).__name__,
)
def test_what_only_the_venue_itself_may_ask_is_refused(command: AnyCommand) -> None:
    with pytest.raises(Unreadable, match="yet"):
        read_one(wire.encode(command))
