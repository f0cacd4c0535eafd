"""The two FIFO queues: orders on their way to the matcher, and journal batches on their way to settlement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from venue import wire
from venue.commands import AmendOrder, AnyCommand, Deposit, PlaceOrder
from venue.errors import Unavailable
from venue_aws import correlation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mypy_boto3_sqs import SQSClient

# SQS takes no more than this in one call.
RECEIVE_MAX = 10
# A message may have 256 KiB on every kind of queue; what is left covers its attributes.
BODY_BYTES_MAX = 200 * 1024
_READ_TIMEOUT_S = 5
# A message that failed is tried again after 1, 2, 4 ... seconds: twenty tries take about eight minutes.
RETRY_S_MAX = 30
# What SQS says of a receipt that is over: the message is visible again, or was deleted.
_EXPIRED = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"})


class QueueDown(Exception):
    """SQS did not take, give or delete a message. Nothing is known about the message; sending it again is safe."""


class Message(msgspec.Struct, frozen=True):
    """A received message. `receipt` names this delivery of it; `deliveries` counts them, from 1.

    `followed`: the correlation id that its sender's client gave.
    """

    id: str
    body: str
    receipt: str
    deliveries: int
    group: str = ""
    followed: str | None = None


def connect(*, wait_s_max: int = 0, region: str | None = None) -> SQSClient:
    """Give an SQS client with short timeouts, for long polls of at most `wait_s_max` seconds.

    `region` where the environment names it in a way that boto3 does not read (ECS: AWS_REGION).
    """
    config = Config(
        connect_timeout=2,
        read_timeout=_READ_TIMEOUT_S + wait_s_max,
        retries={"mode": "standard", "total_max_attempts": 2},
        tcp_keepalive=True,
    )
    return boto3.client("sqs", config=config, region_name=region)


def shard_of(message: Message) -> int:
    """Give the shard that a message of the order queue is for; the first for one that names none."""
    number, colon, _ = message.group.partition(":")
    return int(number) if colon and number.isdecimal() else 0


class OrderQueue:
    """Commands that the matcher could not take at once, in order per shard and account. Blocking; raises QueueDown."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def put(self, command: AnyCommand, *, shard: int = 0) -> None:
        """Send one command to a shard. The same order, amend or deposit within five minutes is one message."""
        _send(
            self._client,
            self._url,
            body=wire.encode(command).decode(),
            group=f"{shard}:{getattr(command, 'account', 'venue')}",
            deduplication=_name_of(command),
        )

    def take(self, *, wait_s: int) -> list[Message]:
        """Receive up to ten messages, oldest first per account; wait up to `wait_s` seconds for the first."""
        try:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=RECEIVE_MAX,
                WaitTimeSeconds=wait_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "MessageGroupId"],
                MessageAttributeNames=[correlation.ATTRIBUTE],
            )
        except (BotoCoreError, ClientError) as error:
            raise QueueDown(str(error)) from error
        return [
            Message(
                message["MessageId"],
                message["Body"],
                message["ReceiptHandle"],
                int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
                message.get("Attributes", {}).get("MessageGroupId", ""),
                _followed(message),
            )
            for message in answer.get("Messages", [])
        ]

    def done(self, messages: Sequence[Message]) -> int:
        """Delete up to ten messages: what they asked for is in the journal.

        Gives how many could not be deleted because they were kept too long: they come again, and change nothing.
        """
        entries: list[Any] = [{"Id": str(i), "ReceiptHandle": m.receipt} for i, m in enumerate(messages)]
        try:
            answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise QueueDown(str(error)) from error
        return _expired(answer.get("Failed", []))

    def keep(self, messages: Sequence[Message], *, seconds: int) -> int:
        """Keep up to ten messages to oneself for so many seconds more; gives how many were visible again already."""
        return _show_after(self._client, self._url, ((message, seconds) for message in messages))

    def give_back(self, messages: Sequence[Message]) -> None:
        """Make up to ten messages visible again at once, for the next owner."""
        self.keep(messages, seconds=0)


