"""What the journal tells an account, from real tables: pages that neither skip nor repeat, and nobody else's rows."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import LiteralString

import psycopg
import pytest
from psycopg.rows import BaseRowFactory, scalar_row

from local.state import State
from tests.integration.history import History, new_database
from tests.venue_in_memory import ACME_USD, ALICE, BOB, BTC_USD
from venue.errors import Malformed, Unavailable
from venue.orders import Order, Status
from venue_aws.database import Database
from venue_aws.logins import DatabaseLogin
from venue_aws.pages import Entry, Page, entry_cursor, fill_cursor, order_cursor
from venue_aws.records import Records

MILLION = 10**6 * 10**8
NAME = "venue-functions"


@pytest.fixture
def login(postgres: str, state: State) -> DatabaseLogin:
    """A database of this test's own."""
    return new_database(postgres, state)


@pytest.fixture
def history(login: DatabaseLogin) -> Iterator[History]:
    written = History(login)
    yield written
    written.close()


@pytest.fixture
def records(login: DatabaseLogin, history: History) -> Iterator[Records]:
    assert history.engine.products
    connection = Database(lambda: login)
    yield Records(connection)
    connection.close()


@pytest.fixture
def sums(login: DatabaseLogin) -> Iterator[Database]:
    """As reconciliation writes."""
    connection = Database(lambda: login, writes=True)
    yield connection
    connection.close()


def walked[Item](read: Callable[[Page], list[Item]], cursor: Callable[[Item], str], limit: int) -> list[Item]:
    """Read a whole list by its pages, forwards, and check each page backwards."""
    found: list[Item] = []
    page = Page(limit=limit)
    while items := read(page):
        if found:
            assert read(Page(limit=limit, before=cursor(items[0])))[-1] == found[-1]
        found += items
        page = Page(limit=limit, after=cursor(items[-1]))
    return found


def test_the_products_are_those_that_are_listed(records: Records) -> None:
    assert records.products() == [ACME_USD, BTC_USD]


def test_an_order_is_told_to_its_owner_only(history: History, records: Records) -> None:
    order = history.place(ALICE, "buy", price=200, size=3)
    assert records.order(order.order_id, account=ALICE) == order
    assert records.order(order.order_id, account=BOB) is None
    assert records.order("00000000-0000-4000-8000-00000000dead", account=ALICE) is None


def test_every_kind_of_order_reads_as_the_matcher_left_it(history: History, records: Records) -> None:
    resting = history.place(BOB, "sell", price=200, size=3)
    market = history.place(ALICE, "buy", funds=2 * 10**8, size=0)
    cancelled = history.place(ALICE, "buy", price=100, size=1)
    history.cancel(cancelled)
    for order in (resting, market, cancelled):
        assert records.order(order.order_id, account=order.account) == history.order(order.order_id)


def test_orders_are_filtered_by_status_product_and_time(history: History, records: Records) -> None:
    done = history.place(ALICE, "buy", price=100, size=1)
    history.cancel(done)
    still = history.place(ALICE, "buy", price=100, size=1)
    bitcoin = history.place(ALICE, "buy", price=100, size=1, product=BTC_USD)
    history.place(BOB, "buy", price=100, size=1)

    def ids(**wanted: object) -> list[str]:
        terms: dict[str, object] = {"statuses": None, "product_id": None, "page": Page()}
        return [order.order_id for order in records.orders(account=ALICE, **(terms | wanted))]  # type: ignore[arg-type]

    assert ids() == [bitcoin.order_id, still.order_id, done.order_id]
    assert ids(statuses=["open"]) == [bitcoin.order_id, still.order_id]
    assert ids(statuses=["done", "rejected"]) == [done.order_id]
    assert ids(statuses=[]) == []
    assert ids(product_id="BTC-USD") == [bitcoin.order_id]
    assert ids(page=Page(start=still.created_at)) == [bitcoin.order_id, still.order_id]
    assert ids(page=Page(end=still.created_at)) == [still.order_id, done.order_id]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_orders_neither_skip_nor_repeat(history: History, records: Records, limit: int) -> None:
    placed = [history.place(ALICE, "buy", price=100, size=1) for _ in range(7)]

    def read(page: Page) -> list[Order]:
        return records.orders(account=ALICE, statuses=None, product_id=None, page=page)

    assert walked(read, order_cursor, limit) == placed[::-1]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_of_fills_neither_skip_nor_repeat(history: History, records: Records, limit: int) -> None:
    # One taker sweeps four makers, two of them its own: six fills at one instant, and one later.
    for account in (BOB, ALICE, ALICE, BOB):
        history.place(account, "sell", price=200, size=2)
    taker = history.place(ALICE, "buy", price=200, size=8)
    history.place(BOB, "sell", price=300, size=1)
    history.place(ALICE, "buy", price=300, size=1)
    fills = walked(lambda page: records.fills(account=ALICE, page=page), fill_cursor, limit)
    assert [(fill.trade_id, fill.liquidity) for fill in fills] == [
        (5, "T"), (4, "T"), (3, "T"), (3, "M"), (2, "T"), (2, "M"), (1, "T")
    ]  # fmt: skip
    assert [fill.side for fill in fills] == ["buy", "buy", "buy", "sell", "buy", "sell", "buy"]
    own = records.fills_of(taker.order_id, account=ALICE)
    assert [fill.trade_id for fill in own] == [4, 3, 2, 1]
    assert {fill.order_id for fill in own} == {taker.order_id}
    assert sum(fill.fee for fill in own) == history.order(taker.order_id).fees


