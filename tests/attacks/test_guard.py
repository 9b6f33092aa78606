"""Nobody gets past the guard in small steps, by ends or by padding, and nobody gives a stranger the
whole bucket. The attacker is a steward: policy files are all that it may write.

Attacked on the reconciler with a sandbox of its own, because a walk takes many runs.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.engine.helpers import build_rules, build_services_ahead, expected_grants
from tests.grantor_setup import GrantorSetup, set_up_grantor

STRANGER = """\
version: 1
rules:
  - name: audit
    to: {role: "arn:aws:iam::666666666666:role/auditor"}
    on: s3://{data_bucket}/*
    allow: READWRITE
"""
TAGGED = """\
version: 1
rules:
  - name: by-tag
    to: {profiles: {domain: Product-Domain, tags: {dept: research}}}
    on: s3://{data_bucket}/research/*
    allow: READ
  - name: others
    to: {role: "arn:aws:iam::000000000000:role/auditor"}
    on: s3://{data_bucket}/others/*
    allow: READ
"""


@pytest.fixture(scope="module")
def guarded_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def guarded(guarded_sandbox: Sandbox, tmp_path: Path) -> GrantorSetup:
    setup = set_up_grantor(guarded_sandbox, tmp_path)
    setup.create_role("auditor")
    return setup


def build_padding(count: int) -> str:
    return build_rules(count).replace("{data_bucket}/", "{data_bucket}/padding/")


def test_an_end_a_minute_from_now_on_every_rule_takes_nothing(guarded: GrantorSetup) -> None:
    guarded.put_policy("team", build_rules(30))
    guarded.reconcile()
    soon = f"{datetime.now(UTC) + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    guarded.put_policy("team", build_rules(30).replace("READ\n", f"READ\n    until: {soon}\n"))

    assert guarded.reconcile().approval.is_pending
    guarded.reconcile(services=build_services_ahead(guarded, 120))
    assert guarded.describe_grants() == expected_grants(30)


def test_padding_does_not_hide_that_another_teams_file_is_deleted(guarded: GrantorSetup) -> None:
    guarded.put_policy("team", build_rules(25))
    guarded.reconcile()
    guarded.put_policy("padding", build_padding(90))
    guarded.reconcile()
    guarded.delete_policy("team")

    assert guarded.reconcile().approval.is_pending
    assert expected_grants(25) < guarded.describe_grants()


def test_twenty_at_a_time_end_at_an_approval(guarded: GrantorSetup) -> None:
    guarded.put_policy("team", build_rules(60))
    guarded.reconcile()
    left = [60]
    for count in (40, 20):
        guarded.put_policy("team", build_rules(count))
        if guarded.reconcile().approval.is_pending:
            break
        left.append(count)

    assert left == [60, 40]
    assert guarded.describe_grants() == expected_grants(40)


def test_the_whole_bucket_for_a_strangers_account_does_not_stand_seconds_later(
    guarded: GrantorSetup,
) -> None:
    guarded.put_policy("audit", STRANGER)
    report = guarded.reconcile()

    assert report.needs_action
    assert guarded.describe_grants() == set()


def test_a_rule_whose_people_all_lose_their_tag_keeps_its_grants(guarded: GrantorSetup) -> None:
    """findings/field-cases/06: tags that came back empty."""
    people = [f"person{number}" for number in range(4)]
    for name in people:
        guarded.create_profile(name, dept="research")
    guarded.put_policy("tagged", TAGGED)
    guarded.reconcile()
    before = guarded.describe_grants()
    guarded.wait_for_profiles(*people)
    sagemaker = guarded.client("sagemaker")
    for name in people:
        arn = sagemaker.describe_user_profile(DomainId=guarded.domain, UserProfileName=name)[
            "UserProfileArn"
        ]
        sagemaker.delete_tags(ResourceArn=arn, TagKeys=["dept"])
    guarded.reconcile()

    assert (len(before), guarded.describe_grants()) == (5, before)
