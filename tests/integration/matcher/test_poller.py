"""The order queue's road into the matcher."""

import time
from collections.abc import Callable

import msgspec
from mypy_boto3_sqs import SQSClient

from local.redrive import redrive
from tests.cluster.database import NewDatabase
from tests.cluster.flow import flow, limit
from tests.integration.matcher.conftest import Environment, NewQueue, StartMatcher
from venue.commands import CancelOrder, Deposit
from venue_aws.queues import OrderQueue, connect


def waiting(sqs: SQSClient, url: str) -> int:
    """How many messages are in a queue, seen or unseen."""
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_commands_from_the_queue_are_executed_and_deleted(
    start_matcher: StartMatcher, database: NewDatabase, sqs: SQSClient, new_queue: NewQueue, told: Environment
) -> None:
    url = new_queue()
    queue = OrderQueue(connect(), url)
    orders = flow(11, 30)
    for order in orders:
        queue.put(order)
    matcher = start_matcher(**told, ORDER_QUEUE_URL=url).wait_until_ready()
    until(lambda: waiting(sqs, url) == 0)
    assert {str(row[0]) for row in database.rows("SELECT id FROM orders")} == {order.order_id for order in orders}
    queue.put(Deposit(transfer_id="t-1", account="alice", asset="USD", amount=5))
    queue.put(CancelOrder(order_id=orders[0].order_id, account="nobody"))
    until(lambda: waiting(sqs, url) == 0)
    assert database.rows("SELECT sum(free) FROM postings WHERE account = 'alice'") == [(5,)]
    assert matcher.terminate() == 0


def test_an_account_s_commands_keep_their_order(
    start_matcher: StartMatcher, database: NewDatabase, sqs: SQSClient, new_queue: NewQueue, told: Environment
) -> None:
    url = new_queue()
    queue = OrderQueue(connect(), url)
    for price in range(100, 112):
        order = limit("buy", price, 1)
        queue.put(order)
        queue.put(CancelOrder(order_id=order.order_id, account="alice"))
    start_matcher(**told, ORDER_QUEUE_URL=url)
    until(lambda: waiting(sqs, url) == 0)
    assert database.rows("SELECT DISTINCT status, done_reason FROM orders") == [("done", "canceled")]
    assert database.rows("SELECT price FROM orders ORDER BY created_at, price") == [(p,) for p in range(100, 112)]


def test_a_command_that_comes_by_both_roads_is_done_once(
    start_matcher: StartMatcher, database: NewDatabase, sqs: SQSClient, new_queue: NewQueue, told: Environment
) -> None:
    url = new_queue()
    matcher = start_matcher(**told, ORDER_QUEUE_URL=url).wait_until_ready()
    order = limit("buy", 100, 5)
    matcher.submit(order)
    OrderQueue(connect(), url).put(order)
    # The same once more under another name: a redelivery that the queue did not recognise.
    sqs.send_message(
        QueueUrl=url,
        MessageBody=msgspec.json.encode(order).decode(),
        MessageGroupId="alice",
        MessageDeduplicationId="another",
    )
    until(lambda: waiting(sqs, url) == 0)
    assert database.rows("SELECT count(*), sum(hold) FROM orders") == [(1, order.hold)]
    assert matcher.state()["sequence"] == 4  # three products and one order


def test_a_command_that_comes_too_late_is_refused(
    start_matcher: StartMatcher, database: NewDatabase, sqs: SQSClient, new_queue: NewQueue, told: Environment
) -> None:
    url = new_queue()
    queue = OrderQueue(connect(), url)
    now = time.time_ns() // 1000
    queue.put(limit("buy", 100, 5, account="late", deadline=now - 1))
    queue.put(limit("buy", 100, 5, account="early", deadline=now + 60_000_000))
    start_matcher(**told, ORDER_QUEUE_URL=url)
    until(lambda: waiting(sqs, url) == 0)
    assert database.rows("SELECT account, status, reject_reason FROM orders ORDER BY account") == [
        ("early", "open", None),
        ("late", "rejected", "deadline"),
    ]


