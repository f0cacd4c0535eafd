"""Public market data for those who cannot reach Redis: asked of the market_data function, as any client would.

The subscribe function has to reach @connections, which no function inside the network can; Redis is only inside. So it
asks the one function that has both feet on the ground, past the edge and its cache of a second.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from venue.errors import Unavailable
from venue.messages import LastMatch, Snapshot, Status, Ticker
from venue.orders import Side

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Products and currencies are kept this long; an unknown product asks again, at most once a second.
RULES_KEPT_S = 10.0
ASK_AGAIN_S = 1.0


class _Answer(msgspec.Struct):
    statusCode: int = 0  # noqa: N815 - API Gateway's name
    body: str = ""


class _Named(msgspec.Struct):
    id: str


class _Book(msgspec.Struct):
    sequence: int
    bids: list[tuple[str, str, int]]
    asks: list[tuple[str, str, int]]
    time: str | None = None
    checksum: int | None = None


class _Ticker(msgspec.Struct):
    trade_id: int | None = None
    price: str | None = None
    size: str | None = None
    time: str | None = None
    bid: str | None = None
    ask: str | None = None


class _Trade(msgspec.Struct):
    trade_id: int
    side: Side
    size: str
    price: str
    time: str
    sequence: int | None = None
    maker_order_id: str | None = None
    taker_order_id: str | None = None


class PublicData:
    """What a new subscriber is told first. Raises Unavailable when market_data does not answer."""

    def __init__(self, client: LambdaClient, function: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._function = function
        self._clock = clock
        self._status: Status | None = None
        self._names: frozenset[str] = frozenset()
        self._asked_at = 0.0

    @classmethod
    def connect(cls, function: str) -> PublicData:
        """Make a client with bounded waits."""
        config = Config(
            connect_timeout=1,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 2},
            tcp_keepalive=True,
        )
        return cls(boto3.client("lambda", config=config), function)

    def lists(self, product_id: str) -> bool:
        """Say whether there is such a product."""
        if product_id not in self._names and (self._status is None or self._age_s() >= ASK_AGAIN_S):
            self._status = None
        self.status()
        return product_id in self._names

    def status(self) -> Status:
        """Give all products and currencies, as of at most RULES_KEPT_S ago."""
        if self._status is None or self._age_s() >= RULES_KEPT_S:
            products = self._read("/products", list[msgspec.Raw])
            currencies = self._read("/currencies", list[msgspec.Raw])
            self._names = frozenset(msgspec.json.decode(product, type=_Named).id for product in products)
            self._status = Status(products=products, currencies=currencies)
            self._asked_at = self._clock()
        return self._status

    def snapshot(self, product_id: str) -> Snapshot:
        """Give the book as it stands now."""
        book = self._read("/products/{product_id}/book", _Book, product_id=product_id, query={"level": "2"})
        return Snapshot(
            product_id=product_id,
            time=book.time,
            sequence=book.sequence,
            checksum=book.checksum,
            bids=[(price, size) for price, size, _ in book.bids],
            asks=[(price, size) for price, size, _ in book.asks],
        )

    def last_match(self, product_id: str) -> LastMatch | None:
        """Give the latest trade, None when there has been none."""
        trades = self._read(
            "/products/{product_id}/trades",
            list[_Trade],
            product_id=product_id,
            query={"limit": "1", "detail": "match"},
        )
        if not trades:
            return None
        trade = trades[0]
        return LastMatch(
            product_id=product_id,
            time=trade.time,
            trade_id=trade.trade_id,
            side=trade.side,
            size=trade.size,
            price=trade.price,
            sequence=trade.sequence,
            maker_order_id=trade.maker_order_id,
            taker_order_id=trade.taker_order_id,
        )

    def ticker(self, product_id: str) -> Ticker | None:
        """Give the ticker, None before the first trade."""
        found = self._read("/products/{product_id}/ticker", _Ticker, product_id=product_id)
        if found.trade_id is None or found.price is None or found.size is None or found.time is None:
            return None
        return Ticker(
            product_id=product_id,
            time=found.time,
            trade_id=found.trade_id,
            price=found.price,
            last_size=found.size,
            best_bid=found.bid,
            best_ask=found.ask,
        )

    def _age_s(self) -> float:
        return self._clock() - self._asked_at

    def _read[T](
        self, resource: str, kind: type[T], *, product_id: str | None = None, query: Mapping[str, str] | None = None
    ) -> T:
        try:
            answer = self._client.invoke(
                FunctionName=self._function, Payload=json.dumps(_request(resource, product_id, query)).encode()
            )
            payload = answer["Payload"].read()
        except (ClientError, BotoCoreError) as error:
            raise _unavailable() from error
        try:
            page = msgspec.json.decode(payload, type=_Answer)
            if page.statusCode == HTTPStatus.OK:
                return msgspec.json.decode(page.body, type=kind)
        except msgspec.DecodeError as error:
            raise _unavailable() from error
        raise _unavailable()


def _request(resource: str, product_id: str | None, query: Mapping[str, str] | None) -> dict[str, object]:
    """Write the request as API Gateway's REST proxy hands it to a function."""
    return {
        "resource": resource,
        "path": resource.replace("{product_id}", product_id or ""),
        "httpMethod": "GET",
        "headers": {"Accept": "application/json"},
        "multiValueHeaders": {"Accept": ["application/json"]},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": {"product_id": product_id} if product_id else None,
        "stageVariables": None,
        "requestContext": {"requestId": str(uuid4()), "stage": "stream", "httpMethod": "GET", "resourcePath": resource},
        "body": None,
        "isBase64Encoded": False,
    }


def _unavailable() -> Unavailable:
    return Unavailable("market data does not answer now", retry_after_s=1)
