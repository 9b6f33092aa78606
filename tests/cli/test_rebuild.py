"""grantor rebuild: the ledger is lost, and the tags of the grants restore it."""

import json
import os
import pty
import signal
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from grantor.core.grant import Grant, LedgerEntry, Reason, State
from grantor.core.planning.plan import Plan
from grantor.reconcile.run import judge_run
from sandbox.testing.helpers import call_control
from tests.cli.command_process import read_environment, read_error_line, start_grantor, wait_until
from tests.cli.conftest import CommandLine
from tests.cli.policy_texts import build_rule, build_rules
from tests.conftest import ACCOUNT, REGION, ROOT
from tests.grantor_setup import ARTICLE_POLICY, DATA, LEDGER, OPERATIONS, GrantorSetup

ENDS = datetime(2099, 4, 1, tzinfo=UTC)


def delete_ledger(setup: GrantorSetup) -> None:
    """Every item of the table is gone: entries, lease, accepted versions, history."""
    table = setup.client("dynamodb")
    for page in table.get_paginator("scan").paginate(TableName=LEDGER):
        for item in page["Items"]:
            table.delete_item(TableName=LEDGER, Key={"pk": item["pk"], "sk": item["sk"]})


def delete_history(setup: GrantorSetup) -> None:
    """Every object of the history of grants is gone."""
    s3 = setup.client("s3")
    for item in s3.list_objects_v2(Bucket=OPERATIONS, Prefix="history/").get("Contents", []):
        s3.delete_object(Bucket=OPERATIONS, Key=item["Key"])


def describe_reasons(setup: GrantorSetup) -> dict[Grant, tuple[State, str, frozenset[Reason]]]:
    """What the ledger has of each grant, without when it was last changed."""
    return {grant: describe_reason(entry) for grant, entry in setup.read_ledger().items()}


def describe_reason(entry: LedgerEntry) -> tuple[State, str, frozenset[Reason]]:
    return entry.state, entry.id, entry.reasons


def list_changes(setup: GrantorSetup) -> dict[str, int]:
    return {
        name: n
        for name, n in setup.count_calls().items()
        if name in ("CreateAccessGrant", "DeleteAccessGrant")
    }


def put_various_rules(setup: GrantorSetup) -> None:
    """Rules of every kind that leaves something in the tags: for profiles, for folders, with an
    end, additive, two for one grant.
    """
    role = setup.create_role("ana")
    setup.put_policy("article", ARTICLE_POLICY)
    setup.put_policy(
        "ends",
        build_rule(role, f"s3://{DATA}/ends/*").replace(
            "allow: READ", "allow: READ, until: 2099-03-31"
        ),
    )
    setup.put_policy("more teams, 2", build_rule(role, f"s3://{DATA}/Product/*", mode="additive"))
    setup.put_policy("same", build_rule(role, f"s3://{DATA}/Product/*", name="same"))
    folders = "{name: folders, to: {profiles: {domain: Product-Domain}}, on: {each_prefix: 's3://data/teams/'}, allow: READ}"
    setup.put_policy("folders", f"version: 1\nrules:\n  - {folders}\n")
    for team in ("blue", "red"):
        setup.upload(f"teams/{team}/x.csv")


def test_after_the_table_is_lost_and_rebuilt_a_run_changes_no_grant_and_all_entries_are_right(
    cli: CommandLine, setup: GrantorSetup
):
    put_various_rules(setup)
    setup.reconcile()
    setup.create_unmanaged_grant("else/*", setup.create_role("ben"))
    before, grants = describe_reasons(setup), setup.list_grants()
    delete_ledger(setup)
    delete_history(setup)  # else it has all reasons
    setup.reset_call_counts()

    rebuilt = cli.run("rebuild")
    assert (rebuilt.code, rebuilt.lines[-1]) == (
        0,
        f"rebuilt: {len(before)} grants of stack grantor restored; {len(before) + 1} inspected, 1 not ours",
    )
    assert {grant: entry[:2] for grant, entry in describe_reasons(setup).items()} == {
        grant: entry[:2] for grant, entry in before.items()
    }
    run = setup.reconcile()
    assert {change.action for change in run.done} == {"update"}  # tags do not name all reasons
    assert (list_changes(setup), setup.list_grants()) == ({}, grants)
    additive = {
        grant for grant, entry in before.items() if any(reason.additive for reason in entry[2])
    }
    assert {g: e for g, e in describe_reasons(setup).items() if g not in additive} == {
        g: e for g, e in before.items() if g not in additive
    }
    assert additive
    assert all(describe_reasons(setup)[grant][2] >= before[grant][2] for grant in additive)


