"""A whole venue in memory behind the desk's ports: the real matching engine, wallets that settle, a queue that waits.

Each part can be made to fail at a chosen place, and tells what it was asked.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from matcher.core.engine import Engine
from matcher.shell.outcome import outcome_of
from venue.amends import AmendDesk
from venue.cashier import Cashier
from venue.commands import AmendOrder, AnyCommand, CancelOrder, Deposit, Expire, ListProduct, PlaceOrder
from venue.desk import OrderDesk
from venue.errors import NotFound, RuleBroken, Unavailable
from venue.events import AnyEvent
from venue.handover import HandOver
from venue.ledger import postings
from venue.orders import Fill, Order
from venue.ports import Balance, Market, NotServed, Top, assets_of
from venue.products import Asset, Product
from venue.wire import Outcome

USD = Asset(id="USD", name="US Dollar", scale=8)
ACME_USD = Product(
    id="ACME-USD",
    base=Asset(id="ACME", name="Acme Corporation, one share", scale=0),
    quote=USD,
    tick_units=500_000,
    lot_units=1,
    maker_bps=10,
    taker_bps=20,
)
BTC_USD = Product(
    id="BTC-USD",
    base=Asset(id="BTC", name="Bitcoin", scale=8),
    quote=USD,
    tick_units=1_000_000,
    lot_units=10_000,
    maker_bps=10,
    taker_bps=20,
)

ALICE = "0b1c2d3e-0000-4000-8000-00000000a11c"
BOB = "0b1c2d3e-0000-4000-8000-000000000b0b"
OWNER = "http://owner"
NOON = 1_800_000_000_000_000  # µs


class MemoryMatcher:
    """The real engine, answering at `url`; at any other address nobody is.

    `answers_lost`: so many answers get lost on their way back.
    `cancels_early`: so many cancels come before their order.
    """

    def __init__(self, wallets: "MemoryWallets", clock: "Clock") -> None:
        self.engine = Engine()
        self.url: str | None = OWNER
        self.answers_lost = 0
        self.forgets = False
        self.cancels_early = 0
        self.asked: list[tuple[str, AnyCommand]] = []
        self._wallets = wallets
        self._clock = clock
        for product in (ACME_USD, BTC_USD):
            self.engine.apply(ListProduct(product=product))

    def submit(self, command: AnyCommand, *, url: str) -> Outcome:
        """Apply, settle, answer."""
        self.asked.append((url, command))
        if url != self.url:
            raise NotServed(url)
        if self.cancels_early and isinstance(command, CancelOrder):
            self.cancels_early -= 1
            return Outcome(refused="not_found")
        outcome = self.take(command)
        if self.answers_lost:
            self.answers_lost -= 1
            raise NotServed("the answer was lost")
        return Outcome(replayed=True) if self.forgets and outcome.replayed else outcome

    def submit_all(self, commands: Sequence[AnyCommand], *, url: str) -> list[Outcome]:
        """One after the other."""
        return [self.submit(command, url=url) for command in commands]

    def take(self, command: AnyCommand) -> Outcome:
        """Apply one command as the sequencer does: the time is the matcher's, and what is due comes first."""
        now = self._clock()
        while self.engine.due is not None and self.engine.due <= now:
            self._settle(self.engine.apply(Expire(at=now)))
        command = msgspec.structs.replace(command, at=now)
        events = self.engine.apply(command)
        self._settle(events)
        return outcome_of(self.engine, command, events)

    def _settle(self, events: Iterable[AnyEvent]) -> None:
        for event in events:
            product = self.engine.product(getattr(event, "product_id", ""))
            for posting in postings(event, product):
                if posting.kind != "hold":
                    self._wallets.add(posting.account, posting.asset, free=posting.free, held=posting.held)

    # The journal as the desk reads it.

    def order(self, order_id: str, *, account: str) -> Order | None:
        """One order of this account."""
        found = self.engine.order(order_id)
        return found if found is not None and found.account == account else None

    def fills_of(self, order_id: str, *, account: str) -> list[Fill]:
        """An order's fills."""
        return [fill for fill in self.engine.fills(order_id) if fill.account == account]


class MemoryMarkets:
    """What Redis tells. `away`: Redis does not answer, and only the rules are known.

    `new_owner`: who has taken over since the market was read; `owners` tells, `market` does not yet. `others`: who owns
    other shards, in which nothing of these products is.
    """

    def __init__(self, matcher: MemoryMatcher) -> None:
        self.away = False
        self.owner = OWNER
        self.new_owner: str | None = None
        self.ownerless: set[int] = set()
        self.others: dict[int, str] = {}
        self._matcher = matcher

    def market(self, product_id: str) -> Market:
        """The engine's own book gives the top."""
        product = self._matcher.engine.product(product_id)
        if product is None:
            raise NotFound("Product not found", code="unknown_product")
        if self.away:
            return Market(product=product)
        bids, asks = self._matcher.engine.depth(product_id, 1)
        bid, bid_size, _ = bids[0] if bids else (None, None, None)
        ask, ask_size, _ = asks[0] if asks else (None, None, None)
        top = Top(bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size)
        return Market(product=product, top=top, owner=self.owner)

    def assets(self) -> Mapping[str, Asset]:
        """Every asset."""
        return assets_of(self._matcher.engine.products.values())

    def owners(self) -> Mapping[int, str]:
        """The owner of the one shard, and of others."""
        if self.away:
            raise Unavailable("Redis is away")
        return {**self.others, 0: self.new_owner or self.owner}

    def shards(self) -> frozenset[int]:
        """The one shard, and those that a test adds: nobody is known to own them."""
        return frozenset({0, *self.others, *self.ownerless})


