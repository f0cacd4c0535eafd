"""How large each part has to be for a traffic: a few rules, each with the figure that it stands on."""

from math import ceil

import msgspec

from infra.plan.traffic import Traffic

# One matcher makes 12,000 orders a second durable on two cores that it shares with its database (make bench). Planned
# is a quarter of that: slower cores, a database across the network, and room for a burst.
SHARD_COMMANDS_PEAK = 3_000
TASK_VCPU, TASK_GB = 2, 8
# Standbys: as many as shards at first; further up one for two, for no more than a zone's tasks go at once.
STANDBY_PER_SHARD = 0.5
# PostgreSQL takes 45 us of processor time an order (make bench); doubled for a slower core, and half of a core is left.
DATABASE_VCPU_S = 90e-6 / 0.5
DATABASE_VCPU_MIN = 2
DATABASE_INSTANCES = 3
# Beyond either, the shards are dealt to several clusters: cores of a writer, and its log (3.3 KB an order, measured).
DATABASE_VCPU_MAX = 16
DATABASE_LOG_MB_S_MAX = 30
LOG_KB_PER_COMMAND = 3.3
# Functions, ms and GB: assumed after the demo's report, whose REST answers take 19 ms in the middle, all hops together.
ORDER_MS, ORDER_GB = 25, 1.0
READ_MS, READ_GB = 12, 0.5
SETTLE_MS, STREAM_MS, STREAM_GB = 30, 20, 1.0
# The share of the peak for which environments are kept warm: what is usual, so that only bursts start cold.
WARM_SHARE = 0.2
# The relay begins to send every 10 ms at most, and a message has at most 256 KiB.
MESSAGES_PER_SHARD_S = 100
# What SQS takes, of each kind of call, in us-east-1: one message group, and one FIFO queue of high throughput.
GROUP_CALLS_S = 300
QUEUE_CALLS_S = 70_000
# Beyond so many commands a second the events go through MSK, not SQS FIFO (docs/scale.md).
MSK_FROM_COMMANDS_PEAK = 15_000
# One product's events go to one Kinesis shard: 1 MB/s in, at 1 KB an event and two events a command.
KINESIS_COMMANDS_PER_SHARD = 400
# Redis answers one question an order, another a read; a small node does tens of thousands.
REDIS_LARGE_FROM_PEAK = 2_000
REDIS_OPS_PER_NODE = 60_000


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """What is deployed. Groups: of the events' messages. Concurrency: function environments that are kept warm."""

    shards: int
    tasks: int
    database_clusters: int
    database_vcpu: int
    redis_nodes: int
    redis_large: bool
    queues: int
    groups: int
    brokers: int
    tape_shards: int
    concurrency: int


def sizes_for(traffic: Traffic) -> Sizes:
    """Work the sizes out."""
    commands = traffic.commands_peak
    shards = ceil(commands / SHARD_COMMANDS_PEAK)
    standbys = shards if shards <= 2 else ceil(shards * STANDBY_PER_SHARD)
    needed = commands * DATABASE_VCPU_S
    log_mb_s = commands * LOG_KB_PER_COMMAND / 1000
    clusters = max(ceil(needed / DATABASE_VCPU_MAX), ceil(log_mb_s / DATABASE_LOG_MB_S_MAX))
    brokers = 3 * ceil(commands / 60_000) if commands > MSK_FROM_COMMANDS_PEAK else 0
    return Sizes(
        shards=shards,
        tasks=shards + standbys,
        database_clusters=clusters,
        database_vcpu=max(DATABASE_VCPU_MIN, _power_of_two(needed / clusters)),
        redis_nodes=2 * ceil(traffic.peak / REDIS_OPS_PER_NODE),
        redis_large=traffic.peak >= REDIS_LARGE_FROM_PEAK,
        queues=ceil(commands / QUEUE_CALLS_S) + (0 if brokers else ceil(shards * MESSAGES_PER_SHARD_S / QUEUE_CALLS_S)),
        groups=shards,
        brokers=brokers,
        tape_shards=ceil(commands / KINESIS_COMMANDS_PER_SHARD),
        concurrency=ceil(traffic.peak * WARM_SHARE * ORDER_MS / 1000),
    )


def messages(traffic: Traffic, sizes: Sizes) -> float:
    """Journal messages a month, millions: one a command while there are few, and never more than the relays send."""
    from_relays = sizes.shards * MESSAGES_PER_SHARD_S * 730 * 3600 / 1e6
    return min(traffic.commands, from_relays)


def _power_of_two(cores: float) -> int:
    size = 1
    while size < cores:
        size *= 2
    return size