def test_fills_are_filtered_by_product(history: History, records: Records) -> None:
    history.place(BOB, "sell", price=200, size=2, product=BTC_USD)
    history.place(ALICE, "buy", price=200, size=2, product=BTC_USD)
    assert len(records.fills(account=ALICE, product_id="BTC-USD", page=Page())) == 1
    assert records.fills(account=ALICE, product_id="ACME-USD", page=Page()) == []


@pytest.mark.parametrize("summed", [0, 2, 5], ids="after {} of the commands".format)
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_a_ledger_adds_up_whatever_the_page_and_whatever_is_summed_up(
    history: History, records: Records, sums: Database, limit: int, summed: int
) -> None:
    history.deposit(ALICE, "USD", MILLION)
    history.place(BOB, "sell", price=200, size=5)
    if summed == 2:
        history.sum_up(sums)
    bought = history.place(ALICE, "buy", price=200, size=5)
    history.deposit(ALICE, "USD", 7)
    history.place(ALICE, "buy", price=100, size=1)
    if summed == 5:
        history.sum_up(sums)
    seen: set[tuple[int, int, int]] = set()

    def read(page: Page) -> list[Entry]:
        entries, balance = records.ledger(account=ALICE, asset="USD", page=page)
        for entry in entries:
            seen.add((entry.sequence, entry.ordinal, balance))
            balance -= entry.amount
        return entries

    walked(read, entry_cursor, limit)
    entries, balance = records.ledger(account=ALICE, asset="USD", page=Page())
    assert [entry.kind for entry in entries] == ["deposit", "fee", "match", "deposit"]
    assert balance == MILLION + 7 - bought.executed_value - bought.fees
    assert balance == sum(entry.amount for entry in entries)
    # Every page told the same balance after the same entry.
    assert len({(sequence, ordinal) for sequence, ordinal, _ in seen}) == len(seen) == 4


def test_a_balance_reads_no_further_back_than_the_last_sum_before_it(
    history: History, records: Records, sums: Database
) -> None:
    for amount in range(1, 9):
        history.deposit(ALICE, "USD", amount)
    history.sum_up(sums)
    history.deposit(ALICE, "USD", 100)
    history.forget_postings(upto=6)
    entries, balance = records.ledger(account=ALICE, asset="USD", page=Page())
    assert [entry.amount for entry in entries] == [100, 8, 7]
    assert balance == 136


def test_an_empty_ledger_is_zero(records: Records) -> None:
    assert records.ledger(account=ALICE, asset="USD", page=Page()) == ([], 0)


