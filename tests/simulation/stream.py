"""Kinesis, as the tape is put on it: a call may be refused, or taken in part."""

from typing import Any

from botocore.exceptions import EndpointConnectionError

from tests.simulation.loop import pause
from tests.simulation.process import Process
from tests.simulation.trouble import Trouble
from venue import wire
from venue.wire import TapeRecord


class Kinesis:
    """boto3's client as one process has it; all share `records`: (partition key, record) in the order of the stream."""

    def __init__(self, process: Process, records: list[tuple[str, TapeRecord]], trouble: Trouble) -> None:
        self._process = process
        self._records = records
        self._trouble = trouble

    def put_records(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        self._process.check()
        pause(self._trouble.way())
        self._process.check()
        if self._trouble.lasts("tape_away"):
            raise EndpointConnectionError(endpoint_url="kinesis")
        refused = self._trouble.rng.randrange(len(asked["Records"])) if self._trouble.takes("tape_refused") else None
        answers: list[dict[str, str]] = []
        for number, entry in enumerate(asked["Records"]):
            if number == refused:
                answers.append({"ErrorCode": "ProvisionedThroughputExceededException"})
                continue
            self._records += [(entry["PartitionKey"], record) for record in wire.records(entry["Data"])]
            answers.append({})
        pause(self._trouble.way())
        self._process.check()
        return {"Records": answers}
