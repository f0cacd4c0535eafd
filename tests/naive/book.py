"""One market so simple that it can be seen to be right: a list of open orders, looked through for every question."""

from matcher.core.state import SavedBook
from tests.naive.orders import OTHER, NaiveOrder, up
from venue.events import (
    AnyEvent,
    AuctionIndicated,
    ChangeReason,
    LevelChanged,
    OrderChanged,
    OrderDone,
    OrderOpened,
    OrderReceived,
    StatusChanged,
    StatusReason,
    StopAccepted,
    StopActivated,
    Traded,
)
from venue.orders import DoneReason, Side
from venue.products import MarketStatus, Product

AWAKE_MAX = 100


class NaiveBook:
    """Its rules and state, its open orders in any order, and those in line to wake up in theirs."""

    def __init__(self, product: Product, accounts: dict[str, int]) -> None:
        self.product = product
        self.accounts = accounts
        self.open: list[NaiveOrder] = []
        self.line: list[NaiveOrder] = []
        self.sequence = self.trade_id = self.last_price = self.arrivals = 0
        self.status: MarketStatus = "trading"
        self.until: int | None = None
        self.reference: int | None = None
        self.indicated: tuple[int | None, int, int] | None = None
        # Of the command that is under way:
        self.at = 0
        self.events: list[AnyEvent] = []
        self.done: list[NaiveOrder] = []
        self.touched: list[tuple[Side, int]] = []

    # What there is

    def side(self, side: Side) -> list[NaiveOrder]:
        """What rests on one side, in the order in which it trades."""
        mine = [one for one in self.open if one.where == "book" and one.command.side == side]
        return sorted(mine, key=lambda one: (-one.price if side == "buy" else one.price, one.arrival))

    def may_print(self, price: int) -> bool:
        bps = self.product.breaker_bps
        if not bps or self.reference is None:
            return True
        return abs(price - self.reference) * 10_000 <= bps * self.reference

    def trades(self) -> bool:
        return self.status in ("trading", "limit_only")

    # What happens

    def begin(self, at: int, events: list[AnyEvent], done: list[NaiveOrder]) -> None:
        self.at, self.events, self.done, self.touched = at, events, done, []

    def place(self, order: NaiveOrder) -> None:
        command = order.command
        if command.stop is None:
            self._receive(order, command.hold)
            self.execute(order)
            return
        self.events.append(
            StopAccepted(
                at=self.at,
                account_sequence=self._private(order),
                order_id=command.order_id,
                account=command.account,
                product_id=command.product_id,
                side=command.side,
                type=command.type,
                time_in_force=command.time_in_force,
                client_oid=command.client_oid,
                price=command.price,
                size=command.size,
                funds=command.funds,
                hold=command.hold,
                stop=command.stop,
                stop_price=command.stop_price or 0,
                stp=command.stp,
                expire_at=command.expire_at,
                display_size=command.display_size,
            )
        )
        self.open.append(order)
        order.where = "stops"
        if self.last_price and order.is_reached(self.last_price):
            self._line_up([order])

    def settle(self) -> None:
        """Wake those in line."""
        for _ in range(AWAKE_MAX):
            if not self.line or not self.trades():
                return
            order = self.line.pop(0)
            self.open.remove(order)
            order.where = "nowhere"
            command = order.command
            self.events.append(
                StopActivated(
                    at=self.at,
                    account_sequence=self._private(order),
                    order_id=command.order_id,
                    account=command.account,
                    product_id=command.product_id,
                    side=command.side,
                    stop=command.stop or "loss",
                    stop_price=command.stop_price or 0,
                )
            )
            self._receive(order, 0)
            self.execute(order)

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
            self.trip()

    def _sweep(self, taker: NaiveOrder, printed: list[int]) -> str:
        """Trade, and tell why it is over."""
        while True:
            makers = [one for one in self.side(OTHER[taker.command.side]) if taker.reaches(one.price)]
            last_wish = taker.wants(printed[-1]) if printed else 1
            if not makers:
                return "book" if last_wish else "wants nothing"
            maker = makers[0]
            wanted = taker.wants(maker.price)
            if not wanted:
                return "wants nothing"
            if taker.command.stp is not None and maker.command.account == taker.command.account:
                self._prevent(taker, maker, wanted)
                if taker.done_at is not None:
                    return "prevented"
            elif not self.may_print(maker.price):
                return "breaker"
            else:
                self._trade(maker, taker, maker.price, min(wanted, maker.shown), [maker])
                printed.append(maker.price)

    def _trade(self, maker: NaiveOrder, taker: NaiveOrder, price: int, size: int, resting: list[NaiveOrder]) -> None:
        fees, released = [], []
        notional = price * size * self.product.tick_lot_value
        for order, rate in ((maker, maker.command.maker_bps), (taker, taker.command.taker_bps)):
            before = order.value + up(order.weighted)
            fee = -up(order.weighted)
            order.paid.append((notional, rate))
            fees.append(fee + up(order.weighted))
            if order.funds is None:
                order.remaining -= size
            else:
                order.size += size
            if order.command.side == "sell":
                order.hold -= size * self.product.lot_units
                released.append(0)
                continue
            order.hold -= order.value + up(order.weighted) - before
            needed = order.needs(order.price, order.remaining) if order.funds is None else order.hold
            released.append(order.hold - needed)
            order.hold = needed
        self.sequence += 1
        self.trade_id += 1
        event = Traded(
            at=self.at,
            sequence=self.sequence,
            trade_id=self.trade_id,
            product_id=self.product.id,
            side=maker.command.side,
            price=price,
            size=size,
            maker_order_id=maker.command.order_id,
            maker_account=maker.command.account,
            maker_account_sequence=self._private(maker),
            maker_fee=fees[0],
            maker_released=released[0],
            taker_order_id=taker.command.order_id,
            taker_account=taker.command.account,
            taker_account_sequence=self._private(taker),
            taker_fee=fees[1],
            taker_released=released[1],
        )
        maker.trades.append(event)
        taker.trades.append(event)
        self.events.append(event)
        for order in resting:
            self._touch(order)
            order.shown -= size
            if not order.remaining:
                self.close(order, "filled")
            elif not order.shown:
                order.shown = order.slice
                self._queue(order)
                self._opened(order)

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
        old_size, old_hold = order.size, order.hold
        if order.funds is not None:
            order.hold -= order.cost(size, price)
            order.funds -= old_hold - order.hold
        else:
            order.size -= size
            order.remaining -= size
            order.shown = min(order.shown, order.remaining)
            is_buy = order.command.side == "buy"
            order.hold = order.needs(order.price, order.remaining) if is_buy else order.hold - size * order.lot_units
        if order.where == "book":
            self._touch(order)
        self.changed(order, "stp", order.price, old_size, released=old_hold - order.hold)

    def amend(self, order: NaiveOrder, *, price: int, size: int, hold: int, amend_id: str) -> None:
        old_price, old_size = order.price, order.size
        keeps_place = order.where != "book" or (price == old_price and size <= old_size)
        if order.where == "book":
            self._touch(order)
        order.price, order.size, order.remaining = price, size, order.remaining + size - old_size
        if not keeps_place:
            self.open.remove(order)
            order.where = "nowhere"
        order.shown = min(order.shown, order.remaining) if order.where == "book" else order.remaining
        needed = order.needs(price, order.remaining)
        released = order.hold + hold - needed
        order.hold = needed
        self.changed(order, "amend", old_price, old_size, released=released, held=hold, amend_id=amend_id)
        if not keeps_place:
            self.execute(order)

    def close(self, order: NaiveOrder, reason: DoneReason) -> None:
        if order in self.open:
            if order.where == "book":
                self._touch(order)
            self.open.remove(order)
        if order in self.line:
            self.line.remove(order)
        order.where = "nowhere"
        order.shown = order.remaining
        released, order.hold = order.hold, 0
        order.done_at, order.done_reason = self.at, reason
        self.done.append(order)
        self.sequence += 1
        self.events.append(
            OrderDone(
                at=self.at,
                sequence=self.sequence,
                account_sequence=self._private(order),
                order_id=order.command.order_id,
                account=order.command.account,
                product_id=self.product.id,
                side=order.command.side,
                price=order.price or None,
                remaining=order.remaining,
                reason=reason,
                released=released,
            )
        )

    def _rest(self, order: NaiveOrder) -> None:
        self.open.append(order)
        order.where = "book"
        order.shown = order.slice
        self._queue(order)
        self._touch(order)
        self._opened(order)

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

    # States and auctions

    def change(self, status: MarketStatus, until: int | None, reason: StatusReason) -> None:
        if status not in ("halted", "auction"):
            self._uncross()
        self.status, self.until, self.indicated = status, until, None
        self.events.append(
            StatusChanged(
                at=self.at,
                product_id=self.product.id,
                status=status,
                reason=reason,
                until=until,
                reference=self.reference,
            )
        )

    def trip(self) -> None:
        if self.product.halt_us:
            self.change("halted", self.at + self.product.halt_us, "breaker")
        else:
            self.change("auction", self._auction_end(), "breaker")

    def pass_time(self) -> None:
        if self.until is not None and self.until <= self.at:
            if self.status == "halted":
                self.change("auction", self._auction_end(), "time")
            else:
                self.change("trading", None, "time")
        if self.status == "auction":
            told = self.auction() or (None, 0, 0)
            if told != self.indicated:
                self.indicated = told
                price, volume, surplus = told
                self.events.append(
                    AuctionIndicated(
                        at=self.at, product_id=self.product.id, price=price, volume=volume, surplus=surplus
                    )
                )

    def _auction_end(self) -> int | None:
        return self.at + self.product.auction_us if self.product.auction_us else None

    def auction(self) -> tuple[int, int, int] | None:
        """Every tick is tried."""
        bids, asks = self.side("buy"), self.side("sell")
        if not bids or not asks or bids[0].price < asks[0].price:
            return None
        middle = (bids[0].price + asks[0].price) // 2
        near = middle if self.reference is None else self.reference

        def outcome(price: int) -> tuple[int, int]:
            demand = sum(one.remaining for one in bids if one.price >= price)
            supply = sum(one.remaining for one in asks if one.price <= price)
            return min(demand, supply), demand - supply

        ticks = range(asks[0].price, bids[0].price + 1)
        price = min(ticks, key=lambda at: (-outcome(at)[0], abs(outcome(at)[1]), abs(at - near)))
        return price, *outcome(price)

    def _uncross(self) -> None:
        found = self.auction()
        if found is None:
            return
        price = found[0]
        while True:
            bids = [one for one in self.side("buy") if one.price >= price]
            asks = [one for one in self.side("sell") if one.price <= price]
            if not bids or not asks:
                break
            older, newer = sorted((bids[0], asks[0]), key=lambda one: one.number)
            self._trade(older, newer, price, min(older.shown, newer.shown), [older, newer])
        self.reference = price
        self._printed([price])

    # What is told

    def _touch(self, order: NaiveOrder) -> None:
        if (order.command.side, order.price) not in self.touched:
            self.touched.append((order.command.side, order.price))

    def tell_levels(self) -> None:
        for side, price in self.touched:
            self.events.append(
                LevelChanged(
                    at=self.at,
                    sequence=self.sequence,
                    product_id=self.product.id,
                    side=side,
                    price=price,
                    size=sum(one.shown for one in self.side(side) if one.price == price),
                )
            )

    def _private(self, order: NaiveOrder) -> int:
        self.accounts[order.command.account] += 1
        return self.accounts[order.command.account]

    def _receive(self, order: NaiveOrder, hold: int) -> None:
        command = order.command
        self.sequence += 1
        self.events.append(
            OrderReceived(
                at=self.at,
                sequence=self.sequence,
                account_sequence=self._private(order),
                order_id=command.order_id,
                account=command.account,
                product_id=command.product_id,
                side=command.side,
                type=command.type,
                time_in_force=command.time_in_force,
                post_only=command.post_only,
                client_oid=command.client_oid,
                price=order.price or None,
                size=None if command.size is None else order.size,
                funds=command.funds,
                hold=hold,
                stp=command.stp,
                expire_at=command.expire_at,
                stop=command.stop,
                stop_price=command.stop_price,
                display_size=command.display_size,
            )
        )

    def _opened(self, order: NaiveOrder) -> None:
        self.sequence += 1
        self.events.append(
            OrderOpened(
                at=self.at,
                sequence=self.sequence,
                account_sequence=self._private(order),
                order_id=order.command.order_id,
                account=order.command.account,
                product_id=self.product.id,
                side=order.command.side,
                price=order.price,
                remaining=order.remaining,
                shown=None if order.command.display_size is None else order.shown,
            )
        )

    def changed(
        self,
        order: NaiveOrder,
        reason: ChangeReason,
        old_price: int,
        old_size: int,
        *,
        released: int,
        held: int = 0,
        amend_id: str | None = None,
    ) -> None:
        is_public = order.where not in ("stops", "line")
        self.sequence += is_public
        by_funds = order.funds is not None
        self.events.append(
            OrderChanged(
                at=self.at,
                sequence=self.sequence if is_public else None,
                account_sequence=self._private(order),
                order_id=order.command.order_id,
                account=order.command.account,
                product_id=self.product.id,
                side=order.command.side,
                reason=reason,
                price=order.price or None,
                old_price=old_price or None,
                size=None if by_funds else order.size,
                old_size=None if by_funds else old_size,
                remaining=order.remaining,
                shown=None if order.command.display_size is None else order.shown,
                held=held,
                released=released,
                amend_id=amend_id,
            )
        )

    def saved(self) -> SavedBook:
        """Its state, as the engine would save it."""
        return SavedBook(
            product=self.product,
            sequence=self.sequence,
            trade_id=self.trade_id,
            status=self.status,
            until=self.until,
            reference=self.reference,
            last_price=self.last_price,
            indicated=self.indicated,
            bids=[one.number for one in self.side("buy")],
            asks=[one.number for one in self.side("sell")],
            stops=sorted(one.number for one in self.open if one.where == "stops"),
            line=[one.number for one in self.line],
        )
