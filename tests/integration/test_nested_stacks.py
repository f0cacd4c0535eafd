"""The nested stacks make themselves, one from the outputs of the other, as far as the emulator knows their types."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.template.model import resolved, template

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# What the emulator's CloudFormation does not make.
NOT_IN_THE_EMULATOR = {"AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress"}
KEY = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:some.fifo"


@pytest.fixture
def cloudformation(aws: str) -> "CloudFormationClient":
    """CloudFormation of the emulator."""
    return boto3.client("cloudformation", endpoint_url=aws)


@contextmanager
def stack(cloudformation: "CloudFormationClient", name: str, given: dict[str, str]) -> Iterator[dict[str, str]]:
    """Make infra/<name>.yaml with what of `given` it asks for, give its outputs, and delete it."""
    whole = template(f"infra/{name}.yaml")
    kept = {n: r for n, r in whole["Resources"].items() if r["Type"] not in NOT_IN_THE_EMULATOR}
    assert {r["Type"] for n, r in whole["Resources"].items() if n not in kept} <= NOT_IN_THE_EMULATOR
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps({**whole, "Resources": kept}),
        Parameters=[{"ParameterKey": n, "ParameterValue": v} for n, v in given.items() if n in whole["Parameters"]],
        Capabilities=["CAPABILITY_IAM"],
    )
    try:
        assert settled(cloudformation, name) == "CREATE_COMPLETE"
        [made] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        yield {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}
    finally:
        cloudformation.delete_stack(StackName=name)
        assert settled(cloudformation, name) == "DELETE_COMPLETE"


def settled(cloudformation: "CloudFormationClient", name: str) -> str:
    """Wait until a stack is in no transition any more, and give its state."""
    for _ in range(240):
        [newest, *_] = [s for s in cloudformation.list_stacks()["StackSummaries"] if s["StackName"] == name]
        if not newest["StackStatus"].endswith("IN_PROGRESS"):
            return newest["StackStatus"]
        time.sleep(0.25)
    return "never"


def test_network_data_and_matcher_are_made_and_deleted_in_turn(
    cloudformation: "CloudFormationClient", aws: str
) -> None:
    mapping = resolved("dev")["Mappings"]["Stages"]["dev"]
    given = {name: str(value) for name, value in mapping.items()} | {
        "Stage": "dev",
        **dict.fromkeys(("DataKeyArn", "SecretsKeyArn", "LogsKeyArn", "QueueKeyArn"), KEY),
        **dict.fromkeys(("OrderQueueArn", "EventsQueueArn"), QUEUE),
        **dict.fromkeys(
            ("OrderQueueUrl", "EventsQueueUrl"), "https://sqs.us-east-1.amazonaws.com/000000000000/some.fifo"
        ),
    }
    with ExitStack() as made:
        for name in ("network", "data", "matcher"):
            given |= made.enter_context(stack(cloudformation, name, given))
        assert len(given["PrivateSubnetIds"].split(",")) == 3
        secrets = boto3.client("secretsmanager", endpoint_url=aws)
        database = secrets.get_secret_value(SecretId=given["DatabaseSecretArn"])["SecretString"]
        wanted = ("host", "port", "username", "password", "dbname")
        assert [name for name in wanted if f'"{name}":' not in database] == []
        # As text: the emulator's passwords have quotation marks, though they were told not to.
        redis = secrets.get_secret_value(SecretId=given["RedisSecretArn"])["SecretString"]
        assert [name for name in ("host", "port", "password", "tls") if f'"{name}":' not in redis] == []
        assert given["MatcherUrl"] == "http://matcher.venue.internal:8080"
