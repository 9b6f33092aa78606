"""grantor rebuild: the table is lost, and the tags of the grants tell what is ours."""

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
from tests.cli.conftest import CommandLine
from tests.cli.processes import grantor, read_environment, read_error_line, until
from tests.cli.rules import many, one
from tests.conftest import ACCOUNT, REGION, ROOT
from tests.estate import ARTICLE, DATA, LEDGER, Estate

ENDS = datetime(2099, 4, 1, tzinfo=UTC)


def lose(estate: Estate) -> None:
    """Every item of the table is gone: entries, lease, accepted versions, history."""
    table = estate.client("dynamodb")
    for page in table.get_paginator("scan").paginate(TableName=LEDGER):
        for item in page["Items"]:
            table.delete_item(TableName=LEDGER, Key={"pk": item["pk"], "sk": item["sk"]})


def whys(estate: Estate) -> dict[Grant, tuple[State, str, frozenset[Reason]]]:
    """What the ledger has of each grant, without when it was last changed."""
    return {grant: why(entry) for grant, entry in estate.entries().items()}


def why(entry: LedgerEntry) -> tuple[State, str, frozenset[Reason]]:
    return entry.state, entry.id, entry.reasons


def changed(estate: Estate) -> dict[str, int]:
    return {
        name: n
        for name, n in estate.calls().items()
        if name in ("CreateAccessGrant", "DeleteAccessGrant")
    }


def rules(estate: Estate) -> None:
    """Rules of every kind that leaves something in the tags: for profiles, for folders, with an end, additive, two for one grant."""
    role = estate.role("ana")
    estate.policy("article", ARTICLE)
    estate.policy(
        "ends",
        one(role, f"s3://{DATA}/ends/*").replace("allow: READ", "allow: READ, until: 2099-03-31"),
    )
    estate.policy("more teams, 2", one(role, f"s3://{DATA}/Product/*", mode="additive"))
    estate.policy("same", one(role, f"s3://{DATA}/Product/*", name="same"))
    folders = "{name: folders, to: {profiles: {domain: Product-Domain}}, on: {each_prefix: 's3://data/teams/'}, allow: READ}"
    estate.policy("folders", f"version: 1\nrules:\n  - {folders}\n")
    for team in ("blue", "red"):
        estate.upload(f"teams/{team}/x.csv")


def test_after_the_table_is_lost_and_rebuilt_a_run_changes_no_grant_and_all_entries_are_right(
    cli: CommandLine, estate: Estate
):
    rules(estate)
    estate.run()
    estate.foreign("else/*", estate.role("ben"))
    before, grants = whys(estate), estate.actual()
    lose(estate)
    estate.forget_calls()

    rebuilt = cli.grantor("rebuild")
    assert (rebuilt.code, rebuilt.lines[-1]) == (
        0, f"rebuilt: {len(before)} grants of stack grantor restored; {len(before) + 1} inspected, 1 not ours",
    )  # fmt: skip
    assert {grant: entry[:2] for grant, entry in whys(estate).items()} == {
        grant: entry[:2] for grant, entry in before.items()
    }
    run = estate.run()
    assert (run.done, changed(estate), estate.actual()) == ([], {}, grants)
    additive = {
        grant for grant, entry in before.items() if any(reason.additive for reason in entry[2])
    }
    assert {g: e for g, e in whys(estate).items() if g not in additive} == {
        g: e for g, e in before.items() if g not in additive
    }
    assert additive
    assert all(whys(estate)[grant][2] >= before[grant][2] for grant in additive)


@pytest.mark.parametrize("rights", ["Function", "BreakGlass"])
def test_the_rights_of_the_function_or_of_an_emergency_are_enough_for_a_reader(
    cli: CommandLine, estate: Estate, rights: str
):
    estate.policy("article", ARTICLE)
    estate.run()
    lose(estate)
    answered = cli.grantor("rebuild", keys=cli.person("Reader", rights))

    assert (answered.code, len(estate.entries())) == (0, 4)


