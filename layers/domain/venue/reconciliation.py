"""Reconciliation: is every wallet what the ledger says, and is every hold an order's? It looks, tells, never corrects.

A wallet remembers, for each shard, the last batch it has seen; it is compared with the ledger up to that very batch, or
to where its whole shard is settled, so that settlement may lag as it likes and nothing is called wrong for it. What a
wallet holds beyond the ledger must be explained by holds whose orders the ledger does not have yet.

A hold whose order the journal never got is freed by the matcher: it is handed the order once more, long after its
deadline, and refuses it. See docs/adr/0014.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import batched
from typing import Final, Protocol

import msgspec

from venue.commands import AmendOrder, AnyCommand, PlaceOrder
from venue.desk import DEADLINE_US
from venue.errors import NotFound
from venue.handover import HandOver
from venue.ports import Markets

# A hold is forgotten when its order has not reached the journal after this long: ten times an order's deadline.
FORGOTTEN_US: Final = 10 * DEADLINE_US
# A hold that is so much younger than its order is not that order's own: it was taken again after it had been deleted.
AGAIN_US: Final = 3_600_000_000
# Two clocks may differ by this.
SKEW_US: Final = 2_000_000
# Of one wallet's holds so many are looked at, the newest first, to explain what it holds.
HOLDS_MAX: Final = 20_000
# How many forgotten orders one run hands over.
FORGOTTEN_MAX: Final = 200
# So many wallets are compared at once, ...
COMPARED_MAX: Final = 1_000
# ... and into so many that seem wrong a run looks: among those that moved, and on the walk. The walk comes to the rest.
LOOKS_MAX: Final = 1_000
# How many pages of the walk through all wallets belong to one run.
PAGES_MAX: Final = 50

Key = tuple[str, str]  # account, asset


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet as it was read, minor units; `seen`: by shard, the last batch that was settled to it."""

    account: str
    asset: str
    free: int = 0
    held: int = 0
    seen: dict[int, int] = {}

    @property
    def key(self) -> Key:
        """What names it."""
        return self.account, self.asset


class Sum(msgspec.Struct, frozen=True):
    """What the ledger says a wallet should be, holds included, minor units."""

    free: int = 0
    held: int = 0


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a shard's settled batches, those after `after` up to and with `upto`, that are not summed up yet.

    wallets: those it moves. imbalance: by asset, what its postings fail to sum to.
    """

    shard: int
    after: int
    upto: int
    wallets: list[Key]
    imbalance: dict[str, int]


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What an order, or an amend under its own id, took from a wallet before it was sent; `created_at` in µs."""

    order_id: str
    account: str
    asset: str
    amount: int
    created_at: int


class Known(msgspec.Struct, frozen=True):
    """What the journal knows of an order. `final`: it was refused so that no posting gives its hold back."""

    created_at: int
    final: bool


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet that is not what it should be, minor units.

    total: free and held together, less the ledger's. held: what it holds and nothing explains (below zero: what holds
    claim and it does not hold).
    """

    account: str
    asset: str
    total: int
    held: int
    wallet: Sum
    ledger: Sum
    seen: dict[int, int]

    @property
    def size(self) -> int:
        """How wrong it is."""
        return abs(self.total) + abs(self.held)


class Found(msgspec.Struct, kw_only=True):
    """What one run did and found. behind: batches that are settled and not summed up yet. left: wallets that it passed
    over, because it had looked into too many or had no time."""

    wallets: int = 0
    batches: int = 0
    behind: int = 0
    left: int = 0
    walked: bool = False
    forgotten: int = 0
    freed: int = 0
    differences: list[Difference] = []
    imbalance: dict[str, int] = {}

    @property
    def size(self) -> int:
        """The sum of all that is wrong, whatever the asset: zero when all is right."""
        assets = sum(abs(amount) for amount in self.imbalance.values())
        return assets + sum(difference.size for difference in self.differences)


class Ledger(Protocol):
    """The ledger's tables, and the sums that are kept beside them. See venue_aws.ledger.Ledger."""

    def shards(self) -> list[int]: ...
    def stretch(self, shard: int, *, settled: int) -> Stretch | None: ...
    def advance(self, stretch: Stretch) -> None: ...
    def sums(self, wallets: Sequence[Wallet], *, settled: Mapping[int, int]) -> dict[Key, Sum]: ...
    def known(self, order_ids: Sequence[str]) -> dict[str, Known]: ...
    def unsettled(self, wallet: Wallet, *, settled: Mapping[int, int]) -> set[str]: ...
    def cursor(self) -> str | None: ...
    def keep(self, cursor: str | None) -> None: ...


