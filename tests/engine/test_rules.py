"""Each kind of rule creates its grants, and removing it deletes them."""

import pytest

from tests.conftest import ACCOUNT
from tests.engine.helpers import assert_settled
from tests.grantor_setup import GrantorSetup

APPLICATION = f"arn:aws:sso::{ACCOUNT}:application/ssoins-1234567890abcdef/apl-1234567890abcdef"
RULES = {
    "role": (
        "to: {role: 'arn:aws:iam::000000000000:role/auditor'}",
        "on: s3://{data_bucket}/Product/*",
        {"s3://data/Product/* to role/auditor"},
    ),
    "user": (
        "to: {user: 'arn:aws:iam::000000000000:user/ana'}",
        "on: s3://{data_bucket}/Product/*",
        {"s3://data/Product/* to user/ana"},
    ),
    "profiles": (
        "to: {profiles: {domain: Product-Domain}}",
        "on: s3://{data_bucket}/Product/*",
        {"s3://data/Product/* to role/role-userA", "s3://data/Product/* to role/role-userB"},
    ),
    "profiles by glob": (
        "to: {profiles: {domain: Product-Domain, names: ['*B']}}",
        "on: s3://{data_bucket}/Product/*",
        {"s3://data/Product/* to role/role-userB"},
    ),
    "profiles by tag": (
        "to: {profiles: {domain: Product-Domain, tags: {team: blue}}}",
        "on: s3://{data_bucket}/Product/*",
        {"s3://data/Product/* to role/role-userC"},
    ),
    "each profile": (
        "to: {each_profile: {domain: Product-Domain, names: [userA, userC]}}",
        "on: s3://{data_bucket}/{profile.folder}/*",
        {"s3://data/UserA/* to role/role-userA", "s3://data/UserC/* to role/role-userC"},
    ),
    "single object": (
        "to: {role: 'arn:aws:iam::000000000000:role/auditor'}",
        "on: s3://{data_bucket}/Product/abalone.csv",
        {"s3://data/Product/abalone.csv to role/auditor"},
    ),
    "object like a folder": (
        "to: {role: 'arn:aws:iam::000000000000:role/auditor'}",
        "on: {object: 's3://{data_bucket}/Product/README'}",
        {"s3://data/Product/README to role/auditor"},
    ),
    "raw prefix": (
        "to: {role: 'arn:aws:iam::000000000000:role/auditor'}",
        "on: s3://{data_bucket}/logs-2027*\n    raw_prefix: true",
        {"s3://data/logs-2027* to role/auditor"},
    ),
}


def build_rule(to: str, on: str) -> str:
    return f"version: 1\nrules:\n  - name: the-rule\n    {to}\n    {on}\n    allow: READ\n"


@pytest.mark.parametrize("case", RULES.values(), ids=RULES)
def test_a_rule_creates_its_grants_and_its_deletion_revokes_them(
    setup: GrantorSetup, case: tuple[str, str, set[str]]
) -> None:
    to, on, wanted = case
    setup.create_role("auditor")
    setup.client("iam").create_user(UserName="ana")
    if "blue" in to or "userC" in to:
        setup.create_profile("userC", team="blue")
    setup.put_policy("it", build_rule(to, on))
    assert_settled(setup, {f"READ {grant}" for grant in wanted})

    setup.delete_policy("it")
    setup.put_policy(
        "other",
        build_rule(
            "to: {role: 'arn:aws:iam::000000000000:role/auditor'}", "on: s3://{data_bucket}/other/*"
        ),
    )
    assert_settled(setup, {"READ s3://data/other/* to role/auditor"})


def create_directory(setup: GrantorSetup) -> str:
    """The instance goes by the directory from now on; its identity store."""
    found = setup.client("sso-admin").list_instances()["Instances"][0]
    setup.client("s3control").associate_access_grants_identity_center(
        AccountId=ACCOUNT, IdentityCenterArn=found["InstanceArn"]
    )
    return str(found["IdentityStoreId"])


def test_users_and_groups_of_the_directory_get_grants_by_their_names(setup: GrantorSetup) -> None:
    store, client = create_directory(setup), setup.client("identitystore")
    ana = client.create_user(
        IdentityStoreId=store,
        UserName="ana",
        DisplayName="Ana",
        Name={"GivenName": "A", "FamilyName": "B"},
    )["UserId"]
    team = client.create_group(IdentityStoreId=store, DisplayName="Team")["GroupId"]
    through = build_rule(
        "to: {directory_user: ana}",
        f"on: s3://{{data_bucket}}/shared/*\n    application: {APPLICATION}",
    )
    setup.put_policy("a", through)
    setup.put_policy(
        "b", build_rule("to: {directory_group: Team}", "on: s3://{data_bucket}/Product/*")
    )

    assert_settled(
        setup,
        {
            f"READ s3://data/shared/* to directory_user {ana} through {APPLICATION}",
            f"READ s3://data/Product/* to directory_group {team}",
        },
    )
