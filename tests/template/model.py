"""Our templates as data: read, resolved for one stage, expanded by SAM. Tests look at what would be deployed."""

import functools
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cfnlint.decode import cfn_yaml

ROOT: Final = Path(__file__).parents[2]
STAGES: Final = ("local", "dev", "staging", "prod")
CLOUD_STAGES: Final = STAGES[1:]
NESTED: Final = tuple(sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "infra").glob("*.yaml")))

type Template = dict[str, Any]

PSEUDO: Final = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/venue/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
    "AWS::StackName": "venue",
    "AWS::URLSuffix": "amazonaws.com",
}
_NOTHING: Final = object()  # what AWS::NoValue leaves behind
_SAM_PYTHON: Final = ROOT / ".local" / "tools" / "sam" / "bin" / "python"
_VARIABLE: Final = re.compile(r"\$\{([^!][^}]*)\}")


@functools.cache
def template(path: str = "template.yaml") -> Template:
    """One template as it was written, long forms of the functions (Fn::Sub) for the short ones."""
    read: Template = json.loads(json.dumps(cfn_yaml.load(str(ROOT / path))))
    return read


@functools.cache
def overrides(stage: str) -> dict[str, str]:
    """The parameters that samconfig.toml gives a stage; what `make up` adds for the local one is Stage alone."""
    commands = tomllib.loads((ROOT / "samconfig.toml").read_text())[stage]
    merged = {**commands.get("global", {}).get("parameters", {}), **commands["deploy"]["parameters"]}
    given = merged.get("parameter_overrides", ["Stage=local"] if stage == "local" else [])
    pairs = given.split() if isinstance(given, str) else given
    return dict(pair.split("=", 1) for pair in pairs)


@functools.cache
def resolved(stage: str) -> Template:
    """template.yaml with the stage's parameters, mappings and conditions worked out."""
    return resolve(template(), overrides(stage))


@functools.cache
def deployed(stage: str) -> Template:
    """What CloudFormation would get for a stage: resolved and expanded by SAM."""
    plain = {name: part for name, part in resolved(stage).items() if name in ("Transform", "Globals", "Resources")}
    for resource in (plain := json.loads(json.dumps(plain)))["Resources"].values():
        # SAM wants to see what was uploaded; `sam deploy` puts these addresses there.
        for name in ("CodeUri", "ContentUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = "s3://artifacts/code"
        if resource["Type"] == "AWS::Serverless::Application":
            resource["Properties"]["Location"] = "https://artifacts.s3.amazonaws.com/nested.yaml"
    if not _SAM_PYTHON.exists():
        raise FileNotFoundError(f"{_SAM_PYTHON} is missing: run `make setup`")
    done = subprocess.run(
        [_SAM_PYTHON, Path(__file__).with_name("transform_sam.py")],
        input=json.dumps(plain),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    expanded: Template = json.loads(done.stdout)
    return expanded


def of_type(of: Template, *types: str) -> dict[str, dict[str, Any]]:
    """The properties of all resources of these types, by logical name."""
    return {name: r.get("Properties", {}) for name, r in of["Resources"].items() if r["Type"] in types}


def resolve(of: Template, parameters: Mapping[str, str]) -> Template:
    """Work out parameters, mappings and conditions. Raises KeyError for a parameter without value or default."""
    values: dict[str, Any] = dict(PSEUDO)
    for name, declared in of.get("Parameters", {}).items():
        values[name] = parameters[name] if name in parameters else declared["Default"]
    return _Resolver(values, of.get("Mappings", {}), of.get("Conditions", {})).whole(of)


class _Resolver:
    def __init__(self, values: Mapping[str, Any], mappings: Template, conditions: Template) -> None:
        self._values = values
        self._mappings = mappings
        self._conditions = conditions

    def whole(self, of: Template) -> Template:
        kept = dict(of)
        for section in ("Resources", "Outputs"):
            parts = of.get(section, {}).items()
            kept[section] = {n: self.value(p) for n, p in parts if self.holds(p.get("Condition"))}
        kept["Globals"] = self.value(of.get("Globals", {}))
        return kept

    def holds(self, condition: Any) -> bool:
        match condition:
            case None:
                return True
            case str() as name:
                return self.holds(self._conditions[name])
            case {"Condition": str() as name}:
                return self.holds(name)
            case {"Fn::Equals": [left, right]}:
                return bool(self.value(left) == self.value(right))
            case {"Fn::Not": [inner]}:
                return not self.holds(inner)
            case {"Fn::Or": parts}:
                return any(self.holds(part) for part in parts)
            case {"Fn::And": parts}:
                return all(self.holds(part) for part in parts)
        raise ValueError(f"not a condition: {condition}")

    def value(self, node: Any) -> Any:
        """The node with all that can be known worked out; references to resources stay as they are."""
        match node:
            case {"Ref": "AWS::NoValue"}:
                return _NOTHING
            case {"Ref": name} if name in self._values:
                return self._values[name]
            case {"Fn::FindInMap": [table, first, second]}:
                return self._mappings[table][self.value(first)][self.value(second)]
            case {"Fn::If": [condition, yes, no]}:
                return self.value(yes if self.holds(condition) else no)
            case {"Fn::Sub": text}:
                return self._substituted(text)
            case {"Fn::Join": [glue, parts]}:
                return self._joined(glue, self.value(parts))
            case dict():
                values = {key: self.value(part) for key, part in node.items()}
                return {key: value for key, value in values.items() if value is not _NOTHING}
            case list():
                return [value for value in map(self.value, node) if value is not _NOTHING]
        return node

    def _substituted(self, text: Any) -> Any:
        names: dict[str, Any] = {}
        if isinstance(text, list):
            text, names = text[0], self.value(text[1])

        def known(match: re.Match[str]) -> str:
            value = {**self._values, **names}.get(match[1])
            return match[0] if value is None or isinstance(value, dict | list) else str(value)

        done = _VARIABLE.sub(known, text)
        left = {name: value for name, value in names.items() if f"${{{name}}}" in done}
        if not _VARIABLE.search(done):
            return done
        return {"Fn::Sub": [done, left] if left else done}

    @staticmethod
    def _joined(glue: str, parts: Any) -> Any:
        if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
            return glue.join(parts)
        return {"Fn::Join": [glue, parts]}


def references(node: Any) -> set[str]:
    """Logical names that a node refers to, by Ref, Fn::GetAtt ("A.Outputs.B" in full), Fn::Sub and DependsOn."""
    found: set[str] = set()
    match node:
        case {"Ref": str() as name}:
            found.add(name)
        case {"Fn::GetAtt": [str() as name, str() as attribute]}:
            found.add(f"{name}.{attribute}")
        case {"Fn::GetAtt": str() as name}:
            found.add(name)
        case {"Fn::Sub": [str() as text, dict() as names]}:
            found |= set(_VARIABLE.findall(text)) - set(names)
            found |= references(names)
        case {"Fn::Sub": str() as text}:
            found |= set(_VARIABLE.findall(text))
        case dict():
            for key, part in node.items():
                if key == "DependsOn":
                    found |= {part} if isinstance(part, str) else set(part)
                else:
                    found |= references(part)
        case list():
            for part in node:
                found |= references(part)
    return found
