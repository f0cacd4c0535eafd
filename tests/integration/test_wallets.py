"""Holds in DynamoDB, on the real protocol, under concurrency: money is neither made nor lost."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from tests.integration.tables import Tables
from venue.commands import AmendOrder, Deposit, PlaceOrder
from venue.errors import Conflict, RuleBroken, Unavailable, VenueError
from venue.ports import Balance
from venue_aws.wallets import Wallets

NOW = 1_800_000_000_000_000


@pytest.fixture
def tables(aws: str) -> Tables:
    return Tables(aws)


def order(order_id: str, hold: int = 10, account: str = "alice") -> PlaceOrder:
    return PlaceOrder(
        order_id=order_id, account=account, product_id="ACME-USD", side="buy", price=2, size=5, hold=hold, at=NOW
    )


def together(clients: list[Wallets], orders: list[PlaceOrder]) -> Counter[str]:
    """Let the clients take all holds at once, in turn; give how often it went how."""

    def take(turn: int) -> str:
        try:
            known = clients[turn % len(clients)].hold(orders[turn], asset="USD", at=NOW)
        except VenueError as error:
            return error.code
        return "known" if known else "held"

    with ThreadPoolExecutor(len(orders)) as threads:
        return Counter(threads.map(take, range(len(orders))))


def test_a_hold_moves_free_to_held_and_keeps_the_order(tables: Tables) -> None:
    tables.credit("alice", "USD", 100)
    wallets = tables.client()
    assert wallets.hold(order("o-1"), asset="USD", at=NOW) is None
    assert wallets.balances("alice") == [Balance(asset="USD", free=90, held=10)]
    assert wallets.held_order("o-1") == order("o-1")
    assert wallets.held_order("o-2") is None


def test_a_second_hold_of_the_same_order_moves_nothing_and_tells_the_first(tables: Tables) -> None:
    tables.credit("alice", "USD", 100)
    wallets = tables.client()
    wallets.hold(order("o-1"), asset="USD", at=NOW)
    again = msgspec.structs.replace(order("o-1"), hold=50)
    assert wallets.hold(again, asset="USD", at=NOW) == order("o-1")
    assert wallets.balances("alice") == [Balance(asset="USD", free=90, held=10)]


def test_a_known_order_is_told_even_when_nothing_is_free_any_more(tables: Tables) -> None:
    tables.credit("alice", "USD", 10)
    wallets = tables.client()
    wallets.hold(order("o-1"), asset="USD", at=NOW)
    assert wallets.hold(order("o-1"), asset="USD", at=NOW) == order("o-1")


def test_an_amend_takes_more_once_under_its_own_id(tables: Tables) -> None:
    tables.credit("alice", "USD", 100)
    wallets = tables.client()
    wallets.hold(order("o-1"), asset="USD", at=NOW)
    amend = AmendOrder(
        amend_id="a-1", order_id="o-1", account="alice", product_id="ACME-USD", side="buy", size=7, hold=4, at=NOW
    )
    assert wallets.hold_more(amend, asset="USD", at=NOW) is None
    assert wallets.hold_more(msgspec.structs.replace(amend, hold=9), asset="USD", at=NOW) == amend
    assert wallets.balances("alice") == [Balance(asset="USD", free=86, held=14)]
    assert (wallets.held_amend("a-1"), wallets.held_amend("o-1"), wallets.held_order("a-1")) == (amend, None, None)
    with pytest.raises(Conflict):
        wallets.hold(order("a-1"), asset="USD", at=NOW)


def test_an_amend_that_needs_no_more_is_noted_all_the_same(tables: Tables) -> None:
    tables.credit("alice", "USD", 10)
    wallets = tables.client()
    wallets.hold(order("o-1"), asset="USD", at=NOW)
    amend = AmendOrder(amend_id="a-1", order_id="o-1", account="alice", product_id="ACME-USD", side="buy", size=3)
    assert wallets.hold_more(amend, asset="USD", at=NOW) is None
    assert wallets.held_amend("a-1") == amend
    with pytest.raises(RuleBroken):
        wallets.hold_more(msgspec.structs.replace(amend, amend_id="a-2", hold=1), asset="USD", at=NOW)
    assert wallets.balances("alice") == [Balance(asset="USD", free=0, held=10)]


@pytest.mark.parametrize("free", [None, 0, 9])
def test_too_little_free_is_refused_and_leaves_nothing(tables: Tables, free: int | None) -> None:
    if free is not None:
        tables.credit("alice", "USD", free)
    wallets = tables.client()
    with pytest.raises(RuleBroken) as caught:
        wallets.hold(order("o-1"), asset="USD", at=NOW)
    assert caught.value.code == "insufficient_funds"
    assert tables.held_orders() == 0
    assert [balance.free for balance in wallets.balances("alice")] == ([] if free is None else [free])


def test_concurrent_orders_hold_what_is_there_and_not_a_unit_more(tables: Tables) -> None:
    tables.credit("alice", "USD", 100)
    clients = [tables.client() for _ in range(4)]
    told = together(clients, [order(f"o-{number}") for number in range(24)])
    held = told["held"]
    # Contention may turn an order away for now (busy), but only money decides how many may hold at once.
    assert set(told) <= {"held", "insufficient_funds", "busy"}
    assert 0 < held <= 10
    assert clients[0].balances("alice") == [Balance(asset="USD", free=100 - 10 * held, held=10 * held)]
    assert tables.held_orders() == held


def test_the_same_order_sent_many_times_at_once_holds_once(tables: Tables) -> None:
    tables.credit("alice", "USD", 1000)
    clients = [tables.client() for _ in range(4)]
    told = together(clients, [order("o-1")] * 16)
    assert told["held"] == 1
    assert set(told) <= {"held", "known", "busy"}
    assert clients[0].balances("alice") == [Balance(asset="USD", free=990, held=10)]


def test_balances_are_one_accounts_own(tables: Tables) -> None:
    tables.credit("alice", "USD", 2**63 - 1)
    tables.credit("alice", "ACME", 7)
    tables.credit("bob", "USD", 5)
    wallets = tables.client()
    assert wallets.balances("alice") == [Balance(asset="ACME", free=7), Balance(asset="USD", free=2**63 - 1)]
    assert wallets.balances("nobody") == []


def test_the_first_claim_of_a_transfer_id_owns_it(tables: Tables) -> None:
    first = Deposit(transfer_id="t-1", account="alice", asset="USD", amount=5)
    claims = tables.claims()
    assert claims.claim(first, at=NOW) == first
    assert claims.claim(first, at=NOW + 1) == first
    assert claims.claim(msgspec.structs.replace(first, amount=6), at=NOW + 2) == first


def test_of_concurrent_claims_one_owns_the_transfer_id(tables: Tables) -> None:
    deposits = [Deposit(transfer_id="t-1", account="alice", asset="USD", amount=amount) for amount in range(1, 9)]
    claims = tables.claims()
    with ThreadPoolExecutor(8) as threads:
        owners = set(threads.map(lambda deposit: claims.claim(deposit, at=NOW).amount, deposits))
    assert len(owners) == 1


def test_wallets_that_do_not_answer_are_unavailable(tables: Tables) -> None:
    wallets = tables.client(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        wallets.balances("alice")
    with pytest.raises(Unavailable):
        wallets.held_order("o-1")
    with pytest.raises(Unavailable):
        wallets.hold(order("o-1"), asset="USD", at=NOW)
