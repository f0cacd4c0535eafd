"""The secrets of a local venue: a login stays from one start to the next, and one from before rotations gives way."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from local.rotate import ROTATED, content_of, keep_secrets
from local.state import State, choose_ports

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@pytest.fixture
def venues_state(manager: "SecretsManagerClient") -> Iterator[State]:
    """The state of a venue whose secrets are not kept yet."""
    state = State(ports=choose_ports(None))
    yield state
    for arn in keep_secrets(manager, state).values():
        manager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def test_a_login_stays_when_the_ports_change(manager: "SecretsManagerClient", venues_state: State) -> None:
    arns = keep_secrets(manager, venues_state)
    before = {name: content_of(manager, arns[name]) for name in ROTATED}
    venues_state.ports = choose_ports(None)
    assert keep_secrets(manager, venues_state) == arns
    for name, content in before.items():
        now = content_of(manager, arns[name])
        assert (now["username"], now["password"]) == (content["username"], content["password"])
        assert now["port"] in {venues_state.ports.postgres, venues_state.ports.redis}


def test_a_login_from_before_rotations_is_not_kept(manager: "SecretsManagerClient", venues_state: State) -> None:
    server = {"host": "127.0.0.1", "port": 1, "password": venues_state.database_password}
    forms = {
        "database": {**server, "username": "postgres", "dbname": "postgres"},
        "redis": {**server, "tls": False},
    }
    for name, content in forms.items():
        manager.create_secret(Name=f"venue/{name}", SecretString=json.dumps(content))
    arns = keep_secrets(manager, venues_state)
    assert content_of(manager, arns["database"])["username"] == "venue_functions_1"
    assert content_of(manager, arns["redis"])["username"] == "venue_functions"
    assert venues_state.database_password not in [content_of(manager, arns[name])["password"] for name in ROTATED]
