"""Representative changes. Each function creates the state before, makes the change, and returns
the state that a run must reach.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from grantor.core.triggers import Trigger
from grantor.reconcile.report import Report
from tests.grantor_setup import ARTICLE_POLICY, EVERYTHING, GrantorSetup

ARTICLE_GRANTS = {
    "READWRITE s3://data/Product/* to role/role-userA",
    "READWRITE s3://data/Product/* to role/role-userB",
    "READWRITE s3://data/UserA/* to role/role-userA",
    "READWRITE s3://data/UserB/* to role/role-userB",
}
ANA, BEN = (
    "to: {role: arn:aws:iam::000000000000:role/ana}",
    "to: {role: arn:aws:iam::000000000000:role/ben}",
)
DOCS_GRANT = "READ s3://data/docs/* to role/ana"
LATER = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    """A change: the grants that must exist in the end, and the triggers that it causes."""

    expected_grants: set[str]
    triggers: Sequence[Trigger] = tuple(EVERYTHING)
    at: datetime | None = None  # when it happens; now if None
    faults: Sequence[dict[str, Any]] = ()  # further faults during the first run
    needs_approval: bool = False  # the new policy versions are not accepted
    required_calls: Sequence[
        tuple[str, str]
    ] = ()  # calls that must have been made in the end, by service and operation


def build_policy(*rules: str) -> str:
    return "version: 1\nrules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules)


def the_first_policy(setup: GrantorSetup) -> Change:
    setup.put_policy("article", ARTICLE_POLICY)
    return Change(ARTICLE_GRANTS)


def a_profile_is_made(setup: GrantorSetup) -> Change:
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    setup.create_profile("userC")
    _wait_for_profiles(setup)
    hers = {
        "READWRITE s3://data/Product/* to role/role-userC",
        "READWRITE s3://data/UserC/* to role/role-userC",
    }
    return Change(ARTICLE_GRANTS | hers, [setup.build_profile_trigger("userC")])


def a_profile_is_deleted(setup: GrantorSetup) -> Change:
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    _wait_for_profiles(setup)
    setup.delete_profile("userB")
    _wait_for_profiles(setup)
    return Change(
        {grant for grant in ARTICLE_GRANTS if grant.endswith("userA")},
        [setup.build_profile_trigger("userB")],
    )


def a_profile_is_made_while_a_new_policy_waits_for_its_own_trigger(setup: GrantorSetup) -> Change:
    setup.create_role("ana")
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    setup.put_policy("docs", build_policy(f"name: docs, {ANA}, on: s3://data/docs/*, allow: READ"))
    setup.create_profile("userC")
    _wait_for_profiles(setup)
    hers = {
        "READWRITE s3://data/Product/* to role/role-userC",
        "READWRITE s3://data/UserC/* to role/role-userC",
    }
    return Change(ARTICLE_GRANTS | hers | {DOCS_GRANT}, [setup.build_profile_trigger("userC")])


def read_becomes_readwrite(setup: GrantorSetup) -> Change:
    setup.create_role("ana")
    # The guard asks about the first grant for writing of a file.
    notes = f"name: notes, {ANA}, on: s3://data/notes/*, allow: READWRITE"
    docs = f"name: docs, {ANA}, on: s3://data/docs/*, allow: READ"
    setup.put_policy("docs", build_policy(notes, docs))
    setup.reconcile()
    setup.put_policy("docs", build_policy(notes, f"{docs}WRITE"))
    return Change({f"READWRITE s3://data/{name}/* to role/ana" for name in ("docs", "notes")})


def a_rule_moves_from_file_to_file_and_another_goes(setup: GrantorSetup) -> Change:
    docs, plans = (
        f"name: docs, {ANA}, on: s3://data/docs/*, allow: READ",
        f"name: plans, {ANA}, on: s3://data/plans/*, allow: READ",
    )
    setup.create_role("ana")
    setup.put_policy(
        "one", build_policy(docs, plans, f"name: stats, {ANA}, on: s3://data/stats/*, allow: READ")
    )
    setup.put_policy(
        "two", build_policy(f"name: logs, {ANA}, on: s3://data/logs/*, allow: READWRITE")
    )
    setup.reconcile()
    setup.put_policy("one", build_policy(plans))
    setup.put_policy(
        "two", build_policy(docs, f"name: logs, {ANA}, on: s3://data/logs/*, allow: WRITE")
    )
    return Change(
        {DOCS_GRANT, "READ s3://data/plans/* to role/ana", "WRITE s3://data/logs/* to role/ana"}
    )


def a_scope_becomes_narrower(setup: GrantorSetup) -> Change:
    setup.create_role("ana")
    wide = f"name: docs, {ANA}, on: s3://data/do*, allow: READ, raw_prefix: true"
    setup.put_policy("docs", build_policy(wide))
    setup.reconcile()
    setup.put_policy("docs", build_policy(f"name: docs, {ANA}, on: s3://data/docs/*, allow: READ"))
    return Change({DOCS_GRANT})


def a_policy_file_is_deleted(setup: GrantorSetup) -> Change:
    setup.create_role("ana")
    setup.put_policy("article", ARTICLE_POLICY)
    setup.put_policy("docs", build_policy(f"name: docs, {ANA}, on: s3://data/docs/*, allow: READ"))
    setup.reconcile()
    setup.delete_policy("docs")
    return Change(ARTICLE_GRANTS)


def an_until_passes(setup: GrantorSetup) -> Change:
    setup.create_role("ana")
    setup.put_policy("article", ARTICLE_POLICY)
    setup.put_policy(
        "docs",
        build_policy(f"name: docs, {ANA}, on: s3://data/docs/*, allow: READ, until: 2099-12-31"),
    )
    setup.reconcile()
    return Change(ARTICLE_GRANTS, at=LATER)


def a_rule_wants_what_somebody_else_has_made(setup: GrantorSetup) -> Change:
    ana, ben = setup.create_role("ana"), setup.create_role("ben")
    setup.create_unmanaged_grant("docs/*", ana)
    setup.create_unmanaged_grant("plans/*", ben)
    setup.put_policy(
        "docs",
        build_policy(
            f"name: docs, {ANA}, on: s3://data/docs/*, allow: READ",
            f"name: stats, {ANA}, on: s3://data/stats/*, allow: READ",
            f"name: too, {BEN}, on: s3://data/docs/*, allow: READ",
        ),
    )
    ours = {"READ s3://data/stats/* to role/ana", "READ s3://data/docs/* to role/ben"}
    return Change({DOCS_GRANT, "READ s3://data/plans/* to role/ben", *ours})


def an_approved_plan_of_25_deletes(setup: GrantorSetup) -> Change:
    setup.decide(_delete_25_rules(setup))
    return Change({DOCS_GRANT})


def a_plan_of_25_deletes_that_nobody_approves(setup: GrantorSetup) -> Change:
    _put_26_rules(setup)
    stood = setup.describe_grants()
    setup.put_policy("docs", build_policy(f"name: docs, {ANA}, on: s3://data/docs/*, allow: READ"))
    return Change(
        stood, needs_approval=True, required_calls=[("events", "PutEvents"), ("sns", "Publish")]
    )


def what_an_earlier_run_intended_is_wanted_in_part(setup: GrantorSetup) -> Change:
    docs = f"name: docs, {ANA}, on: s3://data/docs/*, allow: READ"
    setup.create_role("ana")
    setup.put_policy(
        "docs", build_policy(docs, f"name: stats, {ANA}, on: s3://data/stats/*, allow: READ")
    )
    _fail_run_before_it_confirms(setup)
    setup.put_policy(
        "docs", build_policy(docs, f"name: logs, {ANA}, on: s3://data/logs/*, allow: READ")
    )
    return Change({DOCS_GRANT, "READ s3://data/logs/* to role/ana"})


def a_role_is_not_known_to_the_service_yet(setup: GrantorSetup) -> Change:
    setup.put_policy("article", ARTICLE_POLICY)
    unknown = {
        "service": "s3control",
        "operation": "CreateAccessGrant",
        "kind": "invalid-grantee",
        "after": 1,
        "times": 2,
    }
    return Change(ARTICLE_GRANTS, faults=[unknown])


def _wait_for_profiles(setup: GrantorSetup) -> None:
    """Wait until every Studio profile is in service."""
    studio, until = setup.client("sagemaker"), time.monotonic() + 10
    while {one["Status"] for one in studio.list_user_profiles()["UserProfiles"]} != {"InService"}:
        assert time.monotonic() < until, "Studio's profiles do not settle"
        time.sleep(0.02)


def _put_26_rules(setup: GrantorSetup) -> None:
    setup.create_role("ana")
    folders = [
        f"name: folder-{number}, {ANA}, on: s3://data/folder-{number}/*, allow: READ"
        for number in range(25)
    ]
    setup.put_policy(
        "docs", build_policy(f"name: docs, {ANA}, on: s3://data/docs/*, allow: READ", *folders)
    )
    setup.reconcile()


def _delete_25_rules(setup: GrantorSetup) -> Report:
    """Remove 25 of 26 rules; return the run, whose plan requires an approval."""
    _put_26_rules(setup)
    setup.put_policy("docs", build_policy(f"name: docs, {ANA}, on: s3://data/docs/*, allow: READ"))
    return setup.reconcile()


def _fail_run_before_it_confirms(setup: GrantorSetup) -> None:
    refusal = {
        "kind": "refuse",
        "code": "AccessDeniedException",
        "status": 400,
        "message": "not now",
    }
    setup.set_faults(
        {"service": "dynamodb", "operation": "TransactWriteItems", "after": 1, **refusal}
    )
    with suppress(ClientError):
        setup.reconcile()
    setup.set_faults()
    states = {entry.state for entry in setup.read_ledger().values()}
    assert (states, len(setup.describe_grants())) == ({"intended"}, 2), (
        "the run did not die between making and confirming"
    )


CHANGES: tuple[Callable[[GrantorSetup], Change], ...] = (
    the_first_policy,
    a_profile_is_made,
    a_profile_is_deleted,
    a_profile_is_made_while_a_new_policy_waits_for_its_own_trigger,
    read_becomes_readwrite,
    a_rule_moves_from_file_to_file_and_another_goes,
    a_scope_becomes_narrower,
    a_policy_file_is_deleted,
    an_until_passes,
    a_rule_wants_what_somebody_else_has_made,
    an_approved_plan_of_25_deletes,
    a_plan_of_25_deletes_that_nobody_approves,
    what_an_earlier_run_intended_is_wanted_in_part,
    a_role_is_not_known_to_the_service_yet,
)
