"""What the logins that a rotation makes may do, and what not, tried at a real PostgreSQL and a real Redis."""

import asyncio
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec
import psycopg
import pytest
import redis
from psycopg import sql
from psycopg.rows import scalar_row

from local.rotate import Content
from local.state import State
from matcher.shell.migrations import migrate, scripts
from tests.integration.rotation.conftest import DatabaseDoor, RedisDoor
from venue_aws.doorkeepers import Address, CacheUser, RedisUsers
from venue_aws.roles import FUNCTIONS, MATCHER, Admin

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

JOURNAL: Final = {"batches", "trades", "postings"}
STATE: Final = {"leases", "relays", "products", "orders"}
SUMS: Final = {"summed", "balances", "walks"}
# By table, of SELECT, INSERT, UPDATE and DELETE, what each may. Everything else is refused.
MATCHERS: Final = (
    dict.fromkeys(JOURNAL, "SI")
    | dict.fromkeys(STATE, "SIU")
    | {"checkpoints": "SIUD"}
    | dict.fromkeys(SUMS | {"migrations"}, "S")
)
READERS: Final = (
    dict.fromkeys(JOURNAL | STATE, "S") | dict.fromkeys(SUMS, "SIUD") | dict.fromkeys(("checkpoints", "migrations"), "")
)
# Each asks for the right, and changes no row.
TRIED: Final = {
    "S": "SELECT FROM {table} WHERE false",
    "I": "INSERT INTO {table} DEFAULT VALUES",
    "U": "UPDATE {table} SET {column} = NULL WHERE false",
    "D": "DELETE FROM {table} WHERE false",
    "T": "TRUNCATE {table}",
    "A": "ALTER TABLE {table} ADD COLUMN more int",
    "X": "DROP TABLE {table}",
}


@pytest.fixture
def database_logins(
    database_door: DatabaseDoor, manager: "SecretsManagerClient", own_servers: State
) -> dict[str, Content]:
    """Logins of both groups, of a database that the matcher's has migrated."""
    admin = Admin(username="admin", password=own_servers.user_password)
    functions = DatabaseDoor(manager, port=own_servers.ports.postgres, dbname="venue", group=FUNCTIONS, admin=admin)
    for door in (database_door, functions):
        door.secret.rotate(door.take)
    found = {MATCHER: database_door.secret.content(), FUNCTIONS: functions.secret.content()}
    asyncio.run(_migrate(found[MATCHER]))
    return found


async def _migrate(login: Content) -> None:
    connection = await asyncpg.connect(
        host=login["host"],
        port=login["port"],
        user=login["username"],
        password=login["password"],
        database=login["dbname"],
    )
    try:
        await migrate(connection, scripts())
    finally:
        await connection.close()


def connect(login: Content) -> psycopg.Connection[tuple[object, ...]]:
    """Go in."""
    return psycopg.connect(
        host=login["host"],
        port=login["port"],
        user=login["username"],
        password=login["password"],
        dbname=login["dbname"],
        autocommit=True,
    )


def allowed(connection: psycopg.Connection[tuple[object, ...]], table: str, column: str) -> str:
    """What of TRIED this login may do to a table."""
    found = ""
    for letter, text in TRIED.items():
        statement = sql.SQL(text).format(table=sql.Identifier(table), column=sql.Identifier(column))
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            continue
        except psycopg.errors.NotNullViolation:
            pass  # it may, but not without saying what
        found += letter
    return found


@pytest.mark.parametrize(("group", "may"), [(MATCHER, MATCHERS), (FUNCTIONS, READERS)])
def test_a_login_may_do_with_each_table_what_its_programs_need_and_no_more(
    database_logins: dict[str, Content], group: str, may: dict[str, str]
) -> None:
    with connect(database_logins[group]) as connection:
        columns = connection.execute(
            "SELECT c.relname, min(a.attname) FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid "
            "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 GROUP BY 1"
        ).fetchall()
        assert {str(table): allowed(connection, str(table), str(column)) for table, column in columns} == may
        for statement in ("CREATE TABLE more ()", "CREATE ROLE more", "CREATE SCHEMA more", "SET ROLE admin"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_who_migrates_puts_the_owner_on_and_functions_cannot(database_logins: dict[str, Content]) -> None:
    with connect(database_logins[MATCHER]) as connection:
        owners = connection.cursor(row_factory=scalar_row).execute(
            "SELECT tableowner FROM pg_tables WHERE schemaname = 'public'"
        )
        assert set(owners.fetchall()) == {"venue_owner"}
        connection.execute("SET ROLE venue_owner")
    with connect(database_logins[FUNCTIONS]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SET ROLE venue_owner")


WRITES: Final = ("SET key 1", "HSET hash field 1", "DEL key")
SCRIPTS: Final = ("EVAL return(1) 0", "SCRIPT LOAD return(1)")
NOBODYS: Final = (
    "FLUSHALL",
    "CONFIG GET maxmemory",
    "ACL LIST",
    "KEYS *",
    "SHUTDOWN NOSAVE",
    "DEBUG SLEEP 0",
    "MONITOR",
)


@pytest.mark.parametrize(("user", "also"), [("venue_matcher", WRITES + SCRIPTS), ("venue_functions", ())])
def test_users_of_redis_read_and_only_the_matcher_writes(
    manager: "SecretsManagerClient", own_servers: State, user: str, also: tuple[str, ...]
) -> None:
    admin = CacheUser(username="default", password=own_servers.redis_password)
    address = Address(host="127.0.0.1", port=own_servers.ports.redis)
    door = RedisDoor(manager, own_servers, RedisUsers(address, admin=lambda: admin), username=user)
    door.secret.rotate(door.take)
    login = msgspec.convert(door.secret.content(), CacheUser)
    with redis.Redis(host=address.host, port=address.port, username=user, password=login.password) as client:
        for command in ("GET key", "HGETALL hash", "LRANGE list 0 1", "PING", *also):
            client.execute_command(*command.split())
        for command in (*NOBODYS, *(each for each in WRITES + SCRIPTS if each not in also)):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command.split())
