"""Reconciliation over a whole road of money: a real matcher, its journal, queue, settlement, wallets and holds."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import boto3
import msgspec
import pytest
from mypy_boto3_sqs import SQSClient

from functions.reconcile import app
from tests.cluster.database import NewDatabase
from tests.cluster.flow import BTC_USD, flow, limit
from tests.cluster.process import MatcherProcess
from tests.integration.matcher.conftest import Environment, NewQueue, StartMatcher
from tests.integration.stream.conftest import CONTEXT, TapeStream
from tests.integration.tables import Tables
from venue.commands import AmendOrder, CancelAll, Deposit, PlaceOrder
from venue.errors import RuleBroken
from venue.handover import HandOver
from venue.ledger import hold_asset
from venue.ports import Market
from venue.products import Asset
from venue.reconciliation import AGAIN_US, FORGOTTEN_US, LOOKS_MAX, Difference, Found, Key, Reconciliation, Sum, Wallet
from venue_aws.clearing import Clearing
from venue_aws.database import Database
from venue_aws.journal import Journal
from venue_aws.ledger import Ledger
from venue_aws.logins import DatabaseLogin
from venue_aws.matcher import MatcherClient
from venue_aws.rules import Rules
from venue_aws.settlement import Settlement
from venue_aws.tape import Tape

RICH = 10**16
FAR_US = 10**18


class Markets:
    """One market, whose shard has one owner."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    def market(self, product_id: str) -> Market:
        return Market(product=msgspec.structs.replace(BTC_USD, id=product_id), owner=self.owner)

    def assets(self) -> dict[str, Asset]:
        raise NotImplementedError

    def owners(self) -> dict[int, str]:
        return {0: self.owner}

    def shards(self) -> frozenset[int]:
        return frozenset({0})


class NoQueue:
    """Reconciliation leaves nothing in the order queue."""

    def put(self, command: object, *, shard: int) -> None:
        raise AssertionError(command, shard)


class Stand:
    """A venue without its edges: orders go from the hold straight to the matcher, events through the queue."""

    def __init__(self, matcher: MatcherProcess, tables: Tables, database: NewDatabase, sqs: SQSClient, url: str):
        self.matcher, self.tables, self.database = matcher, tables, database
        self.wallets = tables.client()
        self.skew_us = 0
        settings = database.settings
        self._login = DatabaseLogin(
            host=settings.host,
            port=settings.port,
            username=settings.user,
            password=settings.password or "",
            dbname=settings.name,
        )
        self._databases: list[Database] = []
        self._sqs, self._url = sqs, url
        tape = TapeStream(boto3.client("kinesis"))
        self._clearing = Clearing(
            settlement=Settlement(tables.dynamodb, tables.wallets),
            journal=Journal(self._database(writes=False)),
            tape=Tape(tape.client, tape.name),
            rules=Rules(lambda: [BTC_USD]),
        )

    def deposit(self, account: str, asset: str, amount: int = RICH) -> None:
        self.matcher.submit(
            Deposit(transfer_id=f"{account}-{asset}-{amount}", account=account, asset=asset, amount=amount)
        )

    def hold(self, order: PlaceOrder) -> None:
        asset = hold_asset(BTC_USD, order.side)
        assert self.wallets.hold(order, asset=asset, at=self.clock()) is None

    def place(self, *orders: PlaceOrder) -> None:
        for order in orders:
            self.hold(order)
            self.matcher.submit(order)

    def clock(self) -> int:
        return time.time_ns() // 1000 + self.skew_us

    def settle(self) -> None:
        """Clear all that the journal has by now."""
        last = self.matcher.state()["sequence"]
        while self.tables.vault().settled(0) < last:
            answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
            for message in answer.get("Messages", []):
                self._clearing.clear(self._clearing.read(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])

    def reconciliation(
        self, *, stretch_max: int = 1_000, step: int = 1_000, page: int = 200, looks_max: int = LOOKS_MAX
    ) -> Reconciliation:
        markets = Markets(f"{self.matcher.url}/shards/0")
        return Reconciliation(
            ledger=Ledger(self._database(writes=True), stretch_max=stretch_max, step=step),
            vault=self.tables.vault(page=page),
            handover=HandOver(markets=markets, matcher=MatcherClient(), queue=NoQueue()),
            markets=markets,
            clock=self.clock,
            pause=lambda: None,
            looks_max=looks_max,
        )

    def reconcile(self) -> Found:
        return self.reconciliation().run(until=FAR_US * 10)

    def wallet(self, account: str, asset: str) -> tuple[int, int]:
        (wallet,) = self.tables.vault().read([(account, asset)])
        return wallet.free, wallet.held

    def move(self, account: str, asset: str, *, free: int = 0, held: int = 0) -> None:
        """Change a wallet by hand, as nobody should."""
        self.tables.dynamodb.update_item(
            TableName=self.tables.wallets,
            Key={"account": {"S": account}, "asset": {"S": asset}},
            UpdateExpression="ADD #free :free, held :held",
            ExpressionAttributeNames={"#free": "free"},
            ExpressionAttributeValues={":free": {"N": str(free)}, ":held": {"N": str(held)}},
        )

    def close(self) -> None:
        for database in self._databases:
            database.close()

    def _database(self, *, writes: bool) -> Database:
        self._databases.append(Database(lambda: self._login, writes=writes))
        return self._databases[-1]


