"""The simulated PostgreSQL answers as a real one does: all that it was asked in whole runs is asked again.

Whatever a simulated matcher or reconciliation asks is recorded with its answer and its time, and then put to a real
server that shows the same time. Commits whose outcome nobody hears are among it; what never arrived is not.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import msgspec
import psycopg
import pytest

from local.state import State
from matcher.shell import checkpoints, journal, lease, migrations, relay
from matcher.shell.journal import connection
from matcher.shell.migrations import migrate, scripts
from tests.cluster.database import NewDatabase, create_database
from tests.simulation.draw import SLEEPER, plan_of
from tests.simulation.plan import Plan
from tests.simulation.rows import Row
from tests.simulation.sums import Sums
from tests.simulation.tables import Tables
from tests.simulation.venue import play

# What a lease is about: kills, sleepers, commits that come too late. And whatever else seeds bring.
HARD: Final = ("pause", "kill", "stop", "commit_stuck", "commit_slow", "clock_forward", "reconcile_twice")
PLANS: Final = [
    *(plan_of(seed, trouble=HARD) for seed in range(6)),
    *(plan_of(seed, trouble=(SLEEPER,)) for seed in range(2)),
    *(plan_of(seed, trouble=("checkpoint_damaged", "kill", "stop")) for seed in range(2, 4)),
    *(plan_of(seed) for seed in range(100, 104)),
]
TABLES: Final = Tables(float, lambda: None)
RECONCILING: Final = Sums(TABLES).does.keys()
# They say when and by whom the schema is changed, which here is done once.
NOT_ASKED: Final = {migrations._TABLE, migrations._OWNER, *(text for text in TABLES.does if "migrations" in text)} | {
    "SET LOCAL lock_timeout = '1s'",
    "SELECT pg_advisory_xact_lock($1)",
}
# Nobody looks at what these give.
CARRIED_OUT: Final = {lease._RELEASE, relay._ADVANCE, checkpoints._SAVE}

# The server's clock is the simulation's: this function is found before PostgreSQL's own.
CLOCK: Final = """
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
AS $$ SELECT to_timestamp(current_setting('simulated.now')::double precision) $$
"""


class Asked(msgspec.Struct, frozen=True):
    """One statement as the simulated database was asked it. at: seconds."""

    at: float
    statement: str
    arguments: Any
    answer: Any


def recorded(plan: Plan) -> list[Asked]:
    asked: list[Asked] = []

    def answered(at: float, statement: str, arguments: Any, answer: Any) -> None:
        if statement not in NOT_ASKED:
            asked.append(Asked(at, statement, arguments, answer))

    assert play(plan, answered=answered).violation is None
    return asked


async def answer(own: asyncpg.Connection, asked: Asked) -> object:
    """What the real server says."""
    await own.execute("SELECT set_config('simulated.now', $1, false)", repr(asked.at))
    try:
        rows = await own.fetch(asked.statement, *asked.arguments)
    except asyncpg.UniqueViolationError as error:
        return type(error)
    if asked.statement in CARRIED_OUT:
        return None
    if isinstance(asked.answer, Row | list):
        return [list(row.items()) for row in rows]
    return rows[0][0] if rows else None


def simulated(asked: Asked) -> object:
    """What the simulated one said, in the same form."""
    match asked.answer:
        case Exception():
            return type(asked.answer)
        case Row():
            return [asked.answer.items()]
        case list():
            return [row.items() for row in asked.answer]
        case _:
            return asked.answer


def sums(own: psycopg.Connection[tuple[Any, ...]], asked: Asked) -> list[tuple[Any, ...]]:
    """What the real server says to the reconciliation."""
    return sorted(own.execute(asked.statement.encode(), asked.arguments).fetchall())


async def compare(database: NewDatabase, recording: Sequence[Asked]) -> None:
    """Put it all to a database of its own, in the order of its answers."""
    async with connection(database.settings) as own:
        await migrate(own, scripts())
        await own.execute(CLOCK)
        await own.execute("SET search_path = public, pg_catalog")
        with psycopg.connect(database.url, autocommit=True) as other:
            for asked in recording:
                if asked.statement in RECONCILING:
                    assert sums(other, asked) == sorted(asked.answer), asked
                else:
                    assert await answer(own, asked) == simulated(asked), asked


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"seed {plan.seed}")
def test_the_simulated_database_answers_as_a_real_one(plan: Plan, postgres: str, state: State) -> None:
    asyncio.run(compare(create_database(postgres, state), recorded(plan)))


def test_these_runs_ask_everything_and_what_matters_most_in_each_of_its_ways() -> None:
    asked = [one for plan in PLANS for one in recorded(plan)]
    everything = TABLES.does.keys() | RECONCILING | {journal._APPEND}
    assert everything - NOT_ASKED == {one.statement for one in asked}
    heard = {(one.statement, repr(one.answer)) for one in asked}
    assert heard >= {
        *((journal._APPEND, said) for said in ("0", "1")),
        *((lease._TAKE, said) for said in ("1", "2", "3", "None")),
        *((lease._RENEW, said) for said in ("1", "2")),
        *((lease._IS_FREE, said) for said in ("True", "False")),
    }
