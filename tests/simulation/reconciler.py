"""reconcile as AWS runs it: the real code, at odd moments; delayed, killed, and twice at once."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from psycopg.rows import scalar_row

from tests.simulation.callers import Callers, Parts
from tests.simulation.database import Database
from tests.simulation.dynamodb import DynamoDb
from tests.simulation.loop import blocking, pause
from tests.simulation.process import Gone, Process
from tests.simulation.sums import Sums
from tests.simulation.trouble import Trouble
from tests.simulation.wallets import INDEX_LAG_S, Table
from venue import reconciliation
from venue.errors import Unavailable
from venue.reconciliation import Reconciliation
from venue_aws.ledger import Ledger
from venue_aws.vault import Vault

# A hold is forgotten so soon, so that runs of a few seconds see it happen; nothing rests on the length.
FORGOTTEN_US: Final = 4_000_000
# A delay of one question. Longer than the reconciliation reckons with, and it would be right to raise an alarm.
_DELAY_S: Final = (0.3, 1.5)
# The second of two runs begins so much later. What was settled since the first began, it sums up while the first looks.
_LATER_S: Final = (0.0, 0.4)
_RUN_US: Final = 60_000_000
# A killed run, or one that met a fault, is begun again by the clock.
_TRIES: Final = 40


class LedgerReads:
    """venue_aws.database.Database, as one run of reconciliation has it."""

    def __init__(self, process: Process, database: Database, sums: Sums, trouble: Trouble) -> None:
        self._process = process
        self._database = database
        self._sums = sums
        self._trouble = trouble

    def fetch(self, query: str, parameters: Mapping[str, object], *, row: Any) -> list[Any]:
        """See venue_aws.database."""
        does = self._sums.does.get(query)
        if does is None:
            raise LookupError(f"the simulated database does not know this statement:\n{query}")
        self._way()
        if self._trouble.lasts("database_away"):
            raise Unavailable("the journal does not answer")
        upset(self._process, self._trouble)
        rows = does(**parameters)
        self._database.answered(self._database.loop.time(), query, parameters, rows)
        self._way()
        return [values[0] for values in rows] if row is scalar_row else rows

    def _way(self) -> None:
        self._process.check()
        pause(self._trouble.way())
        self._process.check()


class Reconciler:
    """Runs it, and tells the auditor what each run found."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._loop = callers.loop
        self._database: Database = callers.database
        self._table: Table = callers.table
        self._trouble = callers.trouble
        self._sums = Sums(callers.database.tables)
        self._count = 0

    async def act(self) -> None:
        """What the clock does: it begins a run, sometimes two."""
        if self._trouble.takes("reconcile_twice"):
            await asyncio.gather(self._run(), self._run(after_s=self._trouble.between(*_LATER_S)))
        else:
            await self._run()

    async def settle(self) -> bool:
        """Run until all wallets were walked through and no hold is left alone; False when it never comes to that."""
        for _ in range(_TRIES):
            found = await self._run()
            if (
                found is not None
                and found.walked
                and not (found.behind or found.left or found.forgotten or self._alone())
            ):
                return True
            await asyncio.sleep(1.0)
        return False

    def _alone(self) -> list[str]:
        """The holds whose order, or amend, is in no journal."""
        answers = self._callers.auditor.answers
        known = answers.orders.keys() | answers.amends.keys()
        return [name for name, hold in self._table.holds.items() if hold.command.hold and name not in known]

    async def _run(self, *, after_s: float = 0.0) -> reconciliation.Found | None:
        """One run in a process of its own, from `after_s` on; None when it came to no end."""
        await asyncio.sleep(after_s)
        self._count += 1
        process = Process(f"reconcile-{self._count}", self._loop.time)
        trouble, table = self._trouble, self._table

        def troubled() -> None:
            upset(process, trouble)

        client: Any = DynamoDb(process, table, trouble, troubled=troubled)
        database: Any = LedgerReads(process, self._database, self._sums, trouble)
        parts = Parts(self._callers, process)
        run = Reconciliation(
            ledger=Ledger(database, stretch_max=7, step=5),
            vault=Vault(client, wallets="wallets", holds="holds", page=4),
            handover=parts.handover,
            markets=parts.markets,
            clock=process.clock,
            pause=lambda: pause(INDEX_LAG_S),
        )
        work = blocking(lambda: run.run(until=process.clock() + _RUN_US))
        task = self._loop.create_task(work, context=process.context)
        try:
            found: reconciliation.Found = await task
        except Unavailable:
            return None
        except (Gone, asyncio.CancelledError):
            if process.alive:
                raise
            return None
        self._trouble.fired["hold_forgotten"] += found.forgotten
        self._callers.auditor.reconciled(found)
        return found


def upset(process: Process, trouble: Trouble) -> None:
    """At any of a run's questions: it may be killed, or wait."""
    if trouble.rng.randrange(8):
        return
    if trouble.takes("reconcile_killed"):
        process.kill()
        process.check()
    if trouble.takes("reconcile_delayed"):
        pause(trouble.between(*_DELAY_S))
