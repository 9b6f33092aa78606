"""Studio's domains and user profiles as SageMaker has them.

And the event that every change leaves.
"""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import (
    EventListener,
    ask_control,
    call_control,
    make_listener,
    make_role,
    make_trail,
    policy_document,
    reset_sandbox,
    unique_name,
    wait_until,
)
from sandbox.testing.running import ACCOUNT, Sandbox
from tests.conftest import ROOT

SAGEMAKER = "sagemaker.amazonaws.com"
TRAIL = {"source": ["aws.sagemaker"], "detail-type": ["AWS API Call via CloudTrail"]}


@pytest.fixture(scope="module")
def sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A server of this module's own, so that its lists hold nothing that others have made."""
    return start_sandbox()


@dataclass
class Studio:
    """SageMaker's client, and short words for what every scenario needs."""

    sandbox: Sandbox
    role: str
    client: Any

    def domain(self, **more: Any) -> str:
        """A new domain; its id."""
        given = {
            "DomainName": unique_name("domain"),
            "AuthMode": "IAM",
            "DefaultUserSettings": {"ExecutionRole": self.role},
        }
        return str(self.client.create_domain(**given | more)["DomainId"])

    def profile(self, domain: str, name: str, **more: Any) -> dict[str, str]:
        """A profile that is InService; what names it."""
        named = {"DomainId": domain, "UserProfileName": name}
        self.client.create_user_profile(**named | more)
        self.settled(**named)
        return named

    def describe(self, **named: str) -> dict[str, Any]:
        operation = (
            self.client.describe_user_profile
            if "UserProfileName" in named
            else self.client.describe_domain
        )
        return dict(operation(**named))

    def statuses(self, last: str, **named: str) -> list[str]:
        """The statuses that it goes through until the last one.

        "gone" when it is no longer there.
        """
        seen: list[str] = []

        def look() -> bool:
            try:
                status = self.describe(**named)["Status"]
            except self.client.exceptions.ResourceNotFound:
                status = "gone"
            seen.extend([status] if status not in seen else [])
            return status == last

        wait_until(look)
        return seen

    def settled(self, **named: str) -> dict[str, str]:
        """Wait until it is InService; what names it."""
        wait_until(lambda: self.describe(**named)["Status"] == "InService")
        return named

    def names(self, **asked: Any) -> list[str]:
        return [
            profile["UserProfileName"]
            for profile in self.client.list_user_profiles(**asked)["UserProfiles"]
        ]


@pytest.fixture
def studio(sandbox: Sandbox) -> Iterator[Studio]:
    yield Studio(sandbox, make_role(sandbox, SAGEMAKER), sandbox.client("sagemaker"))
    reset_sandbox(sandbox)


@pytest.fixture
def listener(sandbox: Sandbox) -> EventListener:
    """A listener for every change of Studio."""
    make_trail(sandbox)
    return make_listener(sandbox, EventPattern=json.dumps(TRAIL))


# A domain's life, and a profile's.


@pytest.fixture
def slowly(studio: Studio) -> Iterator[None]:
    """Changes take long enough to be seen under way, however busy the machine is."""
    before = call_control(studio.sandbox, "settle")["settle"]
    call_control(studio.sandbox, "settle", "POST", {"Domain": 2, "UserProfile": 2})
    yield
    call_control(studio.sandbox, "settle", "POST", {"Domain": before, "UserProfile": before})


@pytest.mark.usefixtures("slowly")
def test_a_domain_is_pending_then_in_service_then_updating_then_deleting_then_gone(studio: Studio):
    client = studio.client
    settings = {"ExecutionRole": studio.role, "SecurityGroups": ["sg-1"]}
    made = client.create_domain(
        DomainName="Product-Domain", AuthMode="IAM", DefaultUserSettings=settings
    )
    domain = {"DomainId": made["DomainId"]}

    assert studio.statuses("InService", **domain) == ["Pending", "InService"]
    described = studio.describe(**domain)
    assert re.fullmatch("d-[a-z0-9]+", described["DomainId"])
    assert (
        described["DomainArn"]
        == made["DomainArn"]
        == f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:domain/{made['DomainId']}"
    )
    assert (described["DomainName"], described["AuthMode"], described["DefaultUserSettings"]) == (
        "Product-Domain",
        "IAM",
        settings,
    )
    client.update_domain(**domain, DefaultUserSettings={"SecurityGroups": ["sg-2"]})
    assert studio.statuses("InService", **domain) == ["Updating", "InService"]
    changed = studio.describe(**domain)
    assert changed["DefaultUserSettings"] == settings | {"SecurityGroups": ["sg-2"]}
    assert changed["LastModifiedTime"] > changed["CreationTime"]
    client.delete_domain(**domain)
    assert studio.statuses("gone", **domain) == ["Deleting", "gone"]


