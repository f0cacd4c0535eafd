"""Every login of PostgreSQL and Redis changes for real while orders flow: nobody restarts, and nothing is lost."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from uuid import uuid4

import psycopg
import pytest
import redis
from psycopg.rows import scalar_row

from local.rotate import ROTATED, content_of, opens
from local.venue import Venue
from tests.e2e.market import Market, Trader, eventually
from venue_aws.roles import GROUPS

pytestmark = pytest.mark.venue

# Of one order, before it counts as refused, and the pause between them.
TRIES_MAX = 50
PAUSE_S = 0.2
ORDERS_MAX = 2000


class Flow:
    """One trader's orders, one after the other, each asked for again under its own id where no answer says yes."""

    def __init__(self, trader: Trader, *, seed: int) -> None:
        self.acknowledged: list[str] = []
        self.heard: Counter[int] = Counter()
        self._trader = trader
        self._chance = Random(seed)  # noqa: S311

    def decided(self) -> bool:
        """Whether every acknowledged order is there, and no longer pending."""
        states = {self._trader.order(order_id)["status"] for order_id in self.acknowledged}
        return states <= {"open", "done"}

    def run(self, over: Event) -> None:
        """Trade until it is over."""
        while not over.is_set() and len(self.acknowledged) < ORDERS_MAX:
            self._place()

    def _place(self) -> None:
        side, price, client_oid = self._chance.choice(["buy", "sell"]), self._chance.randint(96, 104), str(uuid4())
        for _ in range(TRIES_MAX):
            answer = self._trader.place(side, "1", str(price), client_oid=client_oid)
            self.heard[answer.status] += 1
            if answer.status in {200, 202}:
                self.acknowledged.append(answer.id)
                return
            assert answer.status == 503, answer
            time.sleep(PAUSE_S)
        raise AssertionError(f"nobody took this order: {self.heard}")


def logins(venue: Venue) -> dict[str, dict[str, str]]:
    """What each secret holds now."""
    manager = venue.client("secretsmanager")
    return {name: content_of(manager, venue.state.secret_arns[name]) for name in ROTATED}


def cut_off_everybody(venue: Venue) -> None:
    """End every connection of matcher and functions, as one does after a leak."""
    with psycopg.connect(venue.database_url, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename ~ %s", (f"^({'|'.join(GROUPS)})_",)
        ).fetchall()
    assert ended
    ports, password = venue.state.ports, venue.state.redis_password
    with redis.Redis(host="127.0.0.1", port=ports.redis, password=password) as admin:
        killed = [admin.execute_command("CLIENT", "KILL", "USER", group) for group in GROUPS]
    assert all(killed), killed


def epoch(venue: Venue) -> int:
    """The owner's term, as the journal has it."""
    with psycopg.connect(venue.database_url, row_factory=scalar_row) as connection:
        (found,) = connection.execute("SELECT epoch FROM leases")
    return int(found)


def test_logins_change_while_orders_flow_and_nothing_that_was_acknowledged_is_lost(
    venue: Venue, market: Market, trader: Callable[..., Trader]
) -> None:
    flows = [Flow(trader(USD="1000000", ACME="10000"), seed=seed) for seed in range(3)]
    process, term, at_first = venue.state.processes["matcher"], epoch(venue), logins(venue)
    assert [name for name, login in at_first.items() if not opens(login)] == []

    def orders_go_on() -> None:
        before = [len(flow.acknowledged) for flow in flows]
        eventually(lambda: all(len(flow.acknowledged) > n + 5 for n, flow in zip(before, flows, strict=True)))

    over = Event()
    with ThreadPoolExecutor(len(flows)) as pool:
        running = [pool.submit(flow.run, over) for flow in flows]
        try:
            orders_go_on()
            # Twice: after the first, the login from before is still good.
            for _ in range(2):
                venue.rotate()
                orders_go_on()
            # While nobody is cut off nobody notices: no order was refused, or had to wait for another owner.
            assert [set(flow.heard) for flow in flows] == [{200}] * len(flows)
            assert epoch(venue) == term

            cut_off_everybody(venue)
            orders_go_on()
            eventually(lambda: epoch(venue) > term)
            orders_go_on()
        finally:
            over.set()
        for each in running:
            each.result()

    now = logins(venue)
    assert [
        name for name in ROTATED if not opens(now[name]) or now[name]["password"] == at_first[name]["password"]
    ] == []
    assert [name for name in ROTATED if opens(at_first[name])] == []
    assert venue.state.processes["matcher"] == process
    assert venue.running["matcher"]

    # Every acknowledged order is there and decided, and every amount is where the ledger has it.
    for flow in flows:
        eventually(flow.decided)
    market.assert_books_balance()
