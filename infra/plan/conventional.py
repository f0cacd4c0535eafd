"""The conventional sizing for the same peaks, and why each of our lines differs from it."""

from typing import Final

from infra.plan.bill import Service

# US dollars a month, for a peak of so many requests a second.
TOTALS: Final = {500: 3_830.0, 5_000: 32_500.0, 50_000: 283_000.0}
# It tells its lines for 500 a second only. At 5,000 it has ten times the requests, at one price, and a hundred tasks.
LINES: Final[dict[int, dict[Service, float]]] = {
    500: {"API Gateway": 1_050, "Fargate": 730, "Aurora": 900, "Redis": 400, "DynamoDB": 300, "the rest": 450},
    5_000: {"API Gateway": 10_500, "Fargate": 7_300},
}
SERVICES: Final[tuple[Service, ...]] = (*LINES[500], "forgotten")

WHY: Final[dict[Service, str]] = {
    "API Gateway": "The same price a request; the edge answers most public reads, and volume tiers are counted.",
    "Fargate": "One owner matches a shard in memory, batch by batch; ten tasks that share the work would only contend.",
    "Aurora": "A writer and two readers in both; ours counts I/O, storage and the proxy as well.",
    "Redis": "It holds only what the matcher can write again, so small nodes do at this rate.",
    "DynamoDB": "A hold is a transaction over two items at double price: the sizing counts plain writes.",
    "the rest": "Functions, queue, tape, logs and keys, each counted.",
    "forgotten": "That sizing has no line for WebSocket pushes, CloudFront, WAF, endpoints and users.",
}


def total_at(peak: float) -> float | None:
    """What it says for this peak; None where it says nothing."""
    return TOTALS.get(round(peak))


def lines_at(peak: float) -> dict[Service, float]:
    """Its lines for this peak, as far as it tells them."""
    return LINES.get(round(peak), {})
