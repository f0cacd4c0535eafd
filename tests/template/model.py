"""Our templates as data: read, resolved for one stage, expanded by SAM. Tests look at what would be deployed."""

import functools
import json
import os
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cfnlint.decode import cfn_yaml

from tests.template.flat import flatten
from tests.template.resolver import Template, resolve, unrolled

ROOT: Final = Path(__file__).parents[2]
STAGES: Final = ("local", "dev", "staging", "prod")
CLOUD_STAGES: Final = STAGES[1:]
NESTED: Final = tuple(sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "infra").glob("*.yaml")))
TEMPLATES: Final = ("template.yaml", *NESTED)

_SAM_PYTHON: Final = ROOT / ".local" / "tools" / "sam" / "bin" / "python"


@functools.cache
def template(path: str = "template.yaml") -> Template:
    """One template as it was written, long forms of the functions (Fn::Sub) for the short ones."""
    return unrolled(json.loads(json.dumps(cfn_yaml.load(str(ROOT / path)))))


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
    """What an account would hold for a stage: expanded by SAM, the nested stacks laid flat into the one template."""
    return laid_flat(overrides(stage))


def laid_flat(parameters: Mapping[str, str]) -> Template:
    """What an account would hold for these parameters."""
    root = resolve(template(), parameters)
    stacks = of_type(root, "AWS::Serverless::Application")
    return flatten(expanded(root), {name: template(stack["Location"]) for name, stack in stacks.items()})


def expanded(of: Template) -> Template:
    """A resolved template as SAM's transform leaves it."""
    plain = json.loads(json.dumps({n: part for n, part in of.items() if n in ("Transform", "Globals", "Resources")}))
    for resource in plain["Resources"].values():
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
    made: Template = json.loads(done.stdout)
    return made


def of_type(of: Template, *types: str) -> dict[str, dict[str, Any]]:
    """The properties of all resources of these types, by logical name."""
    return {name: r.get("Properties", {}) for name, r in of["Resources"].items() if r["Type"] in types}


@functools.cache
def audited() -> Template:
    """What the tools of others look at: production, with a domain of its own and a matcher's image."""
    chosen = {"DomainName": "venue.example", "HostedZoneId": "Z0123456789ABCDEFGHIJ", "MatcherImageTag": "first"}
    return laid_flat({**overrides("prod"), **chosen})
