"""What clients may send, strictly: decimals are text (money is never a float), and unknown fields are refused."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from venue.amends import Change
from venue.errors import Malformed
from venue.events import Traded
from venue.money import BASIS_POINTS
from venue.orders import OrderType, SelfTradePrevention, Side, Status, Stop, TimeInForce
from venue.products import SCALE_MAX, MarketStatus
from venue.supervisor import Rules
from venue.tickets import Length, Ticket
from venue_aws.candles import CANDLES_MAX
from venue_aws.pages import PAGE_DEFAULT, PAGE_MAX, Page

# Orders in one POST /orders/batch.
BATCH_MAX = 15

_DECIMAL = r"[0-9]{1,30}(\.[0-9]{1,30})?"
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def _decimal(value: object) -> object:
    if value is not None and not isinstance(value, str):
        raise ValueError('a decimal is written as a string, such as "0.01"')
    if value is not None and not re.fullmatch(_DECIMAL, value):
        raise ValueError("not a plain positive decimal number")
    return value


def _lower_uuid(value: str) -> str:
    if not re.fullmatch(_UUID, value):
        raise ValueError("not a UUID")
    return value.lower()


def _product_id(value: str) -> str:
    # ccxt names a product by its symbol, BTC/USD, where it only narrows a cancel down.
    if not re.fullmatch(r"[A-Za-z0-9]{1,16}[-/][A-Za-z0-9]{1,16}", value):
        raise ValueError("not a product id, such as BTC-USD")
    return value.replace("/", "-")


def _not_yet(value: object) -> None:
    if value is not None:
        raise ValueError("not supported yet")


def _micros(value: str) -> int:
    moment = datetime.fromisoformat(value)
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not an instant of the years 1 to 9999 in UTC") from error
    passed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return max(0, (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds)


Decimal = Annotated[
    str, BeforeValidator(_decimal), WithJsonSchema({"type": "string", "pattern": f"^{_DECIMAL}$", "examples": ["0.01"]})
]
Id = Annotated[str, AfterValidator(_lower_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]
ProductId = Annotated[
    str, AfterValidator(_product_id), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9]+[-/][A-Za-z0-9]+$"})
]
Instant = Annotated[str, AfterValidator(_micros), WithJsonSchema({"type": "string", "format": "date-time"})]
Currency = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,16}$")]
# A maker may be paid, by less than all of it.
Rate = Annotated[int, Field(gt=-BASIS_POINTS, le=BASIS_POINTS)]
NotYet = SkipJsonSchema[Annotated[Any, BeforeValidator(_not_yet)]]


class Request(BaseModel):
    """A JSON object with these members and no others."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class NewOrder(Request):
    """An order to place. A market order takes `size`, or to buy `funds`; a limit order takes `price` and `size`.

    `stp` says what happens where it meets an order of its own account: dc decrease both and cancel the smaller, co
    cancel the older, cn the newer, cb both. GTT takes `cancel_after`: min, hour, day, or an instant. With `stop` the
    order waits, unseen, until a trade prints at `stop_price`: loss at or below it, entry at or above it; a market
    order goes five per cent beyond it at most. `display_size` is what others see of the order at a time.
    """

    product_id: ProductId
    side: Side
    type: OrderType = "limit"
    price: Decimal | None = None
    size: Decimal | None = None
    funds: Decimal | None = None
    time_in_force: TimeInForce | None = None
    post_only: bool = False
    client_oid: Id | None = None
    stp: SelfTradePrevention = "dc"
    cancel_after: Length | Instant | None = None
    stop: Stop | None = None
    stop_price: Decimal | None = None
    display_size: Decimal | None = None

    # Known to the dialect, refused here by name.
    stop_limit_price: NotYet = None
    max_floor: NotYet = None
    profile_id: NotYet = None

    def ticket(self) -> Ticket:
        """The order in the domain's words."""
        return Ticket(
            product_id=self.product_id,
            side=self.side,
            type=self.type,
            price=self.price,
            size=self.size,
            funds=self.funds,
            time_in_force=self.time_in_force,
            post_only=self.post_only,
            client_oid=self.client_oid,
            stp=self.stp,
            cancel_after=self._end(),
            stop=self.stop,
            stop_price=self.stop_price,
            display_size=self.display_size,
        )

    def _end(self) -> Length | int | None:
        match self.cancel_after:
            case None | "min" | "hour" | "day" as length:
                return length
            case instant:  # pydantic has turned it into µs; its annotation stays what a client writes
                return int(instant)


class NewOrders(Request):
    """Orders of one product, which reach the matcher together."""

    orders: Annotated[list[NewOrder], Field(min_length=1, max_length=BATCH_MAX)]


class OrderChange(Request):
    """What an order is to be: `price`, `size` (what is filled included), or both.

    Less size at the same price keeps the order's place. The same `amend_id` is done once.
    """

    price: Decimal | None = None
    size: Decimal | None = None
    amend_id: Id | None = None

    def change(self) -> Change:
        """The change in the domain's words."""
        return Change(price=self.price, size=self.size, amend_id=self.amend_id)


class DeadMansSwitch(Request):
    """How many seconds the account wants to be waited for; 0: its orders stay whatever happens."""

    timeout: Annotated[int, Field(ge=0, le=86_400)]


class CancelScope(Request):
    """Where the order to cancel is: ccxt says it here."""

    product_id: ProductId | None = None


class NewDeposit(Request):
    """Money that came in from outside. The same `key` credits once."""

    key: Annotated[str, Field(pattern=r"^[!-~]{1,128}$")]
    account_id: Id
    currency: Currency
    amount: Decimal


