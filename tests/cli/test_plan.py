"""grantor plan: what a run would do now, with read permissions only."""

from pathlib import Path

import pytest

from sandbox.testing.helpers import call_control
from tests.cli.conftest import CommandLine
from tests.cli.policy_texts import build_rule, build_rules
from tests.conftest import ACCOUNT
from tests.grantor_setup import ARTICLE_POLICY, POLICIES, GrantorSetup, describe_changes

READS = ("Describe", "Get", "List", "Query", "Scan", "TransactGet", "AssumeRole")
TEAMS = """\
version: 1
rules:
  - name: teams
    to: {role: "arn:aws:iam::000000000000:role/ana"}
    on: {each_prefix: "s3://{data_bucket}/teams/"}
    allow: READ
"""
WRONG = "version: 1\nrules: [{name: x}]\n"


def test_a_plan_lists_what_a_run_then_does(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("article", ARTICLE_POLICY)

    planned = cli.run("plan")
    done = describe_changes(setup.reconcile().done)
    assert planned.lines == [
        f"plan {planned.lines[0].split()[1]} for stack grantor: 4 grants to create",
        *done,
        "policy: policy/article.yaml would be accepted",
    ]
    assert (planned.code, planned.err) == (0, "")


def test_a_reader_sees_the_plan_and_changes_nothing(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reset_call_counts()

    assert cli.run("plan", keys=cli.create_person("Reader")).code == 0
    called = {
        row["operation"]
        for row in call_control(setup.sandbox, "calls")
        if row["principal"].startswith("person-")
    }
    assert {operation for operation in called if not operation.startswith(READS)} == set()
    assert {"Scan", "ListAccessGrants", "DescribeStacks"} <= called
    assert (
        setup.describe_grants(),
        setup.read_ledger(),
        list(setup.build_services().table.query_partition("lease")),
    ) == (set(), {}, [])


def test_a_plan_that_the_guard_stops_says_how_to_approve_it_and_what_is_restored_meanwhile(
    cli: CommandLine, setup: GrantorSetup
):
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5))
    gone = next(
        grant_id
        for grant, grant_id in setup.list_grants().items()
        if grant.scope == "s3://data/29/*"
    )
    setup.build_services().grants.delete_grant(gone)

    planned = cli.run("plan")
    plan, full = planned.lines[0].split()[1], cli.run("plan", "--json").json["approval"]["hash"]
    said = [line for line in planned.lines if line[0] not in "+-"]
    assert said.pop(1).startswith("horizon: credentials that were vended for the deleted grants")
    assert said == [
        f"plan {plan} for stack grantor: 24 grants to delete, 1 ledger entry to correct",
        "policy: policy/many.yaml would be accepted",
        f"approval: plan {plan} requires an approval: it deletes 24 of 30 grants: more than 20 and more than 25%",
        f"approval: to approve exactly this plan: grantor approve {full} --because TEXT --stack grantor",
        "approval: author unknown: no event of CloudTrail has said who wrote policy/many.yaml; IAM alone keeps its author from approving it",
        "meanwhile: + READ s3://data/29/* to role/ana, because policy/many.yaml#r29, again: somebody deleted it",
    ]
    assert describe_changes(setup.reconcile().done) == [
        "+ READ s3://data/29/* to role/ana, because policy/many.yaml#r29, again: somebody deleted it"
    ]