@pytest.fixture
def stand(
    start_matcher: StartMatcher, database: NewDatabase, sqs: SQSClient, new_queue: NewQueue, told: Environment, aws: str
) -> Iterator[Stand]:
    url = new_queue(VisibilityTimeout="5")
    matcher = start_matcher(**told, EVENTS_QUEUE_URL=url).wait_until_ready()
    with closing(Stand(matcher, Tables(aws), database, sqs, url)) as made:
        for account in ("alice", "bob"):
            made.deposit(account, "USD")
            made.deposit(account, "BTC")
        made.settle()
        yield made


def test_after_trades_every_wallet_is_what_the_ledger_says(stand: Stand) -> None:
    for number in range(8):
        stand.deposit(f"account-{number}", "USD")
        stand.deposit(f"account-{number}", "BTC")
    stand.settle()
    stand.place(*flow(3, 60))
    stand.settle()
    found = stand.reconcile()
    assert (found.differences, found.imbalance, found.size, found.behind, found.walked) == ([], {}, 0, 0, True)
    assert found.batches == stand.matcher.state()["sequence"]
    assert found.wallets > 40  # those that moved, and then all of them
    again = stand.reconcile()
    assert (again.batches, again.differences) == (0, [])


def test_settlement_that_lags_is_no_difference(stand: Stand) -> None:
    stand.place(limit("buy", 100, 5))
    stand.settle()
    stand.place(limit("sell", 100, 3, account="bob"), limit("buy", 99, 7), limit("sell", 120, 1, account="bob"))
    stand.matcher.submit(CancelAll(account="alice"))
    found = stand.reconcile()
    assert (found.differences, found.behind) == ([], 0)
    stand.settle()
    assert stand.reconcile().differences == []
    assert stand.wallet("alice", "USD")[1] == 0


def test_while_nobody_settles_orders_go_on_and_only_what_is_free_is_spent(stand: Stand) -> None:
    """The row "settlement stands still" of docs/backpressure.md."""
    rich = limit("buy", 100, 5)
    stand.deposit("carol", "USD", rich.hold)
    carols = msgspec.structs.replace(rich, account="carol")
    with pytest.raises(RuleBroken, match="Insufficient funds"):
        stand.hold(carols)  # deposited, and not settled yet
    for price in range(100, 130):
        stand.place(limit("buy", price, 1), limit("sell", price, 1, account="bob"))
    assert stand.reconcile().differences == []
    stand.settle()
    stand.place(carols)
    stand.settle()
    assert stand.wallet("carol", "USD") == (0, rich.hold)
    assert stand.reconcile().differences == []


