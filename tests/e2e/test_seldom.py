"""What seldom happens, made to happen at the deployed functions: each does what it is there for, and may."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import boto3
import msgspec
import pytest
from pynamodb.connection import Connection

from local.servers import CREDENTIALS, REGION
from local.venue import OPERATOR, Venue
from tests.e2e.market import Market, Trader, eventually
from venue import wire
from venue.commands import PlaceOrder
from venue.feed import topic_of, user_topic_of
from venue.reconciliation import FORGOTTEN_US
from venue_aws.matcher import MatcherClient
from venue_aws.sessions import SessionItem, Sessions
from venue_aws.wallets import HoldItem, WalletItem, Wallets, bound

pytestmark = pytest.mark.venue

OpenAccount = Callable[..., Trader]
UNIT = 10**8  # of a dollar
LONG_AGO = time.time_ns() // 1000 - FORGOTTEN_US - 1


@pytest.fixture
def endpoint(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> str:
    """The emulator's address; clients of this process may speak to it."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return str(venue.client("lambda").meta.endpoint_url)


@pytest.fixture
def sessions(venue: Venue, endpoint: str) -> Sessions:
    """The sessions of the venue, to have some of sockets that are not there."""
    return Sessions(bound(SessionItem, table=venue.outputs["SessionsTable"], region=REGION, endpoint_url=endpoint))


@pytest.fixture
def wallets(venue: Venue, endpoint: str) -> Wallets:
    """The wallets of the venue, to take holds that nobody asked for."""
    return Wallets(
        wallets=bound(WalletItem, table=venue.outputs["WalletsTable"], region=REGION, endpoint_url=endpoint),
        holds=bound(HoldItem, table=venue.outputs["HoldsTable"], region=REGION, endpoint_url=endpoint),
        connection=Connection(region=REGION, host=endpoint),
    )


@pytest.fixture
def operator(market: Market) -> Trader:
    """An operator."""
    return market.client(token=market.venue.token(OPERATOR))


@pytest.fixture
def without_redis(venue: Venue) -> Iterator[None]:
    """Redis is away for the length of a test."""
    venue.stop_redis()
    yield
    venue.start_redis()


def call(venue: Venue, function: str, event: object) -> Any:
    """Call a deployed function by its logical name."""
    resources = venue.client("cloudformation").describe_stack_resources(StackName="venue-local")["StackResources"]
    (name,) = [each["PhysicalResourceId"] for each in resources if each["LogicalResourceId"] == function]
    answer = venue.client("lambda").invoke(FunctionName=name, Payload=msgspec.json.encode(event))
    assert "FunctionError" not in answer, answer["Payload"].read()
    return msgspec.json.decode(answer["Payload"].read())


def leave(sessions: Sessions, account: str, *topics: str, until: int | None = None) -> str:
    """A session of a socket that was never closed and is not there; gives its connection id."""
    connection = f"gone-{uuid4()}"
    sessions.open(connection, account=account, token_expires_at=until)
    session = sessions.find(connection)
    assert session is not None
    sessions.take_orders_along(session, wanted=True)
    sessions.change(session, add=topics, remove=())
    return connection


def order_of(buyer: Trader) -> PlaceOrder:
    """An order of long ago, which nobody handed over."""
    return PlaceOrder(
        order_id=str(uuid4()),
        account=buyer.account,
        product_id="ACME-USD",
        side="buy",
        price=2_000,
        size=1,
        hold=11 * UNIT,
        at=LONG_AGO,
        deadline=LONG_AGO,
    )


def held(wallets: Wallets, order: PlaceOrder) -> PlaceOrder:
    """The order, its hold taken."""
    assert wallets.hold(order, asset="USD", at=LONG_AGO) is None
    return order


def test_the_repeat_of_an_order_counts_though_the_book_has_changed(
    market: Market, trader: OpenAccount, operator: Trader
) -> None:
    rules = {"base_currency": "RARITY", "base_name": "Rarity", "base_scale": 0, "quote_currency": "USD"}
    increments = {"quote_increment": "0.01", "base_increment": "1"}
    assert operator.call("POST", "/products", body=rules | increments).status == 200
    buyer, seller = trader(USD="1000"), trader(RARITY="5")

    def asks() -> list[object]:
        return list(market.nobody.call("GET", "/products/RARITY-USD/book").body["asks"])

    ask = seller.place("sell", "1", "55", product_id="RARITY-USD")
    eventually(asks)
    order = {"product_id": "RARITY-USD", "side": "buy", "type": "market", "size": "1", "client_oid": str(uuid4())}
    first = buyer.call("POST", "/orders", body=order)
    assert (first.status, first.body["done_reason"]) == (200, "filled")
    assert seller.order(ask.id)["status"] == "done"
    eventually(lambda: not asks())
    # Nobody offers any more, so that what it would cost cannot be told; but it was told then.
    again = buyer.call("POST", "/orders", body=order)
    assert (again.status, again.body["id"]) == (200, first.id)
    market.assert_books_balance()


def test_an_amend_may_ask_for_the_queue_itself(market: Market, trader: OpenAccount) -> None:
    buyer = trader(USD="100")
    order = buyer.place("buy", "1", "12")
    change = {"size": "2", "amend_id": str(uuid4())}
    sent = buyer.call("PATCH", f"/orders/{order.id}", body=change, headers={"Prefer": "respond-async"})
    assert sent.status == 202
    eventually(lambda: buyer.order(order.id)["size"] == "2")
    assert buyer.call("DELETE", f"/orders/{order.id}").status == 200
    market.assert_books_balance()


