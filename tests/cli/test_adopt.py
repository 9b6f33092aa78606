"""grantor adopt: unmanaged grants become ours, and nobody loses access."""

import pytest

from grantor.core.grant import Reason, State
from tests.cli.conftest import CommandLine
from tests.cli.policy_texts import build_rule
from tests.conftest import ACCOUNT, REGION
from tests.grantor_setup import GrantorSetup, describe_changes

WANTED, UNWANTED, TWO = "s3://data/wanted/*", "s3://data/unwanted/*", "s3://data/two/*"


@pytest.fixture
def ids(setup: GrantorSetup) -> dict[str, str]:
    """Three foreign grants to role/ana by their scope; a rule wants two of them just so."""
    role = setup.create_role("ana")
    made = {
        scope: setup.create_unmanaged_grant(scope.removeprefix("s3://data/"), role)
        for scope in (WANTED, UNWANTED, TWO)
    }
    setup.put_policy(
        "one", build_rule(role, WANTED) + build_rule(role, TWO, name="two").partition("rules:\n")[2]
    )
    setup.reconcile()
    setup.reset_call_counts()
    return made


def list_changes(setup: GrantorSetup) -> dict[str, int]:
    """The calls that make or take away grants."""
    return {
        name: n
        for name, n in setup.count_calls().items()
        if name in ("CreateAccessGrant", "DeleteAccessGrant")
    }


def build_refusal(service: str, operation: str, **when: int) -> dict[str, object]:
    """A fault: the caller may not do this."""
    refusal = {
        "kind": "refuse",
        "code": "AccessDeniedException",
        "status": 403,
        "message": "said the test",
    }
    return {"service": service, "operation": operation, **refusal, **when}


def read_tags(setup: GrantorSetup, grant_id: str) -> dict[str, str]:
    return setup.build_services().grants.read_tags(grant_id) or {}


def test_without_a_selection_unmanaged_grants_are_listed_and_nothing_changes(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str]
):
    answered = cli.run("adopt", keys=cli.create_person("Reader"))

    assert (answered.code, answered.lines) == (
        0,
        [
            f"{ids[TWO]}  READ {TWO} to role/ana, wanted because policy/one.yaml#two",
            f"{ids[WANTED]}  READ {WANTED} to role/ana, wanted because policy/one.yaml#one",
            f"{ids[UNWANTED]}  READ {UNWANTED} to role/ana, wanted by no rule",
        ],
    )
    assert setup.read_ledger() == {}


def test_every_wanted_grant_is_adopted_and_the_next_run_has_nothing_to_do(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str]
):
    answered = cli.run("adopt", "--all-wanted")

    assert (answered.code, answered.lines) == (
        0,
        [
            f"~ READ {TWO} to role/ana is managed now, because policy/one.yaml#two",
            f"~ READ {WANTED} to role/ana is managed now, because policy/one.yaml#one",
        ],
    )
    entries = {entry.grant.scope: entry for entry in setup.read_ledger().values()}
    assert {scope: entry.id for scope, entry in entries.items()} == {
        WANTED: ids[WANTED],
        TWO: ids[TWO],
    }
    assert (entries[TWO].state, entries[TWO].reasons) == (
        State.LIVE,
        {Reason("policy/one.yaml#two")},
    )
    assert read_tags(setup, ids[TWO])["grantor:stack"] == "grantor"
    assert read_tags(setup, ids[TWO])["grantor:rules"] == "policy/one.yaml:two"
    assert cli.run("plan", "--expect-no-changes").code == 0
    assert (setup.reconcile().done, list_changes(setup), len(setup.describe_grants())) == (
        [],
        {},
        3,
    )


@pytest.mark.parametrize("rights", ["Function", "BreakGlass"])
def test_a_reader_with_the_functions_policy_or_break_glass_can_adopt(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str], rights: str
):
    answered = cli.run("adopt", "--all-wanted", keys=cli.create_person("Reader", rights))

    assert (answered.code, len(setup.read_ledger())) == (0, 2)


def test_an_adopted_grant_is_deleted_with_its_rule(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str]
):
    cli.run("adopt", "--all-wanted")
    setup.put_policy("one", build_rule(setup.create_role("ana"), WANTED))

    assert describe_changes(setup.reconcile().done) == [
        f"- READ {TWO} to role/ana, no longer because policy/one.yaml#two"
    ]


@pytest.mark.parametrize(
    ("words", "adopted"),
    [
        (["--scope", TWO], [TWO]),
        (["--grantee", "role/ana"], [TWO, WANTED]),
        (
            [
                "--grantee",
                f"arn:aws:iam::{ACCOUNT}:role/ana",
                "--permission",
                "READ",
                "--scope",
                WANTED,
            ],
            [WANTED],
        ),
    ],
    ids=["by scope", "by grantee's name", "by all of them"],
)
def test_all_selects_only_grants_that_rules_want(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str], words: list[str], adopted: list[str]
):
    assert cli.run("adopt", *words).code == 0
    assert sorted(grant.scope for grant in setup.read_ledger()) == adopted


