"""A journal with a history in it: the real engine's events, written row by row into real tables."""

from itertools import count

import msgspec
import psycopg

from local.state import State
from matcher.core.engine import Engine
from matcher.shell.migrations import scripts
from tests.venue_in_memory import ACME_USD, BTC_USD
from venue import wire
from venue.commands import AnyCommand, CancelOrder, Deposit, ListProduct, PlaceOrder
from venue.events import Traded
from venue.holds import hold_for
from venue.ledger import postings
from venue.orders import Order, OrderType, Side
from venue.products import Product
from venue_aws.database import Database
from venue_aws.ledger import Ledger
from venue_aws.logins import DatabaseLogin

_numbers = count(1)

_OLD_ORDERS = """
    INSERT INTO orders (id, account, product_id, side, type, time_in_force, post_only, size, price, status, created_at,
                        filled, executed_value, fees, hold, done_at, done_reason)
    SELECT gen_random_uuid(), %(account)s, 'ACME-USD', 'buy', 'limit', 'GTC', false, 1, 100, 'done', %(at)s + i,
           1, 100, 0, 0, %(at)s + i, 'filled'
    FROM generate_series(1, %(orders)s) AS i"""
_OLD_TRADES = """
    INSERT INTO trades (product_id, trade_id, sequence, at, side, price, size, maker_order_id, maker_account, maker_fee,
                        taker_order_id, taker_account, taker_fee)
    SELECT 'ACME-USD', row_number() OVER (ORDER BY created_at), 0, created_at, 'buy', 100, 1, id, account, 0,
           gen_random_uuid(), account, 0
    FROM orders WHERE account = %(account)s AND status = 'done'"""


def new_database(postgres: str, state: State) -> DatabaseLogin:
    """Make an empty database on the session's server."""
    name = f"history_{next(_numbers)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return DatabaseLogin(
        host="127.0.0.1",
        port=state.ports.postgres,
        username="postgres",
        password=state.database_password,
        dbname=name,
    )


class History:
    """Applies commands one by one, each at its own instant and as a batch of its own."""

    def __init__(self, login: DatabaseLogin) -> None:
        self._connection = psycopg.connect(
            host=login.host,
            port=login.port,
            user=login.username,
            password=login.password,
            dbname=login.dbname,
            autocommit=True,
        )
        for text in scripts().values():
            self._connection.execute(text.encode())
        self._connection.execute("INSERT INTO leases VALUES (0, 1, 'matcher', 'http://matcher', now())")
        self.engine = Engine()
        self.at = 1_800_000_000_000_000
        self._sequence = 0
        self._orders = 0
        for product in (ACME_USD, BTC_USD):
            self.engine.apply(ListProduct(product=product))
            self._insert("products", {"id": product.id, "rules": wire.encode(product).decode()})

    def deposit(self, account: str, asset: str, amount: int) -> None:
        """Bring money in."""
        self._apply(Deposit(transfer_id=f"t-{self._sequence}", account=account, asset=asset, amount=amount))

    def place(
        self,
        account: str,
        side: Side,
        *,
        size: int,
        price: int | None = None,
        funds: int | None = None,
        product: Product = ACME_USD,
    ) -> Order:
        """Place a limit order, or a market buy by funds; give the order as it is then."""
        self._orders += 1
        kind: OrderType = "limit" if funds is None else "market"
        order_id = f"00000000-0000-4000-8000-{self._orders:012d}"
        command = PlaceOrder(
            order_id=order_id,
            account=account,
            product_id=product.id,
            side=side,
            type=kind,
            price=price,
            size=size if funds is None else None,
            funds=funds,
            time_in_force="GTC" if funds is None else "IOC",
            maker_bps=product.maker_bps,
            taker_bps=product.taker_bps,
        )
        self._apply(msgspec.structs.replace(command, hold=hold_for(command, product)))
        return self.order(order_id)

    def cancel(self, order: Order) -> None:
        """Cancel an order."""
        self._apply(CancelOrder(order_id=order.order_id, account=order.account))

    def lengthen(self, account: str, orders: int) -> None:
        """Add so many orders that are over, each with a trade against itself, and let the planner know."""
        self._connection.execute(_OLD_ORDERS, {"account": account, "orders": orders, "at": self.at})
        self._connection.execute(_OLD_TRADES, {"account": account})
        self._connection.execute("ANALYZE orders, trades")

    def sum_up(self, database: Database) -> None:
        """Keep sums of all that is in the ledger now, as reconciliation does: a row for every second posting."""
        ledger = Ledger(database, stretch_max=2, step=2)
        self._connection.execute("INSERT INTO relays VALUES (0, 0) ON CONFLICT DO NOTHING")
        for shard in ledger.shards():
            while (stretch := ledger.stretch(shard, settled=self._sequence)) is not None:
                ledger.advance(stretch)

    def forget_postings(self, *, upto: int) -> None:
        """Take the first batches' postings out of the ledger: whoever still needs them will be wrong."""
        self._connection.execute("DELETE FROM postings WHERE sequence <= %s", [upto])

    def order(self, order_id: str) -> Order:
        """An order as it is now."""
        order = self.engine.order(order_id)
        assert order is not None
        return order

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def _apply(self, command: AnyCommand) -> None:
        self.at += 1_000_000
        self._sequence += 1
        touched: set[str] = set()
        posted = []
        for event in self.engine.apply(msgspec.structs.replace(command, at=self.at)):
            posted += list(postings(event, self.engine.product(getattr(event, "product_id", ""))))
            if isinstance(event, Traded):
                touched |= {event.maker_order_id, event.taker_order_id}
                self._trade(event)
            else:
                touched |= {getattr(event, "order_id", "")} - {""}
        for ordinal, posting in enumerate(posted):
            place = {"shard": 0, "sequence": self._sequence, "ordinal": ordinal, "at": self.at}
            self._insert("postings", {**place, **msgspec.structs.asdict(posting)})
        for order_id in touched:
            row = msgspec.structs.asdict(self.order(order_id))
            row["id"] = row.pop("order_id")
            self._connection.execute("DELETE FROM orders WHERE id = %(id)s::uuid", row)
            self._insert("orders", row)

    def _trade(self, trade: Traded) -> None:
        row = msgspec.structs.asdict(trade)
        left_out = ("released", "account_sequence")
        self._insert("trades", {name: value for name, value in row.items() if not name.endswith(left_out)})

    def _insert(self, table: str, row: dict[str, object]) -> None:
        columns, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        self._connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})".encode(), row)  # noqa: S608
