"""What we do otherwise than a check asks, with the reason and who answers for it."""

import fnmatch
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

MOST = 15


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a tool calls an error."""

    check: str
    resource: str
    message: str


class Suppression(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One excuse: `tool` need not ask for `check` of the resources whose names fit one of `resources`."""

    tool: str
    check: str
    resources: tuple[str, ...]
    reason: str
    owner: str


def read(path: Path) -> list[Suppression]:
    """Every excuse. Raises msgspec.ValidationError where one lacks a field, or has one too many."""
    return msgspec.convert(tomllib.loads(path.read_text())["suppression"], list[Suppression])


def excused(
    findings: Iterable[Finding], suppressions: Sequence[Suppression]
) -> tuple[list[Finding], dict[Suppression, int]]:
    """Give the findings that no excuse covers, and how many each excuse that was needed covers."""
    left: list[Finding] = []
    used: dict[Suppression, int] = {}
    for finding in findings:
        for each in suppressions:
            if each.check == finding.check and any(fnmatch.fnmatch(finding.resource, one) for one in each.resources):
                used[each] = used.get(each, 0) + 1
                break
        else:
            left.append(finding)
    return left, used