class Vault(Protocol):
    """Wallets and holds, whole. See venue_aws.vault.Vault."""

    def settled(self, shard: int) -> int: ...
    def read(self, keys: Sequence[Key]) -> list[Wallet]: ...
    def page(self, cursor: str | None) -> tuple[list[Wallet], str | None]: ...
    def holds(self, account: str) -> Iterator[list[Hold]]: ...
    def command(self, order_id: str) -> AnyCommand | None: ...
    def free(self, hold: Hold) -> bool: ...


class Reconciliation:
    """Looks once in a while. `clock` gives µs since 1970 UTC; `pause` waits a moment before it looks again."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        vault: Vault,
        handover: HandOver,
        markets: Markets,
        clock: Callable[[], int],
        pause: Callable[[], None],
        looks_max: int = LOOKS_MAX,
    ) -> None:
        self._ledger = ledger
        self._vault = vault
        self._handover = handover
        self._markets = markets
        self._clock = clock
        self._pause = pause
        self._looks_max = looks_max
        self._until = 0
        self._looks = 0
        self._served = True
        # By shard: every wallet has seen all that touched it up to there.
        self._settled: dict[int, int] = {}

    def run(self, *, until: int) -> Found:
        """Compare what moved since the last run, then walk on through all wallets; begin nothing after `until` (µs).

        Raises Unavailable when the journal, the wallets or the holds do not answer; what was done stays done.
        """
        found = Found()
        self._until, self._served = until, True
        self._settled = {shard: self._vault.settled(shard) for shard in self._ledger.shards()}
        self._looks = self._looks_max
        for shard, settled in self._settled.items():
            self._follow(shard, settled, found)
        self._looks = self._looks_max
        self._walk(found)
        return found

    def _follow(self, shard: int, settled: int, found: Found) -> None:
        """Compare the wallets that newly settled batches moved, and sum these up for the next time."""
        done = settled
        while (stretch := self._ledger.stretch(shard, settled=settled)) is not None:
            done = stretch.after
            if self._clock() >= self._until:
                break
            for asset, amount in stretch.imbalance.items():
                found.imbalance[asset] = found.imbalance.get(asset, 0) + amount
            for keys in batched(stretch.wallets, COMPARED_MAX, strict=False):
                if self._clock() < self._until:
                    self._compare(self._vault.read(keys), found)
                else:
                    found.left += len(keys)
            # Whatever was left: a stretch that takes too long would take too long again, for ever.
            self._ledger.advance(stretch)
            found.batches += stretch.upto - stretch.after
            done = stretch.upto
        found.behind += max(0, settled - done)

    def _walk(self, found: Found) -> None:
        """Compare the next wallets of the table, touched or not: also those that the ledger never moved."""
        cursor = self._ledger.cursor()
        for _ in range(PAGES_MAX):
            # A page is only begun when all of it could be wrong.
            if self._clock() >= self._until or self._looks < self._looks_max // 2:
                return
            wallets, cursor = self._vault.page(cursor)
            self._compare(wallets, found)
            self._ledger.keep(cursor)
            if cursor is None:
                found.walked = True
                return

    def _compare(self, wallets: Sequence[Wallet], found: Found) -> None:
        found.wallets += len(wallets)
        suspects = [(each.account, each.asset) for each in self._differences(wallets, self._clock(), found)]
        if suspects:
            # Once more: the index of the holds follows its table by a moment, and gets that moment now.
            read_at = self._clock()
            again = self._vault.read(suspects)
            self._pause()
            self._looks += len(suspects)
            found.differences = [*found.differences, *self._differences(again, read_at, found)]

    def _differences(self, wallets: Sequence[Wallet], read_at: int, found: Found) -> Iterator[Difference]:
        sums = self._ledger.sums(wallets, settled=self._settled)
        for wallet in wallets:
            ledger = sums.get(wallet.key, Sum())
            total = wallet.free + wallet.held - ledger.free - ledger.held
            held = wallet.held - ledger.held
            if not total and not held:
                continue
            if self._looks <= 0 or self._clock() >= self._until:
                found.left += 1
                continue
            self._looks -= 1
            unexplained = self._unexplained(wallet, held, read_at, found) if held else 0
            if total or unexplained:
                yield Difference(
                    account=wallet.account,
                    asset=wallet.asset,
                    total=total,
                    held=unexplained,
                    wallet=Sum(wallet.free, wallet.held),
                    ledger=ledger,
                    seen=wallet.seen,
                )

    def _unexplained(self, wallet: Wallet, held: int, read_at: int, found: Found) -> int:
        """Give what of `held`, by which the wallet is beyond the ledger, no hold explains.

        `surely`: what was held when the wallet was read. `perhaps`: what may have been; such a hold is a few minutes
        old at most, and the next run knows better.
        """
        surely = perhaps = read = 0
        for page in self._vault.holds(wallet.account):
            # An amend that needed no more has an item all the same, so that it is done once.
            own = [hold for hold in page if hold.asset == wallet.asset and hold.amount]
            # In this order: an order that is known by now has its hold among the unsettled, or the wallet has seen it.
            known = self._ledger.known([hold.order_id for hold in own])
            unsettled = self._ledger.unsettled(wallet, settled=self._settled)
            for hold in own:
                age, order = read_at - hold.created_at, known.get(hold.order_id)
                if order is not None and not _is_stray(hold, order) and hold.order_id not in unsettled:
                    continue  # what the wallet has seen of its order is in the ledger's sum
                if age < (FORGOTTEN_US if order is None else SKEW_US):
                    perhaps += hold.amount
                else:
                    surely += hold.amount
                if age >= FORGOTTEN_US:
                    self._see_to(hold, order, found)
            read += len(page)
            if surely <= held <= surely + perhaps or read >= HOLDS_MAX:
                break
        return min(0, held - surely) or max(0, held - surely - perhaps)

    def _see_to(self, hold: Hold, order: Known | None, found: Found) -> None:
        """Have a hold freed that nobody else will free."""
        if order is None:
            self._remind(hold, found)
        elif _is_stray(hold, order):
            # Its order's id is in the journal for good, so no command with that id will ever give it back.
            found.freed += self._vault.free(hold)

    def _remind(self, hold: Hold, found: Found) -> None:
        """Hand a forgotten order to its matcher, which refuses it: its deadline is the moment at which it was placed.

        Not by the queue: while nobody serves, the next run will do.
        """
        if not self._served or found.forgotten >= FORGOTTEN_MAX or self._clock() >= self._until:
            return
        command = self._vault.command(hold.order_id)
        if not isinstance(command, PlaceOrder | AmendOrder):
            return
        late = msgspec.structs.replace(command, deadline=hold.created_at)
        found.forgotten += 1
        self._served = self._handover.offer(late, shard=self._shard(command.product_id)) is not None

    def _shard(self, product_id: str) -> int:
        try:
            return self._markets.market(product_id).product.shard
        except NotFound:
            return 0  # any matcher refuses it


def _is_stray(hold: Hold, order: Known) -> bool:
    """Whether the hold is not the one that its order's postings speak of, so that no posting will ever free it."""
    return order.final or hold.created_at > order.created_at + AGAIN_US