class MarketChange(Request):
    """What a market accepts from now on."""

    status: MarketStatus
    until: Instant | None = None
    reference_price: Decimal | None = None

    def end(self) -> int | None:
        """When a halt or an auction ends, µs: pydantic has read the instant."""
        return None if self.until is None else int(self.until)


class NewMarket(Request):
    """A market's rules. Rates, collar and breaker in basis points of 0.01 %; 0 means no such rule.

    base_name, base_scale: of a base currency that is not known here yet; the quote currency is known. collar_bps: how
    far from the reference price a limit may lie; breaker_bps: how far from it a trade may print. One that would print
    further halts the market for `halt_seconds`, and an auction of `auction_seconds` follows.
    """

    base_currency: Currency
    quote_currency: Currency
    quote_increment: Decimal
    base_increment: Decimal
    base_name: Annotated[str | None, Field(pattern=r"^[ -~]{1,64}$")] = None
    base_scale: Annotated[int | None, Field(ge=0, le=SCALE_MAX)] = None
    base_min_size: Decimal | None = None
    base_max_size: Decimal | None = None
    max_price: Decimal | None = None
    min_market_funds: Decimal | None = None
    maker_bps: Rate = 0
    taker_bps: Rate = 0
    max_open_orders: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    collar_bps: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    breaker_bps: Annotated[int, Field(ge=0, lt=BASIS_POINTS)] = 0
    halt_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    auction_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    shard: Annotated[int, Field(ge=0, lt=1024)] = 0

    def rules(self) -> Rules:
        """The rules in the domain's words."""
        return Rules(
            base=self.base_currency,
            quote=self.quote_currency,
            quote_increment=self.quote_increment,
            base_increment=self.base_increment,
            base_name=self.base_name,
            base_scale=self.base_scale,
            size_min=self.base_min_size,
            size_max=self.base_max_size,
            price_max=self.max_price,
            notional_min=self.min_market_funds,
            maker_bps=self.maker_bps,
            taker_bps=self.taker_bps,
            orders_max=self.max_open_orders,
            collar_bps=self.collar_bps,
            breaker_bps=self.breaker_bps,
            halt_us=self.halt_seconds * 1_000_000,
            auction_us=self.auction_seconds * 1_000_000,
            shard=self.shard,
        )


class ListQuery(BaseModel):
    """Which part of a list, newest first. `before` and `after` take the cursors of CB-BEFORE and CB-AFTER."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT
    before: Annotated[str | None, Field(max_length=128)] = None
    after: Annotated[str | None, Field(max_length=128)] = None
    start_date: Instant | None = None
    end_date: Instant | None = None

    def page(self) -> Page:
        """The page in the journal's words. Raises Malformed for two cursors."""
        if self.before and self.after:
            raise Malformed("before: not together with after", field="before")
        # pydantic has turned the instants into µs; their annotation stays what a client writes.
        start, end = (None if date is None else int(date) for date in (self.start_date, self.end_date))
        return Page(limit=self.limit, before=self.before, after=self.after, start=start, end=end)


class OrdersQuery(ListQuery):
    """Which orders; those that are not over when no status is given."""

    status: list[Literal["open", "pending", "active", "received", "done", "rejected", "all"]] = Field(
        default=["open", "pending", "active"]
    )
    product_id: ProductId | None = None

    def statuses(self) -> list[Status] | None:
        """The journal's states; None for all."""
        if "all" in self.status:
            return None
        known: tuple[Status, ...] = ("pending", "active", "open", "done", "rejected")
        return [status for status in known if status in self.status]


class FillsQuery(ListQuery):
    """Which fills."""

    order_id: Id | None = None
    product_id: ProductId | None = None


class HoldsQuery(BaseModel):
    """Which holds, newest order first."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT
    after: Annotated[str | None, Field(max_length=128)] = None

    def page(self) -> Page:
        """The page in the journal's words."""
        return Page(limit=self.limit, after=self.after)


class CandlesQuery(BaseModel):
    """Which candles, at most 300: of so many seconds each; the last ones where no time is given."""

    granularity: Literal["60", "300", "900", "3600", "21600", "86400"] = "60"
    start: Instant | None = None
    end: Instant | None = None

    def span(self, now: int) -> tuple[int, int, int]:
        """From, before, and the length of one, all in µs. Raises Malformed for more than 300 or none."""
        step = int(self.granularity) * 1_000_000
        end = (now if self.end is None else int(self.end)) // step * step + step
        start = end - CANDLES_MAX * step if self.start is None else int(self.start) // step * step
        if not 0 < (end - start) // step <= CANDLES_MAX + 1:
            raise Malformed(f"start: before end, and at most {CANDLES_MAX} candles", field="start")
        return start, end, step


class TradesQuery(BaseModel):
    """Which of the last trades. `before` and `after` take trade ids; detail=match adds what the feed's match says."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT
    before: Annotated[int | None, Field(ge=0)] = None
    after: Annotated[int | None, Field(ge=0)] = None
    detail: Literal["match"] | None = None

    def among(self, trades: list[Traded]) -> list[Traded]:
        """Choose from trades, newest first: with `before` the oldest of the newer ones, else the newest."""
        chosen = [
            trade
            for trade in trades
            if (self.before is None or trade.trade_id > self.before)
            and (self.after is None or trade.trade_id < self.after)
        ]
        return chosen[-self.limit :] if self.before is not None else chosen[: self.limit]
