"""Where the parts meet: the environment is read here, once, and every adapter is built here, once, when first needed.

A function pays at its cold start for what it uses and no more: adapters, and the client libraries under them, are
imported by their builders.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from venue_aws import patience
from venue_aws.logins import DatabaseLogin, SecretAway, login_of, secret_reader, secrets_client

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from pynamodb.models import Model

    from venue.amends import AmendDesk
    from venue.cashier import Cashier
    from venue.desk import OrderDesk
    from venue.handover import HandOver
    from venue.reconciliation import Reconciliation
    from venue.supervisor import Supervisor
    from venue_aws.archive import Archive
    from venue_aws.broadcasting import Broadcast
    from venue_aws.cache import Cache
    from venue_aws.canary import Canary
    from venue_aws.clearing import Clearing
    from venue_aws.database import Database
    from venue_aws.endings import EndingSessions
    from venue_aws.history import History
    from venue_aws.logins import Logins
    from venue_aws.markets import Markets
    from venue_aws.queues import EventsQueue
    from venue_aws.records import Records
    from venue_aws.rollout import Rollout
    from venue_aws.rotation import Rotation
    from venue_aws.sessions import Sessions
    from venue_aws.sockets import Sockets
    from venue_aws.subscriptions import SubscriptionDesk
    from venue_aws.tokens import Verifier
    from venue_aws.wallets import TransferClaims, Wallets


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The environment of a function. What a function does not use may be missing; see `need`."""

    stage: str = "local"
    aws_region: str | None = None
    aws_default_region: str | None = None
    aws_endpoint_url: str | None = None
    wallets_table: str | None = None
    holds_table: str | None = None
    sessions_table: str | None = None
    order_queue_url: str | None = None
    events_queue_url: str | None = None
    tape_stream: str | None = None
    tape_bucket: str | None = None
    database_secret_arn: str | None = None
    database_proxy: str | None = None
    redis_secret_arn: str | None = None
    database_admin_secret_arn: str | None = None
    redis_admin_secret_arn: str | None = None
    redis_host: str | None = None
    redis_port: str | None = None
    redis_tls: str | None = None
    matcher_url: str | None = None
    user_pool_id: str | None = None
    user_pool_client_id: str | None = None
    cognito_issuer: str | None = None
    cognito_jwks_url: str | None = None
    stream_endpoint: str | None = None
    market_data_function: str | None = None
    disconnect_function: str | None = None
    api_url: str | None = None
    canary_secret_arn: str | None = None
    canary_product: str | None = None
    versions: str | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables named like the fields; an empty one is a missing one."""
        lowered = {name.lower(): value for name, value in environment.items() if value}
        return msgspec.convert({name: lowered[name] for name in cls.__struct_fields__ if name in lowered}, cls)

    def need(self, field: str) -> str:
        """Give a setting. Raises RuntimeError, naming the variable, when it is missing."""
        value = getattr(self, field)
        if not value:
            raise RuntimeError(f"the environment variable {field.upper()} is not set")
        return str(value)


@cache
def settings() -> Settings:
    """This process's environment."""
    return Settings.read(os.environ)


def early[Part](build: Callable[[], Part]) -> Callable[[], Part]:
    """Build at once while Lambda starts a process and does not throttle it yet; elsewhere when first needed.

    A failure then is left for the first request to meet again, and to tell.
    """
    if "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
        with suppress(Exception):
            build()
    return build


def clock() -> int:
    """Give µs since 1970 UTC."""
    return time.time_ns() // 1000


@cache
def redis() -> "Cache":
    """Redis."""
    from venue_aws.cache import Cache, CacheLogin

    logins = login_of(secret_reader(secrets, settings().need("redis_secret_arn")), CacheLogin)
    with suppress(SecretAway):  # then at the first request
        logins.now()
    return Cache.follow(logins, timeout_ms=patience.REDIS_MS)


@cache
def database() -> "Database":
    """The journal's database, read only."""
    from venue_aws.database import Database

    logins = _database_logins()
    return Database(logins.now, instead_of=logins.instead_of)


@cache
def records() -> "Records":
    """What the journal tells an account."""
    from venue_aws.records import Records

    return Records(database())


@cache
def history() -> "History":
    """What a market's trades came to."""
    from venue_aws.history import History

    return History(database())


@cache
def markets() -> "Markets":
    """Product rules, tops of books, owners."""
    from venue_aws.markets import Markets

    return Markets(cache=redis(), records=records)


