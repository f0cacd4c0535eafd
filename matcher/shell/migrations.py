"""Schema migrations: the files in migrations/, each run once, in the order of their names, before anything else."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg

from matcher.shell.errors import MatcherError

log = logging.getLogger("matcher.migrations")

FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x76656E7565  # any number, the same in every matcher
# An index on a large table takes its time.
_SCRIPT_S: Final = 3600.0

# Whoever migrates puts the database's owner on for it: logins come and go, and what they make must stay the owner's.
_OWNER: Final = """
SELECT set_config('role', pg_get_userbyid(datdba), true) FROM pg_database WHERE datname = current_database()
"""
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS migrations (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationChanged(MatcherError):
    """A file that has already run reads differently now: write a new file instead."""


def scripts(folder: Path = FOLDER) -> dict[str, str]:
    """Give all migrations by name, in order."""
    return {file.name: file.read_text() for file in sorted(folder.glob("*.sql"))}


async def migrate(connection: asyncpg.Connection, scripts: Mapping[str, str]) -> list[str]:
    """Run what has not run yet, each file whole or not at all, and give the names. Safe in many processes at once.

    Each is committed by itself: one that kept its locks for the next would meet an append that takes them in another
    order.
    """
    async with connection.transaction():
        await _lock(connection)
        await connection.execute(_TABLE)
        known = {row["name"]: row["sha256"] for row in await connection.fetch("SELECT name, sha256 FROM migrations")}
    digests = {name: hashlib.sha256(script.encode()).hexdigest() for name, script in scripts.items()}
    for name, digest in digests.items():
        if known.get(name, digest) != digest:
            raise MigrationChanged(f"{name} was changed after it ran")
    ran = [name for name in scripts if name not in known and await _run(connection, name, scripts[name], digests[name])]
    if ran:
        log.info("migrated", extra={"files": ran})
    return ran


async def _run(connection: asyncpg.Connection, name: str, script: str, digest: str) -> bool:
    """Run one file, unless another process was faster; whether it ran here."""
    async with connection.transaction():
        await _lock(connection)
        if await connection.fetchval("SELECT true FROM migrations WHERE name = $1", name):
            return False
        await connection.execute(script, timeout=_SCRIPT_S)
        await connection.execute("INSERT INTO migrations (name, sha256) VALUES ($1, $2)", name, digest)
    return True


async def _lock(connection: asyncpg.Connection) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    await connection.execute(_OWNER)
    # A migration that had to wait for a reader would hold up every write behind it: it rather comes again.
    await connection.execute("SET LOCAL lock_timeout = '1s'")
