"""Tape -> S3. Any failure fails the whole call: the same records come again and overwrite what they left."""

from collections.abc import Callable

from aws_lambda_powertools.utilities.data_classes import KinesisStreamEvent

from venue_aws import wiring
from venue_aws.archive import Archive
from venue_aws.observed import Event, Handler, Line, observed


def build(archive: Callable[[], Archive]) -> Handler[None]:
    """Make the handler. A record that cannot be read is kept as it came, and counted."""

    @observed
    def record(event: Event, line: Line) -> None:
        records = KinesisStreamEvent(event).records
        raw = {each.kinesis.sequence_number: each.kinesis.data_as_bytes() for each in records}
        kept = archive().keep(raw)
        line.count("EventsArchived", kept.events)
        line.count("TapeUnreadable", kept.unreadable)
        line.tell(records=len(raw), **kept.as_log())

    return record


handler = build(wiring.early(wiring.archive))
