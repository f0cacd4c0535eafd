"""Tape -> WebSockets: public events to who subscribed, private ones to their owner."""

from collections.abc import Callable
from itertools import takewhile
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord

from venue import wire
from venue.feed import publications
from venue.wire import TapeRecord
from venue_aws import wiring
from venue_aws.broadcasting import Broadcast
from venue_aws.correlation import orders_of
from venue_aws.observed import Event, Handler, Line, observed


def build(broadcast: Callable[[], Broadcast]) -> Handler[dict[str, Any]]:
    """Make the handler: it sends what comes before the first record that cannot be read, and gives back the rest."""
    processor = BatchProcessor(EventType.KinesisDataStreams, raise_on_entire_batch_failure=False)

    def read(record: KinesisStreamRecord) -> list[TapeRecord]:
        return wire.records(record.kinesis.data_as_bytes())

    @observed
    def send(event: Event, line: Line) -> dict[str, Any]:
        with processor(records=event["Records"], handler=read):
            readable = takewhile(lambda done: done[0] == "success", processor.process())
            records: list[TapeRecord] = [record for _, run, _ in readable for record in run]
            line.tell(records=len(records), unread=len(processor.fail_messages))
            line.tell(orders=orders_of(event for record in records for event in record.events))
            line.failure = processor.exceptions[0][1] if processor.exceptions else None
        sent = broadcast().send(publications(records))
        line.count("StreamPushes", sent.pushes)
        line.count("StreamClientsDropped", sent.dropped)
        line.tell(**sent.as_log())
        return dict(processor.response())

    return send


handler = build(wiring.early(wiring.broadcast))
