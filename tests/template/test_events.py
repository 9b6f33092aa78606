"""Each sample event rings one doorbell, and each doorbell has a sample."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from moto.events.models import EventPattern

from tests.conftest import ROOT

EVENTS = sorted((ROOT / "events").glob("*.json"))
NAMES = {"PolicyBucket": "grantor-policybucket", "DataBucket": "grantor-databucket", "AWS::StackName": "grantor"}
TOGETHER = {"DataChanged", "UploadedData"}  # an upload is a folder's business and a job's


class Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms: `!Ref X` is the name that X has in the samples, any other one just its argument."""


def short_form(loader: yaml.SafeLoader, tag: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return NAMES.get(node.value, node.value)
    made = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
    return made(node, deep=True)


Template.add_multi_constructor("!", short_form)


def rules() -> dict[str, dict[str, Any]]:
    resources = yaml.load((ROOT / "template.yaml").read_text(), Template)["Resources"]
    return {name: it["Properties"] for name, it in resources.items() if it["Type"] == "AWS::Events::Rule"}


def rung_by(event: dict[str, Any]) -> list[str]:
    """The rules that this event matches; a schedule's own event matches the schedule that it names."""
    scheduled = [name for name, rule in rules().items() if "ScheduleExpression" in rule and names(event, name)]
    patterns = {
        name: EventPattern.load(json.dumps(rule["EventPattern"])) for name, rule in rules().items() if "EventPattern" in rule
    }
    return scheduled + [name for name, pattern in patterns.items() if pattern.matches_event(event)]


def names(event: dict[str, Any], rule: str) -> bool:
    return event["detail-type"] == "Scheduled Event" and any(arn.endswith(f"-{rule}") for arn in event["resources"])


@pytest.mark.parametrize(
    ("file", "rules"),
    [
        ("policy_changed", {"PolicyChanged"}),
        ("policy_deleted", {"PolicyChanged"}),
        ("profile_created", {"ProfileChanged"}),
        ("profile_updated", {"ProfileChanged"}),
        ("profile_deleted", {"ProfileChanged"}),
        ("domain_updated", {"ProfileChanged"}),
        ("data_uploaded", TOGETHER),
        ("abalone_uploaded", TOGETHER),
        ("data_deleted", {"DataChanged"}),
        ("clock_ticked", {"Clock"}),
        ("spark_job_completed", {"JobEnded"}),
        ("spark_job_failed", {"JobEnded"}),
        ("grants_reconciled", {"GrantsChanged"}),
    ],
)
def test_a_sample_event_matches_just_the_rules_that_it_is_for(file: str, rules: set[str]) -> None:
    assert set(rung_by(json.loads((ROOT / "events" / f"{file}.json").read_text()))) == rules


def test_every_rule_has_a_sample_and_every_sample_is_tested() -> None:
    samples = {path.stem: rung_by(json.loads(path.read_text())) for path in EVENTS}

    assert {name for rung in samples.values() for name in rung} == rules().keys()
    assert all(len(rung) == 1 or set(rung) == TOGETHER for rung in samples.values()), samples


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
def test_what_is_not_ours_rings_nobody(change: dict[str, Any]) -> None:
    event = json.loads(Path(ROOT / "events/policy_changed.json").read_text())

    assert rung_by(event | change) == []


@pytest.mark.parametrize(
    "change",
    [{"ProcessingJobName": "my-own-job"}, {"ProcessingJobStatus": "InProgress"}, {"ProcessingJobStatus": "Stopping"}],
    ids=["somebody else's job", "a job that begins", "a job that is about to stop"],
)
def test_a_processing_job_that_is_not_ours_or_not_over_rings_nobody(change: dict[str, Any]) -> None:
    event = json.loads(Path(ROOT / "events/spark_job_completed.json").read_text())
    event["detail"] |= change

    assert rung_by(event) == []


@pytest.mark.parametrize(
    "change",
    [{"detail": {"stack": "another"}}, {"detail-type": "Job Started"}, {"source": "another"}],
    ids=["another stack", "what the launcher itself tells", "another source"],
)
def test_only_what_our_reconciler_says_of_grants_rings_for_data_that_waits(change: dict[str, Any]) -> None:
    event = json.loads(Path(ROOT / "events/grants_reconciled.json").read_text())

    assert rung_by(event | change) == []


def test_a_refused_call_rings_nobody() -> None:
    event = json.loads(Path(ROOT / "events/profile_created.json").read_text())
    event["detail"]["errorCode"] = "AccessDeniedException"

    assert rung_by(event) == []
