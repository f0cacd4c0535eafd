"""The local venue itself: it goes down and comes up again, in order or not, and its books balance afterwards."""

from collections.abc import Iterator

import pytest

from local.processes import find, stop
from local.setup import ROOT
from local.venue import Venue
from tests.e2e.market import Market, eventually

pytestmark = pytest.mark.venue


@pytest.fixture(scope="module")
def second(venue: Venue) -> Iterator[Venue]:
    """Another venue, beside the session's."""
    second = Venue(ROOT / ".local" / "second-test-venue", say=print)
    second.down(forget=True)
    try:
        second.up()
        assert all(venue.running.values())
        yield second
    finally:
        second.down(forget=True)


def test_two_venues_stand_side_by_side_and_share_nothing(venue: Venue, second: Venue) -> None:
    ports = [getattr(each.state.ports, name) for each in (venue, second) for name in each.state.ports.__struct_fields__]
    assert len(set(ports)) == len(ports)
    with Market(second) as market:
        assert market.open_account("lonely", USD="5").balances() == {"USD": ("5.00000000", "0.00000000")}
    with Market(venue) as market:
        # The world owes what came in, and here nobody called lonely brought anything.
        assert second.account("lonely") not in {account for account, _ in market.journal.ledger()}


def test_a_venue_that_was_stopped_goes_on_where_it_was(second: Venue) -> None:
    with Market(second) as market:
        trader = market.open_account("keeper", USD="100")
        order_id = trader.place("buy", "1", "20").id
        market.settle()
    second.down()
    assert not any(second.running.values())
    second.up()
    with Market(second) as market:
        trader = market.sign_in("keeper")
        assert trader.order(order_id)["status"] == "open"
        assert trader.balances() == {"USD": ("79.96000000", "20.04000000")}
        assert trader.call("DELETE", f"/orders/{order_id}").status == 200
        market.assert_books_balance()


def test_an_emulator_that_was_killed_loses_no_money(second: Venue) -> None:
    with Market(second) as market:
        trader = market.open_account("survivor", USD="100")
        account, order_id = trader.account, trader.place("buy", "1", "21").id
        market.settle()
        before = market.wallets.balances()
    for name in ("matcher", "emulator"):
        assert find(second.state.processes[name])
        stop(second.state.processes[name], grace_s=0)
    second.up()
    with Market(second) as market:
        assert market.wallets.balances() == before
        assert before[account, "USD"] == (7_895_800_000, 2_104_200_000)
        eventually(lambda: order_id in {getattr(line.event, "order_id", None) for line in market.tape.lines()})
        market.assert_books_balance()
