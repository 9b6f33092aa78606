"""What watches the stack looks at what there is: its metrics are those that runs emit, and a person finds each alarm in docs/operations.md."""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest
import yaml

from grantor.reconcile.handler import ring
from tests.conftest import ROOT, Sandbox
from tests.engine.watch import rules
from tests.jobs.place import Place, event, furnish
from tests.template.test_events import Template

SERVICES = ("reconcile-grants", "start-spark-job")
SUMMARY = {"outcome": "done", "rows": {"in": 4177, "quarantine": 2}, "quarantine": {"range": 2}}


def resources() -> dict[str, dict[str, Any]]:
    read = yaml.load((ROOT / "stacks/operations.yaml").read_text(), Template)["Resources"]
    return {name: {"Type": it["Type"]} | it["Properties"] for name, it in read.items()}


ALARMS = {name: it for name, it in resources().items() if it["Type"] == "AWS::CloudWatch::Alarm"}
NAMES = {name: alarm["AlarmName"].removeprefix("${Stack}-") for name, alarm in ALARMS.items()}


def dashboard() -> list[dict[str, Any]]:
    """Its widgets; what stands for names of the stack stays as it is."""
    body = resources()["Dashboard"]["DashboardBody"]
    return [{"type": widget["type"]} | widget["properties"] for widget in json.loads(body)["widgets"]]


def shown() -> list[list[Any]]:
    return [metric for widget in dashboard() if widget["type"] == "metric" for metric in widget["metrics"]]


@pytest.fixture(scope="module")
def emitted(start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Service and name of each metric that these runs logged for CloudWatch: grants made, a job done, one failed, one that waits."""
    out = io.StringIO()
    with redirect_stdout(out):
        happen(furnish(start_sandbox(), tmp_path_factory.mktemp("watched")))
    return {metric for line in out.getvalue().splitlines() if '"_aws"' in line for metric in metrics(json.loads(line))}


def happen(place: Place) -> None:
    place.estate.role("auditor")
    place.estate.policy("auditor", rules(1))
    ring(place.estate.warm(), event("aws.s3", "Object Created", bucket={"name": "policies"}), None)
    for key, code in (("UserA/abalone.csv", 0), ("UserB/abalone.csv", 12)):
        place.ring(place.put(key))
        place.ring(place.ends(place.running()[0], code, SUMMARY))
    place.faults({"service": "sagemaker", "operation": "CreateProcessingJob", "kind": "throttle"})
    place.ring(place.put("UserA/abalone.csv", b"F,0.53"))


def metrics(line: dict[str, Any]) -> Iterator[tuple[str, str]]:
    (told,) = line["_aws"]["CloudWatchMetrics"]
    assert told["Namespace"] == "Grantor"
    assert [sorted(dimensions) for dimensions in told["Dimensions"]] == [["service", "stack"]]
    assert line["stack"] == "grantor"
    yield from ((line["service"], metric["Name"]) for metric in told["Metrics"])


@pytest.mark.parametrize("alarm", [name for name, it in ALARMS.items() if it["Namespace"] == "Grantor"])
def test_an_alarm_of_ours_watches_a_metric_that_is_emitted(alarm: str, emitted: set[tuple[str, str]]):
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
def test_an_alarm_calls_a_person_says_why_and_is_named_after_the_stack(alarm: str):
    told = ALARMS[alarm]

    assert told["AlarmActions"] == ["Notices"]
    assert told["AlarmName"].startswith("${Stack}-")
    assert told["AlarmDescription"].endswith(f"What to do - docs/operations.md, {NAMES[alarm]}.")
    assert told["TreatMissingData"] in ("breaching", "notBreaching")  # else silence would be no answer


def test_the_page_of_operations_has_a_section_for_each_alarm_and_none_for_another():
    page = (ROOT / "docs/operations.md").read_text()
    sections = re.findall(r"^### `([a-z-]+)`$", page, re.MULTILINE)

    assert sections == list(NAMES.values())


@pytest.mark.parametrize("alarm", NAMES.values())
def test_a_section_says_what_an_alarm_means_and_what_to_do(alarm: str):
    page = (ROOT / "docs/operations.md").read_text()
    section = page.partition(f"### `{alarm}`\n")[2].partition("\n#")[0]

    assert "\n**Means** " in section
    assert "\n**Do** " in section


def test_each_function_writes_into_a_group_of_the_stack_that_forgets_after_a_while():
    every = yaml.load((ROOT / "template.yaml").read_text(), Template)["Resources"]
    functions = {name: it["Properties"] for name, it in every.items() if it["Type"] == "AWS::Serverless::Function"}
    groups = {name: it["Properties"] for name, it in every.items() if it["Type"] == "AWS::Logs::LogGroup"}

    assert {it["LoggingConfig"]["LogGroup"] for it in functions.values()} == groups.keys()
    assert {it.get("RetentionInDays") for it in groups.values()} == {90}
