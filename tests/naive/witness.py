"""Someone who sees the markets only through what is asked and what is told, and holds the engine to it.

After every command: no book is crossed while it may trade; no level is empty; quantities are conserved; what an order
holds is what it still needs; postings sum to zero; price, then time decides who trades; no sequence has a gap; what was
told of the levels is what is there.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from matcher.core.engine import Engine
from tests.naive.orders import up
from venue.commands import AnyCommand, PlaceOrder
from venue.events import (
    AmendRefused,
    AnyEvent,
    CancelRefused,
    Deposited,
    DepositRefused,
    LevelChanged,
    OrderChanged,
    OrderDone,
    OrderOpened,
    OrderReceived,
    OrderRefused,
    ProductListed,
    StatusChanged,
    StopAccepted,
    StopActivated,
    SwitchChanged,
    Traded,
)
from venue.ledger import FEES, Posting, imbalance, postings
from venue.orders import Side
from venue.products import Product
from venue.spelling import spelled


class Seen(msgspec.Struct):
    """What is known of one order. arrival: its place in the queue, 0 while it does not rest. given_up: lots that an
    amend or self-trade prevention took away (negative: added). weighted: notional x rate of its trades. changed: since
    it came, so that no surplus is left in a buy's hold."""

    command: PlaceOrder
    remaining: int
    price: int
    shown: int = 0
    arrival: int = 0
    filled: int = 0
    given_up: int = 0
    hold: int = 0
    weighted: int = 0
    changed: bool = False


# What the venue's ledger makes of one event.
Ledger = Callable[[AnyEvent, Product | None], Iterable[Posting]]