@pytest.mark.usefixtures("slowly")
def test_a_profile_is_pending_then_in_service_then_updating_then_deleting_then_gone(studio: Studio):
    client, other = studio.client, make_role(studio.sandbox, SAGEMAKER)
    named = {"DomainId": studio.domain(), "UserProfileName": "userA"}
    made = client.create_user_profile(
        **named, UserSettings={"ExecutionRole": studio.role, "SecurityGroups": ["sg-1"]}
    )

    assert studio.statuses("InService", **named) == ["Pending", "InService"]
    described = studio.describe(**named)
    assert described["UserProfileArn"] == made["UserProfileArn"]
    assert (
        made["UserProfileArn"]
        == f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:user-profile/{named['DomainId']}/usera"
    )
    client.update_user_profile(**named, UserSettings={"ExecutionRole": other})
    assert studio.statuses("InService", **named) == ["Updating", "InService"]
    assert studio.describe(**named)["UserSettings"] == {
        "ExecutionRole": other,
        "SecurityGroups": ["sg-1"],
    }
    client.delete_user_profile(**named)
    assert studio.statuses("gone", **named) == ["Deleting", "gone"]


def test_a_profile_without_a_role_of_its_own_shows_none(studio: Studio):
    named = studio.profile(studio.domain(), "userA")

    assert "UserSettings" not in studio.describe(**named)


def test_a_name_is_free_again_once_its_profile_is_gone(studio: Studio):
    named = studio.profile(studio.domain(), "userA")
    studio.client.delete_user_profile(**named)
    studio.statuses("gone", **named)

    studio.profile(named["DomainId"], "userA")


def test_two_domains_may_have_a_profile_of_one_name(studio: Studio):
    domains = sorted(studio.profile(studio.domain(), "userA")["DomainId"] for _ in range(2))

    listed = studio.client.list_user_profiles(UserProfileNameContains="userA")["UserProfiles"]
    assert sorted(profile["DomainId"] for profile in listed) == domains


# Lists.


@pytest.fixture
def crowd(studio: Studio) -> str:
    """A domain with twelve profiles, made one after the other."""
    domain = studio.domain()
    for n in range(12):
        studio.client.create_user_profile(DomainId=domain, UserProfileName=f"user-{n:02}")
    return domain


def test_a_list_comes_in_pages_of_ten_by_default(studio: Studio, crowd: str):
    assert len(studio.names()) == 10
    pages = studio.client.get_paginator("list_user_profiles").paginate(
        DomainIdEquals=crowd, PaginationConfig={"PageSize": 5}
    )
    pages = [[profile["UserProfileName"] for profile in page["UserProfiles"]] for page in pages]

    assert [len(page) for page in pages] == [5, 5, 2]
    assert list(chain(*pages)) == [f"user-{n:02}" for n in range(12)]


def test_a_page_that_is_the_last_has_no_token(studio: Studio, crowd: str):
    first = studio.client.list_user_profiles(MaxResults=6)
    second = studio.client.list_user_profiles(MaxResults=6, NextToken=first["NextToken"])

    assert len(second["UserProfiles"]) == 6
    assert "NextToken" not in second


@pytest.mark.parametrize(
    "asked",
    [{"MaxResults": 101}, {"NextToken": "not one of ours"}, {"NextToken": "page--5"}],
    ids=str,
)
def test_a_page_that_there_cannot_be_is_refused(studio: Studio, asked: dict[str, Any]):
    with pytest.raises(ClientError, match="ValidationException"):
        studio.client.list_user_profiles(**asked)


def test_a_list_can_be_narrowed_by_domain_and_by_part_of_the_name(studio: Studio, crowd: str):
    other = studio.domain()
    studio.profile(other, "guest-01")

    assert studio.names(DomainIdEquals=other) == ["guest-01"]
    assert studio.names(UserProfileNameContains="01") == ["user-01", "guest-01"]
    assert studio.names(UserProfileNameContains="01", DomainIdEquals=crowd) == ["user-01"]
    assert studio.names(DomainIdEquals="d-nowhere") == []


