"""Each sample event rings one doorbell, and each doorbell has a sample."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from moto.events.models import EventPattern

from tests.conftest import ROOT

EVENTS = sorted((ROOT / "events").glob("*.json"))
NAMES = {"PolicyBucket": "grantor-policybucket", "DataBucket": "grantor-databucket"}


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
    ("file", "rule"),
    [
        ("policy_changed", "PolicyChanged"),
        ("policy_deleted", "PolicyChanged"),
        ("profile_created", "ProfileChanged"),
        ("profile_updated", "ProfileChanged"),
        ("profile_deleted", "ProfileChanged"),
        ("domain_updated", "ProfileChanged"),
        ("data_uploaded", "DataChanged"),
        ("data_deleted", "DataChanged"),
        ("clock_ticked", "Clock"),
    ],
)
def test_a_sample_event_matches_exactly_one_rule(file: str, rule: str) -> None:
    assert rung_by(json.loads((ROOT / "events" / f"{file}.json").read_text())) == [rule]


def test_every_rule_has_a_sample_and_every_sample_is_tested() -> None:
    samples = {path.stem: rung_by(json.loads(path.read_text())) for path in EVENTS}

    assert {name for rung in samples.values() for name in rung} == rules().keys()
    assert all(len(rung) == 1 for rung in samples.values()), samples


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


def test_a_refused_call_rings_nobody() -> None:
    event = json.loads(Path(ROOT / "events/profile_created.json").read_text())
    event["detail"]["errorCode"] = "AccessDeniedException"

    assert rung_by(event) == []
