"""GET /orders, /fills, /accounts over a real journal, real wallets and Redis; and with Redis away."""

from collections.abc import Iterator

import pytest

from functions.get_accounts import app as get_accounts
from functions.get_orders import app as get_orders
from local.state import State
from tests.integration.history import History, new_database
from tests.integration.tables import Tables
from tests.rest import Answer, call, event, refusal
from tests.venue_in_memory import ACME_USD, ALICE, BOB
from venue.commands import PlaceOrder
from venue.identity import order_id_of, wallet_id_of
from venue_aws.api import Api
from venue_aws.cache import Cache
from venue_aws.database import Database
from venue_aws.markets import Markets
from venue_aws.records import Records
from venue_aws.wallets import Wallets

OID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
MILLION = 10**6 * 10**8


class Reading:
    """Both functions over one history. Redis is away on purpose: the rules come from the journal."""

    def __init__(self, history: History, records: Records, wallets: Wallets, tables: Tables) -> None:
        self.history = history
        self.tables = tables
        self.wallets = wallets
        cache = Cache.connect(host="127.0.0.1", port=9)
        markets = Markets(cache=cache, records=lambda: records)
        self._orders = get_orders.build(lambda: records, lambda: wallets, lambda: markets)
        self._accounts = get_accounts.build(lambda: records, lambda: wallets, lambda: markets)

    def get(self, path: str, account: str | None = ALICE) -> Answer:
        """Ask the function that serves this path."""
        handler: Api = self._accounts if path.startswith("/accounts") else self._orders
        # Reads need no group: everyone sees what is their own.
        return call(handler, event("GET", path, account=account, groups=None))


@pytest.fixture
def reading(postgres: str, state: State, aws: str) -> Iterator[Reading]:
    login = new_database(postgres, state)
    history = History(login)
    database = Database(lambda: login)
    tables = Tables(aws)
    yield Reading(history, Records(database), tables.client(), tables)
    history.close()
    database.close()


def test_an_order_is_found_by_its_id_and_by_its_owners(reading: Reading) -> None:
    order = reading.history.place(ALICE, "buy", price=200, size=5)
    body = reading.get(f"/orders/{order.order_id}").body
    assert (body["id"], body["price"], body["size"], body["status"]) == (order.order_id, "1.000", "5", "open")
    assert refusal(reading.get(f"/orders/{order.order_id}", BOB)) == (404, "not_found")
    assert refusal(reading.get(f"/orders/client:{OID}")) == (404, "not_found")
    assert refusal(reading.get("/orders/mine")) == (400, "malformed")


def test_an_order_on_its_way_is_pending(reading: Reading) -> None:
    reading.tables.credit(ALICE, "USD", MILLION)
    command = PlaceOrder(
        at=1_800_000_000_000_000,
        order_id=order_id_of(ALICE, OID),
        account=ALICE,
        product_id="ACME-USD",
        side="buy",
        price=200,
        size=5,
        client_oid=OID,
        hold=1000,
    )
    reading.wallets.hold(command, asset="USD", at=command.at)
    for path in (f"/orders/{command.order_id}", f"/orders/client:{OID}"):
        body = reading.get(path).body
        assert (body["id"], body["status"], body["filled_size"]) == (command.order_id, "pending", "0")
        assert body["created_at"] == "2027-01-15T08:00:00.000000Z"
    assert refusal(reading.get(f"/orders/{command.order_id}", BOB)) == (404, "not_found")


def test_without_a_status_the_orders_are_those_that_are_not_over(reading: Reading) -> None:
    done = reading.history.place(ALICE, "buy", price=200, size=5)
    reading.history.cancel(done)
    still = reading.history.place(ALICE, "buy", price=200, size=5)

    def ids(query: str) -> list[str]:
        return [order["id"] for order in reading.get(f"/orders{query}").body]

    assert ids("") == [still.order_id]
    assert ids("?status=open&status=pending") == [still.order_id]
    assert ids("?status=done") == [done.order_id]
    assert ids("?status=pending") == []
    assert ids("?status=all") == [still.order_id, done.order_id]
    assert ids("?status=all&product_id=ACME-USD&limit=1") == [still.order_id]
    assert ids("?status=all&start_date=2027-01-15T08:00:03Z") == [still.order_id]
    assert ids("?status=all&end_date=2027-01-15T08:00:01.000Z") == [done.order_id]