def test_a_list_is_sorted_by_creation_by_default(studio: Studio, crowd: str):
    changed = {"DomainId": crowd, "UserProfileName": "user-04"}
    studio.settled(**changed)
    studio.client.update_user_profile(**changed, UserSettings={"SecurityGroups": ["sg-1"]})

    assert studio.names(MaxResults=2) == ["user-00", "user-01"]
    assert studio.names(MaxResults=2, SortOrder="Descending") == ["user-11", "user-10"]
    assert studio.names(MaxResults=1, SortOrder="Descending", SortBy="LastModifiedTime") == [
        "user-04"
    ]


@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_a_profile_deleted_between_two_pages_hides_no_other(studio: Studio, crowd: str, order: str):
    for n in (0, 11):
        studio.settled(DomainId=crowd, UserProfileName=f"user-{n:02}")
    first = studio.client.list_user_profiles(MaxResults=6, SortOrder=order)
    gone = first["UserProfiles"][0]["UserProfileName"]
    studio.client.delete_user_profile(DomainId=crowd, UserProfileName=gone)
    studio.statuses("gone", DomainId=crowd, UserProfileName=gone)
    second = studio.client.list_user_profiles(
        MaxResults=6, SortOrder=order, NextToken=first["NextToken"]
    )

    listed = {
        profile["UserProfileName"] for page in (first, second) for profile in page["UserProfiles"]
    }
    assert listed == {f"user-{n:02}" for n in range(12)}


def test_a_token_of_another_list_is_refused(studio: Studio, crowd: str):
    studio.domain()
    token = studio.client.list_domains(MaxResults=1)["NextToken"]
    tags = [{"Key": key, "Value": ""} for key in "ab"]
    arn = studio.describe(DomainId=crowd)["DomainArn"]
    studio.client.add_tags(ResourceArn=arn, Tags=tags)

    with pytest.raises(ClientError, match="The NextToken is not one of this list"):
        studio.client.list_tags(ResourceArn=arn, NextToken=token)


def test_domains_too_come_in_pages(studio: Studio):
    made = [studio.domain() for _ in range(3)]
    pages = list(
        studio.client.get_paginator("list_domains").paginate(PaginationConfig={"PageSize": 2})
    )

    assert [[domain["DomainId"] for domain in page["Domains"]] for page in pages] == [
        made[:2],
        made[2:],
    ]
    assert {
        "DomainArn",
        "DomainId",
        "DomainName",
        "Status",
        "CreationTime",
        "LastModifiedTime",
        "Url",
    } == pages[0]["Domains"][0].keys()


# What SageMaker refuses.


def code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_names_are_given_once(studio: Studio):
    domain = studio.domain(DomainName="once")
    studio.profile(domain, "userA")

    with pytest.raises(ClientError, match="already exists") as refused:
        studio.domain(DomainName="once")
    assert code(refused) == "ResourceInUse"
    with pytest.raises(ClientError, match="already exists") as refused:
        studio.profile(domain, "userA")
    assert code(refused) == "ResourceInUse"


@pytest.mark.parametrize("operation", ["describe_domain", "update_domain", "delete_domain"])
def test_a_domain_that_is_not_there_is_not_found(studio: Studio, operation: str):
    with pytest.raises(studio.client.exceptions.ResourceNotFound, match="d-nowhere"):
        getattr(studio.client, operation)(DomainId="d-nowhere")


@pytest.mark.parametrize(
    "operation", ["describe_user_profile", "update_user_profile", "delete_user_profile"]
)
def test_a_profile_that_is_not_there_is_not_found(studio: Studio, operation: str):
    domain = studio.domain()

    with pytest.raises(studio.client.exceptions.ResourceNotFound, match="nobody"):
        getattr(studio.client, operation)(DomainId=domain, UserProfileName="nobody")
    with pytest.raises(studio.client.exceptions.ResourceNotFound, match="d-nowhere"):
        getattr(studio.client, operation)(DomainId="d-nowhere", UserProfileName="nobody")


def test_a_profile_needs_its_domain(studio: Studio):
    with pytest.raises(studio.client.exceptions.ResourceNotFound, match="d-nowhere"):
        studio.client.create_user_profile(DomainId="d-nowhere", UserProfileName="userA")