@pytest.mark.parametrize(("free", "held", "size"), [(5, 0, 5), (-7, 0, 7), (0, 3, 6), (-4, 4, 4), (4, -4, 4)])
def test_a_wallet_that_is_wrong_is_told_and_left_as_it_is(stand: Stand, free: int, held: int, size: int) -> None:
    stand.place(limit("buy", 100, 5))
    stand.settle()
    stand.move("alice", "USD", free=free, held=held)
    before = stand.wallet("alice", "USD")
    for _ in range(2):
        (difference,) = _once(stand.reconcile())
        assert (difference.account, difference.asset, difference.total, difference.held) == (
            "alice",
            "USD",
            free + held,
            held,
        )
        assert difference.size == size
    assert stand.wallet("alice", "USD") == before


def _once(found: Found) -> list[Difference]:
    """A wallet that also moved since the last run is looked at twice in one."""
    return list({(each.account, each.asset): each for each in found.differences}.values())


def test_money_that_is_missing_and_money_from_nowhere_are_told(stand: Stand) -> None:
    stand.reconcile()
    stand.move("mallory", "USD", free=1_000)
    (difference,) = stand.reconcile().differences
    assert (difference.account, difference.total) == ("mallory", 1_000)
    stand.move("mallory", "USD", free=-1_000)
    stand.deposit("carol", "USD", 77)
    stand.settle()
    key = {"account": {"S": "carol"}, "asset": {"S": "USD"}}
    stand.tables.dynamodb.delete_item(TableName=stand.tables.wallets, Key=key)
    (difference,) = stand.reconcile().differences
    assert (difference.account, difference.total) == ("carol", -77)


def test_an_asset_that_does_not_sum_to_zero_is_told(stand: Stand) -> None:
    stand.database.run(
        "INSERT INTO postings (shard, sequence, ordinal, at, account, asset, kind, free, held)"
        " VALUES (0, %s, 99, 0, 'mallory', 'USD', 'deposit', 5, 0)",
        stand.matcher.state()["sequence"],
    )
    assert stand.reconcile().imbalance == {"USD": 5}


def test_a_hold_whose_order_got_lost_is_freed_by_the_matcher_s_refusal(stand: Stand) -> None:
    lost = limit("buy", 100, 5, deadline=stand.clock() + 30_000_000)
    whole = stand.wallet("alice", "USD")
    stand.hold(lost)
    young = stand.reconcile()
    assert (young.differences, young.forgotten) == ([], 0)
    assert stand.wallet("alice", "USD") != whole
    stand.skew_us = FORGOTTEN_US + 1
    old = stand.reconcile()
    assert (old.differences, old.forgotten) == ([], 1)
    stand.settle()
    assert stand.wallet("alice", "USD") == whole
    assert stand.database.rows("SELECT status, reject_reason FROM orders") == [("rejected", "deadline")]
    after = stand.reconcile()
    assert (after.differences, after.forgotten, after.freed) == ([], 0, 0)


def test_the_lost_order_changes_nothing_when_it_comes_after_all(stand: Stand) -> None:
    """Late from the queue, or sent again by its client with a new deadline: its id is spent."""
    lost = limit("buy", 100, 5, deadline=stand.clock() + 30_000_000)
    stand.hold(lost)
    stand.skew_us = FORGOTTEN_US + 1
    stand.reconcile()
    outcome = stand.matcher.submit(msgspec.structs.replace(lost, deadline=FAR_US))
    assert (outcome.replayed, outcome.refused) == (True, "deadline")
    stand.settle()
    assert stand.wallet("alice", "USD") == (RICH, 0)
    assert stand.reconcile().differences == []


