"""Tape -> S3. Any failure fails the whole call: the same records come again and overwrite what they left."""

from aws_lambda_powertools.utilities.data_classes import KinesisStreamEvent

from venue_aws import wiring
from venue_aws.observed import Event, Line, observed


@observed
def handler(event: Event, line: Line) -> None:
    """Keep every record's events. A record that cannot be read is kept as it came, and counted."""
    records = KinesisStreamEvent(event).records
    raw = {record.kinesis.sequence_number: record.kinesis.data_as_bytes() for record in records}
    kept = wiring.archive().keep(raw)
    line.count("EventsArchived", kept.events)
    line.count("TapeUnreadable", kept.unreadable)
    line.tell(records=len(raw), **kept.as_log())