def test_a_domain_with_profiles_is_not_deleted_until_the_last_one_is_gone(studio: Studio):
    named = studio.profile(studio.domain(), "userA")
    domain = studio.settled(DomainId=named["DomainId"])

    with pytest.raises(studio.client.exceptions.ResourceInUse, match="userA"):
        studio.client.delete_domain(**domain)
    studio.client.delete_user_profile(**named)
    with pytest.raises(studio.client.exceptions.ResourceInUse, match="userA"):
        studio.client.delete_domain(**domain)
    studio.statuses("gone", **named)
    studio.client.delete_domain(**domain)


def test_a_domain_that_is_being_deleted_takes_no_profile(studio: Studio):
    domain = studio.settled(DomainId=studio.domain())["DomainId"]
    studio.client.delete_domain(DomainId=domain)

    with pytest.raises(studio.client.exceptions.ResourceInUse, match="is being deleted"):
        studio.client.create_user_profile(DomainId=domain, UserProfileName="userA")


def test_what_is_changing_is_not_changed_again_before_it_has_settled(studio: Studio):
    named = {"DomainId": studio.domain(), "UserProfileName": "userA"}
    studio.client.create_user_profile(**named)

    with pytest.raises(studio.client.exceptions.ResourceInUse, match="Pending"):
        studio.client.update_user_profile(**named)
    studio.settled(**named)
    studio.client.delete_user_profile(**named)
    with pytest.raises(studio.client.exceptions.ResourceInUse, match="Deleting"):
        studio.client.delete_user_profile(**named)


@pytest.mark.parametrize("name", ["-ana", "ana-", "ana maria", "ana_maria", "ana.maria", "a" * 64])
def test_a_name_that_the_model_forbids_is_refused(studio: Studio, name: str):
    domain = studio.domain()

    with pytest.raises(ClientError, match="must satisfy regular expression pattern") as refused:
        studio.client.create_user_profile(DomainId=domain, UserProfileName=name)
    assert code(refused) == "ValidationException"
    with pytest.raises(ClientError, match="must satisfy regular expression pattern"):
        studio.domain(DomainName=name)


@pytest.fixture(params=["not there", "trusts another service", "not an ARN"])
def unfit(request: pytest.FixtureRequest, studio: Studio) -> str:
    """A role that SageMaker could not assume."""
    if request.param == "trusts another service":
        return make_role(studio.sandbox, "ec2.amazonaws.com")
    return (
        f"arn:aws:iam::{ACCOUNT}:role/nobody"
        if request.param == "not there"
        else "sagemaker-usera-role"
    )


def test_a_role_that_sagemaker_could_not_assume_is_refused(studio: Studio, unfit: str):
    domain, settings = studio.domain(), {"ExecutionRole": unfit}
    named = studio.profile(domain, "userA")

    for change in (
        lambda: studio.client.create_user_profile(
            DomainId=domain, UserProfileName="userB", UserSettings=settings
        ),
        lambda: studio.client.update_user_profile(**named, UserSettings=settings),
        lambda: studio.domain(DefaultUserSettings=settings),
        lambda: studio.client.update_domain(DomainId=domain, DefaultUserSettings=settings),
    ):
        with pytest.raises(ClientError, match=re.escape(unfit)) as refused:
            change()
        assert code(refused) == "ValidationException"
    assert studio.names() == ["userA"]


def test_an_operation_that_the_sandbox_lacks_is_refused_not_answered_empty(studio: Studio):
    with pytest.raises(ClientError, match="the sandbox has no ListImages") as refused:
        studio.client.list_images()

    assert code(refused) == "UnknownOperationException"


# Where people work.


@pytest.fixture
def at_work(studio: Studio) -> dict[str, str]:
    """An app in a space of userA's own, both in service; what names it."""
    profile = studio.settled(**studio.profile(studio.domain(), "userA"))
    space = {"DomainId": profile["DomainId"], "SpaceName": "desk"}
    studio.client.create_space(**space, OwnershipSettings={"OwnerUserProfileName": "userA"})
    wait_until(lambda: studio.client.describe_space(**space)["Status"] == "InService")
    app = space | {"AppType": "JupyterLab", "AppName": "default"}
    studio.client.create_app(**app)
    wait_until(lambda: studio.client.describe_app(**app)["Status"] == "InService")
    return app


