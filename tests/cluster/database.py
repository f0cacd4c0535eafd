"""Databases of their own, for one test or one chapter of a campaign."""

import itertools

import msgspec
import psycopg
from psycopg import sql

from local.state import State
from matcher.shell.wiring import Database

_numbers = itertools.count(1)


class NewDatabase(msgspec.Struct, frozen=True):
    """A database of one test: as the matcher's settings name it, and as psycopg does."""

    settings: Database
    url: str

    def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """Run one query and give its rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    def run(self, statement: str, *parameters: object) -> None:
        """Run one statement."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode(), parameters or None)


def create_database(postgres: str, state: State) -> NewDatabase:
    """Make an empty database."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return NewDatabase(
        Database(
            host="127.0.0.1", port=state.ports.postgres, user="postgres", password=state.database_password, name=name
        ),
        postgres.rpartition("/")[0] + f"/{name}",
    )
