"""The ledger as reconciliation sees it: summed up to a wallet's own marks, and the sums kept for the next time.

See the tables in matcher/shell/migrations/0007_balances.sql. A balance of any time is the last kept row before it and
a short sum of what came after.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from psycopg.rows import scalar_row, tuple_row

from venue.reconciliation import Key, Known, Stretch, Sum, Wallet
from venue_aws.database import Database

# So many batches are summed up by one statement, ...
STRETCH_BATCHES_MAX: Final = 1_000
# ... and so many postings lie between two kept sums of one wallet, at least; at most those of one stretch more.
STEP_POSTINGS: Final = 1_000
_WALK: Final = "wallets"

_SHARDS: Final = """
    INSERT INTO summed (shard, sequence) SELECT shard, 0 FROM relays ON CONFLICT DO NOTHING"""
_MARKS: Final = "SELECT shard, sequence FROM summed ORDER BY shard"

_MOVED: Final = """
    SELECT account, asset, (free + held)::text FROM (
        SELECT account, asset, sum(free) AS free, sum(held) AS held FROM postings
        WHERE shard = %(shard)s AND sequence > %(after)s AND sequence <= %(upto)s
        GROUP BY account, asset) AS moved
    ORDER BY account, asset"""

# A wallet's last row moves on with it until it stands for enough postings; then it stays, and a new one begins.
_ADVANCE: Final = """
    WITH mark AS (
        UPDATE summed SET sequence = %(upto)s WHERE shard = %(shard)s AND sequence = %(after)s RETURNING shard
    ), moved AS (
        SELECT shard, account, asset, max(sequence) AS sequence, count(*) AS postings, sum(free) AS free,
               sum(held) AS held
        FROM postings JOIN mark USING (shard) WHERE sequence > %(after)s AND sequence <= %(upto)s
        GROUP BY shard, account, asset
    ), before AS (
        SELECT last.* FROM moved CROSS JOIN LATERAL (
            SELECT * FROM balances WHERE account = moved.account AND asset = moved.asset AND shard = moved.shard
            ORDER BY sequence DESC LIMIT 1) AS last
    ), moving AS (
        DELETE FROM balances USING before
        WHERE balances.account = before.account AND balances.asset = before.asset AND balances.shard = before.shard
          AND balances.sequence = before.sequence AND before.postings < %(step)s
    )
    INSERT INTO balances (account, asset, shard, sequence, postings, free, held)
    SELECT account, asset, shard, moved.sequence,
           moved.postings + CASE WHEN before.postings < %(step)s THEN before.postings ELSE 0 END,
           moved.free + coalesce(before.free, 0), moved.held + coalesce(before.held, 0)
    FROM moved LEFT JOIN before USING (account, asset, shard)
    RETURNING 1"""

# Each wallet once for each shard; its postings are asked for up to `seen`, and kept in `balances` up to `summed`.
_ASKED: Final = """
    WITH asked AS (
        SELECT account, asset, shard, seen, summed.sequence AS summed,
               (SELECT max(sequence) FROM batches WHERE batches.shard = summed.shard) AS latest
        FROM unnest(%(accounts)s::text[], %(assets)s::text[], %(shards)s::integer[], %(seen)s::bigint[])
             AS wallets (account, asset, shard, seen) JOIN summed USING (shard)
    )"""
# What is between the two is added, or taken away: another run may have summed up what was settled since this one read
# the wallet.
_SUMS: Final = (
    _ASKED  # noqa: S608  # both parts stand here
    + """
    SELECT account, asset, sum(coalesce(mark.free, 0) + coalesce(tail.free, 0))::text,
           sum(coalesce(mark.held, 0) + coalesce(tail.held, 0))::text
    FROM asked
    LEFT JOIN LATERAL (
        SELECT free, held FROM balances
        WHERE account = asked.account AND asset = asked.asset AND shard = asked.shard
        ORDER BY sequence DESC LIMIT 1) AS mark ON true
    LEFT JOIN LATERAL (
        SELECT sum(CASE WHEN sequence > asked.summed THEN free ELSE -free END) AS free,
               sum(CASE WHEN sequence > asked.summed THEN held ELSE -held END) AS held FROM postings
        WHERE account = asked.account AND asset = asked.asset AND shard = asked.shard
          AND sequence > least(asked.summed, asked.seen) AND sequence <= greatest(asked.summed, asked.seen)
    ) AS tail ON true
    GROUP BY account, asset"""
)
_UNSETTLED: Final = (
    _ASKED  # noqa: S608
    + """
    SELECT hold_id::text FROM asked CROSS JOIN LATERAL (
        SELECT coalesce(amend_id, order_id) AS hold_id FROM postings
        WHERE account = asked.account AND asset = asked.asset AND shard = asked.shard AND kind = 'hold'
          AND sequence > asked.seen AND sequence <= asked.latest) AS tail"""
)

# Refused by a matcher that does not know the product: nobody could say which asset the hold is of.
_KNOWN: Final = """
    SELECT id::text, created_at, status = 'rejected' AND reject_reason = 'unknown_product' FROM orders
    WHERE id = ANY(%(ids)s::uuid[])
    UNION ALL
    SELECT amend_id::text, at, false FROM postings WHERE amend_id = ANY(%(ids)s::uuid[])"""

_CURSOR: Final = "SELECT cursor FROM walks WHERE name = %(name)s"
_KEEP: Final = """
    INSERT INTO walks (name, cursor) VALUES (%(name)s, %(cursor)s)
    ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor RETURNING 1"""


class Ledger:
    """See venue.reconciliation.Ledger. Raises Unavailable when the journal does not answer.

    Every statement may run twice and at once in two processes: a stretch is summed up by whoever moves its mark.
    """

    def __init__(
        self, database: Database, *, stretch_max: int = STRETCH_BATCHES_MAX, step: int = STEP_POSTINGS
    ) -> None:
        self._database = database
        self._stretch_max = stretch_max
        self._step = step

    def shards(self) -> list[int]:
        """Give every shard that has ever had an owner."""
        self._database.fetch(_SHARDS + " RETURNING 1", {}, row=scalar_row)
        return sorted(self._marks())

    def stretch(self, shard: int, *, settled: int) -> Stretch | None:
        """Give what of the shard's batches up to `settled` comes next; None when all is summed up."""
        after = self._marks()[shard]
        if after >= settled:
            return None
        upto = min(settled, after + self._stretch_max)
        rows = self._database.fetch(_MOVED, {"shard": shard, "after": after, "upto": upto}, row=tuple_row)
        imbalance: dict[str, int] = {}
        for _, asset, amount in rows:
            imbalance[asset] = imbalance.get(asset, 0) + int(amount)
        return Stretch(
            shard=shard,
            after=after,
            upto=upto,
            wallets=[(account, asset) for account, asset, _ in rows],
            imbalance={asset: amount for asset, amount in imbalance.items() if amount},
        )

    def advance(self, stretch: Stretch) -> None:
        """Sum the stretch up, unless that was done."""
        span = {"shard": stretch.shard, "after": stretch.after, "upto": stretch.upto, "step": self._step}
        self._database.fetch(_ADVANCE, span, row=scalar_row)

    def sums(self, wallets: Sequence[Wallet], *, settled: Mapping[int, int]) -> dict[Key, Sum]:
        """Give what each wallet should be by the batches that it has seen, or that are settled in its shard."""
        if not wallets:
            return {}
        rows = self._database.fetch(_SUMS, self._asked(wallets, settled), row=tuple_row)
        return {(account, asset): Sum(int(free), int(held)) for account, asset, free, held in rows}

    def known(self, order_ids: Sequence[str]) -> dict[str, Known]:
        """Give those of the orders, and of the amends that took a hold, that the journal has."""
        ids = [order_id for order_id in order_ids if _is_uuid(order_id)]
        if not ids:
            return {}
        rows = self._database.fetch(_KNOWN, {"ids": ids}, row=tuple_row)
        return {order_id: Known(created_at, final) for order_id, created_at, final in rows}

    def unsettled(self, wallet: Wallet, *, settled: Mapping[int, int]) -> set[str]:
        """Give the orders whose hold is in the ledger, and not yet in what the wallet has seen."""
        return set(self._database.fetch(_UNSETTLED, self._asked([wallet], settled), row=scalar_row))

    def cursor(self) -> str | None:
        """Give where the walk through all wallets goes on; None where it begins."""
        found: list[str | None] = self._database.fetch(_CURSOR, {"name": _WALK}, row=scalar_row)
        return found[0] if found else None

    def keep(self, cursor: str | None) -> None:
        """Note where the walk goes on."""
        self._database.fetch(_KEEP, {"name": _WALK, "cursor": cursor}, row=scalar_row)

    def _marks(self) -> dict[int, int]:
        return dict(self._database.fetch(_MARKS, {}, row=tuple_row))

    def _asked(self, wallets: Sequence[Wallet], settled: Mapping[int, int]) -> dict[str, list[Any]]:
        asked = [(wallet, shard) for wallet in wallets for shard in settled]
        return {
            "accounts": [wallet.account for wallet, _ in asked],
            "assets": [wallet.asset for wallet, _ in asked],
            "shards": [shard for _, shard in asked],
            "seen": [max(wallet.seen.get(shard, 0), settled[shard]) for wallet, shard in asked],
        }


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
