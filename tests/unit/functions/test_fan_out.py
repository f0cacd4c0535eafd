"""What fan_out does about what it could not do. With real queues and wallets: tests/integration/stream."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from functions.fan_out import app
from tests.rest import Context
from venue_aws.clearing import Cleared
from venue_aws.queues import RETRY_S_MAX, EventsQueue, Message, QueueDown, retry_s

CONTEXT: Any = Context()


class Clearing:
    """Cannot read what is called bad, and clears nothing when the tape is down."""

    def __init__(self) -> None:
        self.tape_is_down = False

    def read(self, body: str) -> list[str]:
        if "bad" in body:
            raise ValueError(body)
        return [body]

    def clear(self, taken: Iterable[str]) -> Cleared:
        batches = len(list(taken))
        if self.tape_is_down:
            raise ConnectionError("tape")
        return Cleared(batches=batches)


class Queue:
    """Remembers what shall come again."""

    def __init__(self) -> None:
        self.again: list[Message] = []
        self.is_down = False

    def retry(self, messages: Sequence[Message]) -> None:
        if self.is_down:
            raise QueueDown("queue")
        self.again += messages


class Stand:
    """The function with its surroundings."""

    def __init__(self) -> None:
        self.clearing: Any = Clearing()
        self.queue = Queue()
        self._handler = app.build(lambda: self.clearing, lambda: self.queue)

    def deliver(self, *bodies: str) -> list[str]:
        """Deliver messages, the group is the first letter; give the bodies that are given back."""
        records = [
            {
                "messageId": body,
                "receiptHandle": f"receipt of {body}",
                "body": body,
                "attributes": {"MessageGroupId": body[0], "ApproximateReceiveCount": "3"},
                "eventSource": "aws:sqs",
            }
            for body in bodies
        ]
        answer = self._handler({"Records": records}, CONTEXT)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_what_is_cleared_does_not_come_again(stand: Stand) -> None:
    assert stand.deliver("a1", "a2", "b1") == []
    assert stand.queue.again == []


def test_what_is_given_back_comes_again_soon_and_nothing_else(stand: Stand) -> None:
    assert stand.deliver("a1", "a2 bad", "a3", "b1") == ["a2 bad", "a3"]
    assert stand.queue.again == [
        Message("a2 bad", "a2 bad", "receipt of a2 bad", 3, "a"),
        Message("a3", "a3", "receipt of a3", 3, "a"),
    ]


def test_a_call_that_fails_lets_all_of_it_come_again_soon(stand: Stand) -> None:
    stand.clearing.tape_is_down = True
    with pytest.raises(ConnectionError, match="tape"):
        stand.deliver("a1", "a2 bad", "b1")
    assert [message.id for message in stand.queue.again] == ["a1", "a2 bad", "b1"]


def test_a_call_of_which_nothing_can_be_read_comes_again_soon(stand: Stand) -> None:
    with pytest.raises(Exception, match="All records failed"):
        stand.deliver("a1 bad", "b1 bad")
    assert [message.id for message in stand.queue.again] == ["a1 bad", "b1 bad"]


def test_a_queue_that_is_down_hides_neither_what_was_done_nor_what_went_wrong(stand: Stand) -> None:
    stand.queue.is_down = True
    assert stand.deliver("a1", "b1 bad") == ["b1 bad"]
    stand.clearing.tape_is_down = True
    with pytest.raises(ConnectionError, match="tape"):
        stand.deliver("a1")


def test_retries_are_farther_and_farther_apart_and_twenty_of_them_last_for_minutes() -> None:
    waits = [retry_s(deliveries) for deliveries in range(1, 21)]
    assert waits[:6] == [1, 2, 4, 8, 16, RETRY_S_MAX]
    assert waits[-1] == RETRY_S_MAX == retry_s(10_000)
    assert 5 * 60 <= sum(waits) <= 10 * 60


class Sqs:
    """Takes down what it is asked."""

    def __init__(self) -> None:
        self.shown: dict[str, int] = {}
        self.failed: list[dict[str, Any]] = []

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == "queue"
        self.shown |= {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in Entries}
        return {"Failed": self.failed}


def test_a_group_comes_again_as_one_because_any_of_it_in_flight_blocks_it() -> None:
    sqs: Any = Sqs()
    EventsQueue(sqs, "queue").retry(
        [Message("1", "", "a1", 3, "a"), Message("2", "", "a2", 1, "a"), Message("3", "", "b1", 1, "b")]
    )
    assert sqs.shown == {"a1": 4, "a2": 4, "b1": 1}


@pytest.mark.parametrize("code", ["ReceiptHandleIsInvalid", "AWS.SimpleQueueService.MessageNotInflight"])
def test_what_is_visible_again_already_needs_nothing(code: str) -> None:
    sqs: Any = Sqs()
    sqs.failed = [{"Id": "0", "Code": code, "SenderFault": True}]
    EventsQueue(sqs, "queue").retry([Message("1", "", "a1", 1, "a")])
    assert sqs.shown == {"a1": 1}


def test_a_queue_that_does_not_do_as_it_is_told_is_down() -> None:
    sqs: Any = Sqs()
    sqs.failed = [{"Id": "0", "Code": "InternalError", "SenderFault": False}]
    with pytest.raises(QueueDown, match="InternalError"):
        EventsQueue(sqs, "queue").retry([Message("1", "", "a1", 1, "a")])
