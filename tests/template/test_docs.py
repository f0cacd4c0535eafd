"""What docs/fsbp.md and docs/failures.md point to is there."""

import re
from collections.abc import Iterator

import pytest

from tests.template.model import ROOT, TEMPLATES, template

_ROW = re.compile(r"^\| ([A-Za-z0-9]+\.\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
ROWS = _ROW.findall((ROOT / "docs" / "fsbp.md").read_text())


def places(met: str) -> Iterator[tuple[str, list[str]]]:
    """Each template with a path in it that a cell names."""
    path = ""
    for code in _CODE.findall(met):
        if code in TEMPLATES:
            path = code
        elif "." in code and path and " " not in code:
            yield path, code.split(".")


def test_no_control_is_told_twice() -> None:
    controls = [control for control, _, _ in ROWS]
    assert len(controls) > 50
    assert len(set(controls)) == len(controls)


@pytest.mark.parametrize(("control", "met"), [(control, met) for control, _, met in ROWS])
def test_a_control_is_met_where_it_says_or_says_why_not(control: str, met: str) -> None:
    named = list(places(met))
    assert named or re.search("exception|does not apply|test|globals", met), control
    for path, (resource, *properties) in named:
        part = template(path)["Resources"][resource]["Properties"]
        for name in properties:
            part = part[name]


def test_every_test_and_page_that_the_table_of_failures_names_exists() -> None:
    named = re.findall(
        r"`(tests/[^`]+|infra/[^`]+)`|\]\((runbooks/[^)]+)\)", (ROOT / "docs" / "failures.md").read_text()
    )
    assert len(named) > 8
    for path, page in named:
        assert (ROOT / path if path else ROOT / "docs" / page).exists(), path or page
