"""grantor status and history: how things stand, and what came before."""

import pytest

from sandbox.testing.helpers import call_control
from tests.cli.conftest import CommandLine
from tests.cli.rules import many, one
from tests.engine.watch import ahead
from tests.estate import ARTICLE, Estate, sentences


def said(cli: CommandLine, word: str) -> list[str]:
    """What the lines of `grantor status` say that begin with the word."""
    lines = cli.grantor("status", keys=cli.person("Reader")).lines
    return [line[10:] for line in lines if line[:10].strip() == word]


def test_before_the_first_run_there_is_nothing_to_tell(cli: CommandLine):
    assert cli.grantor("status", keys=cli.person("Reader")).lines == [
        "stack     grantor in us-east-1 of account 000000000000",
        "sweep     none is complete yet",
        "grants    0 grants owned",
        "changed   no run has changed anything in the last 90 days",
        "lease     free",
        "pending   no triggers",
    ]


def test_after_a_run_it_tells_what_stands_and_since_when(cli: CommandLine, estate: Estate):
    estate.policy("article", ARTICLE)
    run = estate.run()
    estate.run()
    at = run.timestamp.replace("T", " ")
    version = estate.world().run_store.read_accepted()["policy/article.yaml"].version

    assert said(cli, "sweep")[0].endswith(" ago: 2 profiles in Product-Domain")
    assert said(cli, "grants") == ["4 grants owned"]
    assert said(cli, "changed") == [
        f"{at}  {run.run_id}  +4 -0  everything; accepted policy/article.yaml"
    ]
    assert said(cli, "policy") == [f"policy/article.yaml version {version}, accepted {at}"]


def test_policy_files_that_are_wrong_new_or_deleted_are_shown(cli: CommandLine, estate: Estate):
    role = estate.role("ana")
    estate.policy("changed", one(role, "s3://data/old/*"))
    estate.policy("gone", one(role, "s3://data/gone/*"))
    estate.run()
    estate.policy("changed", one(role, "s3://data/new/*"))
    estate.policy("wrong", "version: 1\nruls: []\n")
    estate.no_policy("gone")

    assert said(cli, "policy")[2:] == [
        "policy/changed.yaml has a version that no run has accepted yet",
        "policy/gone.yaml was deleted, and no run has accepted that yet",
    ]
    assert [line.partition(": ")[0] for line in said(cli, "error")] == ["policy/wrong.yaml:2:1"]


def test_a_plan_that_waits_is_shown_with_the_command_that_approves_it_until_it_is_applied(
    cli: CommandLine, estate: Estate
):
    role = estate.role("ana")
    estate.policy("many", many(role, 30))
    estate.run()
    estate.policy("many", many(role, 5))
    refused = estate.run()
    at = refused.timestamp.replace("T", " ")

    short = refused.approval.hash[:12]
    assert said(cli, "approval") == [
        f"plan {short}, 25 changes, {at}: grantor approve {short} --stack grantor"
    ]
    cli.grantor("approve", short, "--yes")
    assert said(cli, "approval") == []
    assert said(cli, "approved")[0].startswith(
        f"plan {short} was approved by arn:aws:iam::000000000000:root at "
    )
    estate.run()
    estate.run()
    assert cli.grantor("status", "--json").json["owned"] == {"live": 5}


def test_a_run_in_progress_is_shown_with_the_triggers_that_it_covers(
    cli: CommandLine, estate: Estate
):
    world = estate.world()
    lease = world.lease_store.acquire("function 8f3c", {"profile D/ana": None}, world.clock(), 60)
    world.lease_store.acquire("another", {"everything": None}, world.clock(), 60)

    assert lease
    assert said(cli, "lease")[0].startswith("held by function 8f3c since ")
    assert said(cli, "pending") == ["everything, profile D/ana"]


def test_entries_that_are_not_settled_are_counted_apart(cli: CommandLine, estate: Estate):
    estate.policy("article", ARTICLE)
    estate.faults(
        {
            "service": "s3control",
            "operation": "CreateAccessGrant",
            "kind": "invalid-grantee",
            "times": 1,
        }
    )
    estate.run()

    assert said(cli, "grants") == ["4 grants owned, of which 1 intended"]


def test_a_reader_can_see_it_all_and_json_has_it_in_parts(cli: CommandLine, estate: Estate):
    estate.policy("article", ARTICLE)
    run = estate.run().run_id
    answer = cli.grantor("status", "--json", keys=cli.person("Reader")).json

    assert (answer["stack"], answer["owned"], answer["last_change"]["run_id"]) == (
        "grantor",
        {"live": 4},
        run,
    )
    assert (
        answer["sweep"]["profiles"],
        [accepted["file"] for accepted in answer["policy"]["accepted"]],
    ) == (
        {"Product-Domain": 2},
        ["policy/article.yaml"],
    )
    assert (answer["lease"]["holder"], answer["diagnostics"], answer["pending_plans"]) == (
        None,
        [],
        [],
    )
    called = {
        row["operation"]
        for row in call_control(estate.sandbox, "calls")
        if row["principal"].startswith("person-")
    }
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


def test_history_has_the_newest_first_and_as_many_as_are_asked_for(
    cli: CommandLine, estate: Estate
):
    estate.policy("article", ARTICLE)
    first = estate.run()
    estate.policy("article", "version: 1\nruls: []\n")
    second = estate.run(world=ahead(estate, 60))
    reader = cli.person("Reader")

    answer = cli.grantor("history", keys=reader)
    assert [line.split("  ", 1)[1] for line in answer.lines] == [
        f"{second.run_id}  +0 -0  everything; a policy file has errors",
        f"{first.run_id}  +4 -0  everything; accepted policy/article.yaml",
    ]
    assert cli.grantor("history", "-n", "1", keys=reader).lines == answer.lines[:1]
    assert [
        run["run_id"] for run in cli.grantor("history", "--json", keys=reader).json["runs"]
    ] == [
        second.run_id,
        first.run_id,
    ]


def test_a_past_run_is_shown_in_full_with_the_sentences_that_it_had(
    cli: CommandLine, estate: Estate
):
    estate.policy("article", ARTICLE)
    run = estate.run()

    answer = cli.grantor("history", run.run_id, keys=cli.person("Reader"))
    assert (answer.code, answer.lines[1:]) == (
        0,
        [*sentences(run.done), "accepted: policy/article.yaml"],
    )


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (["history", "r-1"], 1, "the history has no run r-1: grantor history lists the runs"),
        (["history", "-n", "0"], 2, "argument -n: must be at least 1"),
    ],
    ids=["an unknown run", "no number"],
)
def test_history_says_what_it_cannot_show(cli: CommandLine, words: list[str], code: int, err: str):
    answered = cli.grantor(*words)

    assert (answered.code, answered.out, err in answered.err) == (code, "", True)


def test_an_empty_history_says_so(cli: CommandLine):
    assert cli.grantor("history").lines == [
        "no run of the last 90 days has changed or reported anything"
    ]
