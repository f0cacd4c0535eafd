"""Events queue -> wallets -> tape: every journal batch is settled and put on Kinesis, once and in order."""

import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Protocol

from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from venue_aws import wiring
from venue_aws.clearing import Cleared, Clearing, Cut
from venue_aws.observed import Event, Handler, Line, observed
from venue_aws.queues import Message, QueueDown


class Queue(Protocol):
    """See venue_aws.queues.EventsQueue."""

    def retry(self, messages: Sequence[Message]) -> None: ...


def build(clearing: Callable[[], Clearing], queue: Callable[[], Queue]) -> Handler[dict[str, Any]]:
    """Make the handler: it reads each message by itself, so that a bad one fails alone, and clears the rest at once.

    What was not cleared comes again within seconds: left alone it would stay invisible, and its shard stand still, for
    the whole visibility timeout. Only a call that is cut off in the middle costs that.
    """
    # One shard's trouble must not hold up another's: only the group that failed is given back, from the failure on.
    processor = SqsFifoPartialProcessor(skip_group_on_error=True)

    def read(record: SQSRecord) -> list[Cut]:
        return clearing().read(record.body)

    @observed
    def fan_out(event: Event, line: Line) -> dict[str, Any]:
        undone = {record["messageId"] for record in event["Records"]}
        try:
            with processor(records=event["Records"], handler=read):
                read_whole = [result for status, result, _ in processor.process() if status == "success"]
                line.tell(unread=len(processor.fail_messages))
                line.failure = processor.exceptions[0][1] if processor.exceptions else None
            cleared = clearing().clear(chain.from_iterable(read_whole))
            undone = {failure["itemIdentifier"] for failure in processor.response()["batchItemFailures"]}
        finally:
            _retry(queue, [record for record in event["Records"] if record["messageId"] in undone], line)
        _tell(cleared, line)
        return dict(processor.response())

    return fan_out


def _retry(queue: Callable[[], Queue], records: Sequence[dict[str, Any]], line: Line) -> None:
    if not records:
        return
    messages = [
        Message(
            id=record["messageId"],
            body=record["body"],
            receipt=record["receiptHandle"],
            deliveries=int(record["attributes"]["ApproximateReceiveCount"]),
            group=record["attributes"]["MessageGroupId"],
        )
        for record in records
    ]
    try:
        queue().retry(messages)
    except QueueDown as error:
        line.tell(retry_late=str(error))  # they come again all the same, after the visibility timeout


def _tell(cleared: Cleared, line: Line) -> None:
    line.tell(**cleared.as_log())
    line.count("BatchesSettled", cleared.batches)
    line.count("BatchesFetched", cleared.fetched)
    line.count("WalletsOverdrawn", cleared.overdrawn)
    if cleared.oldest_at:
        # From the match to the wallet, of the batch that had to wait longest.
        line.measure_ms("SettlementLag", max(0.0, time.time() * 1000 - cleared.oldest_at / 1000))


handler = build(wiring.early(wiring.clearing), wiring.early(wiring.events_queue))