def test_one_grant_can_be_adopted_by_its_id(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str]
):
    assert cli.run("adopt", ids[WANTED]).code == 0
    assert [grant.scope for grant in setup.read_ledger()] == [WANTED]


def test_a_grant_that_no_rule_wants_is_adopted_only_if_its_deletion_is_accepted(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str]
):
    grant = ids[UNWANTED]
    refusals = [cli.run("adopt", grant), cli.run("adopt", grant, "--unwanted")]

    assert [answered.code for answered in refusals] == [1, 1]
    assert "write one, or pass --unwanted --yes to have the next run delete it" in refusals[0].err
    assert "once it is managed, the next run deletes it; pass --yes to confirm" in refusals[1].err
    assert setup.read_ledger() == {}
    assert cli.run("adopt", grant, "--unwanted", "--yes").code == 0
    assert describe_changes(setup.reconcile().done) == [
        f"- READ {UNWANTED} to role/ana, no longer because of any rule"
    ]


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (["no-such-id"], 1, "no unmanaged grant has the id no-such-id: it is managed or deleted"),
        (["--scope", "s3://data/else/*"], 1, "no unmanaged grant that a rule wants matches"),
        (["--all-wanted", "--unwanted", "--yes"], 2, "--unwanted needs the ids of the grants"),
    ],
    ids=["an unknown id", "nothing fits", "everything unwanted at once"],
)
@pytest.mark.usefixtures("ids")
def test_a_wrong_argument_adopts_nothing(cli: CommandLine, words: list[str], code: int, err: str):
    answered = cli.run("adopt", *words)

    assert (answered.code, err in answered.err, cli.setup.read_ledger()) == (code, True, {})


def test_another_stacks_grant_stays_with_that_stack(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str]
):
    arn = f"arn:aws:s3:{REGION}:{ACCOUNT}:access-grants/default/grant/{ids[TWO]}"
    setup.client("s3control").tag_resource(
        AccountId=ACCOUNT, ResourceArn=arn, Tags=[{"Key": "grantor:stack", "Value": "other"}]
    )
    answered = cli.run("adopt", "--all-wanted")

    assert (answered.code, answered.lines) == (
        1,
        [
            f"~ READ {WANTED} to role/ana is managed now, because policy/one.yaml#one",
            (
                f"failed: ~ READ {TWO} to role/ana is managed now, because policy/one.yaml#two: "
                "OwnedByAnotherStack: it is managed by the Grantor stack other"
            ),
        ],
    )
    assert read_tags(setup, ids[TWO]) == {"grantor:stack": "other"}


def test_nothing_is_adopted_while_a_policy_file_is_not_accepted(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str]
):
    setup.put_policy("more", build_rule(setup.create_role("ana"), UNWANTED))

    answered = cli.run("adopt", "--all-wanted")
    assert (answered.code, setup.read_ledger()) == (1, {})
    assert answered.err.endswith("so what rules want may change: run grantor apply first\n")


def test_if_its_tag_cannot_be_set_a_grant_stays_unmanaged(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str]
):
    setup.set_faults(build_refusal("s3control", "TagResource", times=1))
    answered = cli.run("adopt", "--all-wanted")
    setup.set_faults()

    assert (answered.code, [line.partition(" ")[0] for line in answered.lines]) == (
        1,
        ["~", "failed:"],
    )
    setup.reconcile()
    assert [grant.scope for grant in setup.read_ledger()] == [WANTED]
    assert (list_changes(setup), len(setup.describe_grants())) == ({}, 3)


def test_a_grant_that_was_tagged_before_a_kill_is_adopted_by_the_next_run(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str]
):
    # The answer to the ledger's second write is lost for good; the first one was the intent.
    setup.set_faults(build_refusal("dynamodb", "TransactWriteItems", after=1))
    assert cli.run("adopt", ids[TWO]).code == 1
    assert [entry.state for entry in setup.read_ledger().values()] == [State.INTENDED]
    setup.set_faults()

    setup.reconcile()
    assert [(entry.state, entry.id) for entry in setup.read_ledger().values()] == [
        (State.LIVE, ids[TWO])
    ]
    assert list_changes(setup) == {}


def test_an_adoption_is_in_the_history_and_enqueues_a_trigger(
    cli: CommandLine, setup: GrantorSetup, ids: dict[str, str]
):
    cli.run("adopt", ids[TWO])

    past = {
        run.document["activity"]: run.document["changes"]
        for run in setup.build_services().run_store.iterate_runs()
    }
    assert [(change["action"], change["scope"], change["outcome"]) for change in past["adopt"]] == [
        ("adopt", TWO, "done")
    ]
    assert cli.queued_subjects() == [["everything"]]
    assert setup.build_services().lease_store.read_status(0).holder == ""
