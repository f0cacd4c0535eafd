"""Deliveries repeated, late, at once, cut off, dead and redriven, on real queues: are the wallets as after one of each?

A round is a hundred batches of three shards, with a wallets table of its own; see tests.cluster.deliveries for what may
happen to them. After each round every wallet must be what plain sums of the postings give, to the unit.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3

from local import servers
from local.processes import stop
from local.state import State, choose_ports
from tests.campaigns.report import Log, Report, Violation
from tests.cluster.deliveries import FAULTS, RECEIVE_COUNT_MAX, SHARDS, Places, Round
from tests.integration.stream.conftest import Journal, TapeStream, WalletsTable
from venue_aws.database import Database
from venue_aws.journal import Journal as JournalReader
from venue_aws.logins import DatabaseLogin
from venue_aws.tape import Tape

DEFAULT = 1_000
ROUND = 100


class Redelivery(Report, kw_only=True):
    """`runs` counts batches."""

    rounds: int = 0
    wallets: int = 0


def run(*, n: int, seed: int, log: Log) -> Redelivery:
    """Deliver `n` batches."""
    with _servers() as state:
        return deliver(Venue(servers.database_url(state), state), n=n, seed=seed, log=log)


class Venue:
    """Queues and a table for each round, a journal for all. The environment says where AWS is.

    `settling`: what settlement gets in place of the client of DynamoDB.
    """

    def __init__(self, postgres: str, state: State, *, settling: Callable[[Any], Any] = lambda client: client) -> None:
        self._settling = settling
        self._sqs = boto3.client("sqs")
        self._tape = TapeStream(boto3.client("kinesis"))
        self._journal = Journal(postgres)
        self._login = DatabaseLogin(
            host="127.0.0.1",
            port=state.ports.postgres,
            username="postgres",
            password=state.database_password,
            dbname=self._journal.name,
        )
        self._shard = 0

    def play(self, seed: int, batches: int) -> tuple[Round, str | None]:
        """Play one round; give it with what went wrong in it."""
        table = WalletsTable(boto3.client("dynamodb"))
        dead = self._queue()
        arn = self._sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": "{RECEIVE_COUNT_MAX}"}}'
        with ExitStack() as readers:
            places = Places(
                sqs=self._sqs,
                queue=self._queue(RedrivePolicy=policy, VisibilityTimeout="60"),
                dead=dead,
                dynamodb=self._settling(table.client),
                table=table.name,
                tape=Tape(self._tape.client, self._tape.name),
                journal=lambda: JournalReader(readers.enter_context(closing(Database(lambda: self._login)))),
                commit=self._journal.commit,
            )
            played = Round(places, seed=seed, batches=batches, first_shard=self._shard)
            self._shard += SHARDS
            played.play()
            wrong = _difference(places.balances(), played.once_only())
        table.client.delete_table(TableName=table.name)
        return played, wrong

    def _queue(self, **attributes: str) -> str:
        given = {"FifoQueue": "true"} | attributes
        return self._sqs.create_queue(QueueName=f"{uuid4()}.fifo", Attributes=given)["QueueUrl"]  # type: ignore[arg-type]


def deliver(venue: Venue, *, n: int, seed: int, log: Log) -> Redelivery:
    """Play rounds until `n` batches are delivered or one round fails; then find the shortest that still does."""
    report = Redelivery(campaign="redelivery", first_seed=seed, faults=dict.fromkeys(FAULTS, 0))
    while report.runs < n and not report.violations:
        number = seed + report.rounds
        played, wrong = venue.play(number, ROUND)
        report.rounds += 1
        report.runs += played.batches
        report.wallets += len(played.once_only())
        for fault, times in played.faults.items():
            report.faults[fault] += times
        if wrong is not None:
            report.violations = 1
            report.violation = _shortest(venue, number, played, wrong)
        log.note(report, f"{report.runs:>8,} of {n:,} batches, {sum(report.faults.values()):,} faults")
    if report.violations == 0 and (missing := [fault for fault, times in report.faults.items() if not times]):
        report.violations = 1
        report.violation = Violation(seed=seed, failure=f"never happened: {', '.join(missing)}")
    return report


def _shortest(venue: Venue, seed: int, played: Round, wrong: str) -> Violation:
    batches = ROUND
    while batches >= 2 * 4 * SHARDS * 4:
        batches //= 2
        shorter, still = venue.play(seed, batches)
        if still is None:
            break
        played, wrong = shorter, still
    return Violation(seed=seed, failure=wrong, run=[f"{played.batches} batches", *played.steps])


def _difference(
    found: dict[tuple[str, str], tuple[int, int]], right: dict[tuple[str, str], tuple[int, int]]
) -> str | None:
    wrong = [
        f"{asset} of {account} is {found.get((account, asset))}, and once-only delivery gives {amounts}"
        for (account, asset), amounts in sorted(right.items())
        if found.get((account, asset)) != amounts
    ]
    wrong += [f"{asset} of {account} is from nowhere" for account, asset in sorted(found.keys() - right.keys())]
    return "; ".join(wrong) or None


@contextmanager
def _servers() -> Iterator[State]:
    """An emulator and a PostgreSQL of the campaign's own; AWS clients of this process turn to that emulator."""
    state = State(ports=choose_ports(None))
    running = {}
    with tempfile.TemporaryDirectory(prefix="redelivery-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user when we are root
        try:
            for name in ("emulator", "postgres"):
                running[name] = servers.launch(name, Path(folder), state)
            os.environ.update(servers.CREDENTIALS | {"AWS_ENDPOINT_URL": servers.aws_url(state)})
            yield state
        finally:
            for name, process in running.items():
                stop(process, how=servers.ENDINGS[name])
