"""Each of the four stages resolves: nothing missing, nothing dangling, nothing that no one uses."""

import tomllib
from typing import Any

import pytest

from tests.template.model import (
    CLOUD_STAGES,
    NESTED,
    ROOT,
    STAGES,
    deployed,
    of_type,
    overrides,
    resolved,
    template,
)
from tests.template.resolver import PSEUDO, references, resolve

# A new account runs a thousand functions at once and keeps a hundred of them free for what reserves nothing.
CONCURRENCY_MAX = 900
# What an account needs and one machine does not.
ACCOUNT_ONLY = {"infra/functions.yaml", "infra/network.yaml", "infra/data.yaml", "infra/matcher.yaml"}


def test_samconfig_has_the_four_stages() -> None:
    tables = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert {name for name in tables if name not in ("version", "default")} == set(STAGES)
    assert {tables[stage]["deploy"]["parameters"]["stack_name"] for stage in STAGES} == {f"venue-{s}" for s in STAGES}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_gives_every_parameter_a_value_that_is_allowed(stage: str) -> None:
    declared = template()["Parameters"]
    assert set(overrides(stage)) <= set(declared)
    assert overrides(stage)["Stage"] == stage
    for name, parameter in declared.items():
        value = overrides(stage).get(name, parameter.get("Default"))
        assert value is not None, name
        _check_value(name, parameter, value)


@pytest.mark.parametrize("stage", STAGES)
def test_everything_a_stage_refers_to_exists_in_it(stage: str) -> None:
    whole = resolved(stage)
    names = {reference.split(".")[0] for reference in references([whole["Resources"], whole["Outputs"]])}
    assert names - set(whole["Resources"]) - set(PSEUDO) == set()


@pytest.mark.parametrize("stage", STAGES)
def test_sam_accepts_a_stage(stage: str) -> None:
    assert not [name for name, r in deployed(stage)["Resources"].items() if r["Type"].startswith("AWS::Serverless")]


@pytest.mark.parametrize("path", ["template.yaml", *NESTED])
def test_every_parameter_mapping_and_condition_is_used(path: str) -> None:
    whole = template(path)
    used = references([whole.get(part, {}) for part in ("Resources", "Outputs", "Conditions", "Globals")])
    assert set(whole.get("Parameters", {})) - used == set()
    text = repr([whole.get(part, {}) for part in ("Resources", "Outputs", "Conditions", "Globals")])
    for name in [*whole.get("Mappings", {}), *whole.get("Conditions", {})]:
        assert f"'{name}'" in text, name


@pytest.mark.parametrize("path", NESTED)
def test_a_nested_template_describes_itself(path: str) -> None:
    whole = template(path)
    assert len(whole["Description"]) > 40
    for name, part in [*whole.get("Parameters", {}).items(), *whole.get("Outputs", {}).items()]:
        assert part.get("Description"), name


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_nested_stacks_get_the_parameters_they_ask_for(stage: str) -> None:
    stacks = of_type(resolved(stage), "AWS::Serverless::Application")
    assert {stack["Location"] for stack in stacks.values()} == set(NESTED)
    for stack in stacks.values():
        declared, given = template(stack["Location"]).get("Parameters", {}), stack.get("Parameters", {})
        assert set(given) <= set(declared)
        assert {name for name, parameter in declared.items() if "Default" not in parameter} <= set(given)
        for name, value in given.items():
            if not isinstance(value, dict):
                _check_value(name, declared[name], value)


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_outputs_asked_of_a_nested_stack_exist(stage: str) -> None:
    whole = resolved(stage)
    stacks = of_type(whole, "AWS::Serverless::Application")
    asked = [reference.split(".") for reference in references([whole["Resources"], whole["Outputs"]])]
    outputs = {(name, output) for name, s in stacks.items() for output in template(s["Location"]).get("Outputs", {})}
    wanted = {(parts[0], parts[2]) for parts in asked if parts[0] in stacks and len(parts) == 3}
    assert wanted
    assert wanted <= outputs


def test_the_local_stage_leaves_out_what_an_account_needs() -> None:
    types = {resource["Type"] for resource in deployed("local")["Resources"].values()}
    stacks = of_type(resolved("local"), "AWS::Serverless::Application").values()
    assert {stack["Location"] for stack in stacks} & ACCOUNT_ONLY == set()
    assert not types & {"AWS::RDS::DBCluster", "AWS::ECS::Service", "AWS::Kinesis::StreamConsumer", "AWS::EC2::VPC"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_new_account_can_reserve_what_a_stage_reserves(stage: str) -> None:
    functions = of_type(deployed(stage), "AWS::Lambda::Function")
    assert sum(f.get("ReservedConcurrentExecutions", 0) for f in functions.values()) <= CONCURRENCY_MAX


@pytest.mark.parametrize("path", NESTED)
def test_a_nested_template_resolves_with_no_more_than_its_own_parameters(path: str) -> None:
    whole = template(path)
    given = {name: str(parameter.get("Default", name)) for name, parameter in whole.get("Parameters", {}).items()}
    done = resolve(whole, given)
    names = {reference.split(".")[0] for reference in references([done["Resources"], done.get("Outputs")])}
    assert names - set(done["Resources"]) - set(PSEUDO) == set()


def _check_value(name: str, parameter: dict[str, Any], value: Any) -> None:
    if "AllowedValues" in parameter:
        assert str(value) in [str(allowed) for allowed in parameter["AllowedValues"]], name
    if parameter["Type"] == "Number":
        assert float(parameter.get("MinValue", "-inf")) <= float(value) <= float(parameter.get("MaxValue", "inf")), name
