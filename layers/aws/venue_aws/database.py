"""One kept-open connection to PostgreSQL, for functions: they read the journal, and reconcile keeps sums of it."""

import time
from collections.abc import Callable, Mapping
from typing import Any, LiteralString

import psycopg
from psycopg.rows import BaseRowFactory

from venue.errors import Unavailable
from venue_aws.logins import DatabaseLogin, SecretAway
from venue_aws.patience import JOURNAL_CONNECT_S, JOURNAL_STATEMENT_S, REFUSAL_S

STATEMENT_TIMEOUT_MS = JOURNAL_STATEMENT_S * 1000

# Each plan is made for its own cursor and dates: one for all of them would read a whole history.
_SETTINGS = """
    SELECT set_config('statement_timeout', %s, false), set_config('default_transaction_read_only', %s, false),
           set_config('plan_cache_mode', 'force_custom_plan', false)"""


def _no_other(_: DatabaseLogin) -> None:
    """For a login that never changes."""


class Database:
    """Statements, one at a time, each a transaction of its own. Connects on first use and again after a loss.

    `login` is asked for every new connection, and `instead_of` once more for another where one is refused: see
    venue_aws.logins. It only reads, unless `writes`; a statement that writes may then run twice, when the connection is
    lost before it is answered.
    """

    def __init__(
        self,
        login: Callable[[], DatabaseLogin],
        *,
        instead_of: Callable[[DatabaseLogin], DatabaseLogin | None] = _no_other,
        statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
        writes: bool = False,
    ) -> None:
        self._login = login
        self._instead_of = instead_of
        self._statement_timeout_ms = statement_timeout_ms
        self._read_only = "off" if writes else "on"
        self._connection: psycopg.Connection[Any] | None = None

    def fetch[Row](
        self, query: LiteralString, parameters: Mapping[str, object], *, row: BaseRowFactory[Row]
    ) -> list[Row]:
        """Give all rows. Raises Unavailable when the database is away or takes too long."""
        kept = self._connection is not None and not self._connection.closed
        try:
            return self._fetch(query, parameters, row)
        except psycopg.OperationalError as error:
            if not kept:
                raise _unavailable() from error  # a new connection does no better
            if self._connection is not None and not self._connection.closed:
                raise _unavailable() from error  # the connection is well: the statement took too long
        # The kept connection was lost, perhaps long ago: once more on a new one.
        try:
            return self._fetch(query, parameters, row)
        except psycopg.OperationalError as error:
            raise _unavailable() from error

    def close(self) -> None:
        """Close the connection; the next read opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _fetch[Row](
        self, query: LiteralString, parameters: Mapping[str, object], row: BaseRowFactory[Row]
    ) -> list[Row]:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        with self._connection.cursor(row_factory=row) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            login = self._login()
        except SecretAway as error:
            raise _unavailable() from error
        began = time.monotonic()
        try:
            return self._open(login)
        except psycopg.OperationalError:
            # Whatever the reason: libpq tells it in words only. Where it was not the login, no other will be found.
            another = self._instead_of(login) if time.monotonic() - began < REFUSAL_S else None
            if another is None:
                raise
        return self._open(another)

    def _open(self, login: DatabaseLogin) -> psycopg.Connection[Any]:
        connection = psycopg.connect(
            host=login.host,
            port=login.port,
            user=login.username,
            password=login.password,
            dbname=login.dbname,
            connect_timeout=JOURNAL_CONNECT_S,
            autocommit=True,
            application_name="venue-functions",
            keepalives_idle=30,
            # A server that is gone without a word would otherwise be waited for for minutes.
            tcp_user_timeout=self._statement_timeout_ms,
        )
        # Not as `options` of the connection: RDS Proxy refuses whoever sends any.
        connection.execute(_SETTINGS, (str(self._statement_timeout_ms), self._read_only))
        return connection


def _unavailable() -> Unavailable:
    return Unavailable("the journal does not answer now", retry_after_s=1)
