"""What one naive market tells: every event that it puts out, with the numbers that count them."""

from collections.abc import Callable

from msgspec.structs import replace

from tests.naive.orders import NaiveOrder
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
from venue.products import MarketStatus


class Teller:
    """Counts the market's public events and trades, and shares the private sequences of `accounts` with other markets.

    Of the command that is under way: its time, the events so far, and the levels that it touched, in order."""

    def __init__(self, product_id: str, accounts: dict[str, int]) -> None:
        self.product_id = product_id
        self.accounts = accounts
        self.sequence = self.trade_id = 0
        self.at = 0
        self.events: list[AnyEvent] = []
        self.touched: list[tuple[Side, int]] = []

    def begin(self, at: int, events: list[AnyEvent]) -> None:
        self.at, self.events, self.touched = at, events, []

    def _public(self) -> int:
        self.sequence += 1
        return self.sequence

    def _private(self, order: NaiveOrder) -> int:
        self.accounts[order.command.account] += 1
        return self.accounts[order.command.account]

    def stop_accepted(self, order: NaiveOrder) -> None:
        self.events.append(StopAccepted(at=self.at, order=order.command, account_sequence=self._private(order)))

    def stop_activated(self, order: NaiveOrder) -> None:
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

    def received(self, order: NaiveOrder, hold: int) -> None:
        size = None if order.command.size is None else order.size
        self.events.append(
            OrderReceived(
                at=self.at,
                order=replace(order.command, price=order.price or None, size=size, hold=hold),
                sequence=self._public(),
                account_sequence=self._private(order),
            )
        )

    def opened(self, order: NaiveOrder) -> None:
        self.events.append(
            OrderOpened(
                at=self.at,
                sequence=self._public(),
                account_sequence=self._private(order),
                order_id=order.command.order_id,
                account=order.command.account,
                product_id=self.product_id,
                side=order.command.side,
                price=order.price,
                remaining=order.remaining,
                shown=None if order.command.display_size is None else order.shown,
            )
        )

    def traded(
        self,
        maker: NaiveOrder,
        taker: NaiveOrder,
        *,
        price: int,
        size: int,
        fees: tuple[int, int],
        released: tuple[int, int],
    ) -> None:
        """`fees` and `released` are the maker's and the taker's."""
        self.trade_id += 1
        event = Traded(
            at=self.at,
            sequence=self._public(),
            trade_id=self.trade_id,
            product_id=self.product_id,
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
        by_funds = order.funds is not None
        self.events.append(
            OrderChanged(
                at=self.at,
                sequence=self._public() if is_public else None,
                account_sequence=self._private(order),
                order_id=order.command.order_id,
                account=order.command.account,
                product_id=self.product_id,
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

    def done(self, order: NaiveOrder, reason: DoneReason, released: int) -> None:
        self.events.append(
            OrderDone(
                at=self.at,
                sequence=self._public(),
                account_sequence=self._private(order),
                order_id=order.command.order_id,
                account=order.command.account,
                product_id=self.product_id,
                side=order.command.side,
                price=order.price or None,
                remaining=order.remaining,
                reason=reason,
                released=released,
            )
        )

    def status_changed(
        self, status: MarketStatus, reason: StatusReason, until: int | None, reference: int | None
    ) -> None:
        self.events.append(
            StatusChanged(
                at=self.at,
                product_id=self.product_id,
                status=status,
                reason=reason,
                until=until,
                reference=reference,
            )
        )

    def indicated(self, price: int | None, volume: int, surplus: int) -> None:
        self.events.append(
            AuctionIndicated(at=self.at, product_id=self.product_id, price=price, volume=volume, surplus=surplus)
        )

    def touch(self, order: NaiveOrder) -> None:
        """Note the level at which it rests."""
        if (order.command.side, order.price) not in self.touched:
            self.touched.append((order.command.side, order.price))

    def levels(self, shown: Callable[[Side, int], int]) -> None:
        """Last, each level that was touched, with what it shows now."""
        for side, price in self.touched:
            self.events.append(
                LevelChanged(
                    at=self.at,
                    sequence=self.sequence,
                    product_id=self.product_id,
                    side=side,
                    price=price,
                    size=shown(side, price),
                )
            )