def test_domain_profile_and_space_stay_while_an_app_runs(studio: Studio, at_work: dict[str, str]):
    domain = {"DomainId": at_work["DomainId"]}

    for delete, named, held in (
        (studio.client.delete_domain, domain, "Space desk, UserProfile userA"),
        (studio.client.delete_user_profile, domain | {"UserProfileName": "userA"}, "Space desk"),
        (studio.client.delete_space, domain | {"SpaceName": "desk"}, "App default"),
    ):
        with pytest.raises(ClientError, match=f"Unable to delete .*{held} exist") as refused:
            delete(**named)
        assert code(refused) == "ResourceInUse"


def test_they_go_one_after_the_other_and_an_app_is_remembered_as_deleted(
    studio: Studio, at_work: dict[str, str]
):
    domain, client = {"DomainId": at_work["DomainId"]}, studio.client
    client.delete_app(**at_work)
    wait_until(lambda: client.describe_app(**at_work)["Status"] == "Deleted")
    client.delete_space(**domain, SpaceName="desk")
    wait_until(lambda: not client.list_spaces(DomainIdEquals=at_work["DomainId"])["Spaces"])
    client.delete_user_profile(**domain, UserProfileName="userA")
    wait_until(lambda: not studio.names())
    client.delete_domain(**domain, RetentionPolicy={"HomeEfsFileSystem": "Delete"})

    assert [app["Status"] for app in client.list_apps()["Apps"]] == ["Deleted"]
    assert studio.statuses("gone", **domain) == ["Deleting", "gone"]
    assert studio.sandbox.client("efs").describe_file_systems()["FileSystems"] == []


def test_a_domains_file_system_stays_by_default_and_a_domain_may_have_none(
    studio: Studio,
):
    domain, other = studio.domain(), studio.domain(HomeEfsFileSystemCreation="Disabled")
    files = studio.describe(**studio.settled(DomainId=domain))["HomeEfsFileSystemId"]
    studio.client.delete_domain(DomainId=domain)

    assert "HomeEfsFileSystemId" not in studio.describe(DomainId=other)
    listed = studio.sandbox.client("efs").describe_file_systems()["FileSystems"]
    reported = [(it["FileSystemId"], it["CreationToken"], it["Tags"][0]["Key"]) for it in listed]
    assert reported == [(files, domain, "ManagedByAmazonSageMakerResource")]


def test_a_change_takes_as_long_as_requested(studio: Studio, at_work: dict[str, str]):
    reported = call_control(studio.sandbox, "settle", "POST", {"App": 60})
    studio.client.delete_app(**at_work)

    assert (reported["App"], studio.client.describe_app(**at_work)["Status"]) == (60, "Deleting")
    with pytest.raises(ClientError, match="ResourceInUse"):
        studio.client.delete_app(**at_work)


# Tags.


def test_tags_are_given_at_creation_added_and_removed(studio: Studio):
    named = studio.profile(studio.domain(), "userA", Tags=[{"Key": "team", "Value": "fish"}])
    arn = studio.describe(**named)["UserProfileArn"]
    studio.client.add_tags(
        ResourceArn=arn, Tags=[{"Key": "team", "Value": "shells"}, {"Key": "floor", "Value": "2"}]
    )

    floor, team = {"Key": "floor", "Value": "2"}, {"Key": "team", "Value": "shells"}
    assert studio.client.list_tags(ResourceArn=arn)["Tags"] == [floor, team]
    studio.client.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert studio.client.list_tags(ResourceArn=arn)["Tags"] == [floor]
    with pytest.raises(ClientError, match="does not exist"):
        studio.client.list_tags(ResourceArn=arn.replace("usera", "nobody"))


def test_a_page_of_tags_holds_as_many_as_a_resource_may_have(studio: Studio):
    arn = studio.describe(
        DomainId=studio.domain(Tags=[{"Key": f"{n:02}", "Value": ""} for n in range(50)])
    )["DomainArn"]

    assert len(studio.client.list_tags(ResourceArn=arn)["Tags"]) == 50


# What a change leaves on the bus.


