"""Who acts for a person of the directory gets what that person and their groups were granted."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.people import REDIRECT, PeopleApplication
from sandbox.testing.running import ACCOUNT, Sandbox
from sandbox.testing.scenario import AwsAccount, ControlClient, GrantScenario

PROVIDER = "arn:aws:iam::aws:contextProvider/IdentityCenter"


def set_trust(shelf: GrantScenario, *actions: str, providers: str = PROVIDER) -> None:
    """Let the service do these with the location's role, as AWS's guide writes it."""
    whose = {"Effect": "Allow", "Principal": {"Service": "access-grants.s3.amazonaws.com"}}
    condition = {"ForAllValues:ArnEquals": {"sts:RequestContextProviders": providers}}
    plain = [action for action in actions if action != "sts:SetContext"]
    statements = [whose | {"Action": plain}] if plain else []
    if "sts:SetContext" in actions:
        statements.append(whose | {"Action": "sts:SetContext", "Condition": condition})
    shelf.aws.client("iam").update_assume_role_policy(
        RoleName=shelf.location_role.rpartition("/")[2],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )


@pytest.fixture
def shelf(laid_on_server: GrantScenario) -> GrantScenario:
    """A laid whose instance is associated, with an object in each of two folders."""
    aws = laid_on_server.aws
    aws.control("AssociateAccessGrantsIdentityCenter", IdentityCenterArn=aws.center["InstanceArn"])
    set_trust(laid_on_server, "sts:AssumeRole", "sts:SetSourceIdentity", "sts:SetContext")
    for folder in ("UserA", "UserB"):
        aws.client("s3").put_object(Bucket="data", Key=f"{folder}/a.csv", Body=b"M,1\n")
    return laid_on_server


@pytest.fixture
def app(own_server: Sandbox, shelf: GrantScenario) -> PeopleApplication:
    assert shelf.bucket
    return PeopleApplication.create(own_server)


def grant_to(shelf: GrantScenario, kind: str, who: str, **more: Any) -> None:
    shelf.grant(Grantee={"GranteeType": kind, "GranteeIdentifier": who}, **more)


def join_group(aws: AwsAccount, group: str, user: str) -> str:
    store = aws.center["IdentityStoreId"]
    made = aws.client("identitystore").create_group_membership(
        IdentityStoreId=store, GroupId=group, MemberId={"UserId": user}
    )
    return str(made["MembershipId"])


def ask_as(shelf: GrantScenario, keys: dict[str, str], target: str = "UserA/*") -> Any:
    """The grantee that GetDataAccess matches, or the code of its refusal."""
    client = ControlClient(shelf.aws.client("s3control", keys), shelf.aws.account)
    try:
        answer = client("GetDataAccess", Target=f"s3://data/{target}", Permission="READ")
    except ClientError as refused:
        return refused.response["Error"]["Code"]
    return answer["Grantee"]["GranteeIdentifier"]


def refusal_of(do: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        do()
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_grant_to_a_group_vends_for_its_members_while_they_are_in_it(
    shelf: GrantScenario, app: PeopleApplication
):
    team, ana, bea = (
        shelf.aws.directory_group("Team"),
        shelf.aws.directory_user("ana"),
        shelf.aws.directory_user("bea"),
    )
    membership = join_group(shelf.aws, team, ana)
    grant_to(shelf, "DIRECTORY_GROUP", team)
    as_ana, as_bea = app.act_for(ana), app.act_for(bea)

    assert ask_as(shelf, as_ana) == team
    assert ask_as(shelf, as_bea) == "AccessDenied"
    assert ask_as(shelf, app.get_session()) == "AccessDenied"
    shelf.aws.client("identitystore").delete_group_membership(
        IdentityStoreId=shelf.aws.center["IdentityStoreId"], MembershipId=membership
    )
    assert ask_as(shelf, as_ana) == "AccessDenied"


def test_what_is_vended_reads_the_data_and_nothing_else(
    shelf: GrantScenario, app: PeopleApplication
):
    ana = shelf.aws.directory_user("ana")
    grant_to(shelf, "DIRECTORY_USER", ana)
    control = ControlClient(shelf.aws.client("s3control", app.act_for(ana)), ACCOUNT)
    keys = control("GetDataAccess", Target="s3://data/UserA/*", Permission="READ")["Credentials"]
    s3 = shelf.aws.client("s3", keys)

    assert s3.get_object(Bucket="data", Key="UserA/a.csv")["Body"].read() == b"M,1\n"
    assert refusal_of(lambda: s3.get_object(Bucket="data", Key="UserB/a.csv"))[0] == "AccessDenied"


def test_the_locations_role_must_let_the_service_pass_the_person_on(
    shelf: GrantScenario, app: PeopleApplication
):
    ana = shelf.aws.directory_user("ana")
    grant_to(shelf, "DIRECTORY_USER", ana)
    control = ControlClient(shelf.aws.client("s3control", app.act_for(ana)), ACCOUNT)
    other = "arn:aws:iam::aws:contextProvider/Other"
    for actions, providers, lacking in (
        (["sts:AssumeRole", "sts:SetSourceIdentity"], PROVIDER, "sts:SetContext"),
        (["sts:SetContext"], PROVIDER, "sts:AssumeRole"),
        (["sts:AssumeRole", "sts:SetContext"], other, "sts:SetContext"),
    ):
        set_trust(shelf, *actions, providers=providers)
        code, why = refusal_of(
            lambda: control("GetDataAccess", Target="s3://data/UserA/*", Permission="READ")
        )
        assert code == "StsNotAuthorizedError"
        assert f"not authorized to perform: {lacking} on resource: {shelf.location_role}" in why


def test_the_locations_role_must_let_the_service_set_the_source_identity_of_a_role(
    shelf: GrantScenario,
):
    shelf.grant()
    assert shelf.ask("UserA/*")["Credentials"]
    set_trust(shelf, "sts:AssumeRole", "sts:SetContext")

    assert refusal_of(lambda: shelf.ask("UserA/*"))[0] == "StsNotAuthorizedError"


def test_without_the_association_nobody_is_known(shelf: GrantScenario, app: PeopleApplication):
    ana = shelf.aws.directory_user("ana")
    grant_to(shelf, "DIRECTORY_USER", ana)
    as_ana = app.act_for(ana)
    assert ask_as(shelf, as_ana) == ana
    shelf.aws.control("DissociateAccessGrantsIdentityCenter")

    assert ask_as(shelf, as_ana) == "AccessDenied"


def test_the_closest_grant_of_person_group_and_role_is_taken(
    shelf: GrantScenario, app: PeopleApplication
):
    ana, team = shelf.aws.directory_user("ana"), shelf.aws.directory_group("Team")
    join_group(shelf.aws, team, ana)
    shelf.grant("UserA/*", who=app.role)
    grant_to(shelf, "DIRECTORY_GROUP", team, sub_prefix="UserA/images/*")
    grant_to(shelf, "DIRECTORY_USER", ana, sub_prefix="UserA/images/small/*")
    as_ana = app.act_for(ana)

    assert ask_as(shelf, as_ana, "UserA/x") == app.role
    assert ask_as(shelf, as_ana, "UserA/images/x") == team
    assert ask_as(shelf, as_ana, "UserA/images/small/x") == ana


def test_a_grant_for_one_application_serves_no_other(
    own_server: Sandbox, shelf: GrantScenario, app: PeopleApplication
):
    ana, other = shelf.aws.directory_user("ana"), PeopleApplication.create(own_server)
    grant_to(shelf, "DIRECTORY_USER", ana, ApplicationArn=app.arn)

    assert ask_as(shelf, app.act_for(ana)) == ana
    assert ask_as(shelf, other.act_for(ana)) == "AccessDenied"
    for who, listed in ((app, [app.arn]), (other, [])):
        control = ControlClient(shelf.aws.client("s3control", who.act_for(ana)), ACCOUNT)
        own = control("ListCallerAccessGrants", AllowedByApplication=True)["CallerAccessGrantsList"]
        assert [grant["ApplicationArn"] for grant in own] == listed


def test_a_session_for_a_person_may_do_what_awss_list_allows_and_no_more(
    shelf: GrantScenario, app: PeopleApplication
):
    ana = shelf.aws.directory_user("ana")
    plain, for_ana = app.get_session(), app.act_for(ana)

    assert shelf.aws.client("s3", plain).list_buckets()["Buckets"]
    code, why = refusal_of(lambda: shelf.aws.client("s3", for_ana).list_buckets())
    assert (code, "explicit deny" in why) == ("AccessDenied", True)


def test_an_application_without_the_scope_of_access_grants_acts_for_nobody_there(
    own_server: Sandbox, shelf: GrantScenario
):
    ana = shelf.aws.directory_user("ana")
    grant_to(shelf, "DIRECTORY_USER", ana)
    reader = PeopleApplication.create(own_server, scope="redshift:connect")

    assert ask_as(shelf, reader.act_for(ana)) == "AccessDenied"


def test_a_code_is_for_one_application_and_one_use_and_a_context_is_genuine(
    own_server: Sandbox, shelf: GrantScenario, app: PeopleApplication
):
    ana, other = shelf.aws.directory_user("ana"), PeopleApplication.create(own_server)
    code = app.get_code(ana)

    def exchange(whose: PeopleApplication, by: PeopleApplication) -> Any:
        return own_server.client("sso-oidc", by.get_session()).create_token_with_iam(
            clientId=whose.arn, grantType="authorization_code", code=code, redirectUri=REDIRECT
        )

    assert refusal_of(lambda: exchange(app, other))[0] == "AccessDeniedException"
    assert refusal_of(lambda: exchange(other, other))[0] == "InvalidGrantException"
    assert refusal_of(lambda: exchange(app, app))[0] == "InvalidGrantException"
    forged = [{"ProviderArn": PROVIDER, "ContextAssertion": "for-anybody"}]
    assert refusal_of(lambda: app.get_session(ProvidedContexts=forged))[0] == "ValidationError"


def test_a_role_without_set_context_acts_for_nobody(shelf: GrantScenario, app: PeopleApplication):
    trust = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    shelf.aws.client("iam").update_assume_role_policy(
        RoleName=app.role.rpartition("/")[2],
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **trust}]}
        ),
    )
    ana = shelf.aws.directory_user("ana")

    code, why = refusal_of(lambda: app.act_for(ana))
    assert code == "AccessDenied"
    assert "sts:SetContext" in why