class MemoryWallets:
    """Wallets, holds and transfer claims. `slow`: called for each order that takes a hold."""

    def __init__(self) -> None:
        self.slow: Callable[[], None] = lambda: None
        self.amounts: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        self.holds: dict[str, PlaceOrder] = {}
        self.amends: dict[str, AmendOrder] = {}
        self.claims: dict[str, Deposit] = {}

    def add(self, account: str, asset: str, *, free: int = 0, held: int = 0) -> None:
        """Settle a posting."""
        wallet = self.amounts[account, asset]
        wallet[0] += free
        wallet[1] += held

    def balance(self, account: str, asset: str) -> Balance:
        """One wallet."""
        free, held = self.amounts[account, asset]
        return Balance(asset=asset, free=free, held=held)

    def balances(self, account: str) -> list[Balance]:
        """All wallets of an account."""
        return [self.balance(owner, asset) for owner, asset in sorted(self.amounts) if owner == account]

    def hold(self, order: PlaceOrder, *, asset: str, at: int) -> PlaceOrder | None:
        """Take the hold once."""
        assert at > 0
        self.slow()
        if order.order_id in self.holds:
            return self.holds[order.order_id]
        if self.amounts[order.account, asset][0] < order.hold:
            raise RuleBroken("Insufficient funds", code="insufficient_funds")
        self.add(order.account, asset, free=-order.hold, held=order.hold)
        self.holds[order.order_id] = order
        return None

    def hold_more(self, amend: AmendOrder, *, asset: str, at: int) -> AmendOrder | None:
        """Take what an amend needs once."""
        assert at > 0
        if amend.amend_id in self.amends:
            return self.amends[amend.amend_id]
        if self.amounts[amend.account, asset][0] < amend.hold:
            raise RuleBroken("Insufficient funds", code="insufficient_funds")
        self.add(amend.account, asset, free=-amend.hold, held=amend.hold)
        self.amends[amend.amend_id] = amend
        return None

    def held_amend(self, amend_id: str) -> AmendOrder | None:
        """The amend as first sent."""
        return self.amends.get(amend_id)

    def held_order(self, order_id: str) -> PlaceOrder | None:
        """The order as first sent."""
        return self.holds.get(order_id)

    def claim(self, deposit: Deposit, *, at: int) -> Deposit:
        """The first deposit of this id."""
        assert at > 0
        return self.claims.setdefault(deposit.transfer_id, deposit)


class MemoryQueue:
    """The order queue. `down`: it takes nothing. `shards`: for which each came. `tried`: how often it was asked."""

    def __init__(self) -> None:
        self.waiting: list[AnyCommand] = []
        self.shards: list[int] = []
        self.down = False
        self.tried = 0

    def put(self, command: AnyCommand, *, shard: int) -> None:
        """Wait."""
        self.tried += 1
        if self.down:
            raise Unavailable("the queue is down", retry_after_s=1)
        self.waiting.append(command)
        self.shards.append(shard)


class Clock:
    """µs that stand still until they are moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        """Now."""
        return self.now


class MemoryVenue:
    """All of it, wired. Alice and Bob have a million USD and shares each."""

    def __init__(self, *, fallback_url: str | None = None) -> None:
        self.clock = Clock()
        self.wallets = MemoryWallets()
        self.matcher = MemoryMatcher(self.wallets, self.clock)
        self.markets = MemoryMarkets(self.matcher)
        self.queue = MemoryQueue()
        self._ids = 0
        self.handover = HandOver(
            markets=self.markets, matcher=self.matcher, queue=self.queue, fallback_url=fallback_url
        )
        self.desk = OrderDesk(
            markets=self.markets,
            wallets=self.wallets,
            handover=self.handover,
            orders=lambda: self.matcher,
            clock=self.clock,
            new_id=self.new_id,
        )
        self.amends = AmendDesk(
            markets=self.markets,
            wallets=self.wallets,
            handover=self.handover,
            orders=lambda: self.matcher,
            clock=self.clock,
            new_id=self.new_id,
        )
        self.cashier = Cashier(markets=self.markets, transfers=self.wallets, handover=self.handover, clock=self.clock)
        for account in (ALICE, BOB):
            self.wallets.add(account, "USD", free=1_000_000 * 10**8)
            self.wallets.add(account, "ACME", free=1_000_000)
            self.wallets.add(account, "BTC", free=1_000_000 * 10**8)

    def new_id(self) -> str:
        """The next id of an order whose owner gave none."""
        self._ids += 1
        return f"00000000-0000-4000-8000-{self._ids:012d}"

    def drain(self) -> list[Outcome]:
        """Let the matcher read the order queue."""
        waiting, self.queue.waiting = self.queue.waiting, []
        return [self.matcher.take(command) for command in waiting]