def test_every_change_leaves_one_event_and_looking_leaves_none(
    studio: Studio, listener: EventListener
):
    client, domain = studio.client, studio.domain()
    named = studio.profile(domain, "userA", Tags=[{"Key": "team", "Value": "fish"}])
    client.update_user_profile(**named, UserSettings={"ExecutionRole": studio.role})
    arn = studio.describe(**named)["UserProfileArn"]
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "shells"}])
    client.delete_tags(ResourceArn=arn, TagKeys=["team"])
    client.list_tags(ResourceArn=arn)
    client.list_user_profiles()
    client.list_domains()
    studio.settled(**named)
    client.delete_user_profile(**named)
    studio.statuses("gone", **named)
    client.update_domain(DomainId=domain)
    studio.settled(DomainId=domain)
    client.delete_domain(DomainId=domain)

    assert [event["detail"]["eventName"] for event in listener.drain_events()] == [
        "CreateDomain", "CreateUserProfile", "UpdateUserProfile", "AddTags", "DeleteTags", "DeleteUserProfile", "UpdateDomain", "DeleteDomain",
    ]  # fmt: skip


def test_an_event_is_shaped_as_cloudtrails(studio: Studio, listener: EventListener):
    domain = studio.domain()
    settings = {"ExecutionRole": studio.role}
    tags = [{"Key": "team", "Value": "fish"}]
    studio.profile(
        domain,
        "userA",
        UserSettings=settings,
        SingleSignOnUserIdentifier="UserName",
        SingleSignOnUserValue="a",
        Tags=tags,
    )

    event = listener.drain_events()[-1]
    assert (event["source"], event["detail-type"], event["account"]) == (
        "aws.sagemaker",
        "AWS API Call via CloudTrail",
        ACCOUNT,
    )
    detail = event["detail"]
    assert (detail["eventSource"], detail["eventName"]) == (SAGEMAKER, "CreateUserProfile")
    assert (detail["managementEvent"], detail["eventCategory"], detail["readOnly"]) == (
        True,
        "Management",
        False,
    )
    assert (detail["eventType"], detail["awsRegion"], detail["recipientAccountId"]) == (
        "AwsApiCall",
        "us-east-1",
        ACCOUNT,
    )
    assert detail["requestParameters"] == {
        "domainId": domain,
        "userProfileName": "userA",
        "userSettings": {"executionRole": studio.role},
        "singleSignOnUserIdentifier": "UserName",
        "singleSignOnUserValue": "a",
        "tags": [{"key": "team", "value": "fish"}],
    }
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:user-profile/{domain}/usera"
    assert detail["responseElements"] == {"userProfileArn": arn}
    assert detail.keys().isdisjoint({"errorCode", "errorMessage"})
    assert abs(datetime.now(UTC) - datetime.fromisoformat(detail["eventTime"])).total_seconds() < 60
    assert len({detail["eventID"], detail["requestID"], event["id"]}) == 3


def test_a_deletion_has_no_response_elements(studio: Studio, listener: EventListener):
    named = studio.profile(studio.domain(), "userA")
    studio.client.delete_user_profile(**named)

    detail = listener.drain_events()[-1]["detail"]
    assert (detail["eventName"], detail["responseElements"]) == ("DeleteUserProfile", None)
    assert detail["requestParameters"] == {
        "domainId": named["DomainId"],
        "userProfileName": "userA",
    }


@pytest.mark.parametrize(
    ("call", "name", "code"),
    [
        (
            lambda c: c.create_user_profile(DomainId="d-nowhere", UserProfileName="userA"),
            "CreateUserProfile",
            "ResourceNotFound",
        ),
        (
            lambda c: c.update_user_profile(DomainId="d-nowhere", UserProfileName="userA"),
            "UpdateUserProfile",
            "ResourceNotFound",
        ),
        (
            lambda c: c.delete_user_profile(DomainId="d-nowhere", UserProfileName="userA"),
            "DeleteUserProfile",
            "ResourceNotFound",
        ),
        (lambda c: c.delete_domain(DomainId="d-nowhere"), "DeleteDomain", "ResourceNotFound"),
        (
            lambda c: c.create_domain(DomainName="-", AuthMode="IAM", DefaultUserSettings={}),
            "CreateDomain",
            "ValidationException",
        ),
    ],
)
def test_a_change_that_is_refused_leaves_one_event_too_with_its_code(
    studio: Studio, listener: EventListener, call: Callable[[Any], Any], name: str, code: str
):
    with pytest.raises(ClientError):
        call(studio.client)

    (event,) = listener.drain_events()
    assert (event["detail"]["eventName"], event["detail"]["errorCode"]) == (name, code)
    assert event["detail"]["errorMessage"]
    assert event["detail"]["responseElements"] is None


