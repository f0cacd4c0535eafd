"""Events queue -> wallets -> tape: every journal batch is settled and put on Kinesis, once and in order."""

import time
from typing import Any

from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from venue_aws import wiring
from venue_aws.clearing import Cleared, Cut
from venue_aws.observed import Event, Line, observed

# One shard's trouble must not hold up another's: only the group that failed is given back, from the failure on.
processor = SqsFifoPartialProcessor(skip_group_on_error=True)


@observed
def handler(event: Event, line: Line) -> dict[str, Any]:
    """Read every message by itself, so that a bad one fails alone; then clear all that could be read at once."""
    with processor(records=event["Records"], handler=read):
        taken: list[Cut] = [result for status, result, _ in processor.process() if status == "success"]
        line.tell(unread=len(processor.fail_messages))
        line.failure = processor.exceptions[0][1] if processor.exceptions else None
    cleared = wiring.clearing().clear(taken)
    line.tell(**cleared.as_log())
    measure(cleared, line)
    return dict(processor.response())


def read(record: SQSRecord) -> Cut:
    """Read one message."""
    return wiring.clearing().read(record.body)


def measure(cleared: Cleared, line: Line) -> None:
    """Tell CloudWatch what was cleared, and how long after its commit."""
    line.count("BatchesSettled", cleared.batches)
    line.count("BatchesFetched", cleared.fetched)
    line.count("WalletsOverdrawn", cleared.overdrawn)
    if cleared.latest_at:
        line.measure_ms("SettlementLag", max(0.0, time.time() * 1000 - cleared.latest_at / 1000))
