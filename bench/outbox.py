"""How long after its commit a batch is in the events queue, while the matcher does about half of what it can.

    python -m bench.outbox

Starts a PostgreSQL of its own, the AWS emulator with an events queue, and the real matcher; sends orders at a steady
rate, and reads what the matcher itself tells of its outbox (docs/metrics.md). The time counts from the moment at which
the batch's last command was taken, so the commit itself is in it. Writes .local/bench/outbox.json.
"""

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

import boto3
import msgspec

from bench.load import Load
from bench.programs import ROOT, fire, matcher_environment, products, start_postgres, start_server
from local.processes import stop
from local.servers import CREDENTIALS, ENDINGS, REGION, aws_url, launch
from local.state import State, choose_ports

RESULT = ROOT / ".local" / "bench" / "outbox.json"
RATE = 6_000.0
SECONDS = 15.0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Ages of batches when the queue had them, ms, sampled as docs/metrics.md says. `orders_per_s`: as sent."""

    orders_per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    samples: int


def lags(log: Path) -> list[float]:
    """What the matcher told of its outbox, smallest first."""
    found: list[float] = []
    for line in log.read_text().splitlines():
        if line.startswith("{"):
            found += msgspec.json.decode(line).get("OutboxLag", [])
    return sorted(found)


def run(rate: float, seconds: float) -> Result:
    """Run it all."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name, ExitStack() as running:
        folder, state = Path(name), State(ports=choose_ports(None))
        start_postgres(running, folder, state)
        emulator = launch("emulator", folder, state)
        running.callback(stop, emulator, how=ENDINGS["emulator"])
        told = {
            **matcher_environment(state),
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": aws_url(state),
            "EVENTS_QUEUE_URL": events_queue(state),
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
        found = lags(log)
    return Result(
        orders_per_s=measured.accepted / measured.seconds,
        p50_ms=found[len(found) // 2],
        p99_ms=found[len(found) * 99 // 100],
        max_ms=found[-1],
        samples=len(found),
    )


def events_queue(state: State) -> str:
    """Make the queue, as the template does; gives its address."""
    sqs = boto3.client(
        "sqs",
        endpoint_url=aws_url(state),
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    return sqs.create_queue(QueueName="events.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]


def main() -> None:
    """Run, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=RATE, help="orders a second")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    result = run(arguments.rate, arguments.seconds)
    print(
        f"at {result.orders_per_s:,.0f} orders/s a batch is in the events queue after {result.p50_ms:.1f} ms (p50), "
        f"{result.p99_ms:.1f} ms (p99), {result.max_ms:.1f} ms (max), its commit included"
    )
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(result)))


if __name__ == "__main__":
    main()