class Witness:
    """Keeps its own books. `see` asserts."""

    def __init__(self, engine: Engine, *, ledger: Ledger = postings) -> None:
        self.engine = engine
        self.ledger = ledger
        self.products: dict[str, Product] = {}
        self.status: dict[str, str] = {}
        self.orders: dict[str, Seen] = {}
        self.open: defaultdict[str, dict[str, Seen]] = defaultdict(dict)
        self.levels: defaultdict[str, dict[tuple[Side, int], int]] = defaultdict(dict)
        self.sequences: defaultdict[str, int] = defaultdict(int)
        self.trade_ids: defaultdict[str, int] = defaultdict(int)
        self.account_sequences: defaultdict[str, int] = defaultdict(int)
        self.wallets: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        self.arrivals = 0

    def see(self, command: AnyCommand, events: Sequence[AnyEvent]) -> None:
        """Follow one command and all that it led to."""
        if isinstance(command, PlaceOrder) and command.order_id not in self.orders:
            self.orders[command.order_id] = Seen(command, remaining=command.size or 0, price=command.price or 0)
        told: set[tuple[str, Side, int]] = set()
        for event in events:
            for each in spelled([event]):
                if isinstance(each, LevelChanged):
                    key = each.product_id, each.side, each.price
                    assert key not in told, "a level is told once a command"
                    told.add(key)
                    self._level(each)
                    continue
                assert not told, "level changes come last"
                self._count(each)
                self._follow(each)
            self._settle(event)
        for product_id in self.products:
            self._check(product_id)

    def _level(self, event: LevelChanged) -> None:
        assert event.sequence == self.sequences[event.product_id], "a level is told as of another sequence"
        levels = self.levels[event.product_id]
        if event.size:
            levels[event.side, event.price] = event.size
        else:
            levels.pop((event.side, event.price), None)

    def _count(self, event: AnyEvent) -> None:
        sequence = getattr(event, "sequence", None)
        if sequence is not None:
            product_id = event.product_id  # type: ignore[union-attr]
            self.sequences[product_id] += 1
            assert sequence == self.sequences[product_id], "the public sequence has a gap"
        match event:
            case Traded():
                self.trade_ids[event.product_id] += 1
                assert event.trade_id == self.trade_ids[event.product_id], "the trade ids have a gap"
                self._count_private(event.maker_account, event.maker_account_sequence)
                self._count_private(event.taker_account, event.taker_account_sequence)
            case (
                Deposited()
                | DepositRefused()
                | OrderReceived()
                | OrderOpened()
                | OrderDone()
                | OrderChanged()
                | OrderRefused()
                | CancelRefused()
                | SwitchChanged()
                | AmendRefused()
                | StopAccepted()
                | StopActivated()
            ):
                self._count_private(event.account, event.account_sequence)

    def _count_private(self, account: str, number: int) -> None:
        self.account_sequences[account] += 1
        assert number == self.account_sequences[account], "a private sequence has a gap"

    def _follow(self, event: AnyEvent) -> None:
        match event:
            case ProductListed():
                self.products[event.product.id] = event.product
                self.status.setdefault(event.product.id, "trading")
            case StatusChanged():
                self.status[event.product_id] = event.status
            case OrderReceived() | StopAccepted():
                self.open[event.product_id][event.order_id] = self.orders[event.order_id]
            case OrderOpened():
                order = self.orders[event.order_id]
                assert (order.price, order.remaining) == (event.price, event.remaining), "another order was opened"
                order.shown = event.remaining if event.shown is None else event.shown
                assert 0 < order.shown <= order.remaining
                self.arrivals += 1
                order.arrival = self.arrivals
            case Traded():
                self._trade(event)
            case OrderChanged():
                self._change(event)
            case OrderDone():
                order = self.open[event.product_id].pop(event.order_id)
                assert event.remaining == order.remaining, "lots came or went"
                assert event.reason != "filled" or not order.remaining, "it is not filled"

    def _change(self, event: OrderChanged) -> None:
        order = self.orders[event.order_id]
        order.changed = True
        assert order.price == (event.old_price or 0)
        if event.size is not None and event.old_size is not None:
            order.given_up += event.old_size - event.size
            order.remaining -= event.old_size - event.size
        assert event.remaining == order.remaining, "lots came or went"
        order.price = event.price or 0
        if event.price != event.old_price or (event.size or 0) > (event.old_size or 0):
            order.arrival = 0
        elif order.arrival:
            order.shown = event.remaining if event.shown is None else event.shown

    def _trade(self, trade: Traded) -> None:
        assert trade.size > 0
        maker, taker = self.orders[trade.maker_order_id], self.orders[trade.taker_order_id]
        assert (maker.command.side, maker.command.product_id) == (trade.side, trade.product_id)
        assert maker.command.side != taker.command.side
        assert self._first(trade.product_id, maker.command.side) is maker, "another order came first"
        if taker.arrival:
            assert self._first(trade.product_id, taker.command.side) is taker, "another order came first"
            assert taker.price <= trade.price <= maker.price or maker.price <= trade.price <= taker.price
        else:
            assert trade.price == maker.price, "a trade is at the maker's price"
            stp, same = taker.command.stp, maker.command.account == taker.command.account
            assert stp is None or not same, "an account traded with itself"
        notional = self.products[trade.product_id].notional(trade.price, trade.size)
        for order, rate in ((maker, maker.command.maker_bps), (taker, taker.command.taker_bps)):
            order.filled += trade.size
            order.weighted += notional * rate
            order.changed = True
            if order.command.funds is None:
                order.remaining -= trade.size
                size = order.command.size or 0
                assert order.remaining == size - order.filled - order.given_up >= 0, "lots came or went"
            if order.arrival:
                order.shown -= trade.size
                assert order.shown >= 0, "more traded than was shown"
                if not order.shown:
                    order.arrival = 0

    def _first(self, product_id: str, side: Side) -> Seen:
        resting = [one for one in self.open[product_id].values() if one.arrival and one.command.side == side]
        return min(resting, key=lambda one: (-one.price if side == "buy" else one.price, one.arrival))

    def _settle(self, event: AnyEvent) -> None:
        product = self.products.get(getattr(event, "product_id", ""))
        moved = list(self.ledger(event, product))
        assert imbalance(moved) == {}, "the postings do not sum to zero"
        freed: defaultdict[str, int] = defaultdict(int)
        for posting in moved:
            wallet = self.wallets[posting.account, posting.asset]
            wallet[0] += posting.free
            wallet[1] += posting.held
            if posting.order_id is not None and posting.account != FEES:
                order = self.orders.get(posting.order_id)
                if order is not None:
                    order.hold += posting.held
            if posting.kind in ("match", "fee", "release") and not posting.account.startswith("venue:"):
                freed[posting.account] += posting.free
        # Of the whole event: a taker's rebate may be part of what its funds buy.
        held = (self.wallets[posting.account, posting.asset][1] for posting in moved)
        assert min(held, default=0) >= 0, "more was taken than held"
        assert all(free >= 0 for free in freed.values()), "something but a hold took from what is free"
        if isinstance(event, OrderDone | OrderRefused):
            order = self.orders[event.order_id]
            assert not order.hold, "it is over, and holds something"

    def _check(self, product_id: str) -> None:
        book = self.engine.book(product_id)
        assert book is not None
        mine: dict[Side, list[tuple[int, int, str, int, int]]] = {"buy": [], "sell": []}
        for order_id, order in self.open[product_id].items():
            side = order.command.side
            if order.arrival:
                sign = -1 if side == "buy" else 1
                mine[side].append((sign * order.price, order.arrival, order_id, order.remaining, order.shown))
            self._check_hold(order, order_id)
        for ladder in (book.bids, book.asks):
            for level in ladder:
                assert level.count == sum(1 for _ in level) > 0, "a level is empty"
                assert level.size > 0, "a level shows nothing"
                shown, hidden = sum(one.remaining - one.hidden for one in level), sum(one.hidden for one in level)
                assert (level.size, level.hidden) == (shown, hidden), "a level is not the sum of its orders"
            there = [
                (-ladder.sign * level.price, one.order_id, one.remaining, one.remaining - one.hidden)
                for level in ladder
                for one in level
            ]
            mine[ladder.side].sort()
            assert there == [(price, *rest) for price, _, *rest in mine[ladder.side]], "other orders rest, or otherwise"
            told = {price: size for (side, price), size in self.levels[product_id].items() if side == ladder.side}
            assert told == {level.price: level.size for level in ladder}, "the levels are not those that were told"
            assert sum(map(len, (ladder.keys, *ladder.far))) == len(ladder.levels)
        if self.status[product_id] not in ("halted", "auction") and mine["buy"] and mine["sell"]:
            assert -mine["buy"][0][0] < mine["sell"][0][0], "the book is crossed"
        assert book.sequence == self.sequences[product_id], "the book counts otherwise"

    def _check_hold(self, order: Seen, order_id: str) -> None:
        """What postings left in its hold is what the engine says and what it needs."""
        command = order.command
        known = self.engine.order(order_id)
        assert known is not None
        assert known.hold == order.hold, "the engine knows another hold than the ledger"
        if command.side == "sell":
            needed = order.remaining * self.products[command.product_id].lot_units
        elif command.funds is not None:
            return
        else:
            cost = self.products[command.product_id].notional(order.price, order.remaining)
            dearer = max(command.maker_bps, command.taker_bps, 0)
            needed = cost + up(order.weighted + cost * dearer) - up(order.weighted)
        assert order.hold >= needed, "a hold is less than what the order needs"
        if order.changed and command.side == "buy":
            assert order.hold == needed, "a hold is more than what the order needs"
