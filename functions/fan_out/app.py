"""Events queue -> wallets -> tape: every journal batch is settled and put on Kinesis, once and in order."""

import time
from collections.abc import Callable
from itertools import chain
from typing import Any

from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from venue_aws import wiring
from venue_aws.clearing import Cleared, Clearing, Cut
from venue_aws.observed import Event, Handler, Line, observed


def build(clearing: Callable[[], Clearing]) -> Handler[dict[str, Any]]:
    """Make the handler: it reads each message by itself, so that a bad one fails alone, and clears the rest at once."""
    # One shard's trouble must not hold up another's: only the group that failed is given back, from the failure on.
    processor = SqsFifoPartialProcessor(skip_group_on_error=True)

    def read(record: SQSRecord) -> list[Cut]:
        return clearing().read(record.body)

    @observed
    def fan_out(event: Event, line: Line) -> dict[str, Any]:
        with processor(records=event["Records"], handler=read):
            read_whole = [result for status, result, _ in processor.process() if status == "success"]
            line.tell(unread=len(processor.fail_messages))
            line.failure = processor.exceptions[0][1] if processor.exceptions else None
        cleared = clearing().clear(chain.from_iterable(read_whole))
        _tell(cleared, line)
        return dict(processor.response())

    return fan_out


def _tell(cleared: Cleared, line: Line) -> None:
    line.tell(**cleared.as_log())
    line.count("BatchesSettled", cleared.batches)
    line.count("BatchesFetched", cleared.fetched)
    line.count("WalletsOverdrawn", cleared.overdrawn)
    if cleared.latest_at:
        line.measure_ms("SettlementLag", max(0.0, time.time() * 1000 - cleared.latest_at / 1000))


handler = build(wiring.early(wiring.clearing))