def test_the_answers_headers_lead_through_the_pages(reading: Reading) -> None:
    placed = [reading.history.place(ALICE, "buy", price=200, size=5).order_id for _ in range(5)][::-1]
    first = reading.get("/orders?limit=2")
    second = reading.get(f"/orders?limit=2&after={first.headers['cb-after']}")
    back = reading.get(f"/orders?limit=2&before={second.headers['cb-before']}")
    assert [order["id"] for order in first.body + second.body] == placed[:4]
    assert back.body == first.body
    assert "cb-after" not in reading.get("/orders?status=done").headers


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=many",
        "before=1&after=1",
        "after=x",
        "status=closed",
        "status=open&status=closed",
        "product_id=%00",
        "start_date=yesterday",
        "start_date=9999-12-31T23:59:59-23:59",
        "end_date=0001-01-01T00:00:00%2B23:59",
        "start_date=9999-99-99",
        "sort=asc",
    ],
)
def test_a_query_that_cannot_be_read_is_refused(reading: Reading, query: str) -> None:
    assert refusal(reading.get(f"/orders?{query}")) == (400, "malformed")


def test_fills_are_the_accounts_own_side(reading: Reading) -> None:
    maker = reading.history.place(BOB, "sell", price=200, size=5)
    taker = reading.history.place(ALICE, "buy", price=201, size=5)
    (fill,) = reading.get("/fills").body
    assert fill == {
        "trade_id": 1,
        "product_id": "ACME-USD",
        "order_id": taker.order_id,
        "side": "buy",
        "liquidity": "T",
        "price": "1.000",
        "size": "5",
        "fee": "0.01000000",
        "created_at": "2027-01-15T08:00:02.000000Z",
        "settled": True,
    }
    assert [one["liquidity"] for one in reading.get("/fills", BOB).body] == ["M"]
    assert reading.get(f"/fills?order_id={maker.order_id}").body == []
    assert reading.get(f"/fills?order_id={taker.order_id}&product_id=ACME-USD").body == [fill]
    assert refusal(reading.get("/fills?order_id=x")) == (400, "malformed")


def test_there_is_an_account_for_every_currency(reading: Reading) -> None:
    reading.tables.credit(ALICE, "USD", 5 * 10**8, held=25 * 10**7)
    accounts = {account["currency"]: account for account in reading.get("/accounts").body}
    assert list(accounts) == ["ACME", "BTC", "USD"]
    assert accounts["USD"] == {
        "id": wallet_id_of(ALICE, "USD"),
        "currency": "USD",
        "balance": "7.50000000",
        "available": "5.00000000",
        "hold": "2.50000000",
        "profile_id": ALICE,
        "trading_enabled": True,
    }
    assert accounts["ACME"]["balance"] == "0"
    assert reading.get(f"/accounts/{wallet_id_of(ALICE, 'USD')}").body == accounts["USD"]


def test_anothers_account_is_not_found(reading: Reading) -> None:
    for path in ("", "/ledger", "/holds"):
        assert refusal(reading.get(f"/accounts/{wallet_id_of(BOB, 'USD')}{path}")) == (404, "not_found")
    assert refusal(reading.get("/accounts/USD")) == (400, "malformed")


def test_a_ledger_tells_each_balance(reading: Reading) -> None:
    reading.history.deposit(ALICE, "USD", 100 * 10**8)
    reading.history.place(BOB, "sell", price=200, size=5)
    taker = reading.history.place(ALICE, "buy", price=200, size=5)
    path = f"/accounts/{wallet_id_of(ALICE, 'USD')}/ledger"
    answer = reading.get(path)
    told = [(entry["type"], entry["amount"], entry["balance"]) for entry in answer.body]
    assert told == [
        ("fee", "-0.01000000", "94.99000000"),
        ("match", "-5.00000000", "95.00000000"),
        ("transfer", "100.00000000", "100.00000000"),
    ]
    details = {"order_id": taker.order_id, "trade_id": "1", "product_id": "ACME-USD"}
    assert answer.body[0]["details"] == details
    assert reading.get(f"{path}?after={answer.headers['cb-before']}").body == answer.body[1:]


def test_holds_are_what_open_orders_hold(reading: Reading) -> None:
    order = reading.history.place(ALICE, "buy", price=200, size=5)
    path = f"/accounts/{wallet_id_of(ALICE, 'USD')}/holds"
    (hold,) = reading.get(path).body
    assert (hold["ref"], hold["amount"], hold["type"]) == (order.order_id, "5.01000000", "order")
    assert reading.get(f"{path}?limit=1&after={reading.get(path).headers['cb-after']}").body == []
    assert refusal(reading.get(f"{path}?before=1")) == (400, "malformed")


@pytest.mark.parametrize(
    "path", ["/orders", f"/orders/{OID}", f"/orders/client:{OID}", "/fills", "/accounts", f"/accounts/{OID}/ledger"]
)
def test_without_a_token_nothing_is_told(reading: Reading, path: str) -> None:
    assert reading.history.engine.product(ACME_USD.id)
    assert refusal(reading.get(path, None)) == (401, "unauthenticated")
