"""The SQL of venue_aws.records, against the tables of matcher/shell/migrations. Newest first unless named *_NEWER.

Every list is read by keyset: a page starts strictly beyond the cursor, whatever was inserted meanwhile.
"""

from typing import Final, LiteralString

PRODUCTS: Final = "SELECT rules::text FROM products ORDER BY id"

_COLUMNS: Final = """
    SELECT id::text AS order_id, account, product_id, side, type, time_in_force, post_only, client_oid, price, size,
           funds, status, created_at, filled, executed_value, fees, hold, done_at, done_reason, reject_reason,
           stp, expire_at, stop, stop_price, display_size"""

ORDER: Final = _COLUMNS + " FROM orders WHERE id = %(id)s::uuid AND account = %(account)s"

# The bare comparison of created_at is what an index understands.
_OLDER: Final = """(%(at)s::bigint IS NULL
           OR (created_at <= %(at)s AND (created_at < %(at)s OR id > %(id)s::uuid)))"""
_NEWER: Final = "created_at >= %(at)s AND (created_at > %(at)s OR id < %(id)s::uuid)"
_DOWN: Final = "ORDER BY created_at DESC, id LIMIT %(limit)s"
_UP: Final = "ORDER BY created_at, id DESC LIMIT %(limit)s"

# Written out, each as its index has it: an order stands in that of open ones or in that of those that are over.
_OPEN: Final = "status IN ('open', 'active')"
_OVER: Final = "status NOT IN ('open', 'active')"


def _own_orders(state: LiteralString, within: LiteralString, order: LiteralString) -> LiteralString:
    return f"""
    SELECT * FROM orders
    WHERE account = %(account)s AND {state}
      AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
      AND (%(product_id)s::text IS NULL OR product_id = %(product_id)s)
      AND (%(start)s::bigint IS NULL OR created_at >= %(start)s)
      AND (%(end)s::bigint IS NULL OR created_at <= %(end)s)
      AND {within}
    {order}"""  # noqa: S608  # all parts stand here


def _orders(within: LiteralString, order: LiteralString, *states: LiteralString) -> LiteralString:
    """Orders of these states. Each is limited by itself, so that its own index serves it."""
    ranges = " UNION ALL ".join([f"({_own_orders(state, within, order)})" for state in states])
    return f"{_COLUMNS} FROM ({ranges}) AS orders {order}"


ORDERS: Final = _orders(_OLDER, _DOWN, _OPEN, _OVER)
ORDERS_NEWER: Final = _orders(_NEWER, _UP, _OPEN, _OVER)
OPEN_ORDERS: Final = _orders(_OLDER, _DOWN, _OPEN)
OPEN_ORDERS_NEWER: Final = _orders(_NEWER, _UP, _OPEN)
ORDERS_OVER: Final = _orders(_OLDER, _DOWN, _OVER)
ORDERS_OVER_NEWER: Final = _orders(_NEWER, _UP, _OVER)

OPEN_HOLDS: Final = f"""{_COLUMNS} FROM orders
    WHERE account = %(account)s AND {_OPEN} AND hold > 0
      AND ((side = 'buy' AND product_id = ANY(%(quoted)s)) OR (side = 'sell' AND product_id = ANY(%(based)s)))
      AND {_OLDER}
    {_DOWN}"""

_AS_MAKER: Final = """
    SELECT trade_id, product_id, maker_order_id::text AS order_id, maker_account AS account, side, 'M' AS liquidity,
           price, size, maker_fee AS fee, at
    FROM trades
    WHERE maker_account = %(account)s AND (%(order_id)s::uuid IS NULL OR maker_order_id = %(order_id)s::uuid)"""

_AS_TAKER: Final = """
    SELECT trade_id, product_id, taker_order_id::text AS order_id, taker_account AS account,
           CASE side WHEN 'buy' THEN 'sell' ELSE 'buy' END AS side, 'T' AS liquidity,
           price, size, taker_fee AS fee, at
    FROM trades
    WHERE taker_account = %(account)s AND (%(order_id)s::uuid IS NULL OR taker_order_id = %(order_id)s::uuid)"""

_FILLS_WITHIN: Final = """
      AND (%(product_id)s::text IS NULL OR product_id = %(product_id)s)
      AND (%(start)s::bigint IS NULL OR at >= %(start)s)
      AND (%(end)s::bigint IS NULL OR at <= %(end)s)"""


def _fills(order: LiteralString, maker: LiteralString, taker: LiteralString) -> LiteralString:
    """Both sides of an account's trades. Each is limited by itself, so that its own index serves it."""
    return f"""
    ({_AS_MAKER}{_FILLS_WITHIN}{maker}
     ORDER BY at {order}, trade_id {order}, product_id {order} LIMIT %(limit)s)
    UNION ALL
    ({_AS_TAKER}{_FILLS_WITHIN}{taker}
     ORDER BY at {order}, trade_id {order}, product_id {order} LIMIT %(limit)s)
    ORDER BY at {order}, trade_id {order}, product_id {order}, liquidity {order} LIMIT %(limit)s"""


_FILL_KEY: Final = "(%(at)s, %(trade_id)s, %(product)s, %(liquidity)s)"

FILLS: Final = _fills(
    "DESC",
    f" AND (%(at)s::bigint IS NULL OR (at, trade_id, product_id, 'M') < {_FILL_KEY})",
    f" AND (%(at)s::bigint IS NULL OR (at, trade_id, product_id, 'T') < {_FILL_KEY})",
)

FILLS_NEWER: Final = _fills(
    "ASC",
    f" AND (at, trade_id, product_id, 'M') > {_FILL_KEY}",
    f" AND (at, trade_id, product_id, 'T') > {_FILL_KEY}",
)

# Holds and releases move between free and held; they do not change a balance and are not in its ledger.
_LEDGER: Final = """
    SELECT shard, sequence, ordinal, at, kind, free + held AS amount, order_id::text AS order_id, trade_id, product_id
    FROM postings
    WHERE account = %(account)s AND asset = %(asset)s AND free + held <> 0
      AND (%(start)s::bigint IS NULL OR at >= %(start)s)
      AND (%(end)s::bigint IS NULL OR at <= %(end)s)"""

LEDGER: Final = (
    _LEDGER
    + """
      AND (%(sequence)s::bigint IS NULL OR (sequence, shard, ordinal) < (%(sequence)s, %(shard)s, %(ordinal)s))
    ORDER BY sequence DESC, shard DESC, ordinal DESC LIMIT %(limit)s"""
)

LEDGER_NEWER: Final = (
    _LEDGER
    + """
      AND (sequence, shard, ordinal) > (%(sequence)s, %(shard)s, %(ordinal)s)
    ORDER BY sequence, shard, ordinal LIMIT %(limit)s"""
)

# Of each shard the last sum that reconciliation kept before the entry, if it kept any, and what came after that.
BALANCE: Final = """
    SELECT coalesce(sum(coalesce(kept.total, 0) + coalesce(rest.total, 0)), 0)::text FROM leases
    LEFT JOIN LATERAL (
        SELECT sequence, free + held AS total FROM balances
        WHERE account = %(account)s AND asset = %(asset)s AND shard = leases.shard AND sequence < %(sequence)s
        ORDER BY sequence DESC LIMIT 1) AS kept ON true
    CROSS JOIN LATERAL (
        SELECT sum(free + held) AS total FROM postings
        WHERE account = %(account)s AND asset = %(asset)s AND shard = leases.shard
          AND sequence > coalesce(kept.sequence, 0)
          AND (sequence, shard, ordinal) <= (%(sequence)s, %(shard)s, %(ordinal)s)) AS rest"""
