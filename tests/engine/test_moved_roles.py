"""A grant to a role that its profile no longer runs as goes at once, whatever is on hold: the usual
answer to a compromised profile is to move it to a quarantine role, which several may share.
"""

import pytest

from tests.engine.helpers import assert_run_changes_nothing, build_fault, injected_faults
from tests.grantor_setup import ARTICLE_POLICY, GrantorSetup

ADDITIVE = ARTICLE_POLICY.replace("version: 1\n", "version: 1\nmode: additive\n")
OF_USER_A = {
    f"READWRITE s3://data/{folder}/* to role/role-userA" for folder in ("Product", "UserA")
}


@pytest.fixture
def quarantined(setup: GrantorSetup) -> GrantorSetup:
    """userB has its grants, and then runs as the role of another profile, which shares it."""
    setup.create_profile("parked", "quarantine")
    setup.put_policy("a", ARTICLE_POLICY)
    setup.reconcile()
    move_profile(setup, "userB", "quarantine")
    return setup


def move_profile(setup: GrantorSetup, name: str, role: str) -> None:
    setup.wait_for_profiles(name)
    setup.client("sagemaker").update_user_profile(
        DomainId=setup.domain,
        UserProfileName=name,
        UserSettings={"ExecutionRole": setup.create_role(role)},
    )
    setup.wait_for_profiles(name)


def list_grants_of(setup: GrantorSetup, role: str) -> set[str]:
    return {each for each in setup.describe_grants() if each.endswith(f" to role/{role}")}


@pytest.mark.parametrize("focused", [True, False])
def test_a_profile_moved_to_a_shared_role_loses_its_old_grants_although_its_rule_is_rejected(
    quarantined: GrantorSetup, focused: bool
) -> None:
    trigger = [quarantined.build_profile_trigger("userB")] if focused else []

    report = quarantined.reconcile(*trigger)

    assert any("quarantine" in problem.what for problem in report.errors)
    assert (list_grants_of(quarantined, "role-userB"), report.deleted) == (set(), 2)
    assert not report.approval.is_pending
    assert list_grants_of(quarantined, "role-userA") == OF_USER_A


@pytest.mark.parametrize("focused", [True, False])
def test_an_additive_file_does_not_keep_the_grants_of_the_old_role(
    setup: GrantorSetup, focused: bool
) -> None:
    setup.put_policy("a", ADDITIVE)
    setup.reconcile()
    move_profile(setup, "userB", "elsewhere")
    trigger = [setup.build_profile_trigger("userB")] if focused else []

    assert setup.reconcile(*trigger).deleted == 2
    assert list_grants_of(setup, "role-userB") == set()
    assert len(list_grants_of(setup, "elsewhere")) == 2


def test_a_file_that_is_wrong_or_cannot_be_read_does_not_keep_them(setup: GrantorSetup) -> None:
    setup.put_policy("a", ARTICLE_POLICY)
    setup.reconcile()
    setup.put_policy("a", "version: 1\nrules: wrong")
    move_profile(setup, "userA", "elsewhere")
    unreadable = build_fault("s3/GetObject", "cut")
    assert setup.reconcile().deleted == 2
    assert list_grants_of(setup, "role-userA") == set()

    move_profile(setup, "userB", "elsewhere-too")
    with injected_faults(setup, unreadable):
        report = setup.reconcile(services=setup.build_services())
    assert (report.unread.keys(), report.deleted) == ({"policy/a.yaml"}, 2)
    assert list_grants_of(setup, "role-userB") == set()


def test_an_approval_that_is_pending_does_not_keep_them(thirty_grants: GrantorSetup) -> None:
    setup = thirty_grants
    setup.put_policy("a", ARTICLE_POLICY)
    setup.reconcile()
    setup.put_policy("many", "version: 1\nrules:\n" + ARTICLE_POLICY.partition("rules:\n")[2])
    move_profile(setup, "userB", "elsewhere")

    report = setup.reconcile()

    assert report.approval.is_pending
    assert list_grants_of(setup, "role-userB") == set()


def test_no_number_of_moved_roles_needs_an_approval(setup: GrantorSetup) -> None:
    names = [f"user{number:02}" for number in range(11)]
    for name in names:
        setup.create_profile(name)
    setup.put_policy("a", ARTICLE_POLICY)
    setup.reconcile()
    for name in names:
        move_profile(setup, name, f"new-{name}")

    report = setup.reconcile()

    assert (report.approval.is_pending, report.deleted, report.created) == (False, 22, 22)
    assert_run_changes_nothing(setup)
