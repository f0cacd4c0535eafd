"""Other people's checks: they find nothing that is not excused, and would find what is planted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.template.audit.__main__ import main
from tests.template.audit.suppressions import MOST, Finding, excused, read
from tests.template.audit.tools import Work, cdk_nag, checkov
from tests.template.model import ROOT, audited

SUPPRESSIONS = Path(__file__).parent / "audit" / "suppressions.toml"


@pytest.mark.timeout(600)
def test_sam_cfn_lint_checkov_cdk_nag_and_hadolint_find_no_error() -> None:
    assert main() == 0
    report = json.loads((ROOT / ".local" / "template.json").read_text())
    assert {tool["errors"] for tool in report.values()} == {0}
    assert min(tool["checks"] for tool in report.values()) > 0


def test_every_suppression_says_why_and_who_answers_for_it() -> None:
    suppressions = read(SUPPRESSIONS)
    assert len(suppressions) <= MOST
    assert len({(each.tool, each.check) for each in suppressions}) == len(suppressions)
    for each in suppressions:
        assert len(each.reason) > 25, each.check
        assert each.owner, each.check


def test_a_suppression_covers_the_resources_that_it_names_and_no_other() -> None:
    (one, *_) = [each for each in read(SUPPRESSIONS) if each.check == "CKV_AWS_117"]
    inside = Finding(check="CKV_AWS_117", resource="Connect", message="")
    outside = Finding(check="CKV_AWS_117", resource="PlaceOrder", message="")
    assert excused([inside, outside], [one]) == ([outside], {one: 1})


def _open_to_the_world(resources: dict[str, Any]) -> None:
    resources["FunctionsSecurityGroup"]["Properties"]["SecurityGroupIngress"] = [
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0", "Description": "planted"}
    ]


def _all_powerful(resources: dict[str, Any]) -> None:
    statement = resources["PlaceOrderRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]
    statement |= {"Action": "*", "Resource": "*"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("tool", "plant", "check"),
    [
        (checkov, _open_to_the_world, "CKV_AWS_24"),
        (checkov, _all_powerful, "CKV_AWS_107"),
        (cdk_nag, _open_to_the_world, "AwsSolutions-EC23"),
    ],
)
def test_a_planted_fault_is_found(
    tool: Callable[[Work], Any], plant: Callable[[dict[str, Any]], None], check: str, tmp_path: Path
) -> None:
    resources = json.loads(json.dumps(audited()["Resources"]))
    plant(resources)
    flat = tmp_path / "planted.json"
    flat.write_text(json.dumps({"Resources": resources}))
    assert check in {finding.check for finding in tool(Work(tmp_path, flat)).findings}