def test_what_no_rule_wants_any_more_still_goes_after_that(cli: CommandLine, estate: Estate):
    role = estate.role("ana")
    estate.policy("kept", one(role, "s3://data/kept/*"))
    estate.policy("changed", one(role, "s3://data/old/*"))
    estate.policy("removed", one(role, "s3://data/removed/*"))
    estate.run()
    lose(estate)
    estate.policy("changed", one(role, "s3://data/new/*"))
    estate.no_policy("removed")

    rebuilt = cli.grantor("rebuild")
    assert rebuilt.lines[-1] == (
        "missing: policy/removed.yaml, which grants name; "
        "the next run asks S3 for it, and deletes these grants unless another rule wants them"
    )
    estate.run()
    assert estate.grants() == {
        "READ s3://data/kept/* to role/ana",
        "READ s3://data/new/* to role/ana",
    }


def test_what_goes_after_that_goes_past_the_guard(cli: CommandLine, estate: Estate):
    estate.policy("many", many(estate.role("ana"), 30))
    estate.run()
    lose(estate)
    estate.policy("many", many(estate.role("ana"), 5))
    cli.grantor("rebuild")

    assert (estate.run().approval.is_pending, len(estate.grants())) == (True, 30)


def test_while_its_file_is_wrong_no_grant_of_it_goes(cli: CommandLine, estate: Estate):
    estate.policy("teams, 2", one(estate.role("ana"), "s3://data/x/*"))
    estate.policy("other", one(estate.role("ana"), "s3://data/y/*"))
    estate.run()
    lose(estate)
    estate.policy("teams, 2", "version: 1\nruls: []\n")

    assert cli.grantor("rebuild").code == 0
    estate.run()
    assert len(estate.grants()) == 2


@pytest.mark.parametrize("then", ["gone", "wrong", "empty of that rule"])
def test_what_an_additive_file_gave_stays(cli: CommandLine, estate: Estate, then: str):
    role = estate.role("ana")
    estate.policy("added", one(role, "s3://data/x/*", mode="additive"))
    estate.policy("other", one(role, "s3://data/y/*"))
    estate.run()
    lose(estate)
    if then == "gone":
        estate.no_policy("added")
    else:
        estate.policy(
            "added",
            "version: 1\n" if then == "wrong" else one(role, "s3://data/z/*", mode="additive"),
        )

    cli.grantor("rebuild")
    estate.run()
    assert "READ s3://data/x/* to role/ana" in estate.grants()


def test_a_grant_that_tells_no_rule_is_known_again_and_goes_past_the_guard_if_no_rule_wants_it(
    cli: CommandLine, estate: Estate
):
    grant = estate.foreign("x/*", estate.role("ana"))
    tag(estate, grant, "grantor:stack", "grantor")
    estate.policy("other", one(estate.role("ana"), "s3://data/y/*"))

    assert cli.grantor("rebuild").lines[0] == (
        "~ READ s3://data/x/* to role/ana is in the ledger again, because policy/unknown.yaml#unknown"
    )
    assert [change.agreed for change in plan_of(estate).delete] == [False]


def test_grants_of_another_stack_and_of_nobody_are_left_alone(cli: CommandLine, estate: Estate):
    tag(estate, estate.foreign("x/*", estate.role("ana")), "grantor:stack", "other")
    estate.foreign("y/*", estate.role("ana"))

    assert cli.grantor("rebuild").lines == [
        "rebuilt: 0 grants of stack grantor restored; 2 inspected, 2 not ours"
    ]
    assert estate.entries() == {}


def test_an_end_that_has_passed_meanwhile_is_kept(cli: CommandLine, estate: Estate):
    rules(estate)
    estate.run()
    lose(estate)
    cli.grantor("rebuild")

    ends = {
        reason.until
        for grant, entry in estate.entries().items()
        if grant.scope.endswith("/ends/*")
        for reason in entry.reasons
    }
    assert ends == {ENDS}