def test_a_deposit_waits_for_a_matcher_that_is_away_and_counts_once(
    venue: Venue, market: Market, trader: OpenAccount, operator: Trader
) -> None:
    someone = trader(USD="1")
    deposit = {"key": str(uuid4()), "account_id": someone.account, "currency": "USD", "amount": "7"}
    venue.stop_matcher()
    try:
        answers = [operator.call("POST", "/deposits", body=deposit) for _ in range(2)]
    finally:
        venue.start_matcher()
    assert [(each.status, each.body["status"]) for each in answers] == [(202, "pending")] * 2
    eventually(lambda: someone.balances() == {"USD": ("8.00000000", "0.00000000")})
    market.assert_books_balance()


@pytest.mark.usefixtures("without_redis")
def test_without_redis_every_function_knows_the_rules_from_the_journal(
    market: Market, trader: OpenAccount, operator: Trader, sessions: Sessions
) -> None:
    buyer = trader(USD="100")
    order = buyer.place("buy", "1", "13")
    eventually(lambda: buyer.order(order.id)["status"] == "open")
    amended = buyer.call("PATCH", f"/orders/{order.id}", body={"size": "2", "amend_id": str(uuid4())})
    assert (amended.status, amended.body["size"]) == (200, "2")
    assert operator.call("POST", "/products/ACME-USD/status", body={"status": "trading"}).status == 200
    assert "ACME-USD" in [each["id"] for each in market.nobody.call("GET", "/products").body]
    (wallet,) = [each["id"] for each in buyer.call("GET", "/accounts").body if each["currency"] == "USD"]
    entries = buyer.call("GET", f"/accounts/{wallet}/ledger").body
    assert [each["amount"] for each in entries] == ["100.00000000"]
    gone = leave(sessions, buyer.account)
    assert call(market.venue, "Disconnect", {"requestContext": {"connectionId": gone}}) == {"statusCode": 200}
    eventually(lambda: buyer.order(order.id).get("done_reason") == "canceled")


def test_a_socket_that_is_gone_is_forgotten_by_whoever_speaks_to_it(
    venue: Venue, market: Market, trader: OpenAccount, sessions: Sessions
) -> None:
    buyer = trader(USD="100")
    speaking, listening = (leave(sessions, buyer.account, topic_of("level2", "ACME-USD")) for _ in range(2))
    event = {"requestContext": {"connectionId": speaking}, "body": '{"type": "unsubscribe", "channels": ["matches"]}'}
    assert call(venue, "Subscribe", event) == {"statusCode": 200}
    eventually(lambda: sessions.find(speaking) is None)
    # A level that changes is news to the other; and with its session its orders end.
    order = buyer.place("buy", "1", "14")
    eventually(lambda: sessions.find(listening) is None)
    eventually(lambda: buyer.order(order.id).get("done_reason") == "canceled")
    market.assert_books_balance()


def test_a_socket_whose_token_has_ended_hears_nothing_private_and_is_closed(
    market: Market, trader: OpenAccount, sessions: Sessions
) -> None:
    buyer = trader(USD="100")
    until = int(time.time()) + 1
    ended = leave(sessions, buyer.account, user_topic_of(buyer.account, "ACME-USD"), until=until)
    eventually(lambda: time.time() > until)
    order = buyer.place("buy", "1", "15")
    eventually(lambda: sessions.find(ended) is None)
    eventually(lambda: buyer.order(order.id).get("done_reason") == "canceled")
    market.assert_books_balance()


def test_a_hold_whose_order_got_lost_is_freed(
    venue: Venue, market: Market, trader: OpenAccount, wallets: Wallets
) -> None:
    buyer = trader(USD="100")
    held(wallets, order_of(buyer))
    assert buyer.balances() == {"USD": ("89.00000000", "11.00000000")}
    call(venue, "Reconcile", {})
    eventually(lambda: buyer.balances() == {"USD": ("100.00000000", "0.00000000")})
    market.assert_books_balance()


def test_a_hold_for_a_market_that_is_none_is_freed(
    venue: Venue, market: Market, trader: OpenAccount, wallets: Wallets
) -> None:
    buyer = trader(USD="100")
    stray = held(wallets, msgspec.structs.replace(order_of(buyer), product_id="NOTHING-USD", deadline=None))
    # The matcher refuses it, and cannot say in which asset it holds: nobody but the reconciliation will free it.
    outcome = MatcherClient().submit(stray, url=f"{venue.matcher_url}/shards/0")
    assert outcome.refused == "unknown_product"
    market.settle()
    assert buyer.balances() == {"USD": ("89.00000000", "11.00000000")}
    call(venue, "Reconcile", {})
    eventually(lambda: buyer.balances() == {"USD": ("100.00000000", "0.00000000")})
    market.assert_books_balance()


def test_a_message_that_names_its_batch_alone_is_read_from_the_journal_and_a_broken_one_comes_again(
    venue: Venue, endpoint: str
) -> None:
    queue, url = boto3.client("sqs", endpoint_url=endpoint, region_name=REGION), venue.outputs["EventsQueueUrl"]
    known = wire.Batch(shard=0, sequence=1, at=0, events=None, postings=None)

    def send(body: str, group: str) -> str:
        sent = queue.send_message(
            QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=str(uuid4())
        )
        return str(sent["MessageId"])

    def left() -> int:
        attributes = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])

    eventually(lambda: left() == 0)
    send(wire.encode([known]).decode(), "nobody")
    eventually(lambda: left() == 0)
    broken = send("not a batch", "nobody")

    def taken_back() -> bool:
        answer = queue.receive_message(QueueUrl=url, MessageSystemAttributeNames=["ApproximateReceiveCount"])
        for message in answer.get("Messages", []):
            if message["MessageId"] == broken and int(message["Attributes"]["ApproximateReceiveCount"]) > 2:
                queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                return True
            queue.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        return False

    eventually(taken_back)