@pytest.mark.parametrize("rights", ["Function", "BreakGlass"])
def test_a_reader_with_the_functions_policy_or_break_glass_can_rebuild(
    cli: CommandLine, setup: GrantorSetup, rights: str
):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    delete_ledger(setup)
    answered = cli.run("rebuild", keys=cli.create_person("Reader", rights))

    assert (answered.code, len(setup.read_ledger())) == (0, 4)


def test_a_grant_that_no_rule_wants_is_deleted_after_a_rebuild(
    cli: CommandLine, setup: GrantorSetup
):
    role = setup.create_role("ana")
    setup.put_policy("kept", build_rule(role, "s3://data/kept/*"))
    setup.put_policy("changed", build_rule(role, "s3://data/old/*"))
    setup.put_policy("removed", build_rule(role, "s3://data/removed/*"))
    setup.reconcile()
    delete_ledger(setup)
    setup.put_policy("changed", build_rule(role, "s3://data/new/*"))
    setup.delete_policy("removed")

    rebuilt = cli.run("rebuild")
    assert rebuilt.lines[-1] == (
        "missing: policy/removed.yaml, which grants name; "
        "the next run asks S3 for it, and deletes these grants unless another rule wants them"
    )
    setup.reconcile()
    assert setup.describe_grants() == {
        "READ s3://data/kept/* to role/ana",
        "READ s3://data/new/* to role/ana",
    }


