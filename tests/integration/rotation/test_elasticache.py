"""What a rotation asks of ElastiCache, by boto3 and HTTP; who is let in afterwards is in test_steps.py."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest

from venue_aws.doorkeepers import Address, ElastiCacheUsers
from venue_aws.rotation import RotationRefused

ADDRESS = Address(host="redis.example", port=6380, tls=True)


@pytest.fixture
def api(aws: str) -> Iterator[Any]:
    """A client of the emulator's ElastiCache."""
    client = boto3.client("elasticache", endpoint_url=aws)
    yield client
    client.close()


@pytest.fixture
def user_id(api: Any) -> str:
    """A user as infra/data.yaml makes one, without a password yet."""
    name = f"venue-{uuid4().hex[:8]}"
    api.create_user(
        UserId=name, UserName="venue_matcher", Engine="redis", AccessString="on ~* +@read", NoPasswordRequired=True
    )
    return name


def content(user_id: str, **changed: str) -> dict[str, str]:
    """A secret's content."""
    return {"user_id": user_id, "username": "venue_matcher", "password": str(uuid4())} | changed


def test_the_user_that_the_secret_names_gets_passwords_and_keeps_its_rights(api: Any, user_id: str) -> None:
    ElastiCacheUsers(ADDRESS, api=api).admit(content(user_id), current=content(user_id))
    [found] = api.describe_users(UserId=user_id)["Users"]
    assert found["Authentication"]["Type"] == "password"
    assert found["AccessString"] == "on ~* +@read"


def test_another_user_than_the_secret_says_is_left_alone(api: Any, user_id: str) -> None:
    pending = content(user_id, username="venue_functions")
    with pytest.raises(RotationRefused, match="is not venue_functions"):
        ElastiCacheUsers(ADDRESS, api=api).admit(pending, current=pending)
    [found] = api.describe_users(UserId=user_id)["Users"]
    assert found["Authentication"]["Type"] != "password"


def test_a_rotation_tells_the_secret_where_redis_is() -> None:
    proposed = ElastiCacheUsers(ADDRESS, api=boto3.client("elasticache", region_name="us-east-1")).propose(content("x"))
    assert (proposed["host"], proposed["port"], proposed["tls"]) == ("redis.example", 6380, True)
    assert proposed["user_id"] == "x"
