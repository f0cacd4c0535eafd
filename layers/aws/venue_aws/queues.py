"""The two FIFO queues: orders on their way to the matcher, and journal batches on their way to settlement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from venue import wire
from venue.commands import AnyCommand, CancelOrder, Deposit, PlaceOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient

# SQS takes no more than this in one call.
RECEIVE_MAX = 10
# A message may have 256 KiB on every kind of queue; what is left covers its attributes.
BODY_BYTES_MAX = 200 * 1024
_READ_TIMEOUT_S = 5


class QueueDown(Exception):
    """SQS did not take, give or delete a message. Nothing is known about the message; sending it again is safe."""


class Message(msgspec.Struct, frozen=True):
    """A received message. `receipt` names this delivery of it; `deliveries` counts them, from 1."""

    id: str
    body: str
    receipt: str
    deliveries: int


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


class OrderQueue:
    """Commands that the matcher could not take at once, in order per account. Blocking; raises QueueDown."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def put(self, command: AnyCommand) -> None:
        """Send one command. The same command sent twice within five minutes is one message."""
        _send(
            self._client,
            self._url,
            body=wire.encode(command).decode(),
            group=getattr(command, "account", "venue"),
            deduplication=_name_of(command),
        )

    def take(self, *, wait_s: int) -> list[Message]:
        """Receive up to ten messages, oldest first per account; wait up to `wait_s` seconds for the first."""
        try:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=RECEIVE_MAX,
                WaitTimeSeconds=wait_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        except (BotoCoreError, ClientError) as error:
            raise QueueDown(str(error)) from error
        return [
            Message(
                message["MessageId"],
                message["Body"],
                message["ReceiptHandle"],
                int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
            )
            for message in answer.get("Messages", [])
        ]

    def done(self, messages: Sequence[Message]) -> None:
        """Delete up to ten messages: what they asked for is in the journal."""
        entries: list[Any] = [{"Id": str(i), "ReceiptHandle": m.receipt} for i, m in enumerate(messages)]
        try:
            answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise QueueDown(str(error)) from error
        if failed := answer.get("Failed"):
            raise QueueDown(f"{len(failed)} of {len(messages)} messages were not deleted")

    def give_back(self, messages: Sequence[Message]) -> None:
        """Make up to ten messages visible again at once, for the next owner."""
        entries: list[Any] = [
            {"Id": str(i), "ReceiptHandle": m.receipt, "VisibilityTimeout": 0} for i, m in enumerate(messages)
        ]
        try:
            self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise QueueDown(str(error)) from error


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


def _encoded(batch: wire.Batch) -> bytes:
    body = wire.encode(batch)
    if len(body) <= BODY_BYTES_MAX:
        return body
    return wire.encode(wire.Batch(shard=batch.shard, sequence=batch.sequence, at=batch.at, events=None, postings=None))


def _name_of(command: AnyCommand) -> str:
    match command:
        case PlaceOrder(order_id=order_id):
            return f"place-{order_id}"
        case CancelOrder(order_id=order_id):
            return f"cancel-{order_id}"
        case Deposit(transfer_id=transfer_id):
            return f"deposit-{transfer_id}"
        case _:
            return f"{command.__struct_config__.tag}-{uuid4()}"


def _send(client: SQSClient, url: str, *, body: str, group: str, deduplication: str) -> None:
    try:
        client.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=deduplication)
    except (BotoCoreError, ClientError) as error:
        raise QueueDown(str(error)) from error
