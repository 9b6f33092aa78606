"""Whom a rule names, and who does not exist: a role, or a directory that the instance knows not."""

import pytest

from grantor.core.grant import State
from tests.conftest import ACCOUNT
from tests.engine.helpers import (
    AlertInbox,
    assert_settled,
    build_fault,
    build_services_ahead,
    count_enqueued,
    find_report_lines,
    injected_faults,
)
from tests.grantor_setup import GrantorSetup

MISSING = f"arn:aws:iam::{ACCOUNT}:role/later"
RULE = f"""\
version: 1
rules:
  - name: later
    to: {{role: "{MISSING}"}}
    on: s3://{{data_bucket}}/x/*
    allow: READ
"""
GRANT = "READ s3://data/x/* to role/later"
SENTENCE = f"there is no role {MISSING}"
GROUP_RULE = """\
version: 1
rules:
  - name: auditors
    to: {directory_group: Auditors}
    on: s3://{data_bucket}/x/*
    allow: READ
"""


def list_runs(setup: GrantorSetup) -> list[str]:
    """The runs in the history."""
    return [run.id for run in setup.build_warm_services().run_store.iterate_runs()]


def test_a_role_that_does_not_exist_is_named_and_after_ten_minutes_its_grant_has_failed(
    setup: GrantorSetup,
) -> None:
    alerts = AlertInbox(setup)
    setup.put_policy("a", RULE)
    setup.reset_call_counts()
    first = setup.reconcile()

    assert [line for line in find_report_lines(first, "warning") if SENTENCE in line]
    assert [one.since for one in first.deferred] == [""]
    assert "CreateAccessGrant" not in setup.count_calls()
    later = setup.reconcile(services=build_services_ahead(setup, 601))
    assert (later.deferred, [one.code for one in later.failed]) == ([], ["UnknownGrantee"])
    assert later.failed[0].since == first.timestamp
    messages = alerts.read_new()
    assert [body for _, body in messages if "there is no such role" in body], messages


def test_a_failed_grant_makes_no_more_noise_and_the_ledger_says_since_when_and_why(
    setup: GrantorSetup,
) -> None:
    setup.put_policy("a", RULE)
    began = setup.reconcile().timestamp
    setup.reconcile(services=build_services_ahead(setup, 601))
    known, queued = list_runs(setup), count_enqueued(setup)
    for minutes in (16, 31):
        report = setup.reconcile(services=build_services_ahead(setup, 60 * minutes))
        assert len(report.failed) == 1

    assert (list_runs(setup), count_enqueued(setup)) == (known, queued)
    ((_, entry),) = setup.read_ledger().items()
    assert (entry.state, entry.tried) == (State.INTENDED, began)
    assert entry.refusal == "UnknownGrantee: there is no such role, user or group"


def test_once_the_role_exists_it_gets_its_grant_and_nothing_is_remembered(
    setup: GrantorSetup,
) -> None:
    setup.put_policy("a", RULE)
    setup.reconcile()
    setup.create_role("later")

    assert_settled(setup, {GRANT})
    ((_, entry),) = setup.read_ledger().items()
    assert (entry.tried, entry.refusal) == ("", "")


def test_what_cannot_be_listed_is_not_taken_for_missing(setup: GrantorSetup) -> None:
    setup.create_role("later")
    setup.put_policy("a", RULE)
    fault = build_fault("iam/ListRoles", "refuse", code="AccessDenied", status=403, message="no")
    with injected_faults(setup, fault):
        report = setup.reconcile()

    assert setup.describe_grants() == {GRANT}
    lines = find_report_lines(report, "warning")
    assert [line for line in lines if "the roles of the account could not be listed" in line]
    assert not [line for line in lines if SENTENCE in line]
    assert report.sweep_completed


@pytest.fixture
def group(setup: GrantorSetup) -> str:
    """A group of the directory, which the instance does not know yet; its id."""
    store = setup.client("sso-admin").list_instances()["Instances"][0]["IdentityStoreId"]
    made = setup.client("identitystore").create_group(IdentityStoreId=store, DisplayName="Auditors")
    return str(made["GroupId"])


def associate(setup: GrantorSetup) -> None:
    arn = setup.client("sso-admin").list_instances()["Instances"][0]["InstanceArn"]
    setup.client("s3control").associate_access_grants_identity_center(
        AccountId=ACCOUNT, IdentityCenterArn=arn
    )


def test_a_group_gets_its_grant_while_the_instance_knows_the_directory(
    setup: GrantorSetup, group: str
) -> None:
    setup.put_policy("a", GROUP_RULE)
    setup.reset_call_counts()
    before = setup.reconcile()

    (error,) = find_report_lines(before, "error")
    assert "policy/a.yaml:3:" in error
    assert "is not associated with IAM Identity Center" in error
    assert (before.deferred, before.failed) == ([], [])
    assert "CreateAccessGrant" not in setup.count_calls()
    associate(setup)
    wanted = {f"READ s3://data/x/* to directory_group {group}"}
    assert setup.reconcile().created == 1
    setup.client("s3control").dissociate_access_grants_identity_center(AccountId=ACCOUNT)
    after = setup.reconcile()
    assert [one for one in find_report_lines(after, "error") if "not associated" in one]
    assert setup.describe_grants() == wanted  # it serves nobody, and stays for another association
