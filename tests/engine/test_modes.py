"""Additive files never revoke; authoritative files do. A switch between the modes applies to the
rules in force (safe-settings #350, #317).
"""

from tests.engine.helpers import assert_run_changes_nothing, assert_settled
from tests.grantor_setup import ARTICLE_POLICY, GrantorSetup

AUTHORITATIVE = ARTICLE_POLICY
ADDITIVE = ARTICLE_POLICY.replace("version: 1\n", "version: 1\nmode: additive\n")
TEAM, OWN = "  - name: product-team", "  - name: own-folder"
PRODUCT = {f"READWRITE s3://data/Product/* to role/role-user{x}" for x in "AB"}
FOLDERS = {f"READWRITE s3://data/User{x}/* to role/role-user{x}" for x in "AB"}


def remove_own_folder_rule(text: str) -> str:
    """The file with the first of its two rules only."""
    return text.split(OWN, maxsplit=1)[0]


def test_an_additive_file_keeps_its_grants_when_the_rule_the_profile_and_the_file_are_deleted(
    setup: GrantorSetup,
) -> None:
    setup.put_policy("a", ADDITIVE)
    assert_settled(setup, PRODUCT | FOLDERS)
    setup.put_policy("a", remove_own_folder_rule(ADDITIVE))
    assert (setup.reconcile().done, setup.describe_grants()) == ([], PRODUCT | FOLDERS)
    setup.delete_profile("userB")
    assert (setup.reconcile(setup.build_profile_trigger("userB")).done, setup.reconcile().done) == (
        [],
        [],
    )
    setup.delete_policy("a")
    assert (setup.reconcile().done, setup.describe_grants()) == ([], PRODUCT | FOLDERS)
    assert_run_changes_nothing(setup)


def test_a_file_that_becomes_authoritative_revokes_what_its_rules_no_longer_grant(
    setup: GrantorSetup,
) -> None:
    setup.put_policy("a", ADDITIVE)
    setup.reconcile()
    setup.put_policy("a", remove_own_folder_rule(ADDITIVE))
    setup.reconcile()
    setup.put_policy("a", remove_own_folder_rule(AUTHORITATIVE))

    assert setup.reconcile().deleted == 2
    assert_settled(setup, PRODUCT)


def test_a_file_that_becomes_additive_keeps_its_grants_from_then_on(setup: GrantorSetup) -> None:
    setup.put_policy("a", AUTHORITATIVE)
    setup.reconcile()
    before = setup.list_grants()
    setup.put_policy("a", ADDITIVE)
    assert (setup.reconcile().updated, setup.list_grants()) == (4, before)
    setup.put_policy("a", remove_own_folder_rule(ADDITIVE))
    assert (setup.reconcile().done, setup.list_grants()) == ([], before)


def test_a_rule_removed_in_the_version_that_turns_additive_is_still_revoked(
    setup: GrantorSetup,
) -> None:
    setup.put_policy("a", AUTHORITATIVE)
    setup.reconcile()
    setup.put_policy("a", remove_own_folder_rule(ADDITIVE))

    assert setup.reconcile().deleted == 2
    assert_settled(setup, PRODUCT)


def test_an_additive_file_keeps_only_its_own_grants_next_to_an_authoritative_one(
    setup: GrantorSetup,
) -> None:
    setup.put_policy("keeps", remove_own_folder_rule(ADDITIVE))
    setup.put_policy(
        "takes", AUTHORITATIVE.replace(AUTHORITATIVE.split(OWN)[0], "version: 1\nrules:\n")
    )
    assert_settled(setup, PRODUCT | FOLDERS)
    setup.delete_profile("userB")

    assert_settled(setup, PRODUCT | {"READWRITE s3://data/UserA/* to role/role-userA"})
