"""The events about jobs on the bus are documents of docs/json.schema.json."""

import json
from typing import Any

import jsonschema

from grantor.aws.notifications import DetailType
from tests.conftest import ROOT
from tests.jobs.launcher import LauncherSetup

SCHEMA = json.loads((ROOT / "docs/json.schema.json").read_text())
SUMMARY = {
    "outcome": "done",
    "rows": {"in": 3, "train": 2, "quarantine": 1},
    "quarantine": {"blank line": 1},
}


class RecordingNotifications:
    """Takes events as the adapter does, and keeps them."""

    def __init__(self) -> None:
        self.details: list[tuple[str, Any]] = []

    def put_event(self, detail_type: DetailType, detail: dict[str, Any]) -> None:
        self.details.append((str(detail_type), json.loads(json.dumps(detail))))

    def send_alert(self, subject: str, lines: list[str]) -> None:
        pass


def test_each_event_about_a_job_has_the_documented_form(launcher: LauncherSetup):
    notifications = RecordingNotifications()
    jobs = launcher.build_jobs()
    jobs.services.__dict__["notifications"] = notifications

    launcher.deliver(launcher.upload("UserA/abalone.csv"), jobs=jobs)
    launcher.deliver(launcher.end_job(launcher.list_running()[0], 0, SUMMARY), jobs=jobs)
    launcher.deliver(launcher.upload("UserA/abalone.csv", b"other"), jobs=jobs)
    launcher.deliver(launcher.end_job(launcher.list_running()[0], 12), jobs=jobs)

    kinds = [kind for kind, _ in notifications.details]
    assert kinds == ["Job Started", "Job Completed", "Job Started", "Job Failed"]
    for _, detail in notifications.details:
        jsonschema.validate(detail, SCHEMA)
    assert notifications.details[1][1]["rows"] == SUMMARY["rows"]
    assert notifications.details[3][1]["cause"] == "contract broken"


def test_the_documented_example_has_the_documented_form():
    page = (ROOT / "docs/json.md").read_text().partition("## A job")[2]
    example = page.partition("```json\n")[2].partition("```")[0]

    jsonschema.validate(json.loads(example), SCHEMA)


def test_the_sample_event_of_a_run_has_the_documented_form():
    event = json.loads((ROOT / "events/grants_reconciled.json").read_text())

    jsonschema.validate(event["detail"], SCHEMA)