@cache
def wallets() -> "Wallets":
    """Wallets and holds."""
    from pynamodb.connection import Connection

    from venue_aws.wallets import HoldItem, WalletItem, Wallets

    connection = Connection(
        region=region(),
        host=settings().aws_endpoint_url,
        connect_timeout_seconds=patience.CONNECT_S,
        read_timeout_seconds=patience.TABLE_READ_S,
        max_retry_attempts=patience.TABLE_RETRIES,
    )
    return Wallets(
        wallets=table(WalletItem, "wallets_table"), holds=table(HoldItem, "holds_table"), connection=connection
    )


@cache
def transfer_claims() -> "TransferClaims":
    """Which deposit owns which transfer id."""
    from venue_aws.wallets import HoldItem, TransferClaims

    return TransferClaims(holds=table(HoldItem, "holds_table"))


@cache
def handover() -> "HandOver":
    """Both roads to the matcher."""
    from venue.handover import HandOver
    from venue_aws.matcher import MatcherClient
    from venue_aws.queues import OrderQueue, QueueRoad

    queue_url = settings().need("order_queue_url")
    queue = QueueRoad(lambda: OrderQueue(sqs(), queue_url))
    return HandOver(markets=markets(), matcher=MatcherClient(), queue=queue, fallback_url=settings().matcher_url)


@cache
def order_desk() -> "OrderDesk":
    """The order desk."""
    from venue.desk import OrderDesk

    return OrderDesk(
        markets=markets(),
        wallets=wallets(),
        handover=handover(),
        orders=records,
        clock=clock,
        new_id=lambda: str(uuid4()),
    )


@cache
def amend_desk() -> "AmendDesk":
    """The amend desk."""
    from venue.amends import AmendDesk

    return AmendDesk(
        markets=markets(),
        wallets=wallets(),
        handover=handover(),
        orders=records,
        clock=clock,
        new_id=lambda: str(uuid4()),
    )


@cache
def supervisor() -> "Supervisor":
    """What operators decide of markets."""
    from venue.supervisor import Supervisor

    return Supervisor(markets=markets(), handover=handover())


@cache
def cashier() -> "Cashier":
    """The cashier."""
    from venue.cashier import Cashier

    return Cashier(markets=markets(), transfers=transfer_claims(), handover=handover(), clock=clock)


@cache
def verifier() -> "Verifier":
    """Who a WebSocket's token belongs to."""
    from venue_aws.tokens import Keys, Verifier, key_reader

    issuer = settings().need("cognito_issuer")
    keys = Keys(key_reader(settings().cognito_jwks_url or f"{issuer}/.well-known/jwks.json"))
    keys.refresh()
    return Verifier(keys=keys, issuer=issuer, client_id=settings().need("user_pool_client_id"))


@cache
def sessions() -> "Sessions":
    """WebSocket sessions and subscriptions."""
    from venue_aws.sessions import SessionItem, Sessions

    return Sessions(table(SessionItem, "sessions_table"))


@cache
def ending_sessions() -> "EndingSessions":
    """The same, for those who find sockets gone."""
    from venue_aws.endings import EndingSessions
    from venue_aws.sessions import SessionItem

    items = table(SessionItem, "sessions_table")
    return EndingSessions.connect(items, disconnect=settings().need("disconnect_function"))


@cache
def sockets() -> "Sockets":
    """The way to open WebSockets."""
    from venue_aws.sockets import Sockets

    return Sockets.connect(settings().need("stream_endpoint"))


@cache
def subscription_desk() -> "SubscriptionDesk":
    """What clients say on their sockets."""
    from venue_aws.public_data import PublicData
    from venue_aws.subscriptions import SubscriptionDesk

    market = PublicData.connect(settings().need("market_data_function"))
    return SubscriptionDesk(sessions=ending_sessions(), market=market, sockets=sockets())


@cache
def broadcast() -> "Broadcast":
    """Publications to all who listen."""
    from venue_aws.broadcasting import Broadcast
    from venue_aws.sessions import Listeners

    return Broadcast(sockets=sockets(), sessions=ending_sessions(), listeners=Listeners(ending_sessions()))


@cache
def clearing() -> "Clearing":
    """Journal batches to wallets and tape."""
    from venue_aws.clearing import Clearing
    from venue_aws.journal import Journal
    from venue_aws.rules import Rules
    from venue_aws.settlement import Settlement
    from venue_aws.tape import Tape

    return Clearing(
        settlement=Settlement.connect(settings().need("wallets_table")),
        journal=Journal(database()),
        tape=Tape.connect(settings().need("tape_stream")),
        rules=Rules(markets().products),
    )


