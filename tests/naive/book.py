"""One market so simple that it can be seen to be right: a list of open orders, looked through for every question."""

from itertools import count

from matcher.core.book import Uncrossing
from matcher.core.state import SavedBook
from tests.naive.auction import auction
from tests.naive.orders import OTHER, NaiveOrder
from tests.naive.rules import MAKERS_MAX
from tests.naive.telling import Teller
from venue.events import AnyEvent, StatusReason
from venue.orders import DoneReason, Side
from venue.products import MarketStatus, Product

AWAKE_MAX = 100


class NaiveBook:
    """Its rules and state, its open orders in any order, and those in line to wake up in theirs."""

    def __init__(self, product: Product, accounts: dict[str, int]) -> None:
        self.product = product
        self.tell = Teller(product.id, accounts)
        self.open: list[NaiveOrder] = []
        self.line: list[NaiveOrder] = []
        self.done: list[NaiveOrder] = []  # of all markets
        self.last_price = self.arrivals = 0
        self.met = 0  # makers, in one command
        self.status: MarketStatus = "trading"
        self.until: int | None = None
        self.reference: int | None = None
        self.indicated: tuple[int | None, int, int] | None = None
        self.uncrossing: Uncrossing | None = None

    # What there is

    def side(self, side: Side) -> list[NaiveOrder]:
        """What rests on one side, in the order in which it trades."""
        mine = [one for one in self.open if one.where == "book" and one.command.side == side]
        return sorted(mine, key=lambda one: (-one.price if side == "buy" else one.price, one.arrival))

    def shown(self, side: Side, price: int) -> int:
        return sum(one.shown for one in self.side(side) if one.price == price)

    def may_print(self, price: int) -> bool:
        bps = self.product.breaker_bps
        if not bps or self.reference is None:
            return True
        return abs(price - self.reference) * 10_000 <= bps * self.reference

    def trades(self) -> bool:
        return self.status in ("trading", "limit_only")

    # What a command does

    def begin(self, at: int, events: list[AnyEvent], done: list[NaiveOrder]) -> None:
        self.tell.begin(at, events)
        self.met = 0
        self.done = done

    def place(self, order: NaiveOrder) -> None:
        if order.command.stop is None:
            self.tell.received(order, order.command.hold)
            self.execute(order)
            return
        self.tell.stop_accepted(order)
        self.open.append(order)
        order.where = "stops"
        if self.last_price and order.is_reached(self.last_price):
            self._line_up([order])

    def amend(self, order: NaiveOrder, *, price: int, size: int, hold: int, amend_id: str) -> None:
        old_price, old_size = order.price, order.size
        keeps_place = order.where != "book" or (price == old_price and size <= old_size)
        if order.where == "book":
            self.tell.touch(order)
        order.price, order.size, order.remaining = price, size, order.remaining + size - old_size
        if not keeps_place:
            self.open.remove(order)
            order.where = "nowhere"
        order.shown = min(order.shown, order.remaining) if order.where == "book" else order.remaining
        needed = order.needs(price, order.remaining)
        released = order.hold + hold - needed
        order.hold = needed
        self.tell.changed(order, "amend", old_price, old_size, released=released, held=hold, amend_id=amend_id)
        if not keeps_place:
            self.execute(order)

    def close(self, order: NaiveOrder, reason: DoneReason) -> None:
        if order in self.open:
            if order.where == "book":
                self.tell.touch(order)
            self.open.remove(order)
        if order in self.line:
            self.line.remove(order)
        order.where = "nowhere"
        order.shown = order.remaining
        released, order.hold = order.hold, 0
        order.done_at, order.done_reason = self.tell.at, reason
        self.done.append(order)
        self.tell.done(order, reason, released)

    def change(self, status: MarketStatus, until: int | None, reason: StatusReason) -> None:
        self.uncrossing = None
        if status not in ("halted", "auction"):
            found = auction(self.side("buy"), self.side("sell"), self.reference)
            if found is not None:
                self._uncross(Uncrossing(found.price, status, until, reason))
                return
        self._enter(status, until, reason)

    def _enter(self, status: MarketStatus, until: int | None, reason: StatusReason) -> None:
        self.status, self.until, self.indicated = status, until, None
        self.tell.status_changed(status, reason, until, self.reference)

    def pass_time(self) -> None:
        if self.uncrossing is not None:
            self._uncross(self.uncrossing)
        elif self.until is not None and self.until <= self.tell.at:
            if self.status == "halted":
                self.change("auction", self._auction_end(), "time")
            else:
                self.change("trading", None, "time")
        if self.status == "auction":
            told = auction(self.side("buy"), self.side("sell"), self.reference) or (None, 0, 0)
            if told != self.indicated:
                self.indicated = told
                self.tell.indicated(*told)

    def settle(self) -> None:
        """Wake those in line."""
        for _ in range(AWAKE_MAX):
            if not self.line or not self.trades() or self.met >= MAKERS_MAX:
                return
            order = self.line.pop(0)
            self.open.remove(order)
            order.where = "nowhere"
            self.tell.stop_activated(order)
            self.tell.received(order, 0)
            self.execute(order)

    # How an order trades

    def execute(self, order: NaiveOrder) -> None:
        command = order.command
        printed: list[int] = []
        why = self._sweep(order, printed) if self.status != "auction" else "book"
        if printed:
            self._printed(printed)
        if why == "prevented":
            return
        if why == "book" and order.remaining and command.type == "limit" and command.time_in_force in ("GTC", "GTT"):
            self._rest(order)
            return
        spent = bool(printed) and why == "wants nothing"
        filled = spent if order.funds is not None else not order.remaining
        self.close(order, "filled" if filled else "canceled")
        if why == "breaker":
            self._trip()

    def _sweep(self, taker: NaiveOrder, printed: list[int]) -> str:
        """Trade, and tell why it is over."""
        for met in count():
            makers = [one for one in self.side(OTHER[taker.command.side]) if taker.reaches(one.price)]
            last_wish = taker.wants(printed[-1]) if printed else 1
            if not makers:
                return "book" if last_wish else "wants nothing"
            maker = makers[0]
            wanted = taker.wants(maker.price)
            if not wanted:
                return "wants nothing"
            if met == MAKERS_MAX:
                return "makers"
            self.met += 1
            if taker.command.stp is not None and maker.command.account == taker.command.account:
                self._prevent(taker, maker, wanted)
                if taker.done_at is not None:
                    return "prevented"
            elif not self.may_print(maker.price):
                return "breaker"
            else:
                self._trade(maker, taker, maker.price, min(wanted, maker.shown), [maker])
                printed.append(maker.price)
        raise AssertionError("unreachable")

    def _trade(self, maker: NaiveOrder, taker: NaiveOrder, price: int, size: int, resting: list[NaiveOrder]) -> None:
        maker_fee, maker_released = maker.trade(price, size, maker.command.maker_bps)
        taker_fee, taker_released = taker.trade(price, size, taker.command.taker_bps)
        fees, released = (maker_fee, taker_fee), (maker_released, taker_released)
        self.tell.traded(maker, taker, price=price, size=size, fees=fees, released=released)
        for order in resting:
            self.tell.touch(order)
            order.shown -= size
            if not order.remaining:
                self.close(order, "filled")
            elif not order.shown:
                order.shown = order.slice
                self._queue(order)
                self.tell.opened(order)

    def _prevent(self, taker: NaiveOrder, maker: NaiveOrder, wanted: int) -> None:
        flag = taker.command.stp
        there = maker.remaining
        if flag in ("co", "cb") or (flag == "dc" and there <= wanted):
            self.close(maker, "canceled")
        elif flag == "dc":
            self._shrink(maker, wanted, maker.price)
        if flag in ("cn", "cb") or (flag == "dc" and wanted <= there):
            self.close(taker, "canceled")
        elif flag == "dc":
            self._shrink(taker, there, maker.price)

    def _shrink(self, order: NaiveOrder, size: int, price: int) -> None:
        old_size = order.size
        released = order.give_up(size, price)
        if order.where == "book":
            self.tell.touch(order)
        self.tell.changed(order, "stp", order.price, old_size, released=released)

    def _rest(self, order: NaiveOrder) -> None:
        self.open.append(order)
        order.where = "book"
        order.shown = order.slice
        self._queue(order)
        self.tell.touch(order)
        self.tell.opened(order)

    def _queue(self, order: NaiveOrder) -> None:
        """Behind all others."""
        self.arrivals += 1
        order.arrival = self.arrivals

    def _printed(self, prices: list[int]) -> None:
        self.last_price = prices[-1]
        if self.reference is None:
            self.reference = prices[0]
        waiting = [one for one in self.open if one.where == "stops"]
        self._line_up([one for one in waiting if any(one.is_reached(price) for price in prices)])

    def _line_up(self, orders: list[NaiveOrder]) -> None:
        for order in sorted(orders, key=lambda one: one.number):
            order.where = "line"
            self.line.append(order)

    # Halts and auctions

    def _trip(self) -> None:
        if self.product.halt_us:
            self.change("halted", self.tell.at + self.product.halt_us, "breaker")
        else:
            self.change("auction", self._auction_end(), "breaker")

    def _auction_end(self) -> int | None:
        return self.tell.at + self.product.auction_us if self.product.auction_us else None

    def _uncross(self, asked: Uncrossing) -> None:
        price = asked.price
        while True:
            bids = [one for one in self.side("buy") if one.price >= price]
            asks = [one for one in self.side("sell") if one.price <= price]
            if not bids or not asks or self.met == MAKERS_MAX:
                break
            self.met += 1
            older, newer = sorted((bids[0], asks[0]), key=lambda one: one.number)
            self._trade(older, newer, price, min(older.shown, newer.shown), [older, newer])
        self.reference = price
        self._printed([price])
        if not bids or not asks:
            self.change(asked.status, asked.until, asked.reason)
            return
        self.uncrossing = asked
        if (self.status, self.until) != ("halted", None):
            self._enter("halted", None, asked.reason)

    def tell_levels(self) -> None:
        self.tell.levels(self.shown)

    def saved(self) -> SavedBook:
        """Its state, as the engine would save it."""
        return SavedBook(
            product=self.product,
            sequence=self.tell.sequence,
            trade_id=self.tell.trade_id,
            status=self.status,
            until=self.until,
            reference=self.reference,
            last_price=self.last_price,
            indicated=self.indicated,
            bids=[one.number for one in self.side("buy")],
            asks=[one.number for one in self.side("sell")],
            stops=sorted(one.number for one in self.open if one.where == "stops"),
            line=[one.number for one in self.line],
            uncrossing=self.uncrossing,
        )