def test_a_poison_message_ends_in_the_dead_letters_and_stops_nobody(
    start_matcher: StartMatcher, database: NewDatabase, sqs: SQSClient, new_queue: NewQueue, told: Environment
) -> None:
    dead = new_queue()
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = msgspec.json.encode({"deadLetterTargetArn": arn, "maxReceiveCount": "2"}).decode()
    url = new_queue(RedrivePolicy=redrive, VisibilityTimeout="1")
    for number, body in enumerate(("{", '{"kind":"place"}', '{"kind":"list","product":{}}')):
        sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageGroupId=f"mallory-{number}",
            MessageDeduplicationId=f"poison-{number}",
        )
    order = limit("buy", 100, 5)
    OrderQueue(connect(), url).put(order)
    matcher = start_matcher(**told, ORDER_QUEUE_URL=url).wait_until_ready()
    until(lambda: database.rows("SELECT count(*) FROM orders") == [(1,)])
    until(lambda: waiting(sqs, url) == 0 and waiting(sqs, dead) == 3)
    assert matcher.has_logged("order_message_unreadable")
    assert matcher.is_ready()


def test_dead_letters_that_are_sent_again_are_done_once_and_in_their_order(
    start_matcher: StartMatcher, database: NewDatabase, sqs: SQSClient, new_queue: NewQueue, told: Environment
) -> None:
    dead = new_queue()
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = msgspec.json.encode({"deadLetterTargetArn": arn, "maxReceiveCount": "1"}).decode()
    url = new_queue(RedrivePolicy=policy, VisibilityTimeout="1")
    queue, now = OrderQueue(connect(), url), time.time_ns() // 1000
    kept, late = limit("buy", 100, 5), limit("buy", 101, 5, deadline=now)
    queue.put(kept)
    queue.put(late)
    queue.put(CancelOrder(order_id=kept.order_id, account=kept.account))
    queue.put(Deposit(transfer_id="t-1", account=kept.account, asset="USD", amount=5))

    def dying() -> bool:
        queue.take(wait_s=1)
        return waiting(sqs, dead) == 4

    until(dying)
    # One of them was carried out meanwhile: it had also come by HTTP.
    matcher = start_matcher(**told, ORDER_QUEUE_URL=url).wait_until_ready()
    matcher.submit(kept)
    assert redrive(sqs, dead=dead, alive=url) == 4
    until(lambda: waiting(sqs, url) + waiting(sqs, dead) == 0)
    assert database.rows("SELECT id::text, status, done_reason, reject_reason FROM orders ORDER BY price") == [
        (kept.order_id, "done", "canceled", None),
        (late.order_id, "rejected", None, "deadline"),
    ]
    assert database.rows("SELECT sum(free) FROM postings WHERE kind = 'deposit' AND account = %s", kept.account) == [
        (5,)
    ]
    assert redrive(sqs, dead=dead, alive=url) == 0


def test_a_message_that_was_seen_again_cannot_be_deleted_by_who_had_it_first(new_queue: NewQueue) -> None:
    queue = OrderQueue(connect(wait_s_max=20), new_queue(VisibilityTimeout="1"))
    queue.put(limit("buy", 100, 5))
    (first,) = queue.take(wait_s=20)
    (again,) = queue.take(wait_s=20)
    assert (first.id, first.deliveries, again.deliveries) == (again.id, 1, 2)
    assert queue.done([first]) == 1
    assert queue.keep([first], seconds=60) == 1
    assert queue.done([again]) == 0
    assert queue.take(wait_s=0) == []


def test_a_message_can_be_kept_and_given_back(new_queue: NewQueue) -> None:
    queue = OrderQueue(connect(wait_s_max=20), new_queue(VisibilityTimeout="1"))
    queue.put(limit("buy", 100, 5))
    taken = queue.take(wait_s=20)
    assert queue.keep(taken, seconds=3600) == 0
    assert queue.take(wait_s=2) == []
    queue.give_back(taken)
    assert [message.deliveries for message in queue.take(wait_s=20)] == [2]


def test_orders_wait_in_the_queue_while_no_matcher_is_there(
    start_matcher: StartMatcher, database: NewDatabase, sqs: SQSClient, new_queue: NewQueue, told: Environment
) -> None:
    url = new_queue(VisibilityTimeout="2")
    first = start_matcher(**told, ORDER_QUEUE_URL=url).wait_until_ready()
    queue = OrderQueue(connect(), url)
    orders = flow(12, 40)
    for order in orders[:20]:
        queue.put(order)
    first.kill()
    for order in orders[20:]:
        queue.put(order)
    start_matcher(**told, ORDER_QUEUE_URL=url)
    until(lambda: waiting(sqs, url) == 0)
    assert database.rows("SELECT count(*) FROM orders") == [(40,)]