def test_deletions_after_a_rebuild_pass_the_guard(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("many", build_rules(setup.create_role("ana"), 30))
    setup.reconcile()
    delete_ledger(setup)
    setup.put_policy("many", build_rules(setup.create_role("ana"), 5))
    cli.run("rebuild")

    assert (setup.reconcile().approval.is_pending, len(setup.describe_grants())) == (True, 30)


def test_no_grant_of_an_invalid_file_is_deleted(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("teams, 2", build_rule(setup.create_role("ana"), "s3://data/x/*"))
    setup.put_policy("other", build_rule(setup.create_role("ana"), "s3://data/y/*"))
    setup.reconcile()
    delete_ledger(setup)
    setup.put_policy("teams, 2", "version: 1\nruls: []\n")

    assert cli.run("rebuild").code == 0
    setup.reconcile()
    assert len(setup.describe_grants()) == 2


@pytest.mark.parametrize("then", ["gone", "wrong", "empty of that rule"])
def test_grants_of_an_additive_file_stay(cli: CommandLine, setup: GrantorSetup, then: str):
    role = setup.create_role("ana")
    setup.put_policy("added", build_rule(role, "s3://data/x/*", mode="additive"))
    setup.put_policy("other", build_rule(role, "s3://data/y/*"))
    setup.reconcile()
    delete_ledger(setup)
    if then == "gone":
        setup.delete_policy("added")
    else:
        setup.put_policy(
            "added",
            "version: 1\n"
            if then == "wrong"
            else build_rule(role, "s3://data/z/*", mode="additive"),
        )

    cli.run("rebuild")
    setup.reconcile()
    assert "READ s3://data/x/* to role/ana" in setup.describe_grants()


def test_a_grant_whose_tag_names_no_rule_is_restored_and_passes_the_guard_if_no_rule_wants_it(
    cli: CommandLine, setup: GrantorSetup
):
    grant = setup.create_unmanaged_grant("x/*", setup.create_role("ana"))
    set_tag(setup, grant, "grantor:stack", "grantor")
    setup.put_policy("other", build_rule(setup.create_role("ana"), "s3://data/y/*"))

    assert cli.run("rebuild").lines[0] == (
        "~ READ s3://data/x/* to role/ana is in the ledger again, because policy/unknown.yaml#unknown"
    )
    assert [change.agreed for change in read_plan(setup).delete] == [False]


def test_grants_of_another_stack_and_unmanaged_grants_are_left_alone(
    cli: CommandLine, setup: GrantorSetup
):
    set_tag(
        setup,
        setup.create_unmanaged_grant("x/*", setup.create_role("ana")),
        "grantor:stack",
        "other",
    )
    setup.create_unmanaged_grant("y/*", setup.create_role("ana"))

    assert cli.run("rebuild").lines == [
        "rebuilt: 0 grants of stack grantor restored; 2 inspected, 2 not ours"
    ]
    assert setup.read_ledger() == {}


def test_an_end_that_has_passed_meanwhile_is_kept(cli: CommandLine, setup: GrantorSetup):
    put_various_rules(setup)
    setup.reconcile()
    delete_ledger(setup)
    cli.run("rebuild")

    ends = {
        reason.until
        for grant, entry in setup.read_ledger().items()
        if grant.scope.endswith("/ends/*")
        for reason in entry.reasons
    }
    assert ends == {ENDS}


def test_a_ledger_that_is_not_empty_is_left_as_it_is_without_the_option(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    before = describe_reasons(setup)
    refused = cli.run("rebuild")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("grantor rebuild: the ledger is not empty: ")
    assert (describe_reasons(setup), cli.queued_subjects()) == (before, [])


def test_with_the_option_only_missing_entries_are_added(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    before = describe_reasons(setup)
    lost = min(before, key=Grant.sort_key)
    services = setup.build_services()
    lease = services.lease_store.acquire("a test", {}, services.clock(), 60)
    assert lease
    services.ledger.with_lease(lease).forget_grants([lost])
    services.lease_store.release(lease)

    rebuilt = cli.run("rebuild", "--yes", "--json")
    assert (len(rebuilt.json["changes"]), rebuilt.json["counts"]["restored"]) == (1, 1)
    assert {g: e for g, e in describe_reasons(setup).items() if g != lost} == {
        g: e for g, e in before.items() if g != lost
    }
    setup.reconcile()
    assert describe_reasons(setup) == before


def test_a_rebuild_enqueues_a_trigger_and_is_in_the_history(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    delete_ledger(setup)
    cli.run("rebuild")

    assert cli.queued_subjects() == [["everything"]]
    assert [
        run.document["activity"] for run in setup.build_services().run_store.iterate_runs()
    ] == ["rebuild"]


def test_ctrl_c_stops_between_two_batches_and_the_rebuild_can_be_continued(
    cli: CommandLine, setup: GrantorSetup
):
    create_many_grants(setup, 200)
    fault = {
        "service": "s3control",
        "operation": "ListTagsForResource",
        "kind": "stall",
        "after": 100,
        "times": 1,
    }
    setup.set_faults(fault)
    with start_grantor(setup, "rebuild") as process:
        wait_until(lambda: call_control(setup.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "stopping" in read_error_line(process))
        setup.set_faults()
        out, _ = process.communicate(timeout=60)

    assert (process.returncode, out.splitlines()[-1]) == (
        130,
        "deferred: it was interrupted; grantor rebuild --yes continues",
    )
    assert len(setup.read_ledger()) == 180
    assert cli.run("rebuild", "--yes", "--json").json["rebuild"]["inspected"] == 200
    assert len(setup.read_ledger()) == 200


def test_progress_is_shown_on_a_terminal(cli: CommandLine, setup: GrantorSetup):
    create_many_grants(setup, 200)
    setup.set_faults(
        {
            "service": "s3control",
            "operation": "ListTagsForResource",
            "kind": "stall",
            "after": 100,
            "times": 1,
        }
    )
    ours, theirs = pty.openpty()
    command = [ROOT / ".venv/bin/grantor", "rebuild"]
    process = subprocess.Popen(
        command, env=read_environment(setup), stdout=subprocess.PIPE, stderr=theirs
    )
    answer = b""
    while (
        b"reading the tags of grants: 180" not in answer
    ):  # it comes in pieces; the test's time limit ends a wait in vain
        answer += os.read(ours, 1000)
    setup.set_faults()
    process.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)

    assert (process.returncode, len(setup.read_ledger())) == (0, 200)


def test_a_missing_table_is_reported_with_what_to_do(cli: CommandLine, setup: GrantorSetup):
    setup.client("dynamodb").delete_table(TableName=LEDGER)
    answered = cli.run("rebuild")

    assert (answered.code, answered.err) == (
        1,
        "grantor rebuild: the ledger table does not exist: restore it, or create it again and run grantor rebuild; docs/operations.md, A lost ledger, has the commands\n",
    )


def set_tag(setup: GrantorSetup, grant_id: str, key: str, value: str) -> None:
    arn = f"arn:aws:s3:{REGION}:{ACCOUNT}:access-grants/default/grant/{grant_id}"
    setup.client("s3control").tag_resource(
        AccountId=ACCOUNT, ResourceArn=arn, Tags=[{"Key": key, "Value": value}]
    )


def create_many_grants(setup: GrantorSetup, number: int) -> None:
    """So many grants that carry the stack's tag."""
    role, location = setup.create_role("ana"), setup.find_location_id()
    tags = [
        {"Key": "grantor:stack", "Value": "grantor"},
        {"Key": "grantor:rules", "Value": "policy/a.yaml:one"},
    ]
    requests: list[dict[str, Any]] = [
        {
            "AccessGrantsLocationId": location,
            "AccessGrantsLocationConfiguration": {"S3SubPrefix": f"{n:03}/*"},
            "Permission": "READ",
            "Grantee": {"GranteeType": "IAM", "GranteeIdentifier": role},
            "Tags": tags,
        }
        for n in range(number)
    ]
    made = call_control(setup.sandbox, "grants", "POST", requests)
    assert len(setup.list_grants()) == number, json.dumps(made)[:300]


def read_plan(setup: GrantorSetup) -> Plan:
    found = judge_run(setup.build_services(), {"everything": None})
    assert found
    return found.plan
