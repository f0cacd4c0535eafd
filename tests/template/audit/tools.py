"""Runs each tool in an environment of its own and reads what it found, in one form."""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from local.processes import clean_environment
from local.setup import LOCKS, TOOLS, environment, find_python, find_uv
from tests.template.audit.suppressions import Finding
from tests.template.model import ROOT, TEMPLATES, audited

_RULE: Final = re.compile(r"[EWI]S?\d{4}: ")
_ENVIRONMENTS: Final = ("lint", "checkov", "nag")


class Work(msgspec.Struct, frozen=True):
    """What the tools look at beside the templates as written: `flat`, all that SAM makes of them in production."""

    folder: Path
    flat: Path


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool checked, what it calls an error, and how often it only warned."""

    version: str
    checks: int
    findings: list[Finding]
    warnings: int = 0


class ToolFailed(Exception):
    """A tool did not come to a verdict."""


def prepare(folder: Path) -> Work:
    """Bring the tools' environments up to their locks, and write the flat template."""
    uv = find_uv()
    python = find_python(uv)
    for name in _ENVIRONMENTS:
        environment(uv=uv, python=python, folder=TOOLS / name, lock=LOCKS / f"{name}.lock")
    folder.mkdir(parents=True, exist_ok=True)
    flat = folder / "prod.json"
    flat.write_text(json.dumps({"Resources": audited()["Resources"]}, indent=1))
    return Work(folder, flat)


def sam(work: Work) -> Verdict:
    """`sam validate --lint`: does it take the template? One check for each template that it reads."""
    del work
    tool = TOOLS / "sam" / "bin" / "sam"
    done = _run([tool, "validate", "--lint", "--region", "us-east-1"], codes=(0, 1))
    said = (done.stdout + done.stderr).strip()
    findings = [Finding(check="validate", resource="template.yaml", message=said)] if done.returncode else []
    return Verdict(version=_version([tool, "--version"]), checks=1, findings=findings)


def cfn_lint(work: Work) -> Verdict:
    """cfn-lint with the serverless rules on every template as written. It knows SAM's transform itself."""
    del work
    tool = TOOLS / "lint" / "bin" / "cfn-lint"
    rules: list[str | Path] = [tool, "--append-rules", "cfn_lint_serverless.rules"]
    done = _run([*rules, "--format", "json", "--template", *TEMPLATES], codes=(0, 2, 4, 6, 8, 10, 12, 14))
    known = [line for line in _run([*rules, "--list-rules"]).stdout.splitlines() if _RULE.match(line)]
    said = json.loads(done.stdout or "[]")
    findings = [
        Finding(check=each["Rule"]["Id"], resource=_resource(each), message=each["Message"])
        for each in said
        if each["Level"] == "Error"
    ]
    return Verdict(
        version=_version([tool, "--version"]),
        checks=len(known) * len(TEMPLATES),
        findings=findings,
        warnings=len(said) - len(findings),
    )


def checkov(work: Work) -> Verdict:
    """Checkov on the flat template: only after SAM's transform are there roles to look at."""
    tool = TOOLS / "checkov" / "bin" / "checkov"
    options = ["--framework", "cloudformation", "--skip-download", "--quiet", "--compact", "--output", "json"]
    done = _run([tool, "--file", work.flat, *options], codes=(0, 1))
    said = json.loads(done.stdout)
    if said["summary"]["parsing_errors"]:
        raise ToolFailed(f"checkov could not read {work.flat}")
    findings = [
        Finding(check=each["check_id"], resource=each["resource"].partition(".")[2], message=each["check_name"])
        for each in said["results"]["failed_checks"]
    ]
    checks = said["summary"]["passed"] + said["summary"]["failed"]
    return Verdict(version=said["summary"]["checkov_version"], checks=checks, findings=findings)


def cdk_nag(work: Work) -> Verdict:
    """cdk-nag's AWS Solutions rules on the flat template, included into a CDK stack."""
    python = TOOLS / "nag" / "bin" / "python"
    done = _run([python, Path(__file__).with_name("nag.py"), work.flat, work.folder / "nag"])
    said: dict[str, Any] = json.loads(done.stdout)
    wrong = [each for each in said["lines"] if each["compliance"] != "Compliant"]
    findings = [
        Finding(check=each["ruleId"], resource=each["resourceId"].rpartition("/")[2], message=each["ruleInfo"])
        for each in wrong
        if each["ruleLevel"] == "Error"
    ]
    return Verdict(
        version=said["version"],
        checks=len(said["lines"]),
        findings=findings,
        warnings=len(wrong) - len(findings),
    )


def hadolint(work: Work) -> Verdict:
    """Hadolint on the matcher's Dockerfile."""
    del work
    tool = TOOLS / "lint" / "bin" / "hadolint"
    done = _run([tool, "--format", "json", "matcher/Dockerfile"], codes=(0, 1))
    findings = [
        Finding(check=each["code"], resource=f"matcher/Dockerfile:{each['line']}", message=each["message"])
        for each in json.loads(done.stdout)
    ]
    lines = (ROOT / "matcher" / "Dockerfile").read_text().splitlines()
    return Verdict(version=_version([tool, "--version"]), checks=len(lines), findings=findings)


TOOLS_BY_NAME: Final[dict[str, Callable[[Work], Verdict]]] = {
    "checkov": checkov,
    "cdk-nag": cdk_nag,
    "cfn-lint": cfn_lint,
    "sam": sam,
    "hadolint": hadolint,
}


def _resource(match: dict[str, Any]) -> str:
    path = match["Location"]["Path"] or []
    return str(path[1]) if len(path) > 1 else "-"


def _version(command: Sequence[str | Path]) -> str:
    return _run(command).stdout.strip().split()[-1]


def _run(command: Sequence[str | Path], *, codes: Sequence[int] = (0,)) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment(JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in codes:
        raise ToolFailed(f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
    return done