def test_an_order_that_comes_between_the_look_and_the_reminder_is_executed_once(stand: Stand) -> None:
    """The matcher is the one place where the two meet: whoever comes second is a repeat."""
    late = limit("buy", 100, 5)
    stand.hold(late)
    stand.skew_us = FORGOTTEN_US + 1
    reconciliation = stand.reconciliation()
    offer = reconciliation._handover.offer

    def overtaken(command: PlaceOrder, *, shard: int) -> object:
        stand.matcher.submit(late)
        return offer(command, shard=shard)

    reconciliation._handover.offer = overtaken  # type: ignore[method-assign, assignment]
    assert reconciliation.run(until=FAR_US * 10).forgotten == 1
    stand.settle()
    assert stand.database.rows("SELECT status FROM orders") == [("open",)]
    assert stand.wallet("alice", "USD") == (RICH - late.hold, late.hold)
    assert stand.reconcile().differences == []


def test_while_no_matcher_serves_a_forgotten_hold_waits_for_the_next_run(stand: Stand) -> None:
    stand.hold(limit("buy", 100, 5))
    stand.hold(limit("buy", 101, 5))
    stand.skew_us = FORGOTTEN_US + 1
    stand.matcher.terminate()
    found = stand.reconcile()
    assert (found.differences, found.forgotten) == ([], 1)  # it asks once, and not for each
    assert stand.wallet("alice", "USD")[1] > 0


def test_a_hold_that_was_taken_again_after_its_item_had_expired_is_freed_once(stand: Stand) -> None:
    order = limit("sell", 100, 5)
    stand.place(order)
    stand.matcher.submit(CancelAll(account="alice"))
    stand.settle()
    key = {"order_id": {"S": order.order_id}}
    stand.tables.dynamodb.delete_item(TableName=stand.tables.holds, Key=key)
    stand.skew_us = 2 * AGAIN_US
    stand.place(order)  # the matcher knows it: a repeat, and no posting will ever free this hold
    assert stand.wallet("alice", "BTC") == (RICH - order.hold, order.hold)
    assert stand.reconcile().freed == 0
    stand.skew_us += FORGOTTEN_US + 1
    runs = [stand.reconciliation() for _ in range(2)]
    founds: list[Found] = []
    threads = [threading.Thread(target=lambda run=run: founds.append(run.run(until=FAR_US * 10))) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found.freed for found in founds) == 1
    assert stand.wallet("alice", "BTC") == (RICH, 0)
    assert stand.reconcile().differences == []


def test_a_hold_for_a_product_that_the_matcher_does_not_know_is_freed(stand: Stand) -> None:
    order = msgspec.structs.replace(limit("buy", 100, 5), product_id="XYZ-USD")
    stand.place(order)
    stand.settle()
    assert stand.wallet("alice", "USD")[1] == order.hold
    stand.skew_us = FORGOTTEN_US + 1
    assert stand.reconcile().freed == 1
    assert stand.wallet("alice", "USD") == (RICH, 0)
    assert stand.reconcile().differences == []


def test_the_holds_of_amends_are_looked_at_like_those_of_orders(stand: Stand) -> None:
    order = limit("buy", 100, 5)
    stand.place(order)

    def amend(size: int, *, more_than: PlaceOrder) -> AmendOrder:
        made = AmendOrder(
            amend_id=str(uuid4()),
            order_id=order.order_id,
            account=order.account,
            product_id=order.product_id,
            side=order.side,
            size=size,
            hold=max(0, limit("buy", 100, size).hold - more_than.hold),
        )
        assert stand.wallets.hold_more(made, asset="USD", at=stand.clock()) is None
        return made

    stand.matcher.submit(amend(7, more_than=order))
    assert stand.reconcile().differences == []  # not settled yet
    stand.settle()
    stand.matcher.submit(amend(6, more_than=limit("buy", 100, 7)))  # which takes nothing
    stand.settle()
    whole = stand.wallet("alice", "USD")
    amend(9, more_than=limit("buy", 100, 6))  # and gets lost
    assert stand.reconcile().differences == []
    stand.skew_us = FORGOTTEN_US + 1
    found = stand.reconcile()
    assert (found.differences, found.forgotten, found.freed) == ([], 1, 0)
    stand.settle()
    assert stand.wallet("alice", "USD") == whole
    found = stand.reconcile()
    assert (found.differences, found.forgotten, found.freed) == ([], 0, 0)


