"""Asks the venue's own stores what happened: the journal in PostgreSQL, the wallets in DynamoDB, the tape in S3."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
from psycopg.rows import namedtuple_row

from local.demo.book import Levels
from local.demo.evidence import PrivateFill, Trade
from venue import wire
from venue.events import AnyEvent, OrderChanged, OrderDone, OrderOpened, OrderReceived, Traded
from venue.products import Product
from venue.spelling import spelled
from venue_aws.archive import LINE, Line
from venue_aws.settlement import PROGRESS_ASSET

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


class Deal(msgspec.Struct, frozen=True):
    """One trade of the journal with all that the report tells of it: ticks, lots, µs, fees in minor units."""

    trade: Trade
    at: int
    maker_account: str
    maker_fee: int
    taker_account: str
    taker_fee: int
    maker_bought: bool

    @property
    def fills(self) -> tuple[PrivateFill, PrivateFill]:
        """The trade as each of its two sides is told."""
        return (
            PrivateFill(self.trade.trade_id, self.maker_account, self.trade.maker_order_id),
            PrivateFill(self.trade.trade_id, self.taker_account, self.trade.taker_order_id),
        )


class Baseline(msgspec.Struct, frozen=True):
    """Where the venue stood when a run began: what comes after these numbers is of the run."""

    batch: int
    trade: int


class Journal:
    """PostgreSQL as an auditor reads it: every call sees what is committed when it begins."""

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True, row_factory=namedtuple_row)

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def product(self, product_id: str) -> Product:
        """Give the rules of a product. Raises LookupError for an unknown one."""
        rows = self._rows("SELECT rules::text FROM products WHERE id = %s", product_id)
        if not rows:
            raise LookupError(f"{product_id} is not listed here")
        return wire.PRODUCT.decode(rows[0].rules)

    def last_batch(self, shard: int) -> int:
        """Give the sequence of the shard's last batch: 0 before the first."""
        return int(self._one("SELECT coalesce(max(sequence), 0) FROM batches WHERE shard = %s", shard))

    def relayed(self, shard: int) -> int:
        """Give the last batch that the relay has handed to the events queue."""
        return int(self._one("SELECT coalesce(max(published), 0) FROM relays WHERE shard = %s", shard))

    def sequences(self, product: Product, *, after_batch: int) -> list[int]:
        """Give the product sequences of all events after a batch, in the order of the journal."""
        query = "SELECT events FROM batches WHERE shard = %s AND sequence > %s ORDER BY sequence"
        rows = self._rows(query, product.shard, after_batch)
        return [number for row in rows for number in sequences_of(wire.EVENTS.decode(row.events), product.id)]

    def deals(self, product: Product, *, after_trade: int) -> list[Deal]:
        """Give all trades after one, by number."""
        query = """
            SELECT trade_id, sequence, at, side, price, size, maker_order_id::text, maker_account, maker_fee,
                   taker_order_id::text, taker_account, taker_fee
            FROM trades WHERE product_id = %s AND trade_id > %s ORDER BY trade_id"""
        return [
            Deal(
                Trade(row.trade_id, row.sequence, row.price, row.size, row.maker_order_id, row.taker_order_id),
                row.at,
                row.maker_account,
                row.maker_fee,
                row.taker_account,
                row.taker_fee,
                row.side == "buy",
            )
            for row in self._rows(query, product.id, after_trade)
        ]

    def last_trade(self, product: Product) -> int:
        """Give the number of the product's last trade: 0 before the first."""
        return int(self._one("SELECT coalesce(max(trade_id), 0) FROM trades WHERE product_id = %s", product.id))

    def orders(self, client_oids: Sequence[str]) -> list[str]:
        """Give the ids of all orders that these names were given to and no rule refused."""
        query = "SELECT id::text FROM orders WHERE client_oid = ANY(%s) AND status <> 'rejected'"
        return [row.id for row in self._rows(query, list(client_oids))]

    def resting(self, product: Product) -> tuple[Levels, Levels]:
        """Give bids and asks as the open orders add up to them."""
        query = """
            SELECT side, price, sum(size - filled)::bigint AS size FROM orders
            WHERE product_id = %s AND status = 'open' GROUP BY side, price"""
        sides: dict[str, Levels] = {"buy": {}, "sell": {}}
        for row in self._rows(query, product.id):
            sides[row.side][product.format_price(row.price)] = product.format_size(row.size)
        return sides["buy"], sides["sell"]

    def ledger(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Give what all postings ever made add up to: (account, asset) -> (free, held), minor units."""
        query = """
            SELECT account, asset, sum(free)::bigint AS free, sum(held)::bigint AS held
            FROM postings GROUP BY account, asset"""
        return {(row.account, row.asset): (row.free, row.held) for row in self._rows(query)}

    def _rows(self, query: str, *parameters: object) -> list[Any]:
        return self._connection.execute(query.encode(), parameters).fetchall()

    def _one(self, query: str, *parameters: object) -> Any:
        return self._rows(query, *parameters)[0][0]


class Wallets:
    """The DynamoDB table of wallets."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table

    def balances(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Give all wallets: (account, asset) -> (free, held), minor units."""
        return {
            (item["account"]["S"], item["asset"]["S"]): (int(item["free"]["N"]), int(item["held"]["N"]))
            for item in self._items()
            if item["asset"]["S"] != PROGRESS_ASSET
        }

    def settled(self, shard: int) -> int:
        """Give the last batch of the shard that is settled and on the tape: 0 before the first."""
        key = {"account": {"S": f"venue:shard-{shard}"}, "asset": {"S": PROGRESS_ASSET}}
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})
        return int(item["settled"]["N"]) if "settled" in item else 0

    def _items(self) -> Iterator[Any]:
        for page in self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
            yield from page["Items"]


class Tape:
    """The archived tape in S3. An object that was read is not read again: it only ever overwrites itself."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client, self._bucket = client, bucket
        self._read: dict[str, list[Line]] = {}

    def pass_over(self) -> None:
        """Look at what is there already, so that only later objects are told."""
        self._read = {key: [] for key in self._listed()}

    def lines(self) -> list[Line]:
        """Give what came since, each line of the tape once: two deliveries may have left it in two objects."""
        for key in self._listed():
            if key not in self._read:
                body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
                self._read[key] = [LINE.decode(line) for line in gzip.decompress(body).splitlines()]
        every = (line for lines in self._read.values() for line in lines)
        return list({(line.shard, line.batch, line.part, line.line): line for line in every}.values())

    @property
    def objects(self) -> int:
        """How many objects came since."""
        return sum(bool(lines) for lines in self._read.values())

    def _listed(self) -> list[str]:
        """All objects of the tape; a record that nobody could read was kept under another kind of name."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix="tape/day=")
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


class Witnesses(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's own stores, opened for reading."""

    journal: Journal
    wallets: Wallets
    tape: Tape

    def baseline(self, product: Product) -> Baseline:
        """Note where the journal stands now, and pass over what the tape holds already."""
        self.tape.pass_over()
        return Baseline(self.journal.last_batch(product.shard), self.journal.last_trade(product))

    def tape_sequences(self, product: Product, since: Baseline) -> list[int]:
        """Give the product sequences that the tape holds of this run."""
        return sequences_of(self._taped(product, since), product.id)

    def tape_trades(self, product: Product, since: Baseline) -> list[Trade]:
        """Give the trades that the tape holds of this run."""
        return [
            Trade(event.trade_id, event.sequence, event.price, event.size, event.maker_order_id, event.taker_order_id)
            for event in self._taped(product, since)
            if isinstance(event, Traded) and event.product_id == product.id
        ]

    def _taped(self, product: Product, since: Baseline) -> list[AnyEvent]:
        lines = self.tape.lines()
        return [line.event for line in lines if line.shard == product.shard and line.batch > since.batch]


def sequences_of(events: Iterable[AnyEvent], product_id: str) -> list[int]:
    """Give the product sequences that these events carry; a LevelChanged names one but takes none of its own."""
    sequenced = OrderReceived | OrderOpened | OrderChanged | Traded | OrderDone
    own = (event for event in spelled(events) if isinstance(event, sequenced) and event.product_id == product_id)
    return [event.sequence for event in own if event.sequence is not None]
