"""What each program may do and what it was seen to ask for: pairs of an action and a resource, by program.

A program is a function, by its logical name, or the matcher. What was seen is in rights.toml: botocore's calls, noted
by local.calls over the end-to-end tests and written by `make rights`.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.template.model import of_type
from tests.template.resolver import Template

type Right = tuple[str, str]

RECORD: Final = Path(__file__).with_name("rights.toml")
MATCHER: Final = "Matcher"
_HEAD: Final = "# Written by `make rights`: what each program asked AWS for while the end-to-end tests ran.\n"

# What a service does with the resource's own key, in the caller's name.
_KEY_USES: Final = {
    "dynamodb:GetItem": ["Decrypt"],
    "dynamodb:BatchGetItem": ["Decrypt"],
    "dynamodb:Query": ["Decrypt"],
    "dynamodb:Scan": ["Decrypt"],
    "dynamodb:PutItem": ["Decrypt", "GenerateDataKey"],
    "dynamodb:UpdateItem": ["Decrypt", "GenerateDataKey"],
    "dynamodb:DeleteItem": ["Decrypt", "GenerateDataKey"],
    "dynamodb:BatchWriteItem": ["Decrypt", "GenerateDataKey"],
    "kinesis:PutRecords": ["GenerateDataKey"],
    "kinesis:GetRecords": ["Decrypt"],
    "kinesis:SubscribeToShard": ["Decrypt"],
    "s3:PutObject": ["GenerateDataKey"],
    "secretsmanager:GetSecretValue": ["Decrypt"],
    "secretsmanager:PutSecretValue": ["Decrypt", "GenerateDataKey"],
    "sqs:ReceiveMessage": ["Decrypt"],
    "sqs:SendMessage": ["Decrypt", "GenerateDataKey"],
}
# What Lambda does in a function's name before and after its code runs: no call of the function shows it.
_READS_QUEUE: Final = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
_READS_STREAM: Final = [
    f"kinesis:{call}"
    for call in ("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")
]
_READS_AS_CONSUMER: Final = ["kinesis:SubscribeToShard", "kinesis:DescribeStreamConsumer"]


def recorded() -> dict[str, set[Right]]:
    """What each program was seen to ask for."""
    programs = tomllib.loads(RECORD.read_text())
    return {
        program: {(action, resource) for action, resources in actions.items() for resource in resources}
        for program, actions in programs.items()
    }


def write(seen: dict[str, set[Right]]) -> None:
    """Keep what was seen, the same rights always in the same words."""
    lines = [_HEAD]
    for program, rights in sorted(seen.items()):
        lines.append(f"\n[{program}]\n")
        for action in sorted({action for action, _ in rights}):
            resources = ", ".join(f'"{name}"' for each, name in sorted(rights) if each == action)
            lines.append(f'"{action}" = [{resources}]\n')
    RECORD.write_text("".join(lines))


def allowed(whole: Template) -> dict[str, set[Right]]:
    """What each program's role allows by policies of our own."""
    roles = of_type(whole, "AWS::IAM::Role")
    return {program: set(_granted(roles[role])) for program, role in _roles(whole).items()}


def _roles(whole: Template) -> dict[str, str]:
    functions = of_type(whole, "AWS::Lambda::Function").items()
    (task,) = of_type(whole, "AWS::ECS::TaskDefinition").values()
    matcher = {MATCHER: task["TaskRoleArn"]["Fn::GetAtt"][0]}
    return {name: function["Role"]["Fn::GetAtt"][0] for name, function in functions} | matcher


def _granted(role: dict[str, Any]) -> Iterator[Right]:
    for policy in role.get("Policies", []):
        for statement in _listed(policy["PolicyDocument"]["Statement"]):
            assert statement["Effect"] == "Allow"
            for action in _listed(statement["Action"]):
                for resource in _listed(statement["Resource"]):
                    yield action, name_of(resource)


def implied(whole: Template, program: str, seen: Iterable[Right]) -> set[Right]:
    """What services do in a program's name without its asking, and what they do with keys for all that."""
    unseen = set(_by_lambda(whole, program))
    return unseen | {use for right in {*seen, *unseen} for use in _key_uses(whole, right)}


def _by_lambda(whole: Template, program: str) -> Iterator[Right]:
    for config in of_type(whole, "AWS::Lambda::EventInvokeConfig").values():
        if config["FunctionName"] == {"Ref": program}:
            yield "sqs:SendMessage", name_of(config["DestinationConfig"]["OnFailure"]["Destination"])
    for mapping in of_type(whole, "AWS::Lambda::EventSourceMapping").values():
        if mapping["FunctionName"] != {"Ref": program}:
            continue
        source = name_of(mapping["EventSourceArn"])
        match whole["Resources"][source]["Type"]:
            case "AWS::SQS::Queue":
                yield from ((action, source) for action in _READS_QUEUE)
            case "AWS::Kinesis::Stream":
                yield from ((action, source) for action in _READS_STREAM)
            case "AWS::Kinesis::StreamConsumer":
                stream = name_of(whole["Resources"][source]["Properties"]["StreamARN"])
                yield from ((action, stream) for action in _READS_STREAM)
                yield from ((action, source) for action in _READS_AS_CONSUMER)
        if "DestinationConfig" in mapping:
            yield "sqs:SendMessage", name_of(mapping["DestinationConfig"]["OnFailure"]["Destination"])


def _key_uses(whole: Template, right: Right) -> Iterator[Right]:
    action, resource = right
    of = whole["Resources"].get(resource.split("/")[0])
    match of:
        case {"Type": "AWS::Kinesis::StreamConsumer", "Properties": {"StreamARN": stream}}:
            of = whole["Resources"][name_of(stream)]
    key = _key_of((of or {}).get("Properties", {}))
    if key is not None:
        yield from ((f"kms:{use}", name_of(key)) for use in _KEY_USES.get(action, []))


def _key_of(properties: dict[str, Any]) -> Any:
    match properties:
        case {"MasterUserSecret": {"KmsKeyId": key}}:
            return key  # of a cluster, programs ask for its secret only
        case {"SSESpecification": {"KMSMasterKeyId": key}} | {"StreamEncryption": {"KeyId": key}}:
            return key
        case {"KmsMasterKeyId": key} | {"KmsKeyId": key}:
            return key
        case {"BucketEncryption": {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": rule}]}}:
            return rule.get("KMSMasterKeyID")
    return None


def name_of(resource: Any) -> str:
    """A resource as the record names it: its logical name, and the part of it that is meant."""
    match resource:
        case {"Ref": str() as name} | {"Fn::GetAtt": [str() as name, _]}:
            return name
        case {"Fn::Sub": str() as text} | str(text):
            plain = re.sub(r"\$\{(\w+)(\.\w+)?\}", r"\1", text)
            plain = re.sub(r"^arn:.*:deploymentgroup:.*", "deploymentgroup", plain)
            return re.sub(r"^arn:[^/]*:StreamApi/\w+/", "", plain)
    raise ValueError(f"not a resource that the record could name: {resource}")


def _listed(one_or_more: Any) -> list[Any]:
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]