def test_claims_of_transfers_are_no_holds(stand: Stand) -> None:
    deposit = Deposit(transfer_id="t", account="alice", asset="USD", amount=9)
    stand.tables.claims().claim(deposit, at=stand.clock())
    stand.hold(limit("buy", 100, 5))
    stand.skew_us = FORGOTTEN_US + 1
    assert stand.reconcile().forgotten == 1
    stand.settle()
    assert stand.reconcile().differences == []


def test_sums_are_kept_in_steps_and_every_one_is_right(stand: Stand) -> None:
    for price in range(100, 140):
        stand.place(limit("buy", price, 1))
    stand.settle()
    found = stand.reconciliation(stretch_max=3, step=4, page=2).run(until=FAR_US * 10)
    assert (found.differences, found.behind, found.walked) == ([], 0, True)
    kept = stand.database.rows("SELECT count(*) FROM balances WHERE account = 'alice' AND asset = 'USD'")
    assert 6 <= int(str(kept[0][0])) <= 11  # forty orders, 4 to 6 of them each
    assert not stand.database.rows("""
        SELECT * FROM balances AS b WHERE (free, held) <> (
            SELECT sum(free), sum(held) FROM postings AS p
            WHERE p.account = b.account AND p.asset = b.asset AND p.shard = b.shard AND p.sequence <= b.sequence)""")
    assert not stand.database.rows("""
        SELECT account, asset FROM balances GROUP BY account, asset HAVING sum(postings) <> (
            SELECT count(*) FROM postings WHERE account = balances.account AND asset = balances.asset)""")


def test_a_wallet_s_sum_is_that_of_what_it_has_seen_however_far_the_ledger_is_summed_up(stand: Stand) -> None:
    for price in range(100, 110):
        stand.place(limit("buy", price, 1))
    stand.matcher.submit(CancelAll(account="alice"))
    stand.settle()
    last = stand.matcher.state()["sequence"]
    ledger = Ledger(stand._database(writes=True), stretch_max=3, step=4)
    assert ledger.shards() == [0]
    seen = [Wallet(account="alice", asset="USD", seen={0: sequence}) for sequence in range(last + 1)]
    due = [
        Sum(*(int(str(amount)) for amount in row))
        for row in stand.database.rows(
            "SELECT coalesce(sum(free), 0), coalesce(sum(held), 0) FROM generate_series(0, %s) AS upto (sequence)"
            " LEFT JOIN postings AS p ON p.sequence <= upto.sequence AND (account, asset) = ('alice', 'USD')"
            " GROUP BY upto.sequence ORDER BY upto.sequence",
            last,
        )
    ]
    assert len(set(due)) > 10
    while True:
        sums = [ledger.sums([wallet], settled={0: 0}) for wallet in seen]
        assert [found[seen[0].key] for found in sums] == due
        if (stretch := ledger.stretch(0, settled=last)) is None:
            break
        ledger.advance(stretch)


@pytest.mark.parametrize("wrong", [0, 5])
def test_a_run_compares_with_the_moment_of_its_reading_though_another_sums_up_meanwhile(
    stand: Stand, wrong: int
) -> None:
    stand.reconcile()
    stand.place(limit("buy", 100, 5))
    stand.settle()
    stand.move("alice", "USD", free=wrong)
    slow, prices = stand.reconciliation(), itertools.count(50)
    read = slow._vault.read

    def overtaken(keys: list[Key]) -> list[Wallet]:
        wallets = read(keys)
        stand.place(limit("buy", next(prices), 7), limit("sell", 100, 1, account="bob"))
        stand.settle()
        assert stand.reconcile().batches > 0
        return wallets

    slow._vault.read = overtaken  # type: ignore[method-assign, assignment]
    differences = _once(slow.run(until=FAR_US * 10))
    assert [(each.account, each.total, each.held) for each in differences] == ([("alice", 5, 0)] if wrong else [])


