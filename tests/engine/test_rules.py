"""Each kind of rule becomes the grants that it says, and goes with them."""

import pytest

from tests.conftest import ACCOUNT
from tests.engine.watch import at_rest
from tests.estate import Estate

APPLICATION = f"arn:aws:sso::{ACCOUNT}:application/ssoins-1234567890abcdef/apl-1234567890abcdef"
RULES = {
    "role": ("to: {role: 'arn:aws:iam::000000000000:role/auditor'}", "on: s3://{data_bucket}/Product/*", {"s3://data/Product/* to role/auditor"}),
    "user": ("to: {user: 'arn:aws:iam::000000000000:user/ana'}", "on: s3://{data_bucket}", {"s3://data/* to user/ana"}),
    "profiles": (
        "to: {profiles: {domain: Product-Domain}}",
        "on: s3://{data_bucket}/Product/*",
        {"s3://data/Product/* to role/role-userA", "s3://data/Product/* to role/role-userB"},
    ),
    "profiles by glob": ("to: {profiles: {domain: Product-Domain, names: ['*B']}}", "on: s3://{data_bucket}/Product/*", {"s3://data/Product/* to role/role-userB"}),
    "profiles by tag": ("to: {profiles: {domain: Product-Domain, tags: {team: blue}}}", "on: s3://{data_bucket}/Product/*", {"s3://data/Product/* to role/role-userC"}),
    "each profile": (
        "to: {each_profile: {domain: Product-Domain, names: [userA, userC]}}",
        "on: s3://{data_bucket}/{profile.folder}/*",
        {"s3://data/UserA/* to role/role-userA", "s3://data/UserC/* to role/role-userC"},
    ),
    "single object": ("to: {role: 'arn:aws:iam::000000000000:role/auditor'}", "on: s3://{data_bucket}/Product/abalone.csv", {"s3://data/Product/abalone.csv to role/auditor"}),
    "object like a folder": ("to: {role: 'arn:aws:iam::000000000000:role/auditor'}", "on: {object: 's3://{data_bucket}/Product/README'}", {"s3://data/Product/README to role/auditor"}),
    "raw prefix": ("to: {role: 'arn:aws:iam::000000000000:role/auditor'}", "on: s3://{data_bucket}/logs-2027*\n    raw_prefix: true", {"s3://data/logs-2027* to role/auditor"}),
}  # fmt: skip


def one(to: str, on: str) -> str:
    return f"version: 1\nrules:\n  - name: the-rule\n    {to}\n    {on}\n    allow: READ\n"


@pytest.mark.parametrize("case", RULES.values(), ids=RULES)
def test_a_rule_becomes_its_grants_and_takes_them_with_it(
    estate: Estate, case: tuple[str, str, set[str]]
) -> None:
    to, on, wanted = case
    estate.role("auditor")
    estate.client("iam").create_user(UserName="ana")
    if "blue" in to or "userC" in to:
        estate.profile("userC", team="blue")
    estate.policy("it", one(to, on))
    at_rest(estate, {f"READ {grant}" for grant in wanted})

    estate.no_policy("it")
    estate.policy(
        "other",
        one(
            "to: {role: 'arn:aws:iam::000000000000:role/auditor'}", "on: s3://{data_bucket}/other/*"
        ),
    )
    at_rest(estate, {"READ s3://data/other/* to role/auditor"})


def directory(estate: Estate) -> str:
    """The instance goes by the directory from now on; its identity store."""
    found = estate.client("sso-admin").list_instances()["Instances"][0]
    estate.client("s3control").associate_access_grants_identity_center(
        AccountId=ACCOUNT, IdentityCenterArn=found["InstanceArn"]
    )
    return str(found["IdentityStoreId"])


def test_people_and_groups_of_the_directory_hold_grants_by_their_names(estate: Estate) -> None:
    store, client = directory(estate), estate.client("identitystore")
    ana = client.create_user(
        IdentityStoreId=store,
        UserName="ana",
        DisplayName="Ana",
        Name={"GivenName": "A", "FamilyName": "B"},
    )["UserId"]
    team = client.create_group(IdentityStoreId=store, DisplayName="Team")["GroupId"]
    through = one(
        "to: {directory_user: ana}", f"on: s3://{{data_bucket}}/*\n    application: {APPLICATION}"
    )
    estate.policy("a", through)
    estate.policy("b", one("to: {directory_group: Team}", "on: s3://{data_bucket}/Product/*"))

    at_rest(
        estate,
        {
            f"READ s3://data/* to directory_user {ana} through {APPLICATION}",
            f"READ s3://data/Product/* to directory_group {team}",
        },
    )
