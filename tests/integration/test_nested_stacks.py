"""Every nested stack makes itself from the others' outputs, changes nothing when asked again, and goes cleanly."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.template.model import NESTED, of_type, resolved, template
from tests.template.resolver import Template

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# What the emulator's CloudFormation does not make. No other type is taken out.
NOT_IN_THE_EMULATOR = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::EC2::FlowLog",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::Kinesis::StreamConsumer",
    "AWS::RDS::DBProxy",
    "AWS::RDS::DBProxyTargetGroup",
    "AWS::Route53::RecordSetGroup",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::WAFv2::LoggingConfiguration",
    "AWS::WAFv2::WebACLAssociation",
}
# The secret of a master user whose password RDS keeps.
NOT_ATTRIBUTES_THERE = {"MasterUserSecret.SecretArn"}
ORDER = (
    *("Keys", "Identity", "Tables", "Streams", "Archive", "Network", "Data", "MatcherService", "Alarms"),
    *("FunctionAlarms", "Rotation", "Dashboard", "Firewall", "EdgeFirewall", "Edge"),
)


@pytest.fixture
def cloudformation(aws: str) -> "CloudFormationClient":
    """CloudFormation of the emulator."""
    return boto3.client("cloudformation", endpoint_url=aws)


def without_what_is_unknown(of: Template) -> Template:
    """The template less what the emulator does not know; where it refers to that, stands the resource's name."""
    gone = {name for name, part in of["Resources"].items() if part["Type"] in NOT_IN_THE_EMULATOR}
    kept = {name: part for name, part in of["Resources"].items() if name not in gone}

    def cut(node: Any) -> Any:
        match node:
            case {"Ref": str() as name} | {"Fn::GetAtt": [str() as name, _]} if name in gone:
                return name
            case {"Fn::GetAtt": [str() as name, str() as attribute]} if attribute in NOT_ATTRIBUTES_THERE:
                return name
            case dict():
                return {key: cut(part) for key, part in node.items()}
            case list():
                return [cut(part) for part in node if not (isinstance(part, str) and part in gone)]
        return node

    whole: Template = cut({**{k: v for k, v in of.items() if k != "Transform"}, "Resources": kept})
    return whole


@contextmanager
def stack(cloudformation: "CloudFormationClient", name: str, of: Template, given: dict[str, str]) -> Iterator[Any]:
    """Make a stack, ask for it once more, give its outputs, and delete it."""
    request: Any = {
        "StackName": name,
        "TemplateBody": json.dumps(of),
        "Parameters": [{"ParameterKey": n, "ParameterValue": v} for n, v in given.items()],
        "Capabilities": ["CAPABILITY_IAM"],
    }
    cloudformation.create_stack(**request)
    try:
        assert settled(cloudformation, name) == "CREATE_COMPLETE", name
        assert not updated(cloudformation, request), name
        [made] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        yield {output["OutputKey"]: output["OutputValue"] for output in made.get("Outputs", [])}
    finally:
        cloudformation.delete_stack(StackName=name)
        assert settled(cloudformation, name) == "DELETE_COMPLETE", name


def updated(cloudformation: "CloudFormationClient", request: Any) -> bool:
    """Ask for the same stack again, and tell whether that was work; whatever it was, nothing may be made anew."""
    before = physical_ids(cloudformation, request["StackName"])
    try:
        cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
        return False
    assert settled(cloudformation, request["StackName"]) == "UPDATE_COMPLETE"
    assert physical_ids(cloudformation, request["StackName"]) == before
    return True


def physical_ids(cloudformation: "CloudFormationClient", name: str) -> dict[str, str]:
    """What stands behind each logical name."""
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}


def settled(cloudformation: "CloudFormationClient", name: str) -> str:
    """Wait until a stack is in no transition any more, and give its state."""
    for _ in range(240):
        [newest, *_] = [s for s in cloudformation.list_stacks()["StackSummaries"] if s["StackName"] == name]
        if not newest["StackStatus"].endswith("IN_PROGRESS"):
            return newest["StackStatus"]
        time.sleep(0.25)
    return "never"


def test_every_nested_stack_is_made_changes_nothing_when_asked_again_and_is_deleted(
    cloudformation: "CloudFormationClient", aws: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stacks = of_type(resolved("dev"), "AWS::Serverless::Application")
    assert set(ORDER) == set(stacks)
    assert {stacks[name]["Location"] for name in ORDER} == set(NESTED)
    outputs: dict[str, dict[str, str]] = {}

    def value(name: str, node: Any) -> str:
        match node:
            case {"Fn::GetAtt": [str() as other, str() as output]} if other in outputs:
                return outputs[other].get(output.removeprefix("Outputs."), output)
            case dict():
                return f"the-{name}".lower()  # of what the root makes: a function, an API
        return str(node)

    taken: set[str] = set()
    with ExitStack() as made:
        for name in ORDER:
            whole = template(stacks[name]["Location"])
            taken |= {part["Type"] for part in whole["Resources"].values()} & NOT_IN_THE_EMULATOR
            given = {key: value(key, node) for key, node in stacks[name].get("Parameters", {}).items()}
            outputs[name] = made.enter_context(
                stack(cloudformation, f"nested-{name}".lower(), without_what_is_unknown(whole), given)
            )
        assert len(outputs["Network"]["PrivateSubnetIds"].split(",")) == 3
        secrets = boto3.client("secretsmanager", endpoint_url=aws)
        for secret, wanted in (
            ("DatabaseSecretArn", ("host", "port", "dbname", "group", "username", "password")),
            ("MatcherDatabaseSecretArn", ("host", "port", "dbname", "group", "username", "password")),
            # As text: the emulator's passwords have quotation marks, though they were told not to.
            ("RedisSecretArn", ("user_id", "username", "password")),
            ("MatcherRedisSecretArn", ("user_id", "username", "password")),
        ):
            text = secrets.get_secret_value(SecretId=outputs["Data"][secret])["SecretString"]
            assert [name for name in wanted if f'"{name}":' not in text] == []
        assert outputs["MatcherService"]["MatcherUrl"] == "http://matcher.venue.internal:8080"
    assert taken == NOT_IN_THE_EMULATOR, "the list has a type that no template uses any more"
    with capsys.disabled():
        print("\ntaken out for the emulator:", *sorted(taken), sep="\n  ")  # noqa: T201
