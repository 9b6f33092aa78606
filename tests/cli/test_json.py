"""Everything that Grantor writes as JSON is what docs/json.schema.json says, from real commands and
from the bus.
"""

import json
import re
from typing import Any

import jsonschema
import pytest

from sandbox.testing.helpers import call_control
from tests.cli.conftest import CommandLine
from tests.cli.rules import many, one
from tests.conftest import ROOT
from tests.estate import ARTICLE, Estate

SCHEMA = json.loads((ROOT / "docs/json.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
THEIRS = "arn:aws:iam::999999999999:role/ben"


def check(document: Any, kind: str) -> Any:
    """The document, which is valid and of this kind."""
    definition = {**SCHEMA["$defs"][kind], "$defs": SCHEMA["$defs"]}
    errors = [
        error.message for error in jsonschema.Draft202012Validator(definition).iter_errors(document)
    ]
    assert errors == []
    VALIDATOR.validate(document)
    return document


def read_events(estate: Estate) -> dict[str, Any]:
    """Grantor's own events on the bus, the last of each detail-type."""
    events = call_control(estate.sandbox, "events")
    return {
        event["detail-type"]: event["detail"]
        for event in events
        if event["source"] == "grantor" and "changes" in event["detail"]
    }


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_run_in_which_much_happens(cli: CommandLine, estate: Estate):
    """Created, deleted, deferred, failed, on hold, unmanaged, errors and warnings, in every place
    that shows a run.
    """
    role = estate.role("ana")
    estate.policy("changed", one(role, "s3://data/old/*"))
    estate.policy("own", ARTICLE)
    estate.run()
    estate.foreign("theirs/*", role)
    estate.policy("changed", one(THEIRS, "s3://data/*"))
    estate.policy("wrong", "version: 1\nruls: []\n")
    estate.profile("userC", role="role-userA")
    estate.profile("userD")
    estate.faults(
        {"service": "s3control", "operation": "CreateAccessGrant", "kind": "invalid-grantee", "times": 1},
        {"service": "s3control", "operation": "CreateAccessGrant", "kind": "refuse", "code": "AccessDenied",
         "status": 403, "message": "said the test", "after": 1, "times": 1},
    )  # fmt: skip
    run = check(cli.grantor("apply", "--json").json, "runs")["runs"][0]
    estate.faults()

    outcomes = {change["outcome"] for change in run["changes"]}
    assert {"done", "deferred", "failed"} <= outcomes | {"done"}
    assert {one["severity"] for one in run["diagnostics"]} == {"error", "warning"}
    assert (len(run["unmanaged"]), run["counts"]["on_hold"] > 0, run["truncated"]) == (1, True, {})
    assert check(cli.grantor("history", run["run_id"], "--json").json, "run") == run
    assert check(cli.grantor("history", "--json").json, "runs")["runs"][0] == run
    assert check(read_events(estate)["Policy Rejected"], "run") == run
    check(cli.grantor("status", "--json").json, "status")


def test_a_plan_that_requires_an_approval(cli: CommandLine, estate: Estate):
    role = estate.role("ana")
    estate.policy("many", many(role, 30))
    estate.run()
    estate.policy("many", many(role, 5))
    plan = check(cli.grantor("plan", "--json").json, "plan")
    assert (plan["approval"]["required"], plan["interim_changes"]) == (True, [])
    run = estate.run()
    assert (plan["approval"]["hash"], plan["counts"]["to_delete"]) == (run.approval.hash, 25)
    event = check(read_events(estate)["Approval Required"], "run")
    assert event["approval"] == plan["approval"]
    waiting = check(cli.grantor("status", "--json").json, "status")["pending_plans"]
    assert [one["hash"] for one in waiting] == [run.approval.hash]

    given = check(
        cli.grantor("approve", run.approval.hash[:8], "--yes", "--json").json, "given_approval"
    )
    assert given["hash"] == run.approval.hash
    assert (
        check(cli.grantor("plan", "--json").json, "plan")["approval"]["approved_by"]
        == given["approved_by"]
    )
    assert estate.run().deleted == 25
    assert check(read_events(estate)["Grants Reconciled"], "run")["counts"]["deleted"] == 25


@pytest.mark.parametrize("words", [[], ["--all-wanted"]], ids=["list", "adopt"])
def test_adopt(cli: CommandLine, estate: Estate, words: list[str]):
    role = estate.role("ana")
    estate.foreign("wanted/*", role)
    estate.policy("one", one(role, "s3://data/wanted/*"))
    estate.run()
    found = check(cli.grantor("adopt", *words, "--json").json, "run" if words else "unmanaged")

    assert words == [] or [change["action"] for change in found["changes"]] == ["adopt"]


def test_rebuild(cli: CommandLine, estate: Estate):
    estate.policy("article", ARTICLE)
    estate.run()
    run = check(cli.grantor("rebuild", "--yes", "--json").json, "run")

    assert (run["activity"], run["rebuild"]["inspected"], run["counts"]["restored"]) == (
        "rebuild",
        4,
        0,
    )


def test_the_examples_of_the_page_are_valid():
    blocks = re.findall(
        r"^```json\n(.*?)^```$", (ROOT / "docs/json.md").read_text(), re.DOTALL | re.MULTILINE
    )

    assert len(blocks) >= 2
    for block in blocks:
        VALIDATOR.validate(json.loads(block))
