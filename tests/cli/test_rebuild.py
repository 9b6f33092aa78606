"""grantor rebuild: the table is lost, and the tags of the grants tell what is ours."""

import json
import os
import pty
import signal
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from grantor.core.grant import Entry, Grant, Reason, State
from grantor.core.planning.plan import Plan
from grantor.reconcile.run import look
from tests.cli.conftest import Desk
from tests.cli.processes import environment_of, grantor, line_of, until
from tests.cli.rules import many, one
from tests.conftest import ACCOUNT, REGION, ROOT
from tests.estate import ARTICLE, DATA, LEDGER, Estate
from tests.sandbox.desk import ask

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


def why(entry: Entry) -> tuple[State, str, frozenset[Reason]]:
    return entry.state, entry.id, entry.reasons


def changed(estate: Estate) -> dict[str, int]:
    return {name: n for name, n in estate.calls().items() if name in ("CreateAccessGrant", "DeleteAccessGrant")}


def rules(estate: Estate) -> None:
    """Rules of every kind that leaves something in the tags: for profiles, for folders, with an end, additive, two for one grant."""
    role = estate.role("ana")
    estate.policy("article", ARTICLE)
    estate.policy("ends", one(role, f"s3://{DATA}/ends/*").replace("allow: READ", "allow: READ, until: 2099-03-31"))
    estate.policy("more teams, 2", one(role, f"s3://{DATA}/Product/*", mode="additive"))
    estate.policy("same", one(role, f"s3://{DATA}/Product/*", name="same"))
    folders = "{name: folders, to: {profiles: {domain: Product-Domain}}, on: {each_prefix: 's3://data/teams/'}, allow: READ}"
    estate.policy("folders", f"version: 1\nrules:\n  - {folders}\n")
    for team in ("blue", "red"):
        estate.upload(f"teams/{team}/x.csv")


def test_after_the_table_is_lost_and_rebuilt_a_run_changes_no_grant_and_all_entries_are_right(desk: Desk, estate: Estate):
    rules(estate)
    estate.run()
    estate.foreign("else/*", estate.role("ben"))
    before, grants = whys(estate), estate.actual()
    lose(estate)
    estate.forget_calls()

    rebuilt = desk.grantor("rebuild")
    assert (rebuilt.code, rebuilt.lines[-1]) == (
        0, f"rebuilt: {len(before)} grants of stack grantor known again; {len(before) + 1} looked at, 1 not ours",
    )  # fmt: skip
    assert {grant: entry[:2] for grant, entry in whys(estate).items()} == {grant: entry[:2] for grant, entry in before.items()}
    run = estate.run()
    assert (run.done, changed(estate), estate.actual()) == ([], {}, grants)
    additive = {grant for grant, entry in before.items() if any(reason.additive for reason in entry[2])}
    assert {g: e for g, e in whys(estate).items() if g not in additive} == {g: e for g, e in before.items() if g not in additive}
    assert additive
    assert all(whys(estate)[grant][2] >= before[grant][2] for grant in additive)


@pytest.mark.parametrize("rights", ["Function", "BreakGlass"])
def test_the_rights_of_the_function_or_of_an_emergency_are_enough_for_a_reader(desk: Desk, estate: Estate, rights: str):
    estate.policy("article", ARTICLE)
    estate.run()
    lose(estate)
    answered = desk.grantor("rebuild", keys=desk.person("Reader", rights))

    assert (answered.code, len(estate.entries())) == (0, 4)


def test_what_no_rule_wants_any_more_still_goes_after_that(desk: Desk, estate: Estate):
    role = estate.role("ana")
    estate.policy("kept", one(role, "s3://data/kept/*"))
    estate.policy("changed", one(role, "s3://data/old/*"))
    estate.policy("removed", one(role, "s3://data/removed/*"))
    estate.run()
    lose(estate)
    estate.policy("changed", one(role, "s3://data/new/*"))
    estate.no_policy("removed")

    rebuilt = desk.grantor("rebuild")
    assert rebuilt.lines[-1] == (
        "gone: policy/removed.yaml, which grants name; "
        "the next run asks S3 for it, and takes them away if no other rule wants them"
    )
    estate.run()
    assert estate.grants() == {"READ s3://data/kept/* to role/ana", "READ s3://data/new/* to role/ana"}


def test_what_goes_after_that_goes_past_the_guard(desk: Desk, estate: Estate):
    estate.policy("many", many(estate.role("ana"), 30))
    estate.run()
    lose(estate)
    estate.policy("many", many(estate.role("ana"), 5))
    desk.grantor("rebuild")

    assert (estate.run().approval != [], len(estate.grants())) == (True, 30)


def test_while_its_file_is_wrong_no_grant_of_it_goes(desk: Desk, estate: Estate):
    estate.policy("teams, 2", one(estate.role("ana"), "s3://data/x/*"))
    estate.policy("other", one(estate.role("ana"), "s3://data/y/*"))
    estate.run()
    lose(estate)
    estate.policy("teams, 2", "version: 1\nruls: []\n")

    assert desk.grantor("rebuild").code == 0
    estate.run()
    assert len(estate.grants()) == 2


@pytest.mark.parametrize("then", ["gone", "wrong", "empty of that rule"])
def test_what_an_additive_file_gave_stays(desk: Desk, estate: Estate, then: str):
    role = estate.role("ana")
    estate.policy("added", one(role, "s3://data/x/*", mode="additive"))
    estate.policy("other", one(role, "s3://data/y/*"))
    estate.run()
    lose(estate)
    if then == "gone":
        estate.no_policy("added")
    else:
        estate.policy("added", "version: 1\n" if then == "wrong" else one(role, "s3://data/z/*", mode="additive"))

    desk.grantor("rebuild")
    estate.run()
    assert "READ s3://data/x/* to role/ana" in estate.grants()


