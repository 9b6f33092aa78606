"""Each sample event matches the event rules that it is for, and each rule has a sample."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from moto.events.models import EventPattern

from harness.fast_yaml import FastLoader
from tests.conftest import ROOT

EVENTS = sorted((ROOT / "events").glob("*.json"))
NAMES = {
    "PolicyBucket": "grantor-policybucket",
    "DataBucket": "grantor-databucket",
    "AWS::StackName": "grantor",
}
TOGETHER = {"DataChanged", "DataUploaded"}  # an upload concerns folders and jobs


class Template(FastLoader):
    """Reads CloudFormation's short forms: `!Ref X` is the name that X has in the samples, any other
    one just its argument.
    """


def short_form(loader: yaml.SafeLoader, tag: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return NAMES.get(node.value, node.value)
    made = (
        loader.construct_sequence
        if isinstance(node, yaml.SequenceNode)
        else loader.construct_mapping
    )
    return made(node, deep=True)


Template.add_multi_constructor("!", short_form)


def rules() -> dict[str, dict[str, Any]]:
    resources = yaml.load((ROOT / "template.yaml").read_text(), Template)["Resources"]
    return {
        name: it["Properties"]
        for name, it in resources.items()
        if it["Type"] == "AWS::Events::Rule"
    }


def matching_rules(event: dict[str, Any]) -> list[str]:
    """The rules that this event matches; a schedule's own event matches the schedule that it names."""
    scheduled = [
        name
        for name, rule in rules().items()
        if "ScheduleExpression" in rule and names(event, name)
    ]
    patterns = {
        name: EventPattern.load(json.dumps(rule["EventPattern"]))
        for name, rule in rules().items()
        if "EventPattern" in rule
    }
    return scheduled + [name for name, pattern in patterns.items() if pattern.matches_event(event)]


def names(event: dict[str, Any], rule: str) -> bool:
    return event["detail-type"] == "Scheduled Event" and any(
        arn.endswith(f"-{rule}") for arn in event["resources"]
    )


@pytest.mark.parametrize(
    ("file", "rules"),
    [
        ("policy_changed", {"PolicyChanged"}),
        ("policy_deleted", {"PolicyChanged"}),
        ("policy_written", {"PolicyWritten"}),
        ("profile_created", {"ProfileChanged"}),
        ("profile_updated", {"ProfileChanged"}),
        ("profile_deleted", {"ProfileChanged"}),
        ("domain_updated", {"ProfileChanged"}),
        ("data_uploaded", TOGETHER),
        ("abalone_uploaded", TOGETHER),
        ("data_deleted", {"DataChanged"}),
        ("schedule_fired", {"Schedule"}),
        ("spark_job_completed", {"JobEnded"}),
        ("spark_job_failed", {"JobEnded"}),
        ("grants_reconciled", {"GrantsChanged"}),
    ],
)
def test_a_sample_event_matches_exactly_its_rules(file: str, rules: set[str]) -> None:
    assert set(matching_rules(json.loads((ROOT / "events" / f"{file}.json").read_text()))) == rules


def test_every_rule_has_a_sample_and_every_sample_is_tested() -> None:
    samples = {path.stem: matching_rules(json.loads(path.read_text())) for path in EVENTS}

    assert {name for matched in samples.values() for name in matched} == rules().keys()
    assert all(len(matched) == 1 or set(matched) == TOGETHER for matched in samples.values()), (
        samples
    )


@pytest.mark.parametrize(
    "change",
    [
        {"source": "my.app"},
        {"detail-type": "Object Restore Completed"},
        {"detail": {"bucket": {"name": "another"}, "object": {"key": "policy/a.yaml"}}},
        {"detail": {"bucket": {"name": "grantor-policybucket"}, "object": {"key": "notes/a.yaml"}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_unrelated_event_matches_no_rule(change: dict[str, Any]) -> None:
    event = json.loads(Path(ROOT / "events/policy_changed.json").read_text())

    assert matching_rules(event | change) == []


@pytest.mark.parametrize(
    "change",
    [
        {"ProcessingJobName": "my-own-job"},
        {"ProcessingJobStatus": "InProgress"},
        {"ProcessingJobStatus": "Stopping"},
    ],
    ids=["somebody else's job", "a job that begins", "a job that is about to stop"],
)
def test_a_foreign_or_running_processing_job_matches_no_rule(change: dict[str, Any]) -> None:
    event = json.loads(Path(ROOT / "events/spark_job_completed.json").read_text())
    event["detail"] |= change

    assert matching_rules(event) == []


@pytest.mark.parametrize(
    "change",
    [{"detail": {"stack": "another"}}, {"detail-type": "Job Started"}, {"source": "another"}],
    ids=["another stack", "an event of the launcher itself", "another source"],
)
def test_only_events_of_our_reconciler_match_for_waiting_uploads(change: dict[str, Any]) -> None:
    event = json.loads(Path(ROOT / "events/grants_reconciled.json").read_text())

    assert matching_rules(event | change) == []


def test_a_refused_call_matches_no_rule() -> None:
    event = json.loads(Path(ROOT / "events/profile_created.json").read_text())
    event["detail"]["errorCode"] = "AccessDeniedException"

    assert matching_rules(event) == []
