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
    """Run what has not run yet, all of it or nothing, and give the names. Safe to call from many processes at once."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        # A migration that had to wait for a reader would hold up every write behind it: it rather comes again.
        await connection.execute("SET LOCAL lock_timeout = '1s'")
        await connection.execute(_TABLE)
        known = {row["name"]: row["sha256"] for row in await connection.fetch("SELECT name, sha256 FROM migrations")}
        ran = []
        for name, script in scripts.items():
            digest = hashlib.sha256(script.encode()).hexdigest()
            if name not in known:
                await connection.execute(script)
                await connection.execute("INSERT INTO migrations (name, sha256) VALUES ($1, $2)", name, digest)
                ran.append(name)
            elif known[name] != digest:
                raise MigrationChanged(f"{name} was changed after it ran")
    if ran:
        log.info("migrated", extra={"files": ran})
    return ran
