"""A month's bill, line by line: what is counted, how much of it, and what that costs."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from infra.plan import sizes as rules
from infra.plan.prices import Prices
from infra.plan.sizes import Sizes, messages, sizes_for
from infra.plan.traffic import MONTH_S, Traffic

# The lines of the conventional sizing, and what it has no line for.
Service = Literal["API Gateway", "Fargate", "Aurora", "Redis", "DynamoDB", "the rest", "forgotten"]

HOURS = 730
ZONES = 3
# Bytes: 3.3 KB of log an order, as measured; half as much again lies in tables and indexes.
JOURNAL_GB_PER_MILLION = 5.0
JOURNAL_MONTHS = 1
# Write units: the hold is a transaction over two items, at double price; its end is one wallet more, and one deletion.
WRITES_PER_ORDER = 6
WRITES_PER_TRADE = 4
PUSHES_PER_ORDER, PUSHES_PER_TRADE = 2, 2
LOG_GB_PER_MILLION = 0.6
EVENT_GB_PER_MILLION = 2.0
TRACED = 0.01
KMS_PER_REQUEST = 0.02
ENDPOINTS = 10
RULES = 12
METRICS, ALARMS, KEYS, SECRETS = 60, 69, 6, 6


class Line(msgspec.Struct, frozen=True):
    """One cost: US dollars a month, and what for."""

    service: Service
    what: str
    usd: float


class Bill(msgspec.Struct, frozen=True):
    """The whole."""

    traffic: Traffic
    sizes: Sizes
    lines: list[Line]

    @property
    def total(self) -> float:
        """US dollars a month."""
        return sum(line.usd for line in self.lines)

    def of(self, service: Service) -> float:
        """What one service costs."""
        return sum(line.usd for line in self.lines if line.service == service)


def bill_for(traffic: Traffic, prices: Prices) -> Bill:
    """Size the venue for this traffic, and price it."""
    sizes = sizes_for(traffic)
    return Bill(
        traffic, sizes, [*_serving(traffic, sizes, prices), *_keeping(traffic, sizes, prices), *_edge(traffic, prices)]
    )


def _serving(traffic: Traffic, sizes: Sizes, prices: Prices) -> Iterator[Line]:
    """What answers requests."""
    requests, placed = traffic.reaching_api, traffic.commands
    yield Line("API Gateway", f"{requests:,.0f} million REST requests", prices.of("api_rest", requests))
    hours = sizes.tasks * HOURS
    task = prices.of("fargate_vcpu", hours * rules.TASK_VCPU) + prices.of("fargate_memory", hours * rules.TASK_GB)
    yield Line("Fargate", f"{sizes.tasks} tasks of {rules.TASK_VCPU} vCPU, {rules.TASK_GB} GB, arm64", task)
    sent = messages(traffic, sizes)
    invocations = requests + 2 * sent
    seconds = (
        placed * rules.ORDER_MS * rules.ORDER_GB
        + (requests - placed) * rules.READ_MS * rules.READ_GB
        + sent * (rules.SETTLE_MS + 2 * rules.STREAM_MS) * rules.STREAM_GB
    ) / 1000
    duration = prices.of("lambda_requests", invocations) + prices.of("lambda_duration", seconds)
    yield Line("the rest", f"Lambda: {invocations:,.0f} million calls, {seconds:,.1f} million GB-s", duration)
    warm = sizes.concurrency * rules.ORDER_GB * MONTH_S / 1e6
    yield Line("the rest", f"Lambda: {sizes.concurrency} environments kept warm", prices.of("lambda_provisioned", warm))


def _keeping(traffic: Traffic, sizes: Sizes, prices: Prices) -> Iterator[Line]:
    """What remembers, and what carries events on."""
    instances = sizes.database_clusters * rules.DATABASE_INSTANCES
    vcpu = instances * sizes.database_vcpu
    large = vcpu / 2 * HOURS
    yield Line(
        "Aurora",
        f"{instances} instances of {sizes.database_vcpu} vCPU, in {ZONES} zones",
        prices.of("aurora_large", large),
    )
    written = traffic.placed
    kept = written * JOURNAL_GB_PER_MILLION * JOURNAL_MONTHS
    storage = prices.of("aurora_io", 2 * written) + prices.of("aurora_storage", kept)
    yield Line("Aurora", f"I/O, and {kept:,.0f} GB: {JOURNAL_MONTHS} month of journal", storage)
    yield Line("Aurora", "RDS Proxy", prices.of("aurora_proxy", vcpu * HOURS))
    node = "redis_large" if sizes.redis_large else "redis_medium"
    yield Line("Redis", f"{sizes.redis_nodes} nodes", prices.of(node, sizes.redis_nodes * HOURS))
    writes = traffic.placed * WRITES_PER_ORDER + traffic.trades * WRITES_PER_TRADE
    reads = 2 * traffic.placed + traffic.reaching_api - traffic.commands
    yield Line("DynamoDB", f"{writes:,.0f} million write units", prices.of("dynamodb_writes", writes))
    yield Line(
        "DynamoDB", "reads and storage", prices.of("dynamodb_reads", reads) + prices.of("dynamodb_storage", writes / 20)
    )
    sent = messages(traffic, sizes)
    if sizes.brokers:
        yield Line("the rest", f"MSK: {sizes.brokers} brokers", prices.of("msk_broker", sizes.brokers * HOURS))
    else:
        yield Line("the rest", f"SQS FIFO: {2.2 * sent:,.0f} million requests", prices.of("sqs_fifo", 2.2 * sent))
    data = traffic.commands * EVENT_GB_PER_MILLION
    tape = prices.of("kinesis_shard", sizes.tape_shards * HOURS) + prices.of("kinesis_puts", sent * 4)
    fan_out = prices.of("kinesis_fan_out_shard", 2 * sizes.tape_shards * HOURS)
    fan_out += prices.of("kinesis_fan_out_data", 2 * data)
    yield Line("the rest", f"Kinesis: {sizes.tape_shards} shards, two consumers", tape + fan_out)
    archive = prices.of("s3_puts", 0.5 * sizes.tape_shards) + prices.of("s3_storage", data / 8)
    yield Line("the rest", "S3: the month's tape, compressed", archive)
    logs = prices.of("logs", traffic.reaching_api * LOG_GB_PER_MILLION) + prices.of("metrics", METRICS)
    logs += prices.of("alarms", ALARMS) + prices.of("traces", traffic.reaching_api * TRACED)
    yield Line("the rest", "CloudWatch and X-Ray", logs)
    keys = prices.of("kms_keys", KEYS) + prices.of("secrets", SECRETS)
    keys += prices.of("kms_requests", traffic.reaching_api * KMS_PER_REQUEST)
    yield Line("the rest", "KMS, Secrets Manager", keys)


def _edge(traffic: Traffic, prices: Prices) -> Iterator[Line]:
    """What the conventional sizing has no line for."""
    pushes = traffic.placed * PUSHES_PER_ORDER + traffic.trades * PUSHES_PER_TRADE
    market = traffic.clients * traffic.market_pushes * MONTH_S / 1e6
    sockets = prices.of("api_websocket", pushes + market)
    sockets += prices.of("api_websocket_minutes", traffic.clients * HOURS * 60 / 1e6)
    yield Line("forgotten", f"WebSocket: {pushes:,.0f} million private, {market:,.0f} million public pushes", sockets)
    edge = prices.of("cloudfront_requests", traffic.requests) + prices.of("cloudfront_data", traffic.requests)
    yield Line("forgotten", f"CloudFront: {traffic.requests:,.0f} million requests of 1 KB", edge)
    waf = prices.of("waf_requests", traffic.requests + traffic.reaching_api) + prices.of("waf_rules", RULES)
    yield Line("forgotten", "WAF, at the edge and at the API", waf)
    inside = prices.of("endpoint", ENDPOINTS * ZONES * HOURS)
    inside += prices.of("endpoint_data", traffic.commands * EVENT_GB_PER_MILLION)
    inside += prices.of("zone_data", traffic.commands * EVENT_GB_PER_MILLION)
    yield Line("forgotten", "interface endpoints, and data between zones", inside)
    users = traffic.clients * 10 / 1000
    yield Line("forgotten", f"Cognito: {users:,.1f} thousand users", prices.of("cognito", users))
