"""grantor status and history: the current state, and past runs."""

import pytest

from sandbox.testing.helpers import call_control
from tests.cli.conftest import CommandLine
from tests.cli.policy_texts import build_rule, build_rules
from tests.engine.helpers import build_impatient_services, build_services_ahead
from tests.grantor_setup import ARTICLE_POLICY, GrantorSetup, describe_changes


def find_line(cli: CommandLine, word: str) -> list[str]:
    """What the lines of `grantor status` say that begin with the word."""
    lines = cli.run("status", keys=cli.create_person("Reader")).lines
    return [line[10:] for line in lines if line[:10].strip() == word]


def test_before_the_first_run_the_status_is_empty(cli: CommandLine):
    assert cli.run("status", keys=cli.create_person("Reader")).lines == [
        "stack     grantor in us-east-1 of account 000000000000",
        "sweep     none is complete yet",
        "grants    0 grants owned",
        "changed   no run has changed anything in the last 90 days",
        "lease     free",
        "pending   no triggers",
    ]


def test_after_a_run_the_status_counts_the_grants_and_names_the_run(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("article", ARTICLE_POLICY)
    run = setup.reconcile()
    setup.reconcile()
    at = run.timestamp.replace("T", " ")
    version = setup.build_services().policy_store.read_accepted()["policy/article.yaml"].version

    assert find_line(cli, "sweep")[0].endswith(" ago: 2 profiles in Product-Domain")
    assert find_line(cli, "grants") == ["4 grants owned"]
    assert find_line(cli, "changed") == [
        f"{at}  {run.run_id}  +4 -0  everything; accepted policy/article.yaml"
    ]
    assert find_line(cli, "policy") == [f"policy/article.yaml version {version}, accepted {at}"]


def test_policy_files_that_are_wrong_new_or_deleted_are_shown(
    cli: CommandLine, setup: GrantorSetup
):
    role = setup.create_role("ana")
    setup.put_policy("changed", build_rule(role, "s3://data/old/*"))
    setup.put_policy("gone", build_rule(role, "s3://data/gone/*"))
    setup.reconcile()
    setup.put_policy("changed", build_rule(role, "s3://data/new/*"))
    setup.put_policy("wrong", "version: 1\nruls: []\n")
    setup.delete_policy("gone")

    assert find_line(cli, "policy")[2:] == [
        "policy/changed.yaml has a version that no run has accepted yet",
        "policy/gone.yaml was deleted, and no run has accepted that yet",
    ]
    assert [line.partition(": ")[0] for line in find_line(cli, "error")] == [
        "policy/wrong.yaml:2:1"
    ]


def test_a_pending_plan_is_shown_with_the_command_that_approves_it_until_it_is_applied(
    cli: CommandLine, setup: GrantorSetup
):
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5))
    refused = setup.reconcile()
    at = refused.timestamp.replace("T", " ")

    short = refused.approval.hash[:12]
    assert find_line(cli, "approval") == [
        f"plan {short}, 25 changes, {at}: grantor approve {short} --because TEXT --stack grantor"
    ]
    cli.run("approve", short, "--because", "we agreed on it", "--yes")
    assert find_line(cli, "approval") == []
    assert find_line(cli, "approved") == [
        f"plan {short} was approved by 000000000000 (arn:aws:iam::000000000000:root, as the client says), because: we agreed on it"
    ]
    setup.reconcile()
    setup.reconcile()
    assert cli.run("status", "--json").json["owned"] == {"live": 5}


def test_a_run_in_progress_is_shown_with_the_triggers_that_it_covers(
    cli: CommandLine, setup: GrantorSetup
):
    services = setup.build_services()
    lease = services.lease_store.acquire(
        "function 8f3c", {"profile D/ana": None}, services.clock(), 60
    )
    services.lease_store.acquire("another", {"everything": None}, services.clock(), 60)

    assert lease
    assert find_line(cli, "lease")[0].startswith("held by function 8f3c since ")
    assert find_line(cli, "pending") == ["everything, profile D/ana"]


