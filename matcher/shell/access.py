"""How this process comes to the journal and to Redis: as the environment says, or by secrets whose content changes.

With a secret, a new connection asks for the login as it is now, and once more for another where it is refused. Open
connections stay as they are: a password is asked for at the door only.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import asyncpg

from matcher.shell.journal import Connect, connection
from matcher.shell.wiring import Database, Secret, Settings
from venue_aws.cache import Cache, CacheLogin
from venue_aws.logins import DatabaseLogin, Logins, SecretAway, login_of, secret_reader, secrets_client

# Nobody's order waits for Redis here.
_CACHE_MS: Final = 1000


def journal(settings: Settings) -> Connect:
    """Give the way to the journal."""
    told = settings.database
    if isinstance(told, Database):
        return partial(connection, told)
    return partial(_follow, _logins(told, DatabaseLogin, settings), told)


def cache(settings: Settings) -> Cache | None:
    """Give the way to Redis; None where it is off. It connects when it is first asked."""
    told = settings.redis
    match told:
        case None:
            return None
        case Secret():
            return Cache.follow(_logins(told, CacheLogin, settings), timeout_ms=_CACHE_MS)
        case _:
            return Cache.connect(
                host=told.host, port=told.port, password=told.password, tls=told.tls, timeout_ms=_CACHE_MS
            )


def _logins[Login](told: Secret, form: type[Login], settings: Settings) -> Logins[Login]:
    return login_of(secret_reader(partial(secrets_client, settings.region), told.arn), form)


@asynccontextmanager
async def _follow(logins: Logins[DatabaseLogin], told: Secret) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection as `connection` does, with the login of now."""
    async with AsyncExitStack() as stack:
        try:
            login = await asyncio.to_thread(logins.now)
        except SecretAway as error:
            raise ConnectionError(f"no login for the journal: {error}") from error
        try:
            opened = await stack.enter_async_context(connection(_database(login, told)))
        except asyncpg.InvalidAuthorizationSpecificationError:
            another = await asyncio.to_thread(logins.instead_of, login)
            if another is None:
                raise
            opened = await stack.enter_async_context(connection(_database(another, told)))
        yield opened


def _database(login: DatabaseLogin, told: Secret) -> Database:
    return Database(
        host=login.host,
        port=login.port,
        user=login.username,
        password=login.password,
        name=login.dbname,
        sslmode=told.sslmode,
    )
