"""What can become of stored rows: each damages journal, ledger or a checkpoint in one place, and tells what it did."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final

import asyncpg

type Damage = Callable[[asyncpg.Connection, Random], Awaitable[str]]


async def _batch(connection: asyncpg.Connection, chance: Random, *, but_last: bool = False) -> int:
    """The sequence of any row."""
    last: int = await connection.fetchval("SELECT max(sequence) FROM batches WHERE shard = 0")
    return chance.randint(1, last - but_last)


async def _set(connection: asyncpg.Connection, table: str, sequence: int, column: str, value: Any) -> None:
    query = f"UPDATE {table} SET {column} = $2 WHERE shard = 0 AND sequence = $1"  # noqa: S608
    await connection.execute(query, sequence, value)


async def _get(connection: asyncpg.Connection, table: str, sequence: int, column: str) -> Any:
    query = f"SELECT {column} FROM {table} WHERE shard = 0 AND sequence = $1"  # noqa: S608
    return await connection.fetchval(query, sequence)


def _flipped(data: bytes, chance: Random) -> bytes:
    """The same with one bit turned over."""
    place = chance.randrange(len(data) * 8)
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def _bit_of(column: str) -> Damage:
    async def damage(connection: asyncpg.Connection, chance: Random) -> str:
        sequence = await _batch(connection, chance)
        data = _flipped(await _get(connection, "batches", sequence, column), chance)
        await _set(connection, "batches", sequence, column, data)
        return f"a bit of the {column} of batch {sequence}"

    return damage


async def _another_time(connection: asyncpg.Connection, chance: Random) -> str:
    sequence = await _batch(connection, chance)
    at = await _get(connection, "batches", sequence, "at") + chance.choice((-1, 1)) * chance.randint(1, 10**9)
    await _set(connection, "batches", sequence, "at", at)
    return f"another time for batch {sequence}"


async def _cut_short(connection: asyncpg.Connection, chance: Random) -> str:
    sequence, column = await _batch(connection, chance), chance.choice(("commands", "events"))
    data = await _get(connection, "batches", sequence, column)
    await _set(connection, "batches", sequence, column, data[: chance.randrange(len(data))])
    return f"the {column} of batch {sequence} cut short"


async def _no_checksum(connection: asyncpg.Connection, chance: Random) -> str:
    sequence = await _batch(connection, chance)
    await _set(connection, "batches", sequence, "checksum", None)
    return f"batch {sequence} without its checksum"


async def _gone(connection: asyncpg.Connection, chance: Random) -> str:
    sequence = await _batch(connection, chance, but_last=True)
    await connection.execute("DELETE FROM batches WHERE shard = 0 AND sequence = $1", sequence)
    return f"batch {sequence} is gone"


async def _cut_out(connection: asyncpg.Connection, chance: Random) -> str:
    told = await _gone(connection, chance)
    # In two steps, because each number may be there only once.
    gone = int(told.split()[1])
    for shift in (1_000_000, -1_000_001):
        query = "UPDATE batches SET sequence = sequence + $2 WHERE shard = 0 AND sequence > $1"
        await connection.execute(query, gone, shift)
    return f"{told}, and those behind it moved up"


async def _changed_places(connection: asyncpg.Connection, chance: Random) -> str:
    one, other = await _batch(connection, chance, but_last=True), await _batch(connection, chance)
    other = other if other != one else one + 1
    for before, after in ((one, -1), (other, one), (-1, other)):
        await connection.execute("UPDATE batches SET sequence = $2 WHERE shard = 0 AND sequence = $1", before, after)
    return f"batches {one} and {other} changed places"


async def _end_gone(connection: asyncpg.Connection, chance: Random) -> str:
    sequence = await _batch(connection, chance)
    await connection.execute("DELETE FROM batches WHERE shard = 0 AND sequence >= $1", sequence)
    return f"all from batch {sequence} on are gone"


async def _another_epoch(connection: asyncpg.Connection, chance: Random) -> str:
    sequence = await _batch(connection, chance, but_last=True)
    epoch = await _get(connection, "batches", sequence, "epoch") + chance.randint(1, 10)
    await _set(connection, "batches", sequence, "epoch", epoch)
    return f"epoch {epoch} for batch {sequence}"


# One row, drawn by a number: the database is not to draw it, or a seed would not give the same twice.
_ANY: Final = "(SELECT ctid FROM {0} WHERE {1} ORDER BY md5(ctid::text || $1::text) LIMIT 1)"


def _any_row(table: str, what: str, *, where: str = "true") -> Damage:
    async def damage(connection: asyncpg.Connection, chance: Random) -> str:
        any_row = _ANY.format(table, where)
        row = await connection.fetchrow(
            f"{what} WHERE ctid = {any_row} RETURNING *",
            str(chance.random()),
        )
        return f"{what}: {dict(row or {})}"

    return damage


async def _posting_twice(connection: asyncpg.Connection, chance: Random) -> str:
    row = await connection.fetchrow(
        f"""
        INSERT INTO postings (shard, sequence, at, account, asset, kind, free, held, order_id, trade_id, ordinal)
        SELECT shard, sequence, at, account, asset, kind, free, held, order_id, trade_id, ordinal + 1000000
        FROM postings WHERE ctid = {_ANY.format("postings", "true")} RETURNING *
        """,  # noqa: S608
        str(chance.random()),
    )
    return f"a posting twice: {dict(row or {})}"


async def _checkpoint(connection: asyncpg.Connection, chance: Random) -> int:
    rows = await connection.fetch("SELECT sequence FROM checkpoints WHERE shard = 0 ORDER BY sequence DESC")
    # Mostly the newest: it is the one that is read.
    return int(rows[0 if chance.random() < 0.7 else chance.randrange(len(rows))]["sequence"])


def _bit_of_a_checkpoint(column: str) -> Damage:
    async def damage(connection: asyncpg.Connection, chance: Random) -> str:
        sequence = await _checkpoint(connection, chance)
        data = _flipped(await _get(connection, "checkpoints", sequence, column), chance)
        await _set(connection, "checkpoints", sequence, column, data)
        return f"a bit of the {column} of checkpoint {sequence}"

    return damage


async def _number_of_a_checkpoint(connection: asyncpg.Connection, chance: Random) -> str:
    sequence, column = await _checkpoint(connection, chance), chance.choice(("sequence", "at", "epoch", "commands"))
    taken = {row["sequence"] for row in await connection.fetch("SELECT sequence FROM checkpoints WHERE shard = 0")}
    value = await _get(connection, "checkpoints", sequence, column)
    changed = value
    while changed == value or changed in taken:
        changed = max(0, value + chance.randint(-100, 100))
    await _set(connection, "checkpoints", sequence, column, changed)
    return f"{column} {changed} for {value} in checkpoint {sequence}"


async def _digest_of_a_checkpoint(connection: asyncpg.Connection, chance: Random) -> str:
    sequence = await _checkpoint(connection, chance)
    digest = await _get(connection, "checkpoints", sequence, "digest")
    place = chance.randrange(len(digest))
    other = chance.choice([digit for digit in "0123456789abcdef" if digit != digest[place]])
    await _set(connection, "checkpoints", sequence, "digest", digest[:place] + other + digest[place + 1 :])
    return f"the digest of checkpoint {sequence}"


async def _all_checkpoints(connection: asyncpg.Connection, chance: Random) -> str:
    for row in await connection.fetch("SELECT sequence, state FROM checkpoints WHERE shard = 0"):
        await _set(connection, "checkpoints", row["sequence"], "state", _flipped(row["state"], chance))
    return "a bit of every checkpoint's state"


DAMAGES: Final[dict[str, Damage]] = {
    "a bit of commands": _bit_of("commands"),
    "a bit of events": _bit_of("events"),
    "a bit of a checksum": _bit_of("checksum"),
    "no checksum": _no_checksum,
    "another time": _another_time,
    "another epoch": _another_epoch,
    "a row cut short": _cut_short,
    "a row gone": _gone,
    "a row cut out": _cut_out,
    "rows changed places": _changed_places,
    "the end gone": _end_gone,
    "a bit of a checkpoint's state": _bit_of_a_checkpoint("state"),
    "a bit of a checkpoint's trades": _bit_of_a_checkpoint("trades"),
    "a bit of a checkpoint's chain": _bit_of_a_checkpoint("chain"),
    "a bit of a checkpoint's checksum": _bit_of_a_checkpoint("checksum"),
    "a checkpoint's number": _number_of_a_checkpoint,
    "a checkpoint's digest": _digest_of_a_checkpoint,
    "every checkpoint": _all_checkpoints,
    "a posting of more": _any_row("postings", "UPDATE postings SET free = free + 1, held = held - 1"),
    "a posting of another account": _any_row("postings", "UPDATE postings SET account = 'mallory'"),
    "a posting gone": _any_row("postings", "DELETE FROM postings"),
    "a posting twice": _posting_twice,
    "a trade at another price": _any_row("trades", "UPDATE trades SET price = price + 1"),
    "a trade gone": _any_row("trades", "DELETE FROM trades"),
    "an open order holds more": _any_row("orders", "UPDATE orders SET hold = hold + 1", where="status = 'open'"),
    "an open order over": _any_row("orders", "UPDATE orders SET status = 'done'", where="status = 'open'"),
    "an open order gone": _any_row("orders", "DELETE FROM orders", where="status = 'open'"),
}