def test_grants_on_hold_unmanaged_grants_and_errors_are_shown(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    setup.create_unmanaged_grant("UserC/*", setup.create_role("ben"))
    setup.create_profile("userC", role="role-userA")

    planned = cli.run("plan")
    said = [line.partition(": ")[0] for line in planned.lines[1:]]
    assert planned.code == 1
    assert [word for word in said if not word.startswith(("=", "+", "~"))] == ["error", "unmanaged"]
    assert (
        "unmanaged: READ s3://data/UserC/* to role/ben is unmanaged: Grantor did not create it and leaves it as it is"
        in planned.lines
    )
    waiting = [line for line in planned.lines if line.startswith("= ")]
    assert waiting
    assert waiting[0].startswith("= READWRITE s3://data/UserA/* to role/role-userA is on hold: ")


def test_of_many_unmanaged_grants_the_first_are_shown(cli: CommandLine, setup: GrantorSetup):
    role = setup.create_role("ben")
    for n in range(23):
        setup.create_unmanaged_grant(f"{n:02}/*", role)

    planned = cli.run("plan")
    foreign = [line for line in planned.lines if line.startswith("unmanaged: ")]
    assert (len(foreign), foreign[-1]) == (21, "unmanaged: … and 3 more; --json lists them all")
    assert len(cli.run("plan", "--json").json["unmanaged"]) == 23


@pytest.mark.parametrize(
    ("policy", "words", "code"),
    [
        ("", ["--expect-no-changes"], 0),
        (ARTICLE_POLICY, ["--expect-no-changes"], 3),
        (ARTICLE_POLICY, [], 0),
        (WRONG, ["--expect-no-changes"], 1),
    ],
    ids=["no change", "a change", "a change that may be", "a wrong file, whatever else"],
)
def test_the_exit_code_says_whether_anything_would_change(
    cli: CommandLine, setup: GrantorSetup, policy: str, words: list[str], code: int
):
    if policy:
        setup.put_policy("article", policy)

    assert cli.run("plan", *words).code == code


def test_files_of_a_pull_request_are_planned_in_place_of_the_buckets(
    cli: CommandLine, setup: GrantorSetup, tmp_path: Path
):
    ana, ben = setup.create_role("ana"), setup.create_role("ben")
    setup.put_policy("kept", build_rule(ana, "s3://data/kept/*"))
    setup.put_policy("changed", build_rule(ana, "s3://data/old/*"))
    setup.put_policy("removed", build_rule(ana, "s3://data/removed/*"))
    setup.reconcile()
    folder = tmp_path / "policy"
    (folder / "teams").mkdir(parents=True)
    (folder / "kept.yaml").write_text(build_rule(ana, "s3://data/kept/*"))
    (folder / "changed.yaml").write_text(build_rule(ana, "s3://data/new/*"))
    (folder / "teams/added.yaml").write_text(build_rule(ben, "s3://data/added/*"))

    planned = cli.run("plan", "--policy", str(folder), keys=cli.create_person("Reader"))
    said = [line for line in planned.lines[1:] if not line.startswith("horizon: ")]
    assert (planned.code, said) == (
        0,
        [
            "+ READ s3://data/new/* to role/ana, because policy/changed.yaml#one",
            "+ READ s3://data/added/* to role/ben, because policy/teams/added.yaml#one",
            "- READ s3://data/old/* to role/ana, no longer because policy/changed.yaml#one",
            "- READ s3://data/removed/* to role/ana, no longer because policy/removed.yaml#one",
            "policy: policy/changed.yaml would be accepted",
            "policy: policy/teams/added.yaml would be accepted",
            "policy: policy/removed.yaml was deleted",
        ],
    )
    assert cli.run("plan", "--expect-no-changes").code == 0


def test_a_wrong_file_of_a_pull_request_keeps_the_grants_of_its_accepted_version(
    cli: CommandLine, setup: GrantorSetup, tmp_path: Path
):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    (tmp_path / "article.yaml").write_text(ARTICLE_POLICY.replace("allow", "alow"))

    planned = cli.run("plan", "--policy", str(tmp_path))
    assert planned.code == 1
    assert planned.lines[0].endswith("for stack grantor: nothing to change")
    assert planned.lines[1].startswith("error: policy/article.yaml:6:5: unknown key 'alow': ")


def test_a_plan_of_a_pull_request_that_needs_approval_says_when_it_can_be_given(
    cli: CommandLine, setup: GrantorSetup, tmp_path: Path
):
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    (tmp_path / "many.yaml").write_text(build_rules(role, 5))

    planned = cli.run("plan", "--policy", str(tmp_path))
    assert (
        "approval: a plan can be approved once these files are in the bucket and a run has computed it"
        in planned.lines
    )


@pytest.mark.parametrize(
    ("folder", "said"),
    [("nowhere", "there is no such folder"), (".", "this folder contains no policy files")],
    ids=["no folder", "no file in it"],
)
def test_a_misspelt_folder_is_an_error_and_not_a_plan_to_delete_everything(
    cli: CommandLine, tmp_path: Path, folder: str, said: str
):
    answered = cli.run(
        "plan", "--policy", str(tmp_path / folder / "x" if folder == "nowhere" else tmp_path)
    )

    assert (answered.code, answered.out, said in answered.err) == (2, "", True)


def test_json_has_every_change_field_by_field(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("one", build_rule(setup.create_role("ana"), "s3://data/x/*"))

    answer = cli.run("plan", "--json").json
    assert answer["changes"] == [
        {
            "action": "create",
            "grant_id": None,
            "grantee": {"type": "IAM", "identifier": "arn:aws:iam::000000000000:role/ana"},
            "permission": "READ",
            "scope": "s3://data/x/*",
            "application": None,
            "reasons": [
                {
                    "rule": "policy/one.yaml#one",
                    "file": "policy/one.yaml",
                    "subjects": [],
                    "until": None,
                    "additive": False,
                }
            ],
            "reasons_before": [],
            "suspended_by": None,
            "drift": False,
            "outcome": "planned",
        }
    ]
    assert ([one["file"] for one in answer["policy"]["accepted"]], answer["policy"]["deleted"]) == (
        ["policy/one.yaml"],
        [],
    )
    assert (answer["counts"]["to_create"], answer["counts"]["to_delete"]) == (1, 0)


def test_lint_warnings_are_shown_before_a_pull_request_is_merged(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("one", build_rule(setup.create_role("ana"), "s3://data/*"))

    assert (
        "\nwarning: policy/one.yaml:4:5: rule one: it grants a whole bucket: "
        in cli.run("plan").out
    )


def test_a_grant_that_somebody_deleted_is_told_apart_from_a_new_one(
    cli: CommandLine, setup: GrantorSetup
):
    role = setup.create_role("ana")
    setup.put_policy("old", build_rule(role, "s3://data/old/*", name="old"))
    setup.reconcile()
    (grant_id,) = setup.list_grants().values()
    setup.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=grant_id)
    setup.put_policy("new", build_rule(role, "s3://data/new/*", name="new"))
    reader = cli.create_person("Reader")
    planned = cli.run("plan", "--json", keys=reader).json

    drift = {change["scope"]: change["drift"] for change in planned["changes"]}
    assert drift == {"s3://data/new/*": False, "s3://data/old/*": True}
    assert (planned["counts"]["to_create"], planned["counts"]["drifted"]) == (2, 1)
    assert cli.run("plan", keys=reader).lines[1:3] == [
        "+ READ s3://data/new/* to role/ana, because policy/new.yaml#new",
        "+ READ s3://data/old/* to role/ana, because policy/old.yaml#old, again: somebody deleted it",
    ]
    run = setup.reconcile()
    listed = cli.run("history", "-n", "1", keys=reader).lines
    shown = cli.run("history", run.run_id, "--json", keys=reader).json
    assert "1 grant that somebody deleted is there again" in listed[0]
    assert (shown["counts"]["created"], shown["counts"]["drifted"]) == (2, 1)


def test_a_folder_that_whoever_writes_data_has_named_is_no_mistake_of_a_policy_file(
    cli: CommandLine, setup: GrantorSetup
):
    setup.create_role("ana")
    setup.put_policy("teams", TEAMS)
    for key in ("teams/blue/a.csv", "teams/star*/a.csv", "teams/.../a.csv"):
        setup.upload(key)
    answer = cli.run("plan", keys=cli.create_person("Reader"))
    planned = cli.run("plan", "--json").json

    assert answer.code == 0
    assert [line for line in answer.lines if line.startswith("notice: ")] == [
        (
            "notice: s3://data/teams/: nothing is granted for the folder 'star*': a folder's name cannot "
            "be used as it is: it must be one name without /, *, ?, ${ and characters that no editor "
            "shows, without $ at its end, and not . or ..; rename it (rule policy/teams.yaml#teams)"
        )
    ]
    assert (planned["diagnostics"], planned["counts"]["notices"]) == ([], 1)
    assert setup.reconcile().errors == []


def test_files_of_the_bucket_that_nobody_reads_are_named(cli: CommandLine, setup: GrantorSetup):
    keys = ("policy/Team2.YAML", "policy/x.json", "Policy/caps.yaml", "policy /a.yaml", "root.yaml")
    setup.put_policy("good", build_rule(setup.create_role("ana"), "s3://data/good/*"))
    for key in (*keys, "policy/README.md"):
        setup.client("s3").put_object(Bucket=POLICIES, Key=key, Body=b"version: 1\n")
    reader = cli.create_person("Reader")
    setup.reset_call_counts()
    planned = cli.run("plan", keys=reader)

    assert setup.count_calls("s3")["ListObjectsV2"] == 1
    named = [line for line in planned.lines if "nobody reads this file" in line]
    assert [line.split(":")[1].strip() for line in named] == sorted(keys)
    assert planned.code == 0
    run = setup.reconcile()
    assert {one.file for one in run.warnings} == set(keys)
    status = cli.run("status", keys=reader)
    assert [line for line in status.lines if line.startswith("ignored   policy/Team2.YAML")] == [
        (
            "ignored   policy/Team2.YAML: nobody reads this file; if runs should follow it, write it as "
            "policy/Team2.yaml, else delete it"
        )
    ]


def test_the_parent_of_the_policy_folder_is_answered_with_a_hint(
    cli: CommandLine, setup: GrantorSetup, tmp_path: Path
):
    (tmp_path / "repository/policy").mkdir(parents=True)
    (tmp_path / "repository/policy/a.YAML").write_text("version: 1\n")
    role = setup.create_role("ana")
    (tmp_path / "repository/policy/one.yaml").write_text(build_rule(role, "s3://data/x/*"))
    parent = cli.run("plan", "--policy", str(tmp_path / "repository"))
    own = cli.run("plan", "--policy", str(tmp_path / "repository/policy"))

    assert parent.err == (
        f"grantor plan: --policy {tmp_path}/repository would write policy/policy/one.yaml; if you mean "
        f"the files of policy/, write --policy {tmp_path}/repository/policy\n"
    )
    assert own.err == ""
    assert next(line for line in own.lines if "nobody reads" in line).startswith(
        "warning: policy/a.YAML:1:1: nobody reads this file: "
    )
