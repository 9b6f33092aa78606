"""What a security reviewer looks for first in the templates.

No wildcards, no confused deputies, limits by scope, tag, service and name.
"""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from iam_audit.permissions import NEGATION, Statement, read_holders, read_resources, read_trusts

RESOURCES = read_resources()
HOLDERS = read_holders()
STATEMENTS = [statement for holder in HOLDERS.values() for statement in holder.statements]
ROLES = {name for name, it in RESOURCES.items() if it["Type"] == "AWS::IAM::Role"}
BUCKETS = {name for name, it in RESOURCES.items() if it["Type"] == "AWS::S3::Bucket"}
OUR_TAG = "aws:ResourceTag/grantor:stack ${AWS::StackName}"
OUR_SIGNATURE = "aws:RequestTag/grantor:stack ${AWS::StackName}"
FOR_PEOPLE = "StewardRole"  # whoever IAM lets call sts:AssumeRole for it
SERVICES_TRUSTED = [
    trust
    for trust in read_trusts()
    if trust.statement.effect == "Allow" and trust.statement.holder != FOR_PEOPLE
]
SAMPLES = ("Product", "UserA", "UserB")  # the folders that LoadDataset fills
# Lambda's guide has aws:SourceArn only for the policies of functions, not for their roles.
WITHOUT_ARN = {"lambda.amazonaws.com"}


def allowing(action: str) -> list[Statement]:
    """Every statement that allows the action."""
    return [
        statement
        for statement in STATEMENTS
        if statement.effect == "Allow" and action in statement.actions
    ]


def denying(holder: str, action: str) -> list[Statement]:
    return [
        it
        for it in HOLDERS[holder].statements
        if it.effect == "Deny" and any(fnmatchcase(action, written) for written in it.actions)
    ]


def test_nothing_is_allowed_by_a_wildcard_in_an_action():
    allowed = [it for it in STATEMENTS if it.effect == "Allow"] + [
        it.statement for it in SERVICES_TRUSTED
    ]

    assert [
        (it.holder, it.name) for it in allowed if any("*" in action for action in it.actions)
    ] == []


def test_no_statement_that_allows_is_a_negation():
    every = [*STATEMENTS, *(it.statement for it in read_trusts())]

    assert [
        (it.holder, it.name)
        for it in every
        if it.effect == "Allow" and NEGATION in " ".join((*it.actions, *it.resources))
    ] == []
    assert "NotPrincipal" not in json.dumps(RESOURCES)


def test_no_managed_policy_of_aws_or_others_is_attached():
    attached = [RESOURCES[name]["Properties"].get("ManagedPolicyArns") or [] for name in ROLES]

    own = {f"${{{name}}}" for name, it in RESOURCES.items() if "ManagedPolicy" in it["Type"]}
    assert {policy for policies in attached for policy in list_either_way(policies)} <= own


def list_either_way(policies: list[Any]) -> list[str]:
    """The policies of a list, with those that depend on a condition."""
    plain = [it for it in policies if isinstance(it, str)]
    chosen = [it["If"][1:] for it in policies if not isinstance(it, str)]
    return plain + [name for pair in chosen for name in pair if name != "${AWS::NoValue}"]


def test_every_role_trusts_one_service():
    assert {name for name in ROLES if len(HOLDERS[name].principals) != 1} == set()
    assert {
        name
        for name in ROLES
        for principal in HOLDERS[name].principals
        if not principal.endswith(".amazonaws.com")
    } == {FOR_PEOPLE}


@pytest.mark.parametrize(
    "trust", SERVICES_TRUSTED, ids=lambda it: f"{it.statement.holder}-{it.statement.name}"
)
def test_a_service_is_trusted_only_for_this_account_and_the_resource_that_it_names(
    trust: Any,
):
    condition = trust.statement.condition
    names_resource = "aws:SourceArn" in condition or set(trust.principals) <= WITHOUT_ARN

    assert names_resource
    assert "aws:SourceAccount" in condition or "aws:SourceArn" in condition
    assert "*" not in trust.principals


def test_every_bucket_refuses_unencrypted_requests():
    refusing = [
        it.statement
        for it in read_trusts()
        if it.statement.condition == "Bool aws:SecureTransport false"
    ]
    closed = {place for it in refusing for place in it.resources}

    assert {f"${{{name}.Arn}}{below}" for name in BUCKETS for below in ("", "/*")} <= closed
    assert all(
        it.effect == "Deny" and it.actions in (("s3:*",), ("sns:Publish",)) for it in refusing
    )


def test_roles_are_passed_to_one_service_and_by_name():
    passing = {it.holder: it for it in allowing("iam:PassRole")}

    assert passing.keys() == {"PassJobRoles", "Notebook", "ConnectAccess"}
    connecting = passing.pop("ConnectAccess")
    assert connecting.resources == ("${BucketLocationRole.Arn}",)
    assert connecting.condition == (
        "StringEquals iam:PassedToService access-grants.s3.amazonaws.com"
    )
    for statement in passing.values():
        assert "StringEquals iam:PassedToService sagemaker.amazonaws.com" in statement.condition
    named = ("${JobRoles} if NamedJobRoles, else ${Studio.Outputs.JobRoles}",)
    assert passing["PassJobRoles"].resources == named
    itself = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/%s${aws:PrincipalTag/grantor:role}"
    assert passing["Notebook"].resources == (itself % "", itself % "*/")