def test_a_grant_that_tells_no_rule_is_known_again_and_goes_past_the_guard_if_no_rule_wants_it(desk: Desk, estate: Estate):
    grant = estate.foreign("x/*", estate.role("ana"))
    tag(estate, grant, "grantor:stack", "grantor")
    estate.policy("other", one(estate.role("ana"), "s3://data/y/*"))

    assert desk.grantor("rebuild").lines[0] == (
        "~ READ s3://data/x/* to role/ana is known again, because policy/unknown.yaml#unknown"
    )
    assert [change.agreed for change in plan_of(estate).delete] == [False]


def test_grants_of_another_stack_and_of_nobody_are_left_alone(desk: Desk, estate: Estate):
    tag(estate, estate.foreign("x/*", estate.role("ana")), "grantor:stack", "other")
    estate.foreign("y/*", estate.role("ana"))

    assert desk.grantor("rebuild").lines == ["rebuilt: 0 grants of stack grantor known again; 2 looked at, 2 not ours"]
    assert estate.entries() == {}


def test_an_end_that_has_passed_meanwhile_is_kept(desk: Desk, estate: Estate):
    rules(estate)
    estate.run()
    lose(estate)
    desk.grantor("rebuild")

    ends = {
        reason.until for grant, entry in estate.entries().items() if grant.scope.endswith("/ends/*") for reason in entry.reasons
    }
    assert ends == {ENDS}


def test_a_ledger_that_is_not_empty_is_left_as_it_is_without_another_word(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    estate.run()
    before = whys(estate)
    refused = desk.grantor("rebuild")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("grantor rebuild: the ledger is not empty: ")
    assert (whys(estate), desk.rung()) == (before, [])


def test_with_that_word_only_what_it_does_not_know_is_added(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    estate.run()
    before = whys(estate)
    lost = min(before, key=Grant.order)
    world = estate.world()
    lease = world.leases.ring("a test", {}, world.clock(), 60)
    assert lease
    world.ledger.under(lease).forget([lost])
    world.leases.release(lease)

    rebuilt = desk.grantor("rebuild", "--yes", "--json")
    assert len(rebuilt.json["done"]) == 1
    assert {g: e for g, e in whys(estate).items() if g != lost} == {g: e for g, e in before.items() if g != lost}
    estate.run()
    assert whys(estate) == before


def test_a_run_is_rung_for_and_it_stands_in_the_history(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    estate.run()
    lose(estate)
    desk.grantor("rebuild")

    assert desk.rung() == [["everything"]]
    assert [run.summary["focus"] for run in estate.world().records.history()] == ["rebuilding"]


def test_ctrl_c_stops_between_two_parts_and_it_can_be_gone_on_with(desk: Desk, estate: Estate):
    many_grants(estate, 200)
    fault = {"service": "s3control", "operation": "ListTagsForResource", "kind": "stall", "after": 100, "times": 1}
    estate.faults(fault)
    with grantor(estate, "rebuild") as process:
        until(lambda: ask(estate.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        until(lambda: "stopping" in line_of(process))
        estate.faults()
        out, _ = process.communicate(timeout=60)

    assert (process.returncode, out.splitlines()[-1]) == (130, "later: it was interrupted; say grantor rebuild --yes to go on")
    assert len(estate.entries()) == 180
    assert desk.grantor("rebuild", "--yes", "--json").json["looked_at"] == 200
    assert len(estate.entries()) == 200


def test_on_a_terminal_it_says_how_far_it_is(desk: Desk, estate: Estate):
    many_grants(estate, 200)
    estate.faults({"service": "s3control", "operation": "ListTagsForResource", "kind": "stall", "after": 100, "times": 1})
    ours, theirs = pty.openpty()
    command = [ROOT / ".venv/bin/grantor", "rebuild"]
    process = subprocess.Popen(command, env=environment_of(estate), stdout=subprocess.PIPE, stderr=theirs)
    told = b""
    while b"reading the tags of grants: 180" not in told:  # it comes in pieces; the test's time limit ends a wait in vain
        told += os.read(ours, 1000)
    estate.faults()
    process.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)

    assert (process.returncode, len(estate.entries())) == (0, 200)


def test_a_table_that_is_gone_is_told_what_to_do(desk: Desk, estate: Estate):
    estate.client("dynamodb").delete_table(TableName=LEDGER)
    answered = desk.grantor("rebuild")

    assert (answered.code, answered.err) == (
        1, "grantor rebuild: the ledger's table is gone: deploy the stack again, then say grantor rebuild\n",
    )  # fmt: skip


def tag(estate: Estate, grant_id: str, key: str, value: str) -> None:
    arn = f"arn:aws:s3:{REGION}:{ACCOUNT}:access-grants/default/grant/{grant_id}"
    estate.client("s3control").tag_resource(AccountId=ACCOUNT, ResourceArn=arn, Tags=[{"Key": key, "Value": value}])


def many_grants(estate: Estate, number: int) -> None:
    """So many grants that carry the stack's tag."""
    role, location = estate.role("ana"), estate.location()
    tags = [{"Key": "grantor:stack", "Value": "grantor"}, {"Key": "grantor:rules", "Value": "policy/a.yaml:one"}]
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
    made = ask(estate.sandbox, "grants", "POST", requests)
    assert len(estate.actual()) == number, json.dumps(made)[:300]


def plan_of(estate: Estate) -> Plan:
    found = look(estate.world(), {"everything": None})
    assert found
    return found.plan
