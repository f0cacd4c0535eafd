"""Alarms: one for each promise and each function, each heard by someone, each with a page that says what to do."""

import re

import pytest

from tests.template.model import CLOUD_STAGES, ROOT, STAGES, deployed, of_type

_RUNBOOK = re.compile(r"Runbook (docs/runbooks/[a-z-]+\.md)$")


@pytest.mark.parametrize("stage", STAGES)
def test_every_alarm_names_its_runbook_and_the_runbook_names_it(stage: str) -> None:
    index = (ROOT / "docs/runbooks/README.md").read_text()
    for name, alarm in of_type(deployed(stage), "AWS::CloudWatch::Alarm").items():
        named = _RUNBOOK.search(alarm["AlarmDescription"])
        assert named is not None, name
        page = ROOT / named[1]
        assert page.exists(), name
        assert page.name in index, name


@pytest.mark.parametrize("stage", STAGES)
def test_every_alarm_is_told_when_it_comes_and_when_it_goes(stage: str) -> None:
    for name, alarm in of_type(deployed(stage), "AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "Topic"}], name


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_someone_is_told_when_a_function_fails_or_is_held_back(stage: str) -> None:
    watched = {
        (dimension["Value"]["Ref"], alarm["MetricName"])
        for alarm in of_type(deployed(stage), "AWS::CloudWatch::Alarm").values()
        for dimension in alarm.get("Dimensions", [])
        if dimension["Name"] == "FunctionName"
    }
    functions = of_type(deployed(stage), "AWS::Lambda::Function")
    assert watched == {(name, metric) for name in functions for metric in ("Errors", "Throttles")}


@pytest.mark.parametrize("stage", STAGES)
def test_an_alarm_on_a_metric_of_ours_listens_to_one_that_is_sent(stage: str) -> None:
    for name, alarm in of_type(deployed(stage), "AWS::CloudWatch::Alarm").items():
        if alarm["Namespace"] == "Venue":
            services = [d["Value"] for d in alarm.get("Dimensions", []) if d["Name"] == "service"]
            sender = f"functions/{services[0]}/app.py" if services else "matcher/shell/metrics.py"
            assert f'"{alarm["MetricName"]}"' in (ROOT / sender).read_text(), name