def test_grants_are_created_only_in_our_bucket_and_with_our_tag():
    makers = allowing("s3:CreateAccessGrant")

    own, existing = {"ReconcileGrantsRole", "BreakGlass"}, {"ReconcilerAccess", "BucketBreakGlass"}
    assert {it.holder for it in makers} == own | existing
    bound = f"s3:AccessGrantScope s3://${{DataBucket}}/*, StringEquals {OUR_SIGNATURE}"
    assert {it.condition for it in makers if it.holder in own} == {
        f"StringLike {bound}; only if BucketMade"
    }
    for statement in makers:
        if statement.holder in existing:
            assert statement.condition.startswith("StringLike s3:AccessGrantScope s3://")
            assert "${Buckets}" in statement.condition
            assert "StringEquals aws:RequestTag/grantor:stack ${Stack}" in statement.condition


def test_grants_are_revoked_only_by_our_tag():
    revoking = allowing("s3:DeleteAccessGrant")

    assert {it.holder for it in revoking} == {
        "ReconcileGrantsRole",
        "BreakGlass",
        "CleanUpRole",
        "ConnectBucketsRole",  # of a bucket that leaves, if a lost ledger does not know them
    }
    assert {it.condition for it in revoking} == {f"StringEquals {OUR_TAG}"}


def test_only_grants_and_own_locations_are_tagged_and_only_with_our_tag():
    signing = allowing("s3:TagResource")
    locations = [it for it in signing if it.holder == "ConnectBucketsRole"]

    assert {it.condition for it in signing} == {f"StringEquals {OUR_SIGNATURE}"}
    assert {it.name for it in locations} == {"TagLocations"}
    assert {
        (it in locations, place.rpartition(":access-grants/")[2])
        for it in signing
        for place in it.resources
    } == {(False, "default/grant/*"), (True, "default/location/*")}


def test_nobody_may_change_the_instance_and_locations_only_over_our_buckets():
    names = ("DeleteAccessGrantsInstance", "UntagResource")
    places = ("CreateAccessGrantsLocation", "UpdateAccessGrantsLocation")
    changing = [it for name in places for it in allowing(f"s3:{name}")]
    deleting = {it.holder: it.condition for it in allowing("s3:DeleteAccessGrantsLocation")}

    assert [it for name in names for it in allowing(f"s3:{name}")] == []
    assert {it.holder for it in changing} == {"ConnectAccess"}
    assert all(
        it.condition.startswith("StringEquals s3:AccessGrantsLocationScope s3://")
        and "${Buckets}" in it.condition
        for it in changing
    )
    assert deleting.keys() == {"CleanUpRole", "ConnectAccess"}
    assert (
        "StringEquals s3:AccessGrantsLocationScope s3://${DataBucket}/" in deleting["CleanUpRole"]
    )


@pytest.mark.parametrize("holder", ["Steward", "BreakGlass", "ReconcileGrantsRole"])
def test_whoever_writes_policy_or_changes_grants_cannot_approve(holder: str):
    writes = ("PutItem", "UpdateItem", "BatchWriteItem", "PartiQLInsert", "PartiQLUpdate")

    assert all(denying(holder, f"dynamodb:{write}") for write in writes)


@pytest.mark.parametrize(
    ("holder", "below"), [("Approver", "policy/*"), ("BreakGlass", "*"), ("Steward", "bounds/*")]
)
def test_whoever_approves_or_breaks_the_glass_cannot_write_policy(holder: str, below: str):
    """And whoever writes policy files cannot write their bounds."""
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectAcl"):
        assert [it.resources for it in denying(holder, action)] == [
            (f"${{PolicyBucket.Arn}}/{below}",)
        ]


def test_no_role_of_a_function_may_write_policy():
    writers = {
        (it.holder, place)
        for action in ("s3:PutObject", "s3:DeleteObject")
        for it in allowing(action)
        for place in it.resources
        if "PolicyBucket" in place or place == "*"
    }

    ours = "${OperationsBucket.Arn}/*"
    assert writers == {
        ("Steward", "${PolicyBucket.Arn}/policy/*"),
        ("Approver", "${PolicyBucket.Arn}/bounds/*"),
        # It empties the bucket of a deleted stack, if the stack does not keep it.
        (
            "CleanUpRole",
            " or ".join(
                f"${{DataBucket.Arn}}/{name}/abalone.csv if BucketMade, else ${{AWS::NoValue}}"
                for name in SAMPLES
            )
            + f" or {ours} if Retaining, else ${{DataBucket.Arn}}/* if BucketMade, "
            + f"else ${{AWS::NoValue}} or ${{PolicyBucket.Arn}}/* or {ours}",
        ),
    }


@pytest.mark.parametrize(
    "policy", [name for name, it in RESOURCES.items() if it["Type"] == "AWS::IAM::ManagedPolicy"]
)
def test_a_managed_policy_is_within_iams_quota(policy: str):
    """6,144 characters without white space (IAM's quotas), with long names in it."""
    document = json.dumps(RESOURCES[policy]["Properties"]["PolicyDocument"], separators=(",", ":"))
    for name in ("${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}"):
        document = document.replace(name, "a" * 14)

    assert len(document) + 40 * document.count("${") <= 6144
