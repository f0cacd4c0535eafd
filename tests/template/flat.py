"""Lays nested stacks flat: what they make stands beside what the root makes, and refers to it directly."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from tests.template.resolver import Template, resolve

_STACK: Final = "AWS::CloudFormation::Stack"


def flatten(root: Template, nested: Mapping[str, Template]) -> Template:
    """The root's resources and those of every nested template, parameters and outputs worked out.

    `nested` gives the template of each stack resource of the root, by its logical name. Where a name is taken already,
    that of its stack comes before it.
    """
    resources = {name: part for name, part in root["Resources"].items() if part["Type"] != _STACK}
    outputs: dict[tuple[str, str], Any] = {}
    for stack, whole in nested.items():
        done = resolve(whole, _parameters(whole, root["Resources"][stack]["Properties"].get("Parameters", {})))
        if set(resources) & set(done["Resources"]):
            done = _renamed(done, stack)
        if twice := set(resources) & set(done["Resources"]):
            raise ValueError(f"{stack} and another template both have {sorted(twice)}")
        resources |= done["Resources"]
        outputs |= {(stack, name): part["Value"] for name, part in done.get("Outputs", {}).items()}
    linked = _link({"Resources": resources}, outputs)
    # Once more: what came out of a stack as a joined list is a list again where it went in. Without stacks to wait for.
    for part in linked["Resources"].values():
        if isinstance(waits := part.get("DependsOn"), list):
            part["DependsOn"] = [name for name in waits if name not in nested]
        elif waits in nested:
            del part["DependsOn"]
    plain: Template = json.loads(json.dumps(linked))
    return resolve(plain, {})


def _parameters(of: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(given)
    for name, declared in of.get("Parameters", {}).items():
        value = values.get(name, declared.get("Default"))
        if declared["Type"] == "CommaDelimitedList" or declared["Type"].startswith("List<"):
            values[name] = value.split(",") if isinstance(value, str) else {"Fn::Split": [",", value]}
    return values


def _renamed(of: Template, stack: str) -> Template:
    text = json.dumps(of)
    for name in of["Resources"]:
        text = re.sub(rf'"{name}"', f'"{stack}{name}"', text)
        text = re.sub(rf"\$\{{{name}\b", f"${{{stack}{name}", text)
    renamed: Template = json.loads(text)
    return renamed


def _link(node: Any, outputs: Mapping[tuple[str, str], Any]) -> Any:
    match node:
        case {"Fn::GetAtt": [str() as stack, str() as name]} if name.startswith("Outputs."):
            return _link(outputs[stack, name.removeprefix("Outputs.")], outputs)
        case dict():
            return {key: _link(part, outputs) for key, part in node.items()}
        case list():
            return [_link(part, outputs) for part in node]
    return node
