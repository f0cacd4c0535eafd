"""Under which name a command goes into the order queue: SQS keeps one message of a name for five minutes."""

from typing import Any

from msgspec.structs import replace

from venue.commands import AmendOrder, AnyCommand, CancelAll, CancelOrder, Deposit, PlaceOrder
from venue_aws.queues import OrderQueue

PLACE = PlaceOrder(order_id="o-1", account="alice", product_id="ACME-USD", side="buy")
DEPOSIT = Deposit(transfer_id="t-1", account="alice", asset="USD", amount=1)


class Sqs:
    """A queue that lets a name in once, as SQS does within five minutes."""

    def __init__(self) -> None:
        self.bodies: dict[str, str] = {}

    def send_message(self, *, MessageBody: str, MessageDeduplicationId: str, **_: object) -> None:  # noqa: N803
        """Take it, or swallow it."""
        self.bodies.setdefault(MessageDeduplicationId, MessageBody)


def arrived(*commands: AnyCommand) -> int:
    """How many of these messages are in the queue when all were sent."""
    sqs: Any = Sqs()
    queue = OrderQueue(sqs, "http://queue")
    for command in commands:
        queue.put(command)
    return len(sqs.bodies)


def test_an_order_an_amend_and_a_deposit_that_are_sent_twice_arrive_once() -> None:
    assert arrived(PLACE, PLACE) == 1
    amend = AmendOrder(amend_id="a-1", order_id="o-1", account="alice", product_id="ACME-USD", side="buy", size=2)
    assert arrived(amend, replace(amend, deadline=9), replace(amend, amend_id="a-2")) == 2
    assert arrived(DEPOSIT, DEPOSIT) == 1


def test_a_cancel_arrives_as_often_as_it_is_sent() -> None:
    # The first may have overtaken its order and been refused.
    cancel = CancelOrder(order_id="o-1", account="alice")
    assert arrived(PLACE, cancel, cancel) == 3
    assert arrived(CancelAll(account="alice"), CancelAll(account="alice")) == 2