def test_entries_that_are_not_settled_are_counted_apart(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.set_faults(
        {
            "service": "s3control",
            "operation": "CreateAccessGrant",
            "kind": "invalid-grantee",
            "times": 1,
        }
    )
    setup.reconcile()

    assert find_line(cli, "grants") == ["4 grants owned, of which 1 intended"]


def test_a_reader_sees_the_whole_status_and_json_has_it_field_by_field(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("article", ARTICLE_POLICY)
    run = setup.reconcile().run_id
    answer = cli.run("status", "--json", keys=cli.create_person("Reader")).json

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
        for row in call_control(setup.sandbox, "calls")
        if row["principal"].startswith("person-")
    }
    assert called <= {
        "AssumeRole",
        "GetCallerIdentity",
        "GetRolePolicy",
        "ListAccessGrants",
        "DescribeStacks",
        "ListStackResources",
        "Scan",
        "Query",
        "GetItem",
        "ListObjectsV2",
        "GetObject",
    }


def test_history_lists_the_newest_runs_first_up_to_the_limit(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("article", ARTICLE_POLICY)
    first = setup.reconcile()
    setup.put_policy("article", "version: 1\nruls: []\n")
    second = setup.reconcile(services=build_services_ahead(setup, 60))
    reader = cli.create_person("Reader")

    answer = cli.run("history", keys=reader)
    assert [line.split("  ", 1)[1] for line in answer.lines] == [
        f"{second.run_id}  +0 -0  everything; a policy file has errors",
        f"{first.run_id}  +4 -0  everything; accepted policy/article.yaml",
    ]
    assert cli.run("history", "-n", "1", keys=reader).lines == answer.lines[:1]
    assert [run["run_id"] for run in cli.run("history", "--json", keys=reader).json["runs"]] == [
        second.run_id,
        first.run_id,
    ]


def test_a_past_run_is_shown_in_full_with_the_sentences_that_it_had(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("article", ARTICLE_POLICY)
    run = setup.reconcile()

    answer = cli.run("history", run.run_id, keys=cli.create_person("Reader"))
    assert (answer.code, answer.lines[1:]) == (
        0,
        [*describe_changes(run.done), "accepted: policy/article.yaml"],
    )


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (["history", "r-1"], 1, "the history has no run r-1: grantor history lists the runs"),
        (["history", "-n", "0"], 2, "argument -n: must be at least 1"),
    ],
    ids=["an unknown run", "no number"],
)
def test_history_names_the_runs_that_it_cannot_show(
    cli: CommandLine, words: list[str], code: int, err: str
):
    answered = cli.run(*words)

    assert (answered.code, answered.out, err in answered.err) == (code, "", True)


def test_an_empty_history_says_so(cli: CommandLine):
    assert cli.run("history").lines == [
        "no run of the last 90 days has changed or reported anything"
    ]


def test_a_change_that_runs_could_not_make_is_shown_with_its_reason_and_since_when(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.set_faults(
        {
            "service": "s3control",
            "operation": "CreateAccessGrant",
            "kind": "refuse",
            "code": "AccessGrantsQuotaExceededError",
            "status": 400,
            "message": "no more",
            "after": 3,
        }
    )
    first = setup.reconcile()
    setup.reconcile(services=build_services_ahead(setup, 90_000))
    setup.set_faults()
    answer = cli.run("status", "--json", keys=cli.create_person("Reader"))

    (grant,) = [one.change.grant for one in first.failed]
    why, since = "AccessGrantsQuotaExceededError: no more", first.timestamp
    assert [
        (one["scope"], one["outcome"], one["why"], one["since"]) for one in answer.json["unsettled"]
    ] == [(grant.scope, "failed", why, since)]
    assert [one["kind"] for one in answer.json["attention"]] == ["failed"]
    assert answer.code == 1
    assert find_line(cli, "failed")[0].endswith(f"since {since.replace('T', ' ')} (2 times): {why}")
    setup.reconcile()
    settled = cli.run("status", "--json")
    assert (settled.code, settled.json["unsettled"]) == (0, [])


@pytest.mark.parametrize("wrong", ["a wrong file", "a pending plan", "an old sweep"])
def test_the_status_exits_with_1_if_a_person_must_act(
    cli: CommandLine, setup: GrantorSetup, wrong: str
):
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 30))
    back = -7_200 if wrong == "an old sweep" else 0
    setup.reconcile(services=build_services_ahead(setup, back))
    if wrong == "a wrong file":
        setup.put_policy("wrong", "version: 1\nruls: []\n")
    elif wrong == "a pending plan":
        setup.put_policy("many", build_rules(role, 5))
        setup.reconcile()
    answer = cli.run("status", "--json")

    kinds = {"a wrong file": "error", "a pending plan": "approval", "an old sweep": "sweep"}
    assert (answer.code, [one["kind"] for one in answer.json["attention"]]) == (1, [kinds[wrong]])


def test_very_many_pending_triggers_are_counted(cli: CommandLine, setup: GrantorSetup):
    services = setup.build_services()
    waiting = {f"profile D/p{n:02}": None for n in range(49)}
    services.lease_store.acquire("function 8f3c", {"everything": None}, services.clock(), 60)
    services.lease_store.acquire("another", waiting, services.clock(), 60)

    (line,) = find_line(cli, "pending")
    assert line.endswith("profile D/p08 and 40 more")


def test_runs_that_repeat_each_other_are_one_line_of_the_history(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.set_faults(
        {"service": "s3control", "operation": "CreateAccessGrant", "kind": "throttle", "after": 3}
    )
    impatient = build_impatient_services(setup)
    first = setup.reconcile(services=impatient)
    later = [setup.reconcile(services=impatient) for _ in range(3)]
    setup.set_faults()
    reader = cli.create_person("Reader")

    assert [line.split("  ", 1)[1] for line in cli.run("history", keys=reader).lines] == [
        (
            f"{later[2].run_id}  +0 -0  everything; some work is deferred; "
            f"3 times since {later[0].timestamp.replace('T', ' ')}"
        ),
        f"{first.run_id}  +3 -0  everything; some work is deferred; accepted policy/article.yaml",
    ]
    answer = cli.run("history", "--json", keys=reader).json
    assert [(one["run_id"], one["times"]) for one in answer["groups"]] == [
        (later[2].run_id, 3),
        (first.run_id, 1),
    ]
    assert [run["run_id"] for run in answer["runs"]] == [
        *(run.run_id for run in reversed(later)),
        first.run_id,
    ]
