"""All JSON output of commands and on the event bus is valid by docs/json.schema.json."""

import json
import re
from typing import Any

import jsonschema
import pytest

from sandbox.testing.helpers import call_control
from tests.cli.conftest import CommandLine
from tests.cli.policy_texts import build_rule, build_rules
from tests.conftest import ROOT
from tests.grantor_setup import ARTICLE_POLICY, GrantorSetup

SCHEMA = json.loads((ROOT / "docs/json.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def check(document: Any, kind: str) -> Any:
    """The document, which is valid and of this kind."""
    definition = {**SCHEMA["$defs"][kind], "$defs": SCHEMA["$defs"]}
    errors = [
        error.message for error in jsonschema.Draft202012Validator(definition).iter_errors(document)
    ]
    assert errors == []
    VALIDATOR.validate(document)
    return document


def read_events(setup: GrantorSetup) -> dict[str, Any]:
    """Grantor's own events on the bus, the last of each detail-type."""
    events = call_control(setup.sandbox, "events")
    return {
        event["detail-type"]: event["detail"]
        for event in events
        if event["source"] == "grantor" and "changes" in event["detail"]
    }


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_run_with_every_kind_of_result(cli: CommandLine, setup: GrantorSetup):
    """Created, deleted, deferred, failed, on hold, unmanaged, errors and warnings, in every place
    that shows a run.
    """
    role = setup.create_role("ana")
    setup.put_policy("changed", build_rule(role, "s3://data/old/*"))
    setup.put_policy("own", ARTICLE_POLICY)
    setup.reconcile()
    setup.create_unmanaged_grant("theirs/*", role)
    ben = setup.create_role("ben")
    setup.put_policy("changed", build_rule(ben, "s3://data/new/*"))
    setup.put_policy("covered", build_rule(ben, "s3://data/new/deep/*"))
    setup.put_policy("wrong", "version: 1\nruls: []\n")
    setup.create_profile("userC", role="role-userA")
    setup.create_profile("userD")
    setup.set_faults(
        {
            "service": "s3control",
            "operation": "CreateAccessGrant",
            "kind": "invalid-grantee",
            "times": 1,
        },
        {
            "service": "s3control",
            "operation": "CreateAccessGrant",
            "kind": "refuse",
            "code": "AccessDenied",
            "status": 403,
            "message": "said the test",
            "after": 1,
            "times": 1,
        },
    )
    run = check(cli.run("apply", "--json").json, "runs")["runs"][0]
    setup.set_faults()

    outcomes = {change["outcome"] for change in run["changes"]}
    assert {"done", "deferred", "failed"} <= outcomes | {"done"}
    assert {one["severity"] for one in run["diagnostics"]} == {"error", "warning"}
    assert (len(run["unmanaged"]), run["counts"]["on_hold"] > 0, run["truncated"]) == (1, True, {})
    assert check(cli.run("history", run["run_id"], "--json").json, "run") == run
    assert check(cli.run("history", "--json").json, "runs")["runs"][0] == run
    assert check(read_events(setup)["Policy Rejected"], "run") == run
    check(cli.run("status", "--json").json, "status")


def test_a_plan_that_requires_an_approval(cli: CommandLine, setup: GrantorSetup):
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5))
    plan = check(cli.run("plan", "--json").json, "plan")
    assert (plan["approval"]["required"], plan["interim_changes"]) == (True, [])
    run = setup.reconcile()
    assert (plan["approval"]["hash"], plan["counts"]["to_delete"]) == (run.approval.hash, 25)
    event = check(read_events(setup)["Approval Required"], "run")
    assert event["approval"] == plan["approval"]
    assert event["approval"]["author_unknown"] == ["policy/many.yaml"]
    waiting = check(cli.run("status", "--json").json, "status")["pending_plans"]
    assert [one["hash"] for one in waiting] == [run.approval.hash]

    short, said = run.approval.hash[:8], ("--because", "we agreed on it", "--yes", "--json")
    rejected = check(cli.run("reject", short, *said).json, "given_approval")
    assert (rejected["decision"], rejected["approved_by"]) == ("reject", None)
    (waiting,) = check(cli.run("status", "--json").json, "status")["pending_plans"]
    assert [one["because"] for one in waiting["approval"]["rejections"]] == ["we agreed on it"]
    given = check(cli.run("approve", short, *said, "--despite-rejection").json, "given_approval")
    assert given["hash"] == run.approval.hash
    assert (
        check(cli.run("plan", "--json").json, "plan")["approval"]["approved_by"]
        == given["approved_by"]
    )
    assert setup.reconcile().deleted == 25
    assert check(read_events(setup)["Grants Reconciled"], "run")["counts"]["deleted"] == 25


@pytest.mark.parametrize("words", [[], ["--all-wanted"]], ids=["list", "adopt"])
def test_adopt(cli: CommandLine, setup: GrantorSetup, words: list[str]):
    role = setup.create_role("ana")
    setup.create_unmanaged_grant("wanted/*", role)
    setup.put_policy("one", build_rule(role, "s3://data/wanted/*"))
    setup.reconcile()
    found = check(cli.run("adopt", *words, "--json").json, "run" if words else "unmanaged")

    assert words == [] or [change["action"] for change in found["changes"]] == ["adopt"]


def test_rebuild(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    run = check(cli.run("rebuild", "--yes", "--json").json, "run")

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


def test_suspensions_leftovers_and_the_end_of_sessions(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy(
        "article", ARTICLE_POLICY.replace("version: 1\n", "version: 1\nmode: additive\n")
    )
    setup.reconcile()
    who, because = "Product-Domain/userB", ("--because", "lost laptop")
    check(cli.run("suspend", who, *because, "--until", "2035-01-01", "--json").json, "suspension")
    deleted = check(cli.run("apply", "--json").json, "runs")["runs"][0]
    ended = check(cli.run("end-sessions", *because, "--yes", "--json").json, "run")
    status = check(cli.run("status", "--json").json, "status")
    check(cli.run("suspend", who, "--undo", "--json").json, "suspension_lifted")
    setup.delete_policy("article")
    setup.reconcile()
    left = check(cli.run("leftovers", "--json").json, "leftovers")["leftovers"]

    assert deleted["changes"][0]["suspended_by"] == (
        f"policy/suspensions/Product-Domain_userB.yaml#profile {who}"
    )
    assert deleted["credentials_until"] > deleted["started_at"]
    assert status["sessions"]["ended_before"] == ended["sessions"]["ended_before"]
    assert [one["who"] for one in status["suspensions"]] == [f"profile {who}"]
    assert len(left) == 2
    run = check(cli.run("leftovers", "--revoke", "--json").json, "run")
    assert (run["activity"], run["counts"]["deleted"]) == ("leftovers", 2)
