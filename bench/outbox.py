"""How long after its commit a batch is in the events queue, while the matcher does about half of what it can.

    python -m bench.outbox

Starts a PostgreSQL of its own, the AWS emulator with an events queue, and the real matcher; sends orders at a steady
rate, and reads what the matcher itself tells of its outbox (docs/metrics.md): of every batch, from its commit, and
from the moment at which its last command was taken. Writes .local/bench/outbox.json.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import msgspec

from bench.load import Load
from bench.programs import ROOT, fire, matcher_environment, products, start_postgres, start_server
from local.processes import stop
from local.servers import CREDENTIALS, ENDINGS, REGION, aws_url, launch
from local.state import State, choose_ports

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

RESULT = ROOT / ".local" / "bench" / "outbox.json"
RATE = 6_000.0
SECONDS = 15.0


class Ages(msgspec.Struct, frozen=True, kw_only=True):
    """Of batches when the queue had them, ms, sampled as docs/metrics.md says."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    samples: int

    def __str__(self) -> str:
        return f"{self.p50_ms:.1f} ms (p50), {self.p99_ms:.1f} ms (p99), {self.max_ms:.1f} ms (max)"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """`orders_per_s`: as taken on. `messages_per_s`: to the events queue."""

    orders_per_s: float
    messages_per_s: float
    since_commit: Ages
    since_command: Ages


def ages(log: Path, metric: str) -> Ages:
    """What the matcher told in its log."""
    found: list[float] = []
    for line in log.read_text().splitlines():
        if line.startswith("{"):
            found += msgspec.json.decode(line).get(metric, [])
    found.sort()
    return Ages(
        p50_ms=found[len(found) // 2], p99_ms=found[len(found) * 99 // 100], max_ms=found[-1], samples=len(found)
    )


def run(rate: float, seconds: float) -> Result:
    """Run it all."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name, ExitStack() as running:
        folder, state = Path(name), State(ports=choose_ports(None))
        start_postgres(running, folder, state)
        emulator = launch("emulator", folder, state)
        running.callback(stop, emulator, how=ENDINGS["emulator"])
        sqs = connect_emulator(state)
        queue = sqs.create_queue(QueueName="events.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        told = {
            **matcher_environment(state),
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": aws_url(state),
            "EVENTS_QUEUE_URL": queue,
        }
        log = folder / "matcher.log"
        with ExitStack() as serving:
            start_server(serving, "matcher.shell", port=state.ports.matcher, log=log, **told)
            measured = fire(
                Load(
                    port=state.ports.matcher,
                    connections=64,
                    seconds=seconds,
                    requests=int(rate * seconds),
                    rate=rate,
                    seed=1,
                    products=products(),
                )
            )
        # It has told the last of its figures, for it is stopped.
        lag, latency = ages(log, "OutboxLag"), ages(log, "PublishLatency")
        held = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    return Result(
        orders_per_s=measured.accepted / measured.seconds,
        messages_per_s=int(held["ApproximateNumberOfMessages"]) / measured.seconds,
        since_commit=lag,
        since_command=latency,
    )


def connect_emulator(state: State) -> SQSClient:
    """The emulator's SQS."""
    return boto3.client(
        "sqs",
        endpoint_url=aws_url(state),
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


def main() -> None:
    """Run, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=RATE, help="orders a second")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    result = run(arguments.rate, arguments.seconds)
    print(
        f"at {result.orders_per_s:,.0f} orders/s, "
        f"in {result.messages_per_s:.0f} messages/s, a batch is in the events queue\n"
        f"{result.since_commit} after its commit\n"
        f"{result.since_command} after its last command was taken"
    )
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(result)))


if __name__ == "__main__":
    main()
