"""PostgreSQL's logins: two for each group, which take turns, so that a new password never touches the one in use.

A login has the rights of its group and nothing of its own (matcher/shell/migrations grants them). Passwords travel as
SCRAM verifiers only: a statement that sets one may stand in the database's log.
"""

import secrets
from collections.abc import Callable
from typing import Any, Final, LiteralString

import msgspec
import psycopg
from psycopg import sql

from venue_aws.rotation import Content, RotationRefused

# Owns the database and all tables. Nobody logs in as it; who migrates puts it on for that (matcher.shell.migrations).
OWNER: Final = "venue_owner"
MATCHER: Final = "venue_matcher"
FUNCTIONS: Final = "venue_functions"
GROUPS: Final = (MATCHER, FUNCTIONS)

_CONNECT_S: Final = 5
_STATEMENT: Final = "SET statement_timeout = '20s'; SET lock_timeout = '2s'"
# Any number: two rotations at once would change the same rows of PostgreSQL's own tables.
_LOCK: Final = "SELECT pg_advisory_xact_lock(7310579578)"
_FOREIGN_TABLES: Final = """
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relowner <> %s::regrole"""


class RoleLogin(msgspec.Struct, frozen=True, kw_only=True):
    """What a database secret holds. `group`: whose rights the login has."""

    host: str
    port: int
    dbname: str
    group: str
    username: str
    password: str


class Admin(msgspec.Struct, frozen=True, kw_only=True):
    """Who may make roles: not a superuser, but the one that Aurora gives its account."""

    username: str
    password: str


class DatabaseRoles:
    """See venue_aws.rotation.Keeper. `admin` is asked for every connection: that login changes by itself as well."""

    def __init__(self, admin: Callable[[], Admin]) -> None:
        self._admin = admin

    def propose(self, current: Content) -> Content:
        """Give the group's other login, with a new password."""
        login = _login(current)
        other = next(name for name in _logins_of(login.group) if name != login.username)
        return current | {"username": other, "password": secrets.token_urlsafe(36)}

    def admit(self, pending: Content, *, current: Content) -> None:
        """Set the pending login's password, not the current one's, and make on the way what is missing of roles."""
        login, in_use = _login(pending), _login(current)
        if login.username == in_use.username:
            raise RotationRefused(f"{login.username} is in use: a new password would lock out who uses it")
        admin = self._admin()
        with self._connect(login, admin.username, admin.password) as connection, connection.transaction():
            connection.execute(_LOCK)
            _establish(connection)
            _set_password(connection, login)

    def test(self, pending: Content) -> None:
        """Log in, and see whose rights that gives."""
        login = _login(pending)
        try:
            with self._connect(login, login.username, login.password) as connection:
                found = connection.execute("SELECT pg_has_role(current_user, %s, 'USAGE')", (login.group,)).fetchone()
        except psycopg.OperationalError as error:
            raise RotationRefused(f"{login.username} is not let in") from error
        if found != (True,):
            raise RotationRefused(f"{login.username} has not the rights of {login.group}")

    def _connect(self, login: RoleLogin, username: str, password: str) -> psycopg.Connection[Any]:
        connection = psycopg.connect(
            host=login.host,
            port=login.port,
            dbname=login.dbname,
            user=username,
            password=password,
            connect_timeout=_CONNECT_S,
            application_name="venue-rotation",
            autocommit=True,
        )
        connection.execute(_STATEMENT)
        return connection


def _login(content: Content) -> RoleLogin:
    try:
        login = msgspec.convert(content, RoleLogin, strict=False)
    except msgspec.ValidationError as error:
        raise RotationRefused(f"the secret is no login of the database: {error}") from None
    if login.group not in GROUPS or login.username not in _logins_of(login.group):
        raise RotationRefused(f"{login.username} of {login.group} is no login of ours")
    return login


def _logins_of(group: str) -> tuple[str, str]:
    return f"{group}_1", f"{group}_2"


def _establish(connection: psycopg.Connection[Any]) -> None:
    """Make the owner and the groups, and give the owner what is in the database."""
    for name in (OWNER, *GROUPS):
        if not _exists(connection, name):
            _run(connection, "CREATE ROLE {} NOLOGIN", name)
    _run(connection, "GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE", OWNER)
    # The matcher has its daily rights, and puts the owner on to migrate.
    _run(connection, "GRANT {} TO {} WITH INHERIT FALSE, SET TRUE", OWNER, MATCHER)
    [(database, owner)] = connection.execute(
        "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    ).fetchall()
    if owner != OWNER:
        _run(connection, "ALTER DATABASE {} OWNER TO {}", database, OWNER)
    for (table,) in connection.execute(_FOREIGN_TABLES, (OWNER,)).fetchall():
        _run(connection, "ALTER TABLE public.{} OWNER TO {}", table, OWNER)


def _set_password(connection: psycopg.Connection[Any], login: RoleLogin) -> None:
    verifier = connection.pgconn.encrypt_password(
        login.password.encode(), login.username.encode(), b"scram-sha-256"
    ).decode()
    how = "ALTER" if _exists(connection, login.username) else "CREATE"
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
            sql.SQL(how), sql.Identifier(login.username), sql.Literal(verifier)
        )
    )
    _run(connection, "GRANT {} TO {}", login.group, login.username)


def _exists(connection: psycopg.Connection[Any], role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None


def _run(connection: psycopg.Connection[Any], statement: LiteralString, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
