"""The logins of a local venue, and their rotation.

In the cloud Secrets Manager rotates once a month. The emulator keeps secrets and rotates none, so what Secrets Manager
does is done here: a pending version, and the deployed rotation function called for each of four steps.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import psycopg
import redis

from local.processes import LocalError
from local.servers import aws_clients
from local.state import State

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

STEPS: Final = ("createSecret", "setSecret", "testSecret", "finishSecret")
# Which function rotates which secret.
ROTATED: Final[Mapping[str, str]] = {
    "database": "RotateDatabase",
    "matcher-database": "RotateDatabase",
    "redis": "RotateRedis",
    "matcher-redis": "RotateRedis",
}

type Content = dict[str, Any]
type Event = dict[str, str]


def keep_secrets(manager: "SecretsManagerClient", state: State) -> dict[str, str]:
    """Hold who makes logins, and the logins, where functions and matcher look for them. Give the secrets' ARNs."""
    database = {"host": "127.0.0.1", "port": state.ports.postgres, "dbname": "postgres"}
    cache = {"host": "127.0.0.1", "port": state.ports.redis, "tls": False}
    begin_with: dict[str, Content] = {
        "database-admin": {"username": "postgres", "password": state.database_password},
        "redis-admin": {"username": "default", "password": state.redis_password},
        "database": {**database, "group": "venue_functions", "username": "venue_functions_1"},
        "matcher-database": {**database, "group": "venue_matcher", "username": "venue_matcher_1"},
        "redis": {**cache, "username": "venue_functions"},
        "matcher-redis": {**cache, "username": "venue_matcher"},
    }
    arns = {}
    for name, known in begin_with.items():
        content = {"password": str(uuid4())} | known  # nobody's, until the first rotation
        secret = f"venue/{name}"
        try:
            arns[name] = manager.create_secret(Name=secret, SecretString=json.dumps(content))["ARN"]
        except manager.exceptions.ResourceExistsException:
            held = content_of(manager, secret)
            # The ports may be others than the last time; a login stays what it is, unless it is from before rotations.
            kept = ("username", "password") if name in ROTATED and held.keys() == content.keys() else ()
            login = {part: held[part] for part in kept}
            if content | login != held:
                manager.put_secret_value(SecretId=secret, SecretString=json.dumps(content | login))
            arns[name] = manager.describe_secret(SecretId=secret)["ARN"]
    return arns


def content_of(manager: "SecretsManagerClient", secret: str, stage: str = "AWSCURRENT") -> Content:
    """Give what a secret holds."""
    text = manager.get_secret_value(SecretId=secret, VersionStage=stage)["SecretString"]
    found: Content = json.loads(text)
    return found


def steps(manager: "SecretsManagerClient", secret: str) -> Iterator[Event]:
    """Begin a rotation: the version is there, pending and empty. Give the events of its four steps."""
    token = str(uuid4())
    # A label is on one version only; the emulator lets it stand on others as well.
    for version, stages in manager.describe_secret(SecretId=secret)["VersionIdsToStages"].items():
        if "AWSPENDING" in stages:
            manager.update_secret_version_stage(SecretId=secret, VersionStage="AWSPENDING", RemoveFromVersionId=version)
    manager.put_secret_value(SecretId=secret, ClientRequestToken=token, VersionStages=["AWSPENDING"])
    return iter([{"SecretId": secret, "ClientRequestToken": token, "Step": step} for step in STEPS])


def rotate(state: State, *names: str) -> None:
    """Rotate these secrets, each by its function. Raises LocalError where a step fails; then the login is as it was."""
    clients = aws_clients(state)
    found = clients("cloudformation").describe_stack_resources(StackName="venue-local")["StackResources"]
    functions = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    def one_after_the_other(function: str) -> None:
        manager, invoke = clients("secretsmanager"), clients("lambda").invoke
        for name in (name for name in names if ROTATED[name] == function):
            for event in steps(manager, state.secret_arns[name]):
                answer = invoke(FunctionName=functions[function], Payload=json.dumps(event).encode())
                if "FunctionError" in answer:
                    said = answer["Payload"].read().decode()
                    raise LocalError(f"the rotation of {name} failed in {event['Step']}: {said}")

    with ThreadPoolExecutor() as pool:
        list(pool.map(one_after_the_other, sorted({ROTATED[name] for name in names})))


def closed(state: State) -> list[str]:
    """Give the secrets whose login opens nothing: those of a new venue, or of one that lost the emulator's stores."""
    manager = aws_clients(state)("secretsmanager")
    return [name for name in ROTATED if not opens(content_of(manager, state.secret_arns[name]))]


def opens(content: Content) -> bool:
    """Whether PostgreSQL, or Redis, lets in whoever shows this."""
    host, port, username, password = (content[part] for part in ("host", "port", "username", "password"))
    try:
        if "dbname" in content:
            name = content["dbname"]
            psycopg.connect(
                host=host, port=port, user=username, password=password, dbname=name, connect_timeout=5
            ).close()
        else:
            with redis.Redis(host=host, port=port, username=username, password=password) as client:
                client.ping()
    except (psycopg.OperationalError, redis.RedisError):
        return False
    return True
