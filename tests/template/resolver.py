"""Works a template out for given parameters, and tells what a part of it refers to."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

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
_VARIABLE: Final = re.compile(r"\$\{([^!][^}]*)\}")


def resolve(of: Template, parameters: Mapping[str, Any]) -> Template:
    """Work out parameters, mappings and conditions. Raises KeyError for a parameter without value or default.

    A parameter may stand for a node, such as another stack's output, which then takes its place everywhere.
    """
    values: dict[str, Any] = dict(PSEUDO)
    for name, declared in of.get("Parameters", {}).items():
        values[name] = parameters[name] if name in parameters else declared["Default"]
    return _Resolver(values, of.get("Mappings", {}), of.get("Conditions", {})).whole(of)


def unrolled(of: Template) -> Template:
    """The template with every Fn::ForEach written out, as AWS::LanguageExtensions does for names listed in place."""
    resources: Template = {}
    for name, part in of["Resources"].items():
        if name.startswith("Fn::ForEach::"):
            variable, values, body = part
            for value in values:
                text = json.dumps(body).replace(f"${{{variable}}}", value)
                resources |= json.loads(re.sub(r'{"Ref": {"Fn::Sub": ("\w+")}}', r'{"Ref": \1}', text))
        else:
            resources[name] = part
    return {**of, "Resources": resources}


class _Resolver:
    def __init__(self, values: Mapping[str, Any], mappings: Template, conditions: Template) -> None:
        self._values = values
        self._mappings = mappings
        self._conditions = conditions

    def whole(self, of: Template) -> Template:
        kept = dict(of)
        for section in ("Resources", "Outputs"):
            parts = of.get(section, {}).items()
            held = {name: part for name, part in parts if self.holds(part.get("Condition"))}
            kept[section] = {n: self.value({k: v for k, v in p.items() if k != "Condition"}) for n, p in held.items()}
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
            case {"Fn::Split": [glue, text]}:
                return self._split(glue, self.value(text))
            case {"Fn::Select": [index, parts]}:
                return self._selected(index, self.value(parts))
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
            value = every.get(match[1])
            return match[0] if value is None or isinstance(value, dict | list) else str(value)

        every = {**self._values, **names}
        done = _VARIABLE.sub(known, text)
        left = {name: every[name] for name in _VARIABLE.findall(done) if name in every}
        if not _VARIABLE.search(done):
            return done
        return {"Fn::Sub": [done, left] if left else done}

    @staticmethod
    def _split(glue: str, text: Any) -> Any:
        match text:
            case str():
                return text.split(glue)
            case {"Fn::Join": [joined, list() as parts]} if joined == glue:
                return parts
        return {"Fn::Split": [glue, text]}

    @staticmethod
    def _selected(index: Any, parts: Any) -> Any:
        return parts[int(index)] if isinstance(parts, list) else {"Fn::Select": [index, parts]}

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
