"""Notes what a program of the local venue asks AWS for, as IAM would name it: each action on each resource, once.

It hangs on botocore's own event hook, and only where the local venue puts it: in the layer of every function that it
deploys (local.deploy) and around the matcher (local.servers). What ships knows nothing of it.

    python -m local.calls <folder> matcher.shell    runs a module with the note-taker in it

The notes are lines "<action> <resource>" in a file for each program below the folder; see tests/template/iam.py.
"""

import re
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

type Params = Mapping[str, Any]

FOLDER = "calls"  # in the venue's own

# Where IAM's name is not that of the call.
_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "execute-api:PostToConnection": "execute-api:ManageConnections",
    "execute-api:DeleteConnection": "execute-api:ManageConnections",
    "execute-api:GetConnection": "execute-api:ManageConnections",
}
_METHODS = {"PostToConnection": "POST", "DeleteConnection": "DELETE", "GetConnection": "GET"}
# A transaction is allowed where each of its parts is.
_PARTS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


def asked(service: str, operation: str, params: Params) -> Iterator[tuple[str, str]]:
    """Give each (action, resource) that a call needs. `service` is the name that it is signed with."""
    match service, operation:
        case "dynamodb", "TransactWriteItems":
            for item in params["TransactItems"]:
                for part, one in item.items():
                    yield f"dynamodb:{_PARTS[part]}", _resource(one)
        case "dynamodb", "BatchWriteItem" | "BatchGetItem":
            for table in params["RequestItems"]:
                yield f"dynamodb:{operation}", table
        case "execute-api", _:
            yield _ACTIONS[f"execute-api:{operation}"], f"{_METHODS[operation]}/@connections/*"
        case _:
            action = f"{service}:{operation}"
            yield _ACTIONS.get(action, action), _resource(params)


def _resource(params: Params) -> str:
    """What a call is about, without what changes from call to call."""
    match params:
        case {"TableName": table, "IndexName": index}:
            return f"{table}/index/{index}"
        case {"Bucket": bucket, "Key": key}:
            return f"{bucket}/{key.split('/')[0]}/*"
        case {"QueueUrl": url}:
            return str(url).rpartition("/")[2]
        case {"FunctionName": name}:
            # Any version or alias of it.
            return re.sub(r":[\w$]+$", ":*", re.sub("^arn:.*:function:", "", name))
        case {"lifecycleEventHookExecutionId": _}:
            return "deploymentgroup"
    named = ("TableName", "StreamName", "SecretId", "UserPoolId", "Bucket")
    return next((str(params[name]) for name in named if name in params), "*")


def follow(folder: str, program: str) -> None:
    """Note what this process asks for from now on, in the program's file. To be called before clients are made."""
    from botocore.handlers import BUILTIN_HANDLERS

    Path(folder).mkdir(parents=True, exist_ok=True)
    # botocore copies this list into every session that it makes.
    BUILTIN_HANDLERS.append(("before-parameter-build", _noting(Path(folder) / program)))


def _noting(file: Path) -> Callable[..., None]:
    noted: set[str] = set()

    def note(params: Params, model: Any, **_: object) -> None:
        for action, resource in asked(model.service_model.signing_name, model.name, params):
            line = f"{action} {resource}\n"
            if line not in noted:
                noted.add(line)
                # One write of one line, at the end: processes of one function share the file.
                with file.open("a") as notes:
                    notes.write(line)

    return note


def read(folder: Path) -> dict[str, set[tuple[str, str]]]:
    """Give what each program asked for: (action, resource)."""
    return {file.name: {_pair(line) for line in file.read_text().splitlines()} for file in sorted(folder.iterdir())}


def _pair(line: str) -> tuple[str, str]:
    action, _, resource = line.partition(" ")
    return action, resource


if __name__ == "__main__":
    follow(sys.argv[1], sys.argv[2])
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