def test_a_run_without_time_begins_nothing_and_says_how_far_behind_it_is(stand: Stand) -> None:
    found = stand.reconciliation().run(until=0)
    assert (found.wallets, found.batches, found.walked) == (0, 0, False)
    assert found.behind == stand.matcher.state()["sequence"]


def test_the_walk_goes_on_where_the_last_run_ended(stand: Stand) -> None:
    stand.reconcile()
    for number in range(6):
        stand.move(f"nobody-{number}", "USD", free=1)
    reconciliation, differing = stand.reconciliation(page=1), set()
    for _ in range(40):
        _only_one_page(reconciliation)
        found = reconciliation.run(until=1)
        assert found.wallets <= 1
        differing |= {each.account for each in found.differences}
    assert differing == {f"nobody-{number}" for number in range(6)}


def _only_one_page(reconciliation: Reconciliation) -> None:
    """Let its time be over when it has noted where the walk goes on."""
    ledger, over = Ledger.keep, [0]
    reconciliation._clock = lambda: over[-1]

    def keep(cursor: str | None) -> None:
        over.append(FAR_US)
        ledger(reconciliation._ledger, cursor)  # type: ignore[arg-type]

    reconciliation._ledger.keep = keep  # type: ignore[method-assign]


def test_more_wallets_that_seem_wrong_than_a_run_can_look_into_do_not_hold_it_up(stand: Stand) -> None:
    stand.reconcile()
    for number in range(30):
        stand.move(f"nobody-{number}", "USD", free=1)
    differing: set[str] = set()
    for _ in range(12):
        found = stand.reconciliation(page=4, looks_max=8).run(until=FAR_US * 10)
        assert len(found.differences) <= 8
        assert found.left == 0  # no page is begun that cannot be looked into
        differing |= {each.account for each in found.differences}
    assert differing == {f"nobody-{number}" for number in range(30)}


def test_wallets_that_moved_and_all_seem_wrong_are_summed_up_and_left_to_the_walk(stand: Stand) -> None:
    for number in range(30):
        stand.deposit(f"account-{number}", "USD")
    stand.settle()
    for number in range(30):
        stand.move(f"account-{number}", "USD", free=1)
    found = stand.reconciliation(page=4, looks_max=8).run(until=FAR_US * 10)
    assert (found.behind, found.left) == (0, 30 - 8)
    assert found.batches == stand.matcher.state()["sequence"]
    for _ in range(12):
        found.differences += stand.reconciliation(page=4, looks_max=8).run(until=FAR_US * 10).differences
    assert {each.account for each in _once(found)} == {f"account-{number}" for number in range(30)}


def test_a_stretch_that_takes_all_of_a_run_is_not_begun_again(stand: Stand) -> None:
    reconciliation = stand.reconciliation(stretch_max=1)
    times = iter([0])
    reconciliation._clock = lambda: next(times, FAR_US)  # it is over in the middle of the first stretch
    assert stand.matcher.state()["sequence"] > 3
    first = reconciliation.run(until=1)
    assert first.batches == 1
    assert stand.reconciliation(stretch_max=1).run(until=FAR_US * 10).batches == stand.matcher.state()["sequence"] - 1


def test_the_function_tells_differences_and_metrics(
    stand: Stand, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    handler = app.build(stand.reconciliation)
    handler({}, CONTEXT)
    stand.move("alice", "USD", free=3)
    handler({}, CONTEXT)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert [(line["LedgerImbalance"], line["WalletsDiffering"]) for line in lines] == [([0.0], [0.0]), ([3.0], [1.0])]
    assert [line["WalletsLeft"] for line in lines] == [[0.0], [0.0]]
    told = [vars(record) for record in caplog.records if record.getMessage() == "wallet_differs"]
    assert [(each["account"], each["asset"], each["total"]) for each in told] == [("alice", "USD", 3)]