@cache
def events_queue() -> "EventsQueue":
    """The queue of journal batches."""
    from venue_aws.queues import EventsQueue, connect

    return EventsQueue(connect(), settings().need("events_queue_url"))


@cache
def ledger_database() -> "Database":
    """The journal's database, for the sums that reconciliation keeps."""
    from venue_aws.database import Database

    logins, timeout_ms = _database_logins(), patience.LEDGER_STATEMENT_S * 1000
    return Database(logins.now, instead_of=logins.instead_of, statement_timeout_ms=timeout_ms, writes=True)


@cache
def _database_logins() -> "Logins[DatabaseLogin]":
    read = secret_reader(secrets, settings().need("database_secret_arn"))
    # The secret names the cluster itself, as its rotation needs it. A proxy has the same users, and always this port.
    proxy = {"host": settings().database_proxy, "port": 5432} if settings().database_proxy else {}
    return login_of(read, DatabaseLogin, **proxy)


@cache
def reconciliation() -> "Reconciliation":
    """The ledger beside the wallets."""
    from venue.reconciliation import Reconciliation
    from venue_aws.ledger import Ledger
    from venue_aws.vault import Vault

    return Reconciliation(
        ledger=Ledger(ledger_database()),
        vault=Vault.connect(wallets=settings().need("wallets_table"), holds=settings().need("holds_table")),
        handover=handover(),
        markets=markets(),
        clock=clock,
        pause=lambda: time.sleep(patience.INDEX_LAG_S),
    )


@cache
def database_rotation() -> "Rotation":
    """The rotation of the database's logins."""
    from venue_aws.roles import Admin, DatabaseRoles
    from venue_aws.rotation import Rotation

    read = secret_reader(rotating_secrets, settings().need("database_admin_secret_arn"))
    return Rotation(rotating_secrets, DatabaseRoles(lambda: login_of(read, Admin).now()))


@cache
def redis_rotation() -> "Rotation":
    """The rotation of Redis' users: ElastiCache's, unless there is somebody who may change them in Redis itself."""
    from venue_aws.doorkeepers import Address, CacheUser, ElastiCacheUsers, RedisUsers, connect
    from venue_aws.rotation import Rotation

    address = Address(
        host=settings().need("redis_host"),
        port=int(settings().need("redis_port")),
        tls=settings().redis_tls == "true",
    )
    if admin := settings().redis_admin_secret_arn:
        read = secret_reader(rotating_secrets, admin)
        return Rotation(rotating_secrets, RedisUsers(address, admin=lambda: login_of(read, CacheUser).now()))
    return Rotation(rotating_secrets, ElastiCacheUsers(address, api=connect(region())))


@cache
def archive() -> "Archive":
    """The archived tape."""
    from venue_aws.archive import Archive

    return Archive.connect(settings().need("tape_bucket"))


@cache
def canary() -> "Canary":
    """A trader of the venue's own."""
    from venue_aws.canary import Canary, Credentials, SignIn

    arn = settings().need("canary_secret_arn")
    sign_in = SignIn.connect(
        pool=settings().need("user_pool_id"),
        app=settings().need("user_pool_client_id"),
        credentials=login_of(secret_reader(secrets, arn), Credentials).now,
    )
    return Canary(url=settings().need("api_url"), product_id=settings().need("canary_product"), token=sign_in.token)


@cache
def rollout() -> "Rollout":
    """New versions of the functions behind REST."""
    from venue_aws.rollout import Rollout

    versions = msgspec.json.decode(settings().need("versions"), type=dict[str, str])
    return Rollout.connect(versions=versions, app=settings().need("user_pool_client_id"))


def region() -> str:
    """The AWS region; the endpoint of a local venue takes any."""
    return settings().aws_region or settings().aws_default_region or "us-east-1"


def table[M: Model](model: type[M], setting: str) -> type[M]:
    """A pynamodb model on the table that a setting names."""
    from venue_aws.wallets import bound

    return bound(model, table=settings().need(setting), region=region(), endpoint_url=settings().aws_endpoint_url)


def sqs() -> "SQSClient":
    """SQS, for a caller who waits."""
    import boto3

    return boto3.client("sqs", region_name=region(), config=patience.once(read_s=patience.QUEUE_READ_S))


@cache
def rotating_secrets() -> "SecretsManagerClient":
    """Secrets Manager, for a rotation, which has time."""
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})
    return boto3.client("secretsmanager", region_name=region(), config=config)


def secrets() -> "SecretsManagerClient":
    """Secrets Manager, for a caller who waits."""
    return secrets_client(region())
