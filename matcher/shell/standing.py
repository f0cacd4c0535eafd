"""The rows of open orders, which everyone but the matcher reads, beside the books as the journal gives them."""

from typing import Any, Final

import asyncpg
from msgspec.structs import asdict

from matcher.core.engine import Engine
from matcher.shell.follower import Follower

type Row = dict[str, Any]

# The journal may go on meanwhile. An order that moves all the time is given up after so many looks.
_LOOKS: Final = 5

_OPEN: Final = "SELECT * FROM orders WHERE product_id = ANY($1) AND status IN ('open', 'active')"


async def misfits(connection: asyncpg.Connection, follower: Follower) -> list[str]:
    """Give the ids of orders whose rows are not as the books have them, sorted. The follower goes to the journal's end.

    Beside an owner a row may be ahead of the books. It is wrong when it was read after the books had come to where they
    still are: so whatever differs is looked at again. All open orders are in memory at once, as rows and in the books.
    Raises JournalBroken.
    """
    differed: dict[str, Row | None] = {}
    for _ in range(_LOOKS):
        rows = await _rows(connection, follower.engine)
        await follower.catch_up(connection)
        books = _open(follower.engine)
        differs = {each: books.get(each) for each in rows.keys() | books.keys() if rows.get(each) != books.get(each)}
        wrong = [each for each, was in differed.items() if each in differs and differs[each] == was]
        if wrong or not differs:
            return sorted(wrong)
        differed = differs
    return []


async def _rows(connection: asyncpg.Connection, engine: Engine) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for record in await connection.fetch(_OPEN, list(engine.products)):
        row = dict(record)
        row["order_id"] = str(row.pop("id"))
        found[row["order_id"]] = row
    return found


def _open(engine: Engine) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for book in map(engine.book, engine.products):
        if book is not None:
            found |= {order.order_id: asdict(order.view()) for order in book.orders()}
    return found
