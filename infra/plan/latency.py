"""Where an order's time goes: a budget for each hop, at this load."""

import msgspec

from infra.plan.sizes import SHARD_COMMANDS_PEAK, Sizes
from infra.plan.traffic import Traffic

# Half of what one matcher was measured to do; it decides how long a command waits for its batch.
MATCHER_COMMANDS_S = 2 * SHARD_COMMANDS_PEAK
COMMIT_MS = 4.0
BUDGET_MS = 100.0


class Hop(msgspec.Struct, frozen=True):
    """One hop: what is usual and what one in a hundred may take, ms, and where that comes from."""

    name: str
    p50_ms: float
    p99_ms: float
    source: str


def hops(traffic: Traffic, sizes: Sizes) -> list[Hop]:
    """The way of one order, in its order. The p99 of all is less than their sum: hops are rarely slow together."""
    load = traffic.commands_peak / sizes.shards / MATCHER_COMMANDS_S
    # A batch under way is waited for on average by half; the busier the matcher, the longer the batches.
    wait_ms = COMMIT_MS * (0.5 + load / (1 - load))
    return [
        Hop("CloudFront and WAF", 3, 8, "assumed: a client in the same region"),
        Hop("API Gateway, with its authorizer", 6, 15, "AWS: about 10 ms of overhead"),
        Hop("place_order: start and checks", 3, 8, "assumed after make demo: 19 ms in all, emulator included"),
        Hop("Redis: rules, top, owner", 1, 2, "AWS: below a millisecond, across zones"),
        Hop("DynamoDB: the hold", 8, 20, "AWS: single-digit ms; a transaction takes twice that"),
        Hop("to the matcher and back", 1, 3, "AWS: across zones"),
        Hop("waiting for the batch", round(wait_ms, 1), round(3 * wait_ms, 1), "the load of a shard, by M/D/1"),
        Hop("Aurora: the commit", COMMIT_MS, 12, "AWS: four of six copies, in three zones"),
        Hop("the answer's way back", 3, 8, "as the way in"),
    ]
