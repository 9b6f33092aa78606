"""Rules for several Studio domains, with exceptions and a date for each person, end to end."""

import pytest

from tests.grantor_setup import DOMAIN, GrantorSetup

OTHERS = ("Lab", "Office", "Shop")
POLICY = """\
version: 1
owner: data-platform@example.com
rules:
  - name: own-folder
    to: {each_profile: {domain: "*", except: [guest, {tags: {kind: contractor}}]}}
    on: "s3://{data_bucket}/people/{domain.name}/{profile.folder}/*"
    allow: READWRITE
  - name: contractors
    to: {profiles: {domain: [Product-Domain, Lab], tags: {kind: contractor}}}
    on: ["s3://{data_bucket}/handbook/*", "s3://{data_bucket}/tools/*"]
    allow: READ
    until: "{profile.tags.end}"
"""


def add_domain(setup: GrantorSetup, name: str, *profiles: str) -> None:
    """Create another domain, with these profiles; each has a role of its own."""
    product = setup.domain
    made = setup.client("sagemaker").create_domain(
        DomainName=name,
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": setup.create_role("domain-default")},
        VpcId="vpc-1",
        SubnetIds=["subnet-1"],
    )
    setup.domain = made["DomainArn"].rpartition("/")[2]
    for profile in profiles:
        setup.create_profile(profile, role=f"{name}-{profile}")
    setup.wait_for_profiles(*profiles)
    setup.domain = product


def tag_profile(setup: GrantorSetup, name: str, **tags: str) -> None:
    place = {"DomainId": setup.domain, "UserProfileName": name}
    studio = setup.client("sagemaker")
    arn = studio.describe_user_profile(**place)["UserProfileArn"]
    studio.add_tags(
        ResourceArn=arn, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
    )


@pytest.fixture
def company(setup: GrantorSetup) -> GrantorSetup:
    """Four domains that all have a userA, and one contractor."""
    for name in OTHERS:
        add_domain(setup, name, "userA", "guest")
    setup.create_profile("conny", kind="contractor", end="2100-03-31")
    setup.wait_for_profiles("userA", "userB", "conny")
    setup.put_policy("company", POLICY)
    setup.reconcile()
    return setup


def scopes(setup: GrantorSetup) -> set[str]:
    return {grant.scope.removeprefix("s3://data/") for grant in setup.list_grants()}


def test_one_name_in_several_domains_is_several_folders(company: GrantorSetup):
    assert scopes(company) == {
        *(f"people/{name}/UserA/*" for name in (DOMAIN, *OTHERS)),
        f"people/{DOMAIN}/UserB/*",
        "handbook/*",
        "tools/*",
    }
    assert company.reconcile().done == []


def test_an_event_for_one_profile_reads_its_own_domain_only(company: GrantorSetup):
    company.create_profile("userC")
    company.wait_for_profiles("userC")
    company.reset_call_counts()

    report = company.reconcile(company.build_profile_trigger("userC"))

    calls = company.count_calls("sagemaker")
    assert [change.grant.scope for change in report.done] == [f"s3://data/people/{DOMAIN}/UserC/*"]
    # Itself and the name that has the same folder; no list of profiles.
    assert (calls.get("ListUserProfiles", 0), calls["DescribeUserProfile"]) == (0, 2)
    assert company.reconcile().done == []


def test_the_end_follows_the_tag_and_the_grants_go_without_it(company: GrantorSetup):
    def ends() -> set[str]:
        return {
            f"{reason.until:%Y-%m-%d}" if reason.until else "never"
            for grant, entry in company.read_ledger().items()
            for reason in entry.reasons
            if grant.scope.endswith(("handbook/*", "tools/*"))
        }

    assert ends() == {"2100-04-01"}
    tag_profile(company, "conny", end="2100-12-31")
    company.reconcile()
    assert ends() == {"2101-01-01"}

    tag_profile(company, "conny", end="31.12.2100")
    report = company.reconcile()

    assert ends() == set()
    assert [str(one) for one in report.warnings if "conny" in one.what] == [
        (
            "policy/company.yaml:8:5: rule contractors for profile Product-Domain/conny: its tag end is "
            "'31.12.2100': that is no day on which a rule can end; write a date in the tag, such as "
            "2027-03-31, or a time in UTC (owner: data-platform@example.com)"
        )
    ]


def test_a_plan_names_whom_to_ask(company: GrantorSetup):
    company.put_policy("company", POLICY.replace("allow: READWRITE", "allow: READ"))
    report = company.reconcile()

    assert report.done
    assert list(map(str, report.owners)) == [
        "data-platform@example.com, of policy/company.yaml#own-folder"
    ]
    document = report.to_document("stack")
    assert document["owners"] == [
        {
            "owner": "data-platform@example.com",
            "description": None,
            "rules": ["policy/company.yaml#own-folder"],
        }
    ]
    assert type(report).from_document(document).owners == report.owners
