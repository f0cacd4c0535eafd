"""Someone who sees a market only through its events, and holds the engine to what they say."""

from collections import defaultdict
from collections.abc import Sequence

from matcher.core.engine import Engine
from tests.property.lives import ACCOUNTS, PRODUCT
from venue.commands import PlaceOrder
from venue.events import (
    AnyEvent,
    CancelRefused,
    Deposited,
    DepositRefused,
    LevelChanged,
    OrderDone,
    OrderOpened,
    OrderReceived,
    OrderRefused,
    Traded,
)
from venue.ledger import hold_asset, imbalance, postings
from venue.money import divide_up
from venue.orders import Side


class Witness:
    """Keeps wallets, both books and all sequences from events alone. Every method asserts."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.wallets: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        self.sequence = 0
        self.trade_id = 0
        self.account_sequences: defaultdict[str, int] = defaultdict(int)
        self.levels: dict[tuple[Side, int], int] = {}
        # Resting orders by arrival: id -> [side, price, remaining].
        self.resting: dict[str, tuple[Side, int, int]] = {}
        self.placed: dict[str, PlaceOrder] = {}
        self.weighted: defaultdict[str, int] = defaultdict(int)

    def take_hold(self, order: PlaceOrder) -> bool:
        """What place_order does before it sends an order: free -> held, unless too little is free."""
        wallet = self.wallets[order.account, hold_asset(PRODUCT, order.side)]
        if wallet[0] < order.hold:
            return False
        wallet[0] -= order.hold
        wallet[1] += order.hold
        self.placed[order.order_id] = order
        return True

    def see(self, events: Sequence[AnyEvent]) -> None:
        """Follow one command's events."""
        levels_begun = False
        for event in events:
            self._settle(event)
            self._count(event)
            match event:
                case OrderOpened():
                    self.resting[event.order_id] = (event.side, event.price, event.remaining)
                case Traded():
                    self._trade(event)
                case OrderDone():
                    self.resting.pop(event.order_id, None)
                case LevelChanged():
                    levels_begun = True
                    assert event.sequence == self.sequence
                    self.levels[event.side, event.price] = event.size
                    if not event.size:
                        del self.levels[event.side, event.price]
            assert isinstance(event, LevelChanged) == levels_begun, "level changes come last"
        told = [(event.side, event.price) for event in events if isinstance(event, LevelChanged)]
        assert len(told) == len(set(told)), "a level is told once a command"

    def check(self) -> None:
        """The engine's state is what its events said, and it is sane."""
        bids, asks = self.engine.depth(PRODUCT.id, 1_000)
        assert not bids or not asks or bids[0][0] < asks[0][0], "the book is crossed"
        self._check_side("buy", bids, self.engine.resting(PRODUCT.id, 1_000)[0])
        self._check_side("sell", asks, self.engine.resting(PRODUCT.id, 1_000)[1])
        assert self.engine.sequence(PRODUCT.id) == self.sequence
        held: defaultdict[tuple[str, str], int] = defaultdict(int)
        for order_id in self.resting:
            held[self._check_order(order_id)] += self._hold(order_id)
        for account in ACCOUNTS:
            for asset in ("ACME", "USD"):
                free, in_hold = self.wallets[account, asset]
                assert free >= 0, "a wallet is overdrawn"
                assert in_hold == held[account, asset], "what is held is not what the orders hold"

    def total(self) -> dict[str, int]:
        """Per asset, what all wallets have together."""
        sums: defaultdict[str, int] = defaultdict(int)
        for (_, asset), (free, held) in self.wallets.items():
            sums[asset] += free + held
        return dict(sums)

    def _settle(self, event: AnyEvent) -> None:
        moved = list(postings(event, PRODUCT))
        assert imbalance(moved) == {}
        for posting in moved:
            if posting.kind == "hold":
                continue
            wallet = self.wallets[posting.account, posting.asset]
            wallet[0] += posting.free
            wallet[1] += posting.held
            assert posting.account not in ACCOUNTS or min(wallet) >= 0, "a wallet is overdrawn"

    def _count(self, event: AnyEvent) -> None:
        match event:
            case OrderReceived() | OrderOpened() | OrderDone() | Traded():
                self.sequence += 1
                assert event.sequence == self.sequence
        match event:
            case Traded():
                self._count_private(event.maker_account, event.maker_account_sequence)
                self._count_private(event.taker_account, event.taker_account_sequence)
            case Deposited() | DepositRefused() | OrderReceived() | OrderOpened() | OrderDone():
                self._count_private(event.account, event.account_sequence)
            case OrderRefused() | CancelRefused():
                self._count_private(event.account, event.account_sequence)

    def _count_private(self, account: str, number: int) -> None:
        self.account_sequences[account] += 1
        assert number == self.account_sequences[account]

    def _trade(self, trade: Traded) -> None:
        self.trade_id += 1
        assert trade.trade_id == self.trade_id
        assert trade.size > 0
        side, price, remaining = self.resting[trade.maker_order_id]
        assert (trade.side, trade.price) == (side, price), "a trade is at the maker's price"
        assert remaining >= trade.size
        self.resting[trade.maker_order_id] = (side, price, remaining - trade.size)
        value = trade.price * trade.size * 3
        for order_id, rate in (
            (trade.maker_order_id, self.placed[trade.maker_order_id].maker_bps),
            (trade.taker_order_id, self.placed[trade.taker_order_id].taker_bps),
        ):
            self.weighted[order_id] += value * rate

    def _check_side(self, side: Side, levels: list[tuple[int, int, int]], orders: list[tuple[int, int, str]]) -> None:
        sign = -1 if side == "buy" else 1
        mine = [
            (price, remaining, order_id) for order_id, (its, price, remaining) in self.resting.items() if its == side
        ]
        # Sorting is stable: within a price the order of arrival stays.
        assert orders == sorted(mine, key=lambda order: sign * order[0])
        assert [price for price, _, _ in levels] == sorted({price for price, _, _ in mine}, key=lambda p: sign * p)
        for price, size, count in levels:
            there = [remaining for its_price, remaining, _ in mine if its_price == price]
            assert (size, count) == (sum(there), len(there))
            assert min(there) > 0
            assert self.levels[side, price] == size
        assert len(levels) == sum(its == side for its, _ in self.levels)

    def _check_order(self, order_id: str) -> tuple[str, str]:
        """The wallet it holds in, after a look at how much it holds."""
        placed = self.placed[order_id]
        side, price, remaining = self.resting[order_id]
        if side == "sell":
            surplus = placed.hold - (placed.size or 0) * PRODUCT.lot_units
            assert self._hold(order_id) == remaining * PRODUCT.lot_units + surplus
        elif remaining == placed.size:
            assert self._hold(order_id) == placed.hold
        else:
            cost = remaining * price * 3
            weighted = self.weighted[order_id]
            dearer = max(placed.maker_bps, placed.taker_bps, 0)
            fee = divide_up(weighted + cost * dearer, 10_000) - divide_up(weighted, 10_000)
            assert self._hold(order_id) == cost + fee
        return placed.account, hold_asset(PRODUCT, side)

    def _hold(self, order_id: str) -> int:
        order = self.engine.order(order_id)
        assert order is not None
        assert order.status == "open"
        return order.hold