class QueueRoad:
    """The order queue as the order desk sees it. `connect` is called when the queue is first needed, if ever."""

    def __init__(self, connect: Callable[[], OrderQueue]) -> None:
        self._connect = connect
        self._queue: OrderQueue | None = None

    def put(self, command: AnyCommand, *, shard: int) -> None:
        """Leave a command for a shard in the queue. Raises Unavailable when the queue does not take it."""
        if self._queue is None:
            self._queue = self._connect()
        try:
            self._queue.put(command, shard=shard)
        except QueueDown as error:
            raise Unavailable("neither the matcher nor the order queue answers now", retry_after_s=1) from error


class EventsQueue:
    """Journal batches in the order of their sequence per shard, as many as fit in each message. Blocking.

    One message group takes 300 messages a second, and its reader ten at a time: what has piled up goes together.
    One send at a time on purpose: SQS may take a part of a batched send, and a batch that overtakes another would be
    settled in its place.
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def put(self, batches: Sequence[wire.Batch]) -> None:
        """Send a run of one shard's batches. Raises QueueDown; a part of them may have been sent then.

        A batch too large for a message goes without its content, which the reader then takes from the journal.
        """
        at = 0
        for run in wire.runs((_encoded(batch) for batch in batches), bytes_max=BODY_BYTES_MAX):
            first, last = batches[at], batches[at + len(run) - 1]
            at += len(run)
            _send(
                self._client,
                self._url,
                body=wire.array(run).decode(),
                group=f"shard-{first.shard}",
                deduplication=f"{first.shard}-{first.sequence}-{last.sequence}",
            )

    def retry(self, messages: Sequence[Message]) -> None:
        """Let up to ten messages that failed come again soon, and not only when the queue would show them by itself.

        All of a group at the same time: SQS gives none of it while one is in flight.
        """
        oldest: dict[str, int] = {}
        for message in messages:
            oldest[message.group] = max(oldest.get(message.group, 1), message.deliveries)
        _show_after(self._client, self._url, ((message, retry_s(oldest[message.group])) for message in messages))


def retry_s(deliveries: int) -> int:
    """Give the seconds until a message that failed so many times is tried again."""
    return int(min(RETRY_S_MAX, 2 ** min(deliveries - 1, 10)))


def _encoded(batch: wire.Batch) -> bytes:
    body = wire.encode(batch)
    if len(body) <= BODY_BYTES_MAX:
        return body
    return wire.encode(wire.Batch(shard=batch.shard, sequence=batch.sequence, at=batch.at, events=None, postings=None))


def _name_of(command: AnyCommand) -> str:
    match command:
        case PlaceOrder(order_id=order_id):
            return f"place-{order_id}"
        case AmendOrder(amend_id=amend_id):
            return f"amend-{amend_id}"
        case Deposit(transfer_id=transfer_id):
            return f"deposit-{transfer_id}"
        case _:
            # A cancel that overtook its order is refused, and the next one has to arrive. Done twice, it does no harm.
            return f"{command.__struct_config__.tag}-{uuid4()}"


def _followed(message: Any) -> str | None:
    attribute = message.get("MessageAttributes", {}).get(correlation.ATTRIBUTE)
    return attribute["StringValue"][:64] if attribute else None


def _send(client: SQSClient, url: str, *, body: str, group: str, deduplication: str) -> None:
    followed = correlation.followed.get()
    more: Any = {}
    if followed is not None:
        more = {"MessageAttributes": {correlation.ATTRIBUTE: {"DataType": "String", "StringValue": followed}}}
    try:
        client.send_message(
            QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=deduplication, **more
        )
    except (BotoCoreError, ClientError) as error:
        raise QueueDown(str(error)) from error


def _show_after(client: SQSClient, url: str, messages: Iterable[tuple[Message, int]]) -> int:
    """Set in how many seconds each message is visible again; gives how many are already."""
    entries: list[Any] = [
        {"Id": str(i), "ReceiptHandle": message.receipt, "VisibilityTimeout": seconds}
        for i, (message, seconds) in enumerate(messages)
    ]
    try:
        answer = client.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    except (BotoCoreError, ClientError) as error:
        raise QueueDown(str(error)) from error
    return _expired(answer.get("Failed", []))


def _expired(failed: Sequence[Any]) -> int:
    """Count the receipts that are over. Raises QueueDown when there is any other failure."""
    for each in failed:
        # SQS names the code with or without its name space.
        if each["Code"].rpartition(".")[2] not in _EXPIRED:
            raise QueueDown(f"{each['Code']}: {each.get('Message', '')}")
    return len(failed)
