"""grantor adopt: grants that somebody else made become ours, and nobody loses anything by it."""

import pytest

from grantor.core.grant import Reason, State
from tests.cli.conftest import CommandLine
from tests.cli.rules import one
from tests.conftest import ACCOUNT, REGION
from tests.estate import Estate, sentences

WANTED, UNWANTED, TWO = "s3://data/wanted/*", "s3://data/unwanted/*", "s3://data/two/*"


@pytest.fixture
def ids(estate: Estate) -> dict[str, str]:
    """Three foreign grants to role/ana by their scope; a rule wants two of them just so."""
    role = estate.role("ana")
    made = {
        scope: estate.foreign(scope.removeprefix("s3://data/"), role)
        for scope in (WANTED, UNWANTED, TWO)
    }
    estate.policy("one", one(role, WANTED) + one(role, TWO, name="two").partition("rules:\n")[2])
    estate.run()
    estate.forget_calls()
    return made


def changed(estate: Estate) -> dict[str, int]:
    """The calls that make or take away grants."""
    return {
        name: n
        for name, n in estate.calls().items()
        if name in ("CreateAccessGrant", "DeleteAccessGrant")
    }


def refusing(service: str, operation: str, **when: int) -> dict[str, object]:
    """A fault: the caller may not do this."""
    refusal = {
        "kind": "refuse",
        "code": "AccessDeniedException",
        "status": 403,
        "message": "said the test",
    }
    return {"service": service, "operation": operation, **refusal, **when}


def tags(estate: Estate, grant_id: str) -> dict[str, str]:
    return estate.world().grants.read_tags(grant_id) or {}


def test_without_a_choice_it_lists_what_there_is_and_changes_nothing(
    cli: CommandLine, estate: Estate, ids: dict[str, str]
):
    answered = cli.grantor("adopt", keys=cli.person("Reader"))

    assert (answered.code, answered.lines) == (
        0,
        [
            f"{ids[TWO]}  READ {TWO} to role/ana, wanted because policy/one.yaml#two",
            f"{ids[WANTED]}  READ {WANTED} to role/ana, wanted because policy/one.yaml#one",
            f"{ids[UNWANTED]}  READ {UNWANTED} to role/ana, wanted by no rule",
        ],
    )
    assert estate.entries() == {}


def test_all_that_rules_want_is_adopted_and_the_next_run_has_nothing_to_do(
    cli: CommandLine, estate: Estate, ids: dict[str, str]
):
    answered = cli.grantor("adopt", "--all-wanted")

    assert (answered.code, answered.lines) == (
        0,
        [
            f"~ READ {TWO} to role/ana is managed now, because policy/one.yaml#two",
            f"~ READ {WANTED} to role/ana is managed now, because policy/one.yaml#one",
        ],
    )
    entries = {entry.grant.scope: entry for entry in estate.entries().values()}
    assert {scope: entry.id for scope, entry in entries.items()} == {
        WANTED: ids[WANTED],
        TWO: ids[TWO],
    }
    assert (entries[TWO].state, entries[TWO].reasons) == (
        State.LIVE,
        {Reason("policy/one.yaml#two")},
    )
    assert tags(estate, ids[TWO])["grantor:stack"] == "grantor"
    assert tags(estate, ids[TWO])["grantor:rules"] == "policy/one.yaml:two"
    assert cli.grantor("plan", "--expect-no-changes").code == 0
    assert (estate.run().done, changed(estate), len(estate.grants())) == ([], {}, 3)


@pytest.mark.parametrize("rights", ["Function", "BreakGlass"])
def test_the_rights_of_the_function_or_of_an_emergency_are_enough_for_a_reader(
    cli: CommandLine, estate: Estate, ids: dict[str, str], rights: str
):
    answered = cli.grantor("adopt", "--all-wanted", keys=cli.person("Reader", rights))

    assert (answered.code, len(estate.entries())) == (0, 2)


