"""Deposits: credited once for each key."""

import pytest

from tests.venue_in_memory import ALICE, BOB, MemoryVenue
from venue.errors import Conflict, Malformed, RuleBroken, Unavailable


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


def test_a_deposit_is_credited(venue: MemoryVenue) -> None:
    before = venue.wallets.balance(ALICE, "USD").free
    credited = venue.cashier.deposit(key="k", account=ALICE, asset_id="USD", amount="12.50")
    assert (credited.amount, credited.pending) == (12_50000000, False)
    assert venue.wallets.balance(ALICE, "USD").free == before + 12_50000000


def test_a_repeat_is_answered_the_same_and_credits_nothing(venue: MemoryVenue) -> None:
    first = venue.cashier.deposit(key="k", account=ALICE, asset_id="USD", amount="12.50")
    after = venue.wallets.balance(ALICE, "USD").free
    assert venue.cashier.deposit(key="k", account=ALICE, asset_id="USD", amount="12.5") == first
    assert venue.wallets.balance(ALICE, "USD").free == after


@pytest.mark.parametrize(
    "other", [{"account": BOB}, {"asset_id": "BTC"}, {"amount": "12.51"}], ids=["account", "asset", "amount"]
)
def test_the_same_key_with_other_content_is_a_conflict(venue: MemoryVenue, other: dict[str, str]) -> None:
    content = {"account": ALICE, "asset_id": "USD", "amount": "12.50"}
    venue.cashier.deposit(key="k", **content)
    asked = len(venue.matcher.asked)
    with pytest.raises(Conflict):
        venue.cashier.deposit(key="k", **content | other)
    assert len(venue.matcher.asked) == asked


def test_an_unknown_currency_is_refused(venue: MemoryVenue) -> None:
    with pytest.raises(RuleBroken) as caught:
        venue.cashier.deposit(key="k", account=ALICE, asset_id="XYZ", amount="1")
    assert caught.value.code == "unknown_asset"


@pytest.mark.parametrize("amount", ["0", "-1", "1e3", "NaN", "0.000000001", "92233720369", "", " 1"])
def test_an_amount_that_is_none_is_refused(venue: MemoryVenue, amount: str) -> None:
    with pytest.raises(Malformed) as caught:
        venue.cashier.deposit(key="k", account=ALICE, asset_id="USD", amount=amount)
    assert caught.value.field == "amount"
    assert venue.wallets.claims == {}


def test_a_deposit_waits_in_the_queue_while_the_matcher_is_away(venue: MemoryVenue) -> None:
    before = venue.wallets.balance(ALICE, "USD").free
    venue.matcher.url = None
    assert venue.cashier.deposit(key="k", account=ALICE, asset_id="USD", amount="1").pending
    venue.drain()
    assert venue.wallets.balance(ALICE, "USD").free == before + 10**8


def test_a_deposit_that_took_no_road_may_be_sent_again(venue: MemoryVenue) -> None:
    before = venue.wallets.balance(ALICE, "USD").free
    venue.matcher.url = None
    venue.queue.down = True
    with pytest.raises(Unavailable):
        venue.cashier.deposit(key="k", account=ALICE, asset_id="USD", amount="1")
    venue.matcher.url = "http://owner"
    assert not venue.cashier.deposit(key="k", account=ALICE, asset_id="USD", amount="1").pending
    assert venue.wallets.balance(ALICE, "USD").free == before + 10**8
