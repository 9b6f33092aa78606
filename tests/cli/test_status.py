"""grantor status and history: how things stand, and what came before."""

import pytest

from tests.cli.conftest import Desk
from tests.cli.rules import many, one
from tests.engine.watch import ahead
from tests.estate import ARTICLE, Estate
from tests.sandbox.desk import ask


def said(desk: Desk, word: str) -> list[str]:
    """What the lines of `grantor status` say that begin with the word."""
    lines = desk.grantor("status", keys=desk.person("Reader")).lines
    return [line[10:] for line in lines if line[:10].strip() == word]


def test_before_the_first_run_there_is_nothing_to_tell(desk: Desk):
    assert desk.grantor("status", keys=desk.person("Reader")).lines == [
        "stack     grantor in us-east-1 of account 000000000000",
        "sweep     there was no complete one yet",
        "grants    0 grants owned",
        "changed   no run has changed anything within the last 90 days",
        "lease     free",
        "bells     none waits",
    ]


def test_after_a_run_it_tells_what_stands_and_since_when(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    run = estate.run()
    estate.run()
    at = run.at.replace("T", " ").replace("+00:00", "Z")
    version = estate.world().records.accepted()["policy/article.yaml"].version

    assert said(desk, "sweep")[0].endswith(" ago: 2 profiles in Product-Domain")
    assert said(desk, "grants") == ["4 grants owned"]
    assert said(desk, "changed") == [f"{at}  {run.run}  +4 -0  everything; accepted policy/article.yaml"]
    assert said(desk, "policy") == [f"policy/article.yaml version {version}, accepted {at}"]


def test_policy_files_that_are_wrong_new_or_gone_are_told(desk: Desk, estate: Estate):
    role = estate.role("ana")
    estate.policy("changed", one(role, "s3://data/old/*"))
    estate.policy("gone", one(role, "s3://data/gone/*"))
    estate.run()
    estate.policy("changed", one(role, "s3://data/new/*"))
    estate.policy("wrong", "version: 1\nruls: []\n")
    estate.no_policy("gone")

    assert said(desk, "policy")[2:] == [
        "policy/changed.yaml has a version that no run has accepted yet",
        "policy/gone.yaml is gone, and no run has accepted that yet",
    ]
    assert [line.partition(": ")[0] for line in said(desk, "wrong")] == ["policy/wrong.yaml:2:1"]


def test_a_plan_that_waits_is_told_with_the_command_that_approves_it_until_it_is_carried_out(desk: Desk, estate: Estate):
    role = estate.role("ana")
    estate.policy("many", many(role, 30))
    estate.run()
    estate.policy("many", many(role, 5))
    refused = estate.run()
    at = refused.at.replace("T", " ").replace("+00:00", "Z")

    assert said(desk, "waiting") == [f"plan {refused.hash}, 25 changes, {at}: grantor approve {refused.hash} --stack grantor"]
    desk.grantor("approve", refused.hash, "--yes")
    assert said(desk, "waiting") == []
    assert said(desk, "approved")[0].startswith(f"plan {refused.hash} by arn:aws:iam::000000000000:root at ")
    estate.run()
    estate.run()
    assert desk.grantor("status", "--json").json["owned"] == {"live": 5}


def test_a_run_that_is_going_on_is_told_with_the_bells_that_it_answers(desk: Desk, estate: Estate):
    world = estate.world()
    lease = world.leases.ring("function 8f3c", {"profile D/ana": None}, world.clock(), 60)
    world.leases.ring("another", {"everything": None}, world.clock(), 60)

    assert lease
    assert said(desk, "lease")[0].startswith("held by function 8f3c since ")
    assert said(desk, "bells") == ["everything, profile D/ana"]


def test_entries_that_are_not_settled_are_counted_apart(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    estate.faults({"service": "s3control", "operation": "CreateAccessGrant", "kind": "invalid-grantee", "times": 1})
    estate.run()

    assert said(desk, "grants") == ["4 grants owned, of which 1 intended"]


def test_a_reader_can_see_it_all_and_json_has_it_in_parts(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    run = estate.run().run
    told = desk.grantor("status", "--json", keys=desk.person("Reader")).json

    assert (told["stack"], told["owned"], told["changed"]["id"]) == ("grantor", {"live": 4}, run)
    assert (told["sweep"]["profiles"], list(told["policy"])) == ({"Product-Domain": 2}, ["policy/article.yaml"])
    assert (told["lease"]["holder"], told["wrong"], told["refused"]) == ("", [], [])
    called = {row["operation"] for row in ask(estate.sandbox, "calls") if row["principal"].startswith("person-")}
    assert called <= {
        "AssumeRole",
        "GetCallerIdentity",
        "DescribeStacks",
        "Scan",
        "Query",
        "GetItem",
        "ListObjectsV2",
        "GetObject",
    }


def test_history_has_the_newest_first_and_as_many_as_are_asked_for(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    first = estate.run()
    estate.policy("article", "version: 1\nruls: []\n")
    second = estate.run(world=ahead(estate, 60))
    reader = desk.person("Reader")

    told = desk.grantor("history", keys=reader)
    assert [line.split("  ", 1)[1] for line in told.lines] == [
        f"{second.run}  +0 -0  everything; a policy file is wrong",
        f"{first.run}  +4 -0  everything; accepted policy/article.yaml",
    ]
    assert desk.grantor("history", "-n", "1", keys=reader).lines == told.lines[:1]
    assert [run["run"] for run in desk.grantor("history", "--json", keys=reader).json] == [second.run, first.run]


def test_a_past_run_is_told_in_full_with_the_sentences_that_it_had(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    run = estate.run()

    told = desk.grantor("history", run.run, keys=desk.person("Reader"))
    assert (told.code, told.lines[1:]) == (0, [*run.done, "accepted: policy/article.yaml"])


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (["history", "r-1"], 1, "no run r-1 is remembered: grantor history lists those"),
        (["history", "-n", "0"], 2, "-n wants a number from 1"),
    ],
    ids=["an unknown run", "no number"],
)
def test_history_says_what_it_can_not_show(desk: Desk, words: list[str], code: int, err: str):
    answered = desk.grantor(*words)

    assert (answered.code, answered.out, err in answered.err) == (code, "", True)


def test_an_empty_history_says_so(desk: Desk):
    assert desk.grantor("history").lines == ["no run has done or said anything within the last 90 days"]