def test_what_was_adopted_goes_when_its_rule_goes(
    cli: CommandLine, estate: Estate, ids: dict[str, str]
):
    cli.grantor("adopt", "--all-wanted")
    estate.policy("one", one(estate.role("ana"), WANTED))

    assert sentences(estate.run().done) == [
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
def test_a_choice_is_among_what_rules_want(
    cli: CommandLine, estate: Estate, ids: dict[str, str], words: list[str], adopted: list[str]
):
    assert cli.grantor("adopt", *words).code == 0
    assert sorted(grant.scope for grant in estate.entries()) == adopted


def test_by_id_one_is_adopted(cli: CommandLine, estate: Estate, ids: dict[str, str]):
    assert cli.grantor("adopt", ids[WANTED]).code == 0
    assert [grant.scope for grant in estate.entries()] == [WANTED]


def test_a_grant_that_no_rule_wants_is_adopted_only_when_its_end_is_agreed_to(
    cli: CommandLine, estate: Estate, ids: dict[str, str]
):
    grant = ids[UNWANTED]
    refusals = [cli.grantor("adopt", grant), cli.grantor("adopt", grant, "--unwanted")]

    assert [answered.code for answered in refusals] == [1, 1]
    assert "write one, or pass --unwanted --yes to have the next run delete it" in refusals[0].err
    assert "once it is managed, the next run deletes it; pass --yes to confirm" in refusals[1].err
    assert estate.entries() == {}
    assert cli.grantor("adopt", grant, "--unwanted", "--yes").code == 0
    assert sentences(estate.run().done) == [
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
def test_a_slip_adopts_nothing(cli: CommandLine, words: list[str], code: int, err: str):
    answered = cli.grantor("adopt", *words)

    assert (answered.code, err in answered.err, cli.estate.entries()) == (code, True, {})


def test_another_stacks_grant_stays_with_that_stack(
    cli: CommandLine, estate: Estate, ids: dict[str, str]
):
    arn = f"arn:aws:s3:{REGION}:{ACCOUNT}:access-grants/default/grant/{ids[TWO]}"
    estate.client("s3control").tag_resource(
        AccountId=ACCOUNT, ResourceArn=arn, Tags=[{"Key": "grantor:stack", "Value": "other"}]
    )
    answered = cli.grantor("adopt", "--all-wanted")

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
    assert tags(estate, ids[TWO]) == {"grantor:stack": "other"}


def test_while_a_policy_file_is_not_accepted_nobody_knows_who_wants_what(
    cli: CommandLine, estate: Estate, ids: dict[str, str]
):
    estate.policy("more", one(estate.role("ana"), UNWANTED))

    answered = cli.grantor("adopt", "--all-wanted")
    assert (answered.code, estate.entries()) == (1, {})
    assert answered.err.endswith("so what rules want may change: run grantor apply first\n")


def test_if_its_tag_cannot_be_set_a_grant_stays_unmanaged(
    cli: CommandLine, estate: Estate, ids: dict[str, str]
):
    estate.faults(refusing("s3control", "TagResource", times=1))
    answered = cli.grantor("adopt", "--all-wanted")
    estate.faults()

    assert (answered.code, [line.partition(" ")[0] for line in answered.lines]) == (
        1,
        ["~", "failed:"],
    )
    estate.run()
    assert [grant.scope for grant in estate.entries()] == [WANTED]
    assert (changed(estate), len(estate.grants())) == ({}, 3)


def test_if_it_is_killed_after_the_tag_the_next_run_finds_that_it_is_ours(
    cli: CommandLine, estate: Estate, ids: dict[str, str]
):
    # The answer to the ledger's second write is lost for good; the first one was the intent.
    estate.faults(refusing("dynamodb", "TransactWriteItems", after=1))
    assert cli.grantor("adopt", ids[TWO]).code == 1
    assert [entry.state for entry in estate.entries().values()] == [State.INTENDED]
    estate.faults()

    estate.run()
    assert [(entry.state, entry.id) for entry in estate.entries().values()] == [
        (State.LIVE, ids[TWO])
    ]
    assert changed(estate) == {}


def test_it_is_in_the_history_and_a_trigger_is_enqueued(
    cli: CommandLine, estate: Estate, ids: dict[str, str]
):
    cli.grantor("adopt", ids[TWO])

    past = {
        run.document["activity"]: run.document["changes"]
        for run in estate.world().run_store.iterate_runs()
    }
    assert [(change["action"], change["scope"], change["outcome"]) for change in past["adopt"]] == [
        ("adopt", TWO, "done")
    ]
    assert cli.queued_subjects() == [["everything"]]
    assert estate.world().lease_store.read_status(0).holder == ""
