"""Alarms and dashboard use metrics that runs emit, and docs/operations.md explains each alarm."""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest
import yaml

from grantor.reconcile.handler import handle
from tests.conftest import ROOT, Sandbox
from tests.engine.helpers import build_rules
from tests.jobs.launcher import LauncherSetup, event, set_up_launcher
from tests.template.test_events import Template

SERVICES = ("reconcile-grants", "start-spark-job")
SUMMARY = {"outcome": "done", "rows": {"in": 4177, "quarantine": 2}, "quarantine": {"range": 2}}


def resources() -> dict[str, dict[str, Any]]:
    read = yaml.load((ROOT / "stacks/operations.yaml").read_text(), Template)["Resources"]
    return {name: {"Type": it["Type"]} | it["Properties"] for name, it in read.items()}


ALARMS = {name: it for name, it in resources().items() if it["Type"] == "AWS::CloudWatch::Alarm"}
NAMES = {name: alarm["AlarmName"].removeprefix("${Stack}-") for name, alarm in ALARMS.items()}


def dashboard() -> list[dict[str, Any]]:
    """Its widgets, with the placeholders for the names of the stack."""
    body = resources()["Dashboard"]["DashboardBody"]
    return [
        {"type": widget["type"]} | widget["properties"] for widget in json.loads(body)["widgets"]
    ]


def shown() -> list[list[Any]]:
    return [
        metric
        for widget in dashboard()
        if widget["type"] == "metric"
        for metric in widget["metrics"]
    ]


@pytest.fixture(scope="module")
def emitted(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> set[tuple[str, str]]:
    """Service and name of each metric that runs log for CloudWatch: grants created, a job
    completed, one failed, one waiting.
    """
    out = io.StringIO()
    with redirect_stdout(out):
        run_everything(set_up_launcher(start_sandbox(), tmp_path_factory.mktemp("metrics")))
    return {
        metric
        for line in out.getvalue().splitlines()
        if '"_aws"' in line
        for metric in metrics(json.loads(line))
    }


def run_everything(launcher: LauncherSetup) -> None:
    launcher.setup.create_role("auditor")
    launcher.setup.put_policy("auditor", build_rules(1))
    handle(
        launcher.setup.build_warm_services(),
        event("aws.s3", "Object Created", bucket={"name": "policies"}),
        None,
    )
    for key, code in (("UserA/abalone.csv", 0), ("UserB/abalone.csv", 12)):
        launcher.deliver(launcher.upload(key))
        launcher.deliver(launcher.end_job(launcher.list_running()[0], code, SUMMARY))
    launcher.set_faults(
        {"service": "sagemaker", "operation": "CreateProcessingJob", "kind": "throttle"}
    )
    launcher.deliver(launcher.upload("UserA/abalone.csv", b"F,0.53"))


def metrics(line: dict[str, Any]) -> Iterator[tuple[str, str]]:
    (emitted,) = line["_aws"]["CloudWatchMetrics"]
    assert emitted["Namespace"] == "Grantor"
    assert [sorted(dimensions) for dimensions in emitted["Dimensions"]] == [["service", "stack"]]
    assert line["stack"] == "grantor"
    yield from ((line["service"], metric["Name"]) for metric in emitted["Metrics"])


@pytest.mark.parametrize(
    "alarm", [name for name, it in ALARMS.items() if it["Namespace"] == "Grantor"]
)
def test_an_alarm_of_ours_watches_a_metric_that_is_emitted(
    alarm: str, emitted: set[tuple[str, str]]
):
    service, stack = {"Name": "service"}, {"Name": "stack", "Value": "Stack"}
    watched = ALARMS[alarm]

    assert watched["Dimensions"][0] == stack
    assert watched["Dimensions"][1].keys() == {*service, "Value"}
    assert (watched["Dimensions"][1]["Value"], watched["MetricName"]) in emitted


def test_the_dashboard_shows_what_is_emitted_and_all_of_it(emitted: set[tuple[str, str]]):
    ours = [metric for metric in shown() if metric[0] == "Grantor"]

    assert {tuple(metric[2:5]) for metric in ours} == {("stack", "${Stack}", "service")}
    assert {(metric[5], metric[1]) for metric in ours} == emitted


def test_the_dashboard_has_every_alarm_once():
    (listed,) = [widget["alarms"] for widget in dashboard() if widget["type"] == "alarm"]

    assert [arn.rpartition(":alarm:${Stack}-")[2] for arn in listed] == list(NAMES.values())


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_notifies_the_topic_explains_itself_and_is_named_after_the_stack(alarm: str):
    settings = ALARMS[alarm]

    assert settings["AlarmActions"] == ["AlertTopic"]
    assert settings["AlarmName"].startswith("${Stack}-")
    assert settings["AlarmDescription"].endswith(f" See docs/operations.md, {NAMES[alarm]}.")
    assert settings["TreatMissingData"] in (
        "breaching",
        "notBreaching",
    )  # silence must be an answer


def test_the_operations_page_has_a_section_for_each_alarm_and_no_other():
    page = (ROOT / "docs/operations.md").read_text()
    sections = re.findall(r"^### `([a-z-]+)`$", page, re.MULTILINE)

    assert sections == list(NAMES.values())


@pytest.mark.parametrize("alarm", NAMES.values())
def test_a_section_explains_an_alarm_and_what_to_do(alarm: str):
    page = (ROOT / "docs/operations.md").read_text()
    section = page.partition(f"### `{alarm}`\n")[2].partition("\n#")[0]

    assert "\n**Meaning.** " in section
    assert "\n**What to do.** " in section


def test_each_function_logs_to_a_group_of_the_stack_with_a_retention():
    every = yaml.load((ROOT / "template.yaml").read_text(), Template)["Resources"]
    functions = {
        name: it["Properties"]
        for name, it in every.items()
        if it["Type"] == "AWS::Serverless::Function"
    }
    groups = {
        name: it["Properties"] for name, it in every.items() if it["Type"] == "AWS::Logs::LogGroup"
    }

    assert {it["LoggingConfig"]["LogGroup"] for it in functions.values()} == groups.keys()
    assert {it.get("RetentionInDays") for it in groups.values()} == {90}