def test_a_rule_that_wants_no_error_code_matches_only_successful_calls(
    studio: Studio, sandbox: Sandbox
):
    make_trail(sandbox)
    done = make_listener(
        sandbox, EventPattern=json.dumps(TRAIL | {"detail": {"errorCode": [{"exists": False}]}})
    )
    domain = studio.domain()
    with pytest.raises(ClientError):
        studio.client.delete_user_profile(DomainId=domain, UserProfileName="nobody")
    studio.client.delete_domain(**studio.settled(DomainId=domain))

    assert [event["detail"]["eventName"] for event in done.drain_events()] == [
        "CreateDomain",
        "DeleteDomain",
    ]


def test_a_caller_without_the_right_is_refused_and_the_event_says_who_it_was(
    studio: Studio, listener: EventListener
):
    arn = make_role(studio.sandbox, "lambda.amazonaws.com", "sagemaker:ListUserProfiles")
    name = arn.rpartition("/")[2]
    trust = policy_document(
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    )
    studio.sandbox.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    session = studio.sandbox.client("sts").assume_role(RoleArn=arn, RoleSessionName="ana")
    hers = studio.sandbox.client("sagemaker", session["Credentials"])
    hers.list_user_profiles()

    with pytest.raises(
        ClientError, match="is not authorized to perform: sagemaker:DeleteUserProfile on resource"
    ) as refused:
        hers.delete_user_profile(DomainId="d-nowhere", UserProfileName="userA")
    assert code(refused) == "AccessDeniedException"
    (event,) = listener.drain_events()
    who = event["detail"]["userIdentity"]
    assert (who["type"], who["arn"]) == (
        "AssumedRole",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/ana",
    )
    assert who["sessionContext"]["sessionIssuer"] == {
        "type": "Role",
        "arn": arn,
        "accountId": ACCOUNT,
        "userName": name,
    }
    assert event["detail"]["errorCode"] == "AccessDeniedException"


def test_the_root_user_is_shown_as_root(studio: Studio, listener: EventListener):
    studio.domain()

    who = listener.drain_events()[0]["detail"]["userIdentity"]
    assert (who["type"], who["arn"], who["accountId"]) == (
        "Root",
        f"arn:aws:iam::{ACCOUNT}:root",
        ACCOUNT,
    )


@pytest.mark.parametrize("word", ["created", "updated", "deleted"])
def test_an_event_has_every_member_of_its_sample(
    studio: Studio, listener: EventListener, word: str
):
    named = studio.profile(studio.domain(), "userA", UserSettings={"ExecutionRole": studio.role})
    studio.client.update_user_profile(**named, UserSettings={"ExecutionRole": studio.role})
    studio.settled(**named)
    studio.client.delete_user_profile(**named)

    sample = json.loads((ROOT / f"events/profile_{word}.json").read_text())
    (event,) = [
        event
        for event in listener.drain_events()
        if event["detail"]["eventName"] == sample["detail"]["eventName"]
    ]
    assert members(sample) - members(event) == set()


def members(value: Any, name: str = "") -> set[str]:
    inner = value.items() if isinstance(value, dict) else ()
    return {name} | {line for key, item in inner for line in members(item, f"{name}.{key}")}


# A notebook.


def test_a_notebook_is_a_session_of_its_profiles_role_or_else_of_its_domains(studio: Studio):
    its = make_role(studio.sandbox, SAGEMAKER)
    domain = studio.domain()
    studio.profile(domain, "userA", UserSettings={"ExecutionRole": its})
    studio.profile(domain, "userB")

    assert [notebook(studio, name) for name in ("userA", "userB")] == [
        its.rpartition("/")[2],
        studio.role.rpartition("/")[2],
    ]


def test_a_notebook_whose_role_is_gone_is_refused(studio: Studio):
    its = make_role(studio.sandbox, SAGEMAKER)
    studio.profile(studio.domain(), "userA", UserSettings={"ExecutionRole": its})
    studio.sandbox.client("iam").delete_role(RoleName=its.rpartition("/")[2])

    with pytest.raises(urllib.error.HTTPError, match="403"):
        notebook(studio, "userA")


def notebook(studio: Studio, profile: str) -> str:
    """The role whose session the profile's notebook is."""
    with urllib.request.urlopen(
        ask_control(studio.sandbox, f"/_sandbox/notebook?profile={profile}")
    ) as answer:
        keys = json.load(answer)
    return str(studio.sandbox.client("sts", keys).get_caller_identity()["Arn"].split("/")[1])