def test_holds_are_those_of_open_orders_in_that_asset(history: History, records: Records) -> None:
    buy = history.place(ALICE, "buy", price=200, size=5)
    sell = history.place(ALICE, "sell", price=300, size=4)
    bitcoin = history.place(ALICE, "buy", price=200, size=5, product=BTC_USD)
    history.cancel(history.place(ALICE, "buy", price=200, size=5))
    history.place(BOB, "buy", price=100, size=5)

    def ids(asset: str, page: Page | None = None) -> list[str]:
        products = [ACME_USD, BTC_USD]
        held = records.open_holds(account=ALICE, asset=asset, products=products, page=page or Page())
        return [order.order_id for order in held]

    assert ids("USD") == [bitcoin.order_id, buy.order_id]
    assert ids("ACME") == [sell.order_id]
    assert ids("BTC") == []
    assert ids("USD", Page(limit=1, after=order_cursor(bitcoin))) == [buy.order_id]


@pytest.mark.parametrize("cursor", ["x", "1", "1.2.3", "1.x", "-1.00000000-0000-4000-8000-000000000001", f"{2**63}.x"])
def test_a_cursor_that_is_none_is_malformed(records: Records, cursor: str) -> None:
    with pytest.raises(Malformed) as caught:
        records.orders(account=ALICE, statuses=None, product_id=None, page=Page(after=cursor))
    assert caught.value.field == "after"


def test_a_lost_connection_is_opened_again(postgres: str, records: Records) -> None:
    assert records.products()
    with psycopg.connect(postgres, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [NAME])
    assert records.products()


def test_a_journal_that_is_away_is_unavailable() -> None:
    asked = []

    def login() -> DatabaseLogin:
        asked.append("secret")
        return DatabaseLogin(host="127.0.0.1", port=9, username="u", password="p", dbname="none")

    with pytest.raises(Unavailable):
        Records(Database(login)).products()
    assert asked == ["secret"]


class Explained(Database):
    """Notes how the server goes about each read, before it does it."""

    def __init__(self, login: DatabaseLogin) -> None:
        super().__init__(lambda: login)
        self.plan = ""

    def fetch[Row](
        self, query: LiteralString, parameters: Mapping[str, object], *, row: BaseRowFactory[Row]
    ) -> list[Row]:
        """Explain and read."""
        self.plan = "\n".join(super().fetch(f"EXPLAIN {query}", parameters, row=scalar_row))
        return super().fetch(query, parameters, row=row)


def test_a_long_history_does_not_slow_down_what_an_account_asks_most(login: DatabaseLogin, history: History) -> None:
    still = history.place(ALICE, "buy", price=100, size=1)
    history.lengthen(ALICE, 20_000)
    with closing(Explained(login)) as database:
        records = Records(database)

        def open_orders(page: Page) -> list[Order]:
            return records.orders(account=ALICE, statuses=["pending", "open"], product_id=None, page=page)

        assert open_orders(Page()) == [still]
        assert "orders_open" in database.plan
        for page in (Page(after=order_cursor(still)), Page(before=order_cursor(still))):
            assert open_orders(page) == []
            assert "orders_open" in database.plan
        records.open_holds(account=ALICE, asset="USD", products=[ACME_USD], page=Page())
        assert "orders_open" in database.plan
        records.fills_of(still.order_id, account=ALICE)
        assert "trades_by_maker_order" in database.plan
        assert "trades_by_taker_order" in database.plan
        wanted: list[list[Status] | None] = [None, ["open", "done"], ["done"]]
        for statuses in wanted:
            for page in (Page(), Page(after=order_cursor(still)), Page(before=order_cursor(still))):
                records.orders(account=ALICE, statuses=statuses, product_id=None, page=page)
                assert ("orders_open" in database.plan) == (statuses != ["done"])
                assert "orders_over" in database.plan
                assert "Seq Scan" not in database.plan
                if page.after:
                    assert "created_at <=" in database.plan.partition("Index Cond")[2].partition("\n")[0]


def test_a_statement_that_takes_too_long_is_unavailable_and_harms_no_other(
    login: DatabaseLogin, history: History
) -> None:
    assert history.engine.products
    connection = Database(lambda: login, statement_timeout_ms=50)
    with pytest.raises(Unavailable):
        connection.fetch("SELECT pg_sleep(5)::text", {}, row=scalar_row)
    assert Records(connection).products()
    connection.close()


def test_readers_cannot_write(login: DatabaseLogin) -> None:
    connection = Database(lambda: login)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.fetch("CREATE TABLE mine (id int)", {}, row=scalar_row)
    connection.close()
