"""What `grantor doctor` says of an account and of a stack: nothing of a healthy one, and the name of
what is wrong of each other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from grantor.core.bucket_checks import check_named_buckets
from grantor.core.deployment_checks import (
    DEFAULT_PARAMETERS,
    LONGEST_FUNCTION_SUFFIX,
    AccountFacts,
    TrailFact,
    VacancyFacts,
    check_account,
    check_vacancy,
)
from grantor.core.findings import EXPLANATIONS, Finding, Severity, Unread
from grantor.core.jobs.request import IMAGE_ACCOUNTS
from grantor.core.stack_checks import (
    BucketFact,
    LedgerFact,
    LocationFact,
    ProfileFacts,
    RoleFact,
    StackFacts,
    Verdict,
    check_profiles,
    check_stack,
    is_refused,
)
from grantor.limits import LISTED_IMAGE_REGIONS, REGIONS_WITHOUT_STUDIO_TYPES
from harness.fast_yaml import FastLoader
from tests.conftest import ROOT

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ROLE = "arn:aws:iam::111122223333:role/team/grantor-usera-role"
INSTANCE = "arn:aws:s3:us-east-1:111122223333:access-grants/default"
SCIENTIST = "arn:aws:iam::111122223333:policy/grantor-Scientist"
UNREAD = Unread("service:Action", "AccessDenied: not yours")


def deny(**statement: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Deny", "Principal": "*"} | statement]}


# As template.yaml has them.
VENDED_ONLY = deny(
    Action="s3:*",
    Resource="arn:aws:s3:::data/*",
    Condition={
        "ArnNotEquals": {"s3:AccessGrantsInstanceArn": INSTANCE},
        "ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::111122223333:role/pipeline-*"]},
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
    },
)
STEWARDS_ONLY = deny(
    NotAction=["s3:Get*", "s3:List*"],
    Resource="arn:aws:s3:::policies/*",
    Condition={"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/steward"}},
)


def trust(service: str, *actions: str) -> dict[str, Any]:
    return {
        "Statement": {"Effect": "Allow", "Principal": {"Service": service}, "Action": [*actions]}
    }


ACCOUNT = AccountFacts(
    "us-east-1",
    "us-east-1",
    "grantor",
    DEFAULT_PARAMETERS,
    True,
    [TrailFact("stack", True, True)],
    {"ml.m5.xlarge": 4.0},
    1000,
)
VACANCY = VacancyFacts("", "", {}, [], [])
STACK = StackFacts(
    "UPDATE_ROLLBACK_COMPLETE",
    NOW,
    "topic",
    INSTANCE,
    True,
    LocationFact(
        "location-role",
        trust(
            "access-grants.s3.amazonaws.com",
            "sts:AssumeRole",
            "sts:SetSourceIdentity",
            "sts:SetContext",
        ),
    ),
    LedgerFact("ledger", True, True, True),
    BucketFact("data", True, VENDED_ONLY),
    BucketFact("policies", True, STEWARDS_ONLY),
    {"Schedule": True, "ReconcileGrantsEventQueue": True},
    {"EventDLQ": 0},
    [],
    NOW - timedelta(minutes=10),
    1,
    {"grantor-reconcile-grants": True},
    ["arn:aws:s3:::another"],
)
RIGHTS: Mapping[str, Any] = {
    "studio-rights": Verdict(()),
    "credentials": Verdict(()),
    "pass-role": Verdict(()),
    "data-without-grant": Verdict(("s3:GetObject",)),
    "policy-writes": Verdict(("s3:PutObject", "sts:AssumeRole")),
}
USER_A = RoleFact(
    ROLE,
    ("Product-Domain/userA",),
    True,
    trust("sagemaker.amazonaws.com", "sts:AssumeRole"),
    "grantor-usera-role",
    [SCIENTIST],
    RIGHTS,
)
PROFILES = ProfileFacts([USER_A], {}, 1, SCIENTIST, INSTANCE)
Problems = list[tuple[str, str]]


def list_problems(findings: list[Finding]) -> Problems:
    """The ids and severities of what is neither ok nor skipped."""
    calm = (Severity.OK, Severity.SKIPPED)
    return [(one.id, str(one.severity)) for one in findings if one.severity not in calm]


def before(account: AccountFacts = ACCOUNT, vacancy: VacancyFacts = VACANCY) -> list[Finding]:
    """Everything that is said before a deployment."""
    found = replace(account, trails=[]) if account.trails == ACCOUNT.trails else account
    return [*check_account(found), *check_vacancy(found, vacancy)]


def after(
    stack: StackFacts = STACK, profiles: ProfileFacts = PROFILES, account: AccountFacts = ACCOUNT
) -> list[Finding]:
    """Everything that is said after a deployment."""
    return [*check_account(account), *check_stack(account, stack), *check_profiles(stack, profiles)]


def parameters(**given: str) -> AccountFacts:
    return replace(ACCOUNT, parameters=DEFAULT_PARAMETERS | given)


def role(**changed: Any) -> ProfileFacts:
    return replace(PROFILES, roles=[replace(USER_A, **changed)])


def rights(**changed: Any) -> ProfileFacts:
    return role(rights=RIGHTS | {name.replace("_", "-"): it for name, it in changed.items()})


def failure(name: str) -> Problems:
    return [(name, "failure")]


def warning(name: str) -> Problems:
    return [(name, "warning")]


def unknown(name: str) -> Problems:
    return [(name, "unknown")]


@dataclass(frozen=True)
class Situation:
    """What is wrong, as a sentence; the findings; and the problems among them."""

    sentence: str
    findings: Callable[[], list[Finding]]
    problems: Problems


def facing(sentence: str, findings: Callable[[], list[Finding]], problems: Problems) -> Situation:
    return Situation(sentence, findings, problems)


MOST = replace(ACCOUNT, trails=[TrailFact(str(n), False, False) for n in range(5)])
OTHER_TRAIL = replace(ACCOUNT, trails=[TrailFact("other", True, True)])
SILENT_TRAILS = [TrailFact("off", False, True), TrailFact("reads", True, False)]
EXISTING_TRAIL = replace(parameters(Trail="existing"), trails=SILENT_TRAILS)
OPEN = replace(STACK.data, policy={})

SITUATIONS = [
    facing("samconfig.toml names another Region", lambda: before(replace(ACCOUNT, configured_region="eu-west-1")), warning("region")),
    facing("a bucket that the parameters name is missing", lambda: list(check_named_buckets({"gone": "s3://gone/ does not exist"})), failure("existing-bucket")),
    facing("S3 Access Grants is not listed there", lambda: before(replace(ACCOUNT, region="ap-southeast-5", configured_region="")), [*warning("region-grants"), *warning("spark-image-list")]),
    facing("there are no domains there", lambda: before(replace(ACCOUNT, region="ca-west-1", configured_region="")), [*failure("region-studio"), *warning("spark-image-list")]),
    facing("there is no Spark image there", lambda: before(replace(ACCOUNT, region="eu-west-1", configured_region="", has_image=False)), failure("spark-image")),
    facing("the quota of processing instances is 0", lambda: before(replace(ACCOUNT, quotas={"ml.m5.xlarge": 0.0})), failure("job-quota")),
    facing("the quota is too small for the job", lambda: before(replace(ACCOUNT, quotas={"ml.m5.xlarge": 1.0})), warning("job-quota")),
    facing("Service Quotas does not list it", lambda: before(replace(ACCOUNT, quotas={})), unknown("job-quota")),
    facing("the account is young", lambda: before(replace(ACCOUNT, concurrency=10)), warning("concurrency")),
    facing("the quotas are unread", lambda: before(replace(ACCOUNT, quotas=UNREAD, concurrency=UNREAD)), [*unknown("job-quota"), *unknown("concurrency")]),
    facing("the stack's name is too long", lambda: before(replace(ACCOUNT, stack="g" * 48)), failure("stack-name")),
    facing("the stack's name is open to everybody", lambda: before(replace(ACCOUNT, stack="my-SageMaker")), failure("stack-name")),
    facing("the prefix is no name", lambda: before(parameters(RolePrefix="1st")), failure("role-prefix")),
    facing("the prefix is matched by AWS's policies", lambda: before(parameters(RolePrefix="sagemaker")), warning("role-prefix")),
    facing("an address is malformed", lambda: before(parameters(VpcCIDR="10.0.0/16")), failure("network")),
    facing("bits are set behind the prefix", lambda: before(parameters(PublicSubnetCIDR="10.0.32.1/24")), failure("network")),
    facing("the network is too large", lambda: before(parameters(VpcCIDR="10.0.0.0/8")), failure("network")),
    facing("a subnet is outside", lambda: before(parameters(PublicSubnetCIDR="10.1.0.0/24")), failure("network")),
    facing("two subnets overlap", lambda: before(parameters(PublicSubnetCIDR="10.0.0.0/24")), failure("network")),
    facing("a subnet is missing", lambda: before(parameters(PrivateSubnetCIDR="10.0.0.0/20")), failure("network")),
    facing("an earlier deployment failed", lambda: before(vacancy=replace(VACANCY, status="ROLLBACK_COMPLETE")), failure("stack-state")),
    facing("there is an instance already", lambda: before(vacancy=replace(VACANCY, instance=INSTANCE)), failure("instance")),
    facing("there is no instance", lambda: before(parameters(AccessGrants="existing")), failure("instance")),
    facing("there is no such location", lambda: before(parameters(AccessGrants="existing", AccessGrantsLocation="default"), replace(VACANCY, instance=INSTANCE)), failure("location")),
    facing("a location is named for a new instance", lambda: before(parameters(AccessGrantsLocation="default")), failure("location")),
    facing("the instance is unread", lambda: before(vacancy=replace(VACANCY, instance=UNREAD)), unknown("instance")),
    facing("the locations are unread", lambda: before(parameters(AccessGrants="existing", AccessGrantsLocation="default"), replace(VACANCY, instance=INSTANCE, locations=UNREAD)), unknown("location")),
    facing("another trail logs already", lambda: [*check_vacancy(OTHER_TRAIL, VACANCY)], warning("trail")),
    facing("there are five trails", lambda: before(MOST), failure("trail")),
    facing("no existing trail logs writes", lambda: before(EXISTING_TRAIL), failure("trail")),
    facing("the trails are unread", lambda: before(replace(ACCOUNT, trails=UNREAD)), unknown("trail")),
    facing("the domain's name is taken", lambda: before(vacancy=replace(VACANCY, domains=["Product-Domain"])), failure("domain-name")),
    facing("the roles' names are taken", lambda: before(vacancy=replace(VACANCY, taken_roles=["grantor-usera-role"])), failure("role-names")),
    facing("domains and roles are unread", lambda: before(vacancy=replace(VACANCY, domains=UNREAD, taken_roles=UNREAD)), [*unknown("domain-name"), *unknown("role-names")]),
    facing("an update has failed", lambda: after(replace(STACK, status="UPDATE_ROLLBACK_FAILED")), failure("stack-state")),
    facing("an update is in progress", lambda: after(replace(STACK, status="UPDATE_IN_PROGRESS")), warning("stack-state")),
    facing("the instance is gone", lambda: after(replace(STACK, instance="", location=None)), [*failure("instance"), *failure("data-location")]),
    facing("instance and location are unread", lambda: after(replace(STACK, instance=UNREAD, location=UNREAD)), [*unknown("instance"), *unknown("data-location")]),
    facing("the location's role is gone", lambda: after(replace(STACK, location=LocationFact("r", {}), has_directory=False)), failure("location-role")),
    facing("the role does not know Identity Center", lambda: after(replace(STACK, location=LocationFact("r", trust("access-grants.s3.amazonaws.com", "sts:A*", "sts:SetSourceIdentity")))), failure("directory-trust")),
    facing("the trail was stopped", lambda: after(account=replace(ACCOUNT, trails=SILENT_TRAILS)), failure("trail")),
    facing("the ledger is gone", lambda: after(replace(STACK, ledger=LedgerFact("ledger", False))), failure("ledger")),
    facing("the ledger is not protected", lambda: after(replace(STACK, ledger=LedgerFact("ledger", True, False, False))), [*warning("ledger-protection"), *warning("ledger-recovery")]),
    facing("the ledger is unread", lambda: after(replace(STACK, ledger=UNREAD)), unknown("ledger")),
    facing("uploads send no events", lambda: after(replace(STACK, data=replace(STACK.data, sends_events=False))), failure("bucket-events")),
    facing("policy files send no events", lambda: after(replace(STACK, policies=replace(STACK.policies, sends_events=False))), failure("bucket-events")),
    facing("the data bucket is open", lambda: after(replace(STACK, data=OPEN)), warning("data-bucket")),
    facing("the policy bucket is open", lambda: after(replace(STACK, policies=replace(STACK.policies, policy={}))), warning("policy-bucket")),
    facing("the buckets are unread", lambda: after(replace(STACK, data=BucketFact("data", UNREAD, UNREAD))), [*unknown("bucket-events"), *unknown("data-bucket")]),
    facing("Lake Formation vends a folder", lambda: after(replace(STACK, registered=["arn:aws:s3:::data/x"])), warning("lake-formation")),
    facing("Lake Formation is unread", lambda: after(replace(STACK, registered=UNREAD)), unknown("lake-formation")),
    facing("a trigger is disabled", lambda: after(replace(STACK, triggers={"Schedule": False})), failure("trigger")),
    facing("the triggers are unread", lambda: after(replace(STACK, triggers=UNREAD, dead_letters=UNREAD, in_alarm=UNREAD)), [*unknown("trigger"), *unknown("dead-letters"), *unknown("alarm")]),
    facing("the clock stands still", lambda: after(replace(STACK, last_sweep=NOW - timedelta(hours=1))), failure("clock")),
    facing("no sweep has run yet", lambda: after(replace(STACK, last_sweep=None)), warning("first-sweep")),
    facing("the last sweep is unread", lambda: after(replace(STACK, last_sweep=UNREAD)), unknown("clock")),
    facing("dead letters wait", lambda: after(replace(STACK, dead_letters={"EventDLQ": 1, "UploadDLQ": 0})), failure("dead-letters")),
    facing("an alarm is on", lambda: after(replace(STACK, in_alarm=["grantor-errors"])), failure("alarm")),
    facing("nobody has subscribed", lambda: after(replace(STACK, subscribers=0)), warning("alerts")),
    facing("the subscriptions are unread", lambda: after(replace(STACK, subscribers=UNREAD)), unknown("alerts")),
    facing("loops are stopped", lambda: after(replace(STACK, loops={"grantor-reconcile-grants": False})), failure("recursion")),
    facing("loop detection is unread", lambda: after(replace(STACK, loops=UNREAD)), unknown("recursion")),
    facing("a role is gone", lambda: after(profiles=role(exists=False, rights={})), failure("profile-role")),
    facing("SageMaker is not trusted", lambda: after(profiles=role(trust=trust("ec2.amazonaws.com", "sts:AssumeRole"))), failure("role-trust")),
    facing("anybody is trusted, but no service", lambda: after(profiles=role(trust=deny() | {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]})), failure("role-trust")),
    facing("a role has no tag", lambda: after(profiles=role(tag="")), warning("role-tag")),
    facing("a role has another's tag", lambda: after(profiles=role(tag="grantor-userb-role")), warning("role-tag")),
    facing("a role lacks the denies", lambda: after(profiles=role(policies=[])), warning("role-denies")),
    facing("a role's policies are unread", lambda: after(profiles=role(policies=UNREAD)), unknown("role-denies")),
    facing("Studio stays closed", lambda: after(profiles=rights(studio_rights=Verdict(("sagemaker:CreateApp",)))), failure("studio-rights")),
    facing("no credentials", lambda: after(profiles=rights(credentials=Verdict(("s3:GetDataAccess",)))), failure("credentials")),
    facing("the role cannot be passed", lambda: after(profiles=rights(pass_role=Verdict(("iam:PassRole",)))), failure("pass-role")),
    facing("a right depends on an address", lambda: after(profiles=rights(pass_role=Verdict(("iam:PassRole",), (), ("aws:SourceIp",)))), unknown("pass-role")),
    facing("rights are unread", lambda: after(profiles=rights(credentials=UNREAD, data_without_grant=UNREAD)), [*unknown("credentials"), *unknown("data-without-grant")]),
    facing("data is open to the role and the bucket", lambda: after(replace(STACK, data=OPEN), rights(data_without_grant=Verdict((), ("s3:GetObject",)))), [*warning("data-bucket"), *failure("data-without-grant")]),
    facing("the bucket excepts the role", lambda: after(profiles=role(arn=ROLE.replace("team/grantor-usera-role", "pipeline-1"), tag="pipeline-1", rights=RIGHTS | {"data-without-grant": Verdict((), ("s3:GetObject",))})), failure("data-without-grant")),
    facing("data may be open, the bucket is unread", lambda: after(replace(STACK, data=BucketFact("data", True, UNREAD)), rights(data_without_grant=Verdict((), ("s3:GetObject",)))), [*unknown("data-bucket"), *unknown("data-without-grant")]),
    facing("data depends on an address", lambda: after(profiles=rights(data_without_grant=Verdict(("s3:GetObject",), (), ("aws:SourceIp",)))), unknown("data-without-grant")),
    facing("the role can become the steward", lambda: after(profiles=rights(policy_writes=Verdict((), ("sts:AssumeRole",)))), failure("policy-writes")),
    facing("the role writes policy, and the bucket lets it", lambda: after(replace(STACK, policies=replace(STACK.policies, policy={})), rights(policy_writes=Verdict((), ("s3:PutObject",)))), [*warning("policy-bucket"), *failure("policy-writes")]),
    facing("there is no profile", lambda: after(profiles=replace(PROFILES, roles=[], count=0)), warning("profiles")),
    facing("there are too many roles", lambda: after(profiles=replace(PROFILES, count=51)), warning("profiles")),
    facing("a domain is unread", lambda: after(profiles=replace(PROFILES, unread={"domain x": "no"}, roles=[])), [*unknown("profiles"), *warning("profiles")]),
    facing("the profiles are unread", lambda: after(profiles=replace(PROFILES, roles=UNREAD)), unknown("profiles")),
    facing("a role is unread", lambda: after(profiles=replace(PROFILES, roles=[UNREAD])), unknown("profile-role")),
]  # fmt: skip


def test_a_healthy_account_and_a_healthy_stack_have_no_problem():
    assert list_problems(before()) == []
    assert list_problems(after()) == []


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda it: it.sentence.replace(" ", "-"))
def test_what_is_wrong_is_named_with_what_it_means_and_what_to_do(situation: Situation):
    findings = situation.findings()
    wrong = [one for one in findings if (one.id, str(one.severity)) in situation.problems]

    assert list_problems(findings) == situation.problems
    assert all(one.meaning and one.remedy and "{" not in one.what for one in wrong)


def test_every_explanation_is_given_in_some_situation():
    given = {name for it in SITUATIONS for name, _ in it.problems}

    assert given == EXPLANATIONS.keys()
    assert len(given) >= 25


def test_without_a_studio_of_its_own_nothing_about_it_is_checked():
    existing = replace(parameters(CreateStudio="false"), region="ca-west-1", configured_region="")
    skipped = {one.id for one in before(existing) if one.severity is Severity.SKIPPED}

    assert skipped == {"region-studio", "network", "domain-name"}


def test_an_identity_that_allows_everything_is_ok_if_the_bucket_refuses_it():
    wide = rights(
        data_without_grant=Verdict((), ("s3:GetObject",)),
        policy_writes=Verdict((), ("s3:PutObject",)),
    )

    assert list_problems(after(profiles=wide)) == []


def test_an_existing_location_that_is_there_is_ok():
    given = parameters(AccessGrants="existing", AccessGrantsLocation="default")
    there = replace(VACANCY, instance=INSTANCE, locations={"default": "s3://"})

    assert list_problems(before(given, there)) == []


@pytest.mark.parametrize(
    ("condition", "closed"),
    [
        ({}, True),
        ({"Null": {"s3:AccessGrantsInstanceArn": "true"}}, True),
        ({"Null": {"s3:AccessGrantsInstanceArn": "false"}}, False),
        ({"StringNotEquals": {"aws:PrincipalTag/team": "a"}}, False),
        ({"ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::111122223333:role/team/*"]}}, False),
    ],
)
def test_a_bucket_is_closed_only_if_every_condition_surely_holds(
    condition: dict[str, Any], closed: bool
):
    policy = deny(Action=["s3:GetObject"], Resource="arn:aws:s3:::data/*", Condition=condition)

    assert is_refused(policy, ROLE, "s3:GetObject", "arn:aws:s3:::data/x") is closed


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow"},
        {"Principal": {"AWS": "arn:aws:iam::111122223333:root"}},
        {"Action": "s3:PutObject"},
        {"Resource": "arn:aws:s3:::data/other/*"},
    ],
)
def test_a_statement_about_something_else_closes_nothing(statement: dict[str, Any]):
    whole = {"Action": "s3:*", "Resource": "arn:aws:s3:::data/*"} | statement

    assert not is_refused(deny(**whole), ROLE, "s3:GetObject", "arn:aws:s3:::data/x")


def test_a_finding_is_a_document():
    [found] = [one for one in after(replace(STACK, subscribers=0)) if one.id == "alerts"]

    assert found.to_json() == {
        "id": "alerts",
        "severity": "warning",
        "what": "0 confirmed subscriptions of alerts",
        "meaning": "nobody gets a notification when a person must act",
        "remedy": "aws sns subscribe --topic-arn topic --protocol email --notification-endpoint "
        "ADDRESS, and confirm the mail",
    }


class Template(FastLoader):
    """Reads CloudFormation's short forms as their arguments."""


