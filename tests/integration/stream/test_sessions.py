"""WebSocket sessions on a real DynamoDB API: who is connected, who listens to what, and how soon that is known."""

import itertools
from typing import TYPE_CHECKING

import boto3
import pytest

from functions.connect import app as connect
from functions.disconnect import app as disconnect
from local.servers import REGION
from tests.integration.stream.conftest import CONTEXT
from tests.venue_in_memory import ALICE, MemoryVenue
from venue.desk import Cancelled, OrderDesk
from venue.errors import Unavailable
from venue.tickets import Ticket
from venue_aws.endings import EndingSessions
from venue_aws.sessions import (
    CONNECTION_S_MAX,
    INDEX_LAG_S,
    KEPT_S,
    Listener,
    Listeners,
    Session,
    SessionItem,
    Sessions,
)
from venue_aws.wallets import bound

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_700_000_000
_numbers = itertools.count(1)


def create_table(client: "DynamoDBClient") -> str:
    name = f"sessions-{next(_numbers)}"
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "connection_id", "AttributeType": "S"},
            {"AttributeName": "topic", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "connection_id", "KeyType": "HASH"},
            {"AttributeName": "topic", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_topic",
                "KeySchema": [
                    {"AttributeName": "topic", "KeyType": "HASH"},
                    {"AttributeName": "connection_id", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return name


@pytest.fixture
def table(aws: str) -> str:
    return create_table(boto3.client("dynamodb", endpoint_url=aws))


@pytest.fixture
def sessions(aws: str, table: str) -> Sessions:
    items = bound(SessionItem, table=table, region=REGION, endpoint_url=aws)
    return Sessions(items, now_s=lambda: NOW)


def opened(sessions: Sessions, connection_id: str, account: str | None = None) -> Session:
    sessions.open(connection_id, account=account)
    found = sessions.find(connection_id)
    assert found is not None
    return found


def listening(sessions: Sessions, topic: str) -> list[str]:
    return [each.connection_id for each in sessions.listeners(topic)]


def heard_by(listeners: Listeners, *topics: str) -> dict[str, list[str]]:
    return {topic: [each.connection_id for each in found] for topic, found in listeners.of(topics).items()}


def test_an_opened_session_is_found_with_its_account_and_its_end(sessions: Sessions) -> None:
    assert opened(sessions, "c-1", "alice") == Session(
        connection_id="c-1",
        account="alice",
        expires_at=NOW + CONNECTION_S_MAX,
        account_until=NOW + CONNECTION_S_MAX,
    )
    assert opened(sessions, "c-2").account is None
    assert sessions.find("c-3") is None


def test_subscriptions_are_found_with_the_session_and_by_their_topic(sessions: Sessions) -> None:
    one, two = opened(sessions, "c-1", "alice"), opened(sessions, "c-2")
    sessions.change(one, add={"full#A", "user#alice"}, remove=())
    sessions.change(two, add={"full#A"}, remove=())
    found = sessions.find("c-1")
    assert found is not None
    assert found.topics == {"full#A", "user#alice"}
    assert sorted(listening(sessions, "full#A")) == ["c-1", "c-2"]
    assert listening(sessions, "user#alice") == ["c-1"]
    assert listening(sessions, "full#B") == []


def test_every_item_of_a_session_expires_with_it(aws: str, table: str, sessions: Sessions) -> None:
    sessions.change(opened(sessions, "c-1"), add={"full#A"}, remove=())
    items = boto3.client("dynamodb", endpoint_url=aws).scan(TableName=table)["Items"]
    ends = {item["topic"]["S"]: item.get("expires_at", {}).get("N") for item in items}
    assert ends == {"session": str(NOW + 7200), "full#A": str(NOW + 7200), "generation": None}


def test_what_is_private_ends_with_the_token_and_the_rest_with_the_connection(
    aws: str, table: str, sessions: Sessions
) -> None:
    sessions.open("c-1", account="alice", token_expires_at=NOW + 60)
    session = sessions.find("c-1")
    assert session is not None
    sessions.change(session, add={"full#A", "user#alice", "user#alice#A"}, remove=())
    end = NOW + CONNECTION_S_MAX
    assert sessions.listeners("full#A") == [Listener("c-1", end)]
    assert sessions.listeners("user#alice") == [Listener("c-1", NOW + 60)]
    assert sessions.listeners("user#alice#A") == [Listener("c-1", NOW + 60)]
    items = bound(SessionItem, table=table, region=REGION, endpoint_url=aws)
    before = Sessions(items, now_s=lambda: NOW + 59).find("c-1")
    after = Sessions(items, now_s=lambda: NOW + 60).find("c-1")
    assert before is not None
    assert after is not None
    assert (before.account, sorted(before.topics)) == ("alice", ["full#A", "user#alice", "user#alice#A"])
    assert (after.account, sorted(after.topics)) == (None, ["full#A"])


def test_a_token_does_not_lengthen_a_connection(sessions: Sessions) -> None:
    sessions.open("c-1", account="alice", token_expires_at=NOW + 2 * CONNECTION_S_MAX)
    found = sessions.find("c-1")
    assert found is not None
    assert found.account_until == found.expires_at == NOW + CONNECTION_S_MAX


def test_a_removed_subscription_is_gone_and_repeating_either_is_harmless(sessions: Sessions) -> None:
    session = opened(sessions, "c-1")
    for _ in range(2):
        sessions.change(session, add={"full#A", "full#B"}, remove=())
    for _ in range(2):
        sessions.change(session, add=(), remove={"full#A"})
    assert listening(sessions, "full#A") == []
    assert listening(sessions, "full#B") == ["c-1"]


def test_more_subscriptions_than_one_batch_write_takes_are_all_written(sessions: Sessions) -> None:
    topics = {f"full#{n}" for n in range(60)}
    session = opened(sessions, "c-1")
    sessions.change(session, add=topics, remove=())
    found = sessions.find("c-1")
    assert found is not None
    assert found.topics == topics
    assert sessions.close("c-1") == 61
    assert sessions.find("c-1") is None
    assert listening(sessions, "full#59") == []


def test_a_closed_session_leaves_others_alone(sessions: Sessions) -> None:
    for name in ("c-1", "c-2"):
        sessions.change(opened(sessions, name), add={"full#A"}, remove=())
    sessions.close("c-1")
    assert listening(sessions, "full#A") == ["c-2"]
    assert sessions.close("c-1") == 0


def test_a_table_that_does_not_answer_is_unavailable(aws: str) -> None:
    nowhere = Sessions(bound(SessionItem, table="nowhere", region=REGION, endpoint_url=aws))
    with pytest.raises(Unavailable):
        nowhere.find("c-1")
    with pytest.raises(Unavailable):
        nowhere.generation()
    with pytest.raises(Unavailable):
        nowhere.listeners("full#A")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_new_listener_is_known_at_once_although_listeners_are_kept(sessions: Sessions) -> None:
    listeners = Listeners(sessions, clock=Clock())
    assert heard_by(listeners, "full#A", "full#B") == {"full#A": [], "full#B": []}
    sessions.change(opened(sessions, "c-1"), add={"full#A"}, remove=())
    assert heard_by(listeners, "full#A") == {"full#A": ["c-1"]}


@pytest.mark.parametrize(("read_after_s", "kept_s"), [(0.0, INDEX_LAG_S), (INDEX_LAG_S, KEPT_S)])
def test_listeners_are_kept_for_long_only_when_the_index_had_time_to_follow(
    sessions: Sessions, read_after_s: float, kept_s: float
) -> None:
    clock = Clock()
    listeners = Listeners(sessions, clock=clock)
    sessions.change(opened(sessions, "c-1"), add={"full#A"}, remove=())
    listeners.of(["full#B"])  # notices the change
    clock.now += read_after_s
    assert heard_by(listeners, "full#A") == {"full#A": ["c-1"]}
    # Closing tells nobody: its sender has found out by itself, and others find it gone.
    sessions.close("c-1")
    clock.now += kept_s - 0.001
    assert heard_by(listeners, "full#A") == {"full#A": ["c-1"]}
    clock.now += 0.001
    assert heard_by(listeners, "full#A") == {"full#A": []}


def test_a_forgotten_listener_is_left_out_at_once(sessions: Sessions) -> None:
    listeners = Listeners(sessions, clock=Clock())
    for name in ("c-1", "c-2"):
        sessions.change(opened(sessions, name), add={"full#A"}, remove=())
    listeners.of(["full#A"])
    listeners.forget("c-1")
    assert heard_by(listeners, "full#A") == {"full#A": ["c-2"]}


def test_connecting_and_disconnecting_open_and_close_the_session(
    table: str, sessions: Sessions, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("SESSIONS_TABLE", table)
    authorizer = {"account": "alice", "principalId": "alice", "expires_at": str(NOW + 60)}
    request = {"connectionId": "c-1", "authorizer": authorizer}
    assert connect.handler({"requestContext": request}, CONTEXT) == {"statusCode": 200}
    found = sessions.find("c-1")
    assert found is not None
    assert (found.account, found.account_until) == ("alice", NOW + 60)
    assert connect.handler({"requestContext": {"connectionId": "c-2", "authorizer": {}}}, CONTEXT)["statusCode"] == 200
    anonymous = sessions.find("c-2")
    assert anonymous is not None
    assert anonymous.account is None
    assert disconnect.handler({"requestContext": {"connectionId": "c-1"}}, CONTEXT) == {"statusCode": 200}
    assert sessions.find("c-1") is None


class Desk:
    """An order desk of which nothing but this is asked; while it is down, neither the matcher nor the queue answer."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []
        self.queued: list[str] = []
        self.is_down = False
        self.is_slow = False

    def cancel_all(self, *, account: str, wait: bool = True) -> Cancelled:
        if self.is_down:
            raise Unavailable("neither the matcher nor the order queue answers now")
        by_queue = self.is_slow or not wait
        (self.queued if by_queue else self.cancelled).append(account)
        return Cancelled(order_ids=[] if by_queue else ["o-1"], pending=by_queue)


def disconnected(sessions: Sessions, desk: Desk | OrderDesk, connection_id: str) -> None:
    handler = disconnect.build(lambda: sessions, lambda: desk)  # type: ignore[arg-type, return-value]
    assert handler({"requestContext": {"connectionId": connection_id}}, CONTEXT) == {"statusCode": 200}


def test_orders_end_with_the_session_that_asked_for_it_and_with_no_other(sessions: Sessions) -> None:
    desk = Desk()
    for name in ("asked", "took it back", "did not"):
        session = opened(sessions, name, account=name)
        if name != "did not":
            sessions.take_orders_along(session, wanted=True)
        if name == "took it back":
            sessions.take_orders_along(session, wanted=False)
    found = sessions.find("asked")
    assert found is not None
    assert found.cancel_on_disconnect
    for name in ("asked", "took it back", "did not", "nobody knows"):
        disconnected(sessions, desk, name)
        assert sessions.find(name) is None
    assert (desk.cancelled, desk.queued) == (["asked"], ["asked"])  # the second takes what waits in the queue


def test_where_no_owner_answers_the_orders_of_a_session_end_by_the_queue(sessions: Sessions) -> None:
    desk = Desk()
    desk.is_slow = True
    sessions.take_orders_along(opened(sessions, "c-1", account="alice"), wanted=True)
    disconnected(sessions, desk, "c-1")
    assert (desk.cancelled, desk.queued) == ([], ["alice", "alice"])


def test_orders_of_a_session_that_wait_in_the_queue_end_with_it_although_another_shard_does_not_answer(
    sessions: Sessions,
) -> None:
    venue = MemoryVenue()
    buy = Ticket(product_id="ACME-USD", side="buy", price="1.000", size="10")
    waiting = venue.desk.place(buy, account=ALICE, wait=False).order.order_id
    resting = venue.desk.place(buy, account=ALICE).order.order_id
    venue.markets.others = {7: "http://gone"}
    sessions.take_orders_along(opened(sessions, "c-1", account=ALICE), wanted=True)
    disconnected(sessions, venue.desk, "c-1")
    shards = venue.queue.shards[1:]  # behind the order that waits
    outcomes = venue.drain()
    assert {order.order_id: order.done_reason for each in outcomes for order in each.orders}[waiting] == "canceled"
    done = venue.matcher.order(resting, account=ALICE)
    assert done is not None
    assert done.done_reason == "canceled"
    assert sorted(shards) == [0, 7, 7]


def test_orders_end_with_a_session_whose_token_was_over_already(aws: str, table: str) -> None:
    now = [NOW]
    sessions = Sessions(bound(SessionItem, table=table, region=REGION, endpoint_url=aws), now_s=lambda: now[0])
    sessions.open("c-1", account="alice", token_expires_at=NOW + 60)
    session = sessions.find("c-1")
    assert session is not None
    sessions.take_orders_along(session, wanted=True)
    now[0] += 3600
    desk = Desk()
    disconnected(sessions, desk, "c-1")
    assert desk.cancelled == ["alice"]


def test_a_session_whose_orders_could_not_be_cancelled_is_not_forgotten(sessions: Sessions) -> None:
    desk = Desk()
    sessions.take_orders_along(opened(sessions, "c-1", account="alice"), wanted=True)
    desk.is_down = True
    with pytest.raises(Unavailable):
        disconnected(sessions, desk, "c-1")
    assert sessions.takes_orders_of("c-1") == "alice"
    desk.is_down = False
    disconnected(sessions, desk, "c-1")
    assert (desk.cancelled, sessions.takes_orders_of("c-1")) == (["alice"], None)


def test_a_wish_of_a_session_that_is_gone_makes_no_new_one(sessions: Sessions) -> None:
    session = opened(sessions, "c-1", account="alice")
    sessions.close("c-1")
    sessions.take_orders_along(session, wanted=True)
    assert sessions.find("c-1") is None


def test_the_end_of_a_session_that_cannot_be_handed_on_is_not_forgotten(aws: str, table: str) -> None:
    items = bound(SessionItem, table=table, region=REGION, endpoint_url=aws)
    ending = EndingSessions.connect(items, disconnect="there-is-no-such-function")
    ending.open("c-1", account="alice")
    ending.open("c-2", account="alice")
    session = ending.find("c-1")
    assert session is not None
    ending.take_orders_along(session, wanted=True)
    with pytest.raises(Unavailable):
        ending.close("c-1")
    assert ending.takes_orders_of("c-1") == "alice"
    assert ending.close("c-2") == 1  # it took nothing along