def test_a_ledger_that_is_not_empty_is_left_as_it_is_without_another_word(
    cli: CommandLine, estate: Estate
):
    estate.policy("article", ARTICLE)
    estate.run()
    before = whys(estate)
    refused = cli.grantor("rebuild")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("grantor rebuild: the ledger is not empty: ")
    assert (whys(estate), cli.queued_subjects()) == (before, [])


def test_with_that_word_only_what_it_does_not_know_is_added(cli: CommandLine, estate: Estate):
    estate.policy("article", ARTICLE)
    estate.run()
    before = whys(estate)
    lost = min(before, key=Grant.sort_key)
    world = estate.world()
    lease = world.lease_store.acquire("a test", {}, world.clock(), 60)
    assert lease
    world.ledger.with_lease(lease).forget_grants([lost])
    world.lease_store.release(lease)

    rebuilt = cli.grantor("rebuild", "--yes", "--json")
    assert (len(rebuilt.json["changes"]), rebuilt.json["counts"]["restored"]) == (1, 1)
    assert {g: e for g, e in whys(estate).items() if g != lost} == {
        g: e for g, e in before.items() if g != lost
    }
    estate.run()
    assert whys(estate) == before


def test_a_trigger_is_enqueued_and_it_is_in_the_history(cli: CommandLine, estate: Estate):
    estate.policy("article", ARTICLE)
    estate.run()
    lose(estate)
    cli.grantor("rebuild")

    assert cli.queued_subjects() == [["everything"]]
    assert [run.document["activity"] for run in estate.world().run_store.iterate_runs()] == [
        "rebuild"
    ]


def test_ctrl_c_stops_between_two_parts_and_it_can_be_gone_on_with(
    cli: CommandLine, estate: Estate
):
    many_grants(estate, 200)
    fault = {
        "service": "s3control",
        "operation": "ListTagsForResource",
        "kind": "stall",
        "after": 100,
        "times": 1,
    }
    estate.faults(fault)
    with grantor(estate, "rebuild") as process:
        until(lambda: call_control(estate.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        until(lambda: "stopping" in read_error_line(process))
        estate.faults()
        out, _ = process.communicate(timeout=60)

    assert (process.returncode, out.splitlines()[-1]) == (
        130,
        "deferred: it was interrupted; grantor rebuild --yes continues",
    )
    assert len(estate.entries()) == 180
    assert cli.grantor("rebuild", "--yes", "--json").json["rebuild"]["inspected"] == 200
    assert len(estate.entries()) == 200


def test_on_a_terminal_it_says_how_far_it_is(cli: CommandLine, estate: Estate):
    many_grants(estate, 200)
    estate.faults(
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
        command, env=read_environment(estate), stdout=subprocess.PIPE, stderr=theirs
    )
    answer = b""
    while (
        b"reading the tags of grants: 180" not in answer
    ):  # it comes in pieces; the test's time limit ends a wait in vain
        answer += os.read(ours, 1000)
    estate.faults()
    process.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)

    assert (process.returncode, len(estate.entries())) == (0, 200)


def test_a_missing_table_is_reported_with_what_to_do(cli: CommandLine, estate: Estate):
    estate.client("dynamodb").delete_table(TableName=LEDGER)
    answered = cli.grantor("rebuild")

    assert (answered.code, answered.err) == (
        1, "grantor rebuild: the ledger table does not exist: deploy the stack again, then run grantor rebuild\n",
    )  # fmt: skip


def tag(estate: Estate, grant_id: str, key: str, value: str) -> None:
    arn = f"arn:aws:s3:{REGION}:{ACCOUNT}:access-grants/default/grant/{grant_id}"
    estate.client("s3control").tag_resource(
        AccountId=ACCOUNT, ResourceArn=arn, Tags=[{"Key": key, "Value": value}]
    )


def many_grants(estate: Estate, number: int) -> None:
    """So many grants that carry the stack's tag."""
    role, location = estate.role("ana"), estate.location()
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
    made = call_control(estate.sandbox, "grants", "POST", requests)
    assert len(estate.actual()) == number, json.dumps(made)[:300]


def plan_of(estate: Estate) -> Plan:
    found = judge_run(estate.world(), {"everything": None})
    assert found
    return found.plan