def read_short_form(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


Template.add_multi_constructor("!", read_short_form)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Template)


def test_the_defaults_are_those_of_the_template():
    defaults = {name: TEMPLATE["Parameters"][name]["Default"] for name in DEFAULT_PARAMETERS}

    assert {name: str(value) for name, value in defaults.items()} == DEFAULT_PARAMETERS


def test_no_function_of_the_template_has_a_longer_name():
    names = [
        str(it["Properties"]["FunctionName"]).removeprefix("${AWS::StackName}")
        for it in TEMPLATE["Resources"].values()
        if "FunctionName" in it.get("Properties", {})
    ]

    assert max(names, key=len, default=LONGEST_FUNCTION_SUFFIX) == LONGEST_FUNCTION_SUFFIX


def test_the_template_refuses_the_regions_that_the_doctor_names():
    [rule] = TEMPLATE["Rules"]["StudioInRegion"]["Assertions"]
    [contains] = rule["Assert"]

    assert set(contains["Fn::Contains"][0]) == REGIONS_WITHOUT_STUDIO_TYPES.keys()


def test_the_sdk_names_an_image_in_every_region_of_aws_own_list():
    assert IMAGE_ACCOUNTS.keys() > LISTED_IMAGE_REGIONS
    assert len(LISTED_IMAGE_REGIONS) == 22
