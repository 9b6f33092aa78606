"""Studio profiles are created, deleted and changed. A profile that conflicts with another is
rejected, and everybody keeps their grants.
"""

from sandbox.testing.helpers import call_control
from tests.engine.helpers import assert_run_changes_nothing, assert_settled
from tests.grantor_setup import ARTICLE_POLICY, DOMAIN, GrantorSetup

A = {
    "READWRITE s3://data/Product/* to role/role-userA",
    "READWRITE s3://data/UserA/* to role/role-userA",
}
B = {
    "READWRITE s3://data/Product/* to role/role-userB",
    "READWRITE s3://data/UserB/* to role/role-userB",
}
C = {
    "READWRITE s3://data/Product/* to role/role-userC",
    "READWRITE s3://data/UserC/* to role/role-userC",
}
OWN_FOLDER = """\
version: 1
rules:
  - name: own-folder
    to: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/*
    allow: READWRITE
"""


def list_changes(setup: GrantorSetup) -> list[str]:
    """The changes to Access Grants since the calls were forgotten, in their order."""
    made = [
        call["operation"]
        for call in call_control(setup.sandbox, "calls?record=1")
        if call["service"] == "s3control"
    ]
    return [
        operation for operation in made if operation in ("CreateAccessGrant", "DeleteAccessGrant")
    ]


def test_a_new_profile_gets_its_grants_and_a_deleted_one_loses_them(setup: GrantorSetup) -> None:
    setup.put_policy("article", ARTICLE_POLICY)
    assert_settled(setup, A | B)

    setup.create_profile("userC")
    setup.reconcile(setup.build_profile_trigger("userC"))
    assert setup.describe_grants() == A | B | C
    setup.delete_profile("userA")
    setup.reconcile(setup.build_profile_trigger("userA"))
    assert setup.describe_grants() == B | C
    assert_settled(setup, B | C)


def test_a_profile_with_a_new_role_gets_the_new_grants_before_the_old_ones_are_deleted(
    setup: GrantorSetup,
) -> None:
    setup.put_policy("article", ARTICLE_POLICY)
    assert_settled(setup, A | B)
    setup.reset_call_counts()
    setup.wait_for_profiles("userA")
    setup.client("sagemaker").update_user_profile(
        DomainId=setup.domain,
        UserProfileName="userA",
        UserSettings={"ExecutionRole": setup.create_role("role-new")},
    )
    setup.reconcile(setup.build_profile_trigger("userA"))

    moved = {
        "READWRITE s3://data/Product/* to role/role-new",
        "READWRITE s3://data/UserA/* to role/role-new",
    }
    assert list_changes(setup) == [
        "CreateAccessGrant",
        "CreateAccessGrant",
        "DeleteAccessGrant",
        "DeleteAccessGrant",
    ]
    assert_settled(setup, moved | B)


def test_a_profile_that_shares_a_role_is_rejected_and_everybody_keeps_their_grants(
    setup: GrantorSetup,
) -> None:
    """The service knows roles, not profiles: ssosync #286, a word that says less than it does."""
    setup.put_policy("own", OWN_FOLDER)
    assert_settled(
        setup,
        own := {
            "READWRITE s3://data/UserA/* to role/role-userA",
            "READWRITE s3://data/UserB/* to role/role-userB",
        },
    )
    setup.create_profile("guest", role="role-userA")
    setup.create_profile("userC")
    report = setup.reconcile()

    assert (
        "rule own-folder for arn:aws:iam::000000000000:role/role-userA: it is the role of Product-Domain/guest and Product-Domain/userA"
        in str(report.errors[0])
    )
    assert setup.describe_grants() == own | {"READWRITE s3://data/UserC/* to role/role-userC"}
    assert assert_run_changes_nothing(setup).errors == report.errors
    setup.delete_profile("guest")
    assert_settled(setup, own | {"READWRITE s3://data/UserC/* to role/role-userC"})


def test_profiles_that_share_a_role_and_a_rule_have_one_grant_until_the_last_profile_is_deleted(
    setup: GrantorSetup,
) -> None:
    """TEAM #279: the end of one request took away what another still needed."""
    setup.put_policy("article", ARTICLE_POLICY.split("  - name: own-folder")[0])
    setup.create_profile("guest", role="role-userA")
    assert_settled(
        setup,
        shared := {
            "READWRITE s3://data/Product/* to role/role-userA",
            "READWRITE s3://data/Product/* to role/role-userB",
        },
    )

    for name in ("userA", "guest"):
        assert setup.describe_grants() == shared
        setup.delete_profile(name)
        setup.reconcile(setup.build_profile_trigger(name))
    assert_settled(setup, {"READWRITE s3://data/Product/* to role/role-userB"})


def test_a_profile_with_the_folder_of_another_is_rejected_and_everybody_keeps_their_grants(
    setup: GrantorSetup,
) -> None:
    setup.put_policy("own", OWN_FOLDER)
    assert_settled(
        setup,
        own := {
            "READWRITE s3://data/UserA/* to role/role-userA",
            "READWRITE s3://data/UserB/* to role/role-userB",
        },
    )
    setup.create_profile("UserA", role="role-twin")
    report = setup.reconcile(setup.build_profile_trigger("UserA"))

    assert "its scope overlaps with that of Product-Domain/userA" in str(report.errors[0])
    assert setup.describe_grants() == own
    assert len(setup.reconcile().errors) == 2
    setup.delete_profile("userA")
    assert_settled(
        setup,
        {
            "READWRITE s3://data/UserA/* to role/role-twin",
            "READWRITE s3://data/UserB/* to role/role-userB",
        },
    )


def test_a_misspelt_domain_deletes_no_grant(setup: GrantorSetup) -> None:
    """external-dns #3841: a typo in one object deleted live records."""
    setup.put_policy("article", ARTICLE_POLICY)
    assert_settled(setup, A | B)
    setup.put_policy("article", ARTICLE_POLICY.replace(DOMAIN, "Product-Domian"))
    report = setup.reconcile()

    assert "there is no Studio domain 'Product-Domian'" in str(report.errors[0])
    assert "did you mean Product-Domain?" in str(report.errors[0])
    assert setup.describe_grants() == A | B
