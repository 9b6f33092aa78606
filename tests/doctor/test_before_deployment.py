"""`grantor doctor` in an account without a stack: what would stop the first deployment."""

import json
from pathlib import Path

import pytest

from sandbox.testing.helpers import policy_document, wait_until
from tests.conftest import ACCOUNT
from tests.doctor.conftest import Patient, Problem

LONG_NAME = "a-name-of-forty-eight-characters-which-is-a-lot-"


@pytest.fixture(autouse=True)
def empty(newcomer: Patient) -> None:
    newcomer.account.reset()


def test_nothing_is_wrong_in_an_empty_account_and_what_needs_a_stack_is_skipped(newcomer: Patient):
    code, printed = newcomer.run("doctor")

    assert (code, newcomer.list_problems()) == (0, set())
    assert "skipped  ledger             the stack is not deployed" in printed.splitlines()


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        (["RolePrefix=-x"], ("role-prefix", "failure")),
        (["VpcCIDR=10.0.0.0/30"], ("network", "failure")),
        (["AccessGrants=existing"], ("instance", "failure")),
        (["Trail=existing"], ("trail", "failure")),
    ],
)
def test_a_planned_parameter_is_judged(newcomer: Patient, parameters: list[str], problem: Problem):
    words = [word for pair in parameters for word in ("--parameter", pair)]

    assert newcomer.list_problems(*words) == {problem}


def test_parameters_come_from_samconfig_too(
    newcomer: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "samconfig.toml").write_text(
        '[default.deploy.parameters]\nregion = "eu-west-1"\n'
        'parameter_overrides = "VpcCIDR=\\"10.0.0.0/8\\" DomainName=Other"\n'
    )
    monkeypatch.chdir(tmp_path)

    assert newcomer.list_problems() == {("network", "failure"), ("region", "warning")}


def test_a_stack_name_that_is_too_long_is_found(newcomer: Patient):
    assert newcomer.list_problems("--stack", LONG_NAME) == {("stack-name", "failure")}


def test_a_region_without_studios_types_is_found(newcomer: Patient):
    assert newcomer.list_problems(region="ca-west-1") == {
        ("region-studio", "failure"),
        ("spark-image-list", "warning"),
    }


def test_what_the_account_already_has_is_found(newcomer: Patient):
    trust = policy_document(
        {"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )
    role = newcomer.client("iam").create_role(
        RoleName="grantor-usera-role", AssumeRolePolicyDocument=trust
    )["Role"]["Arn"]
    newcomer.client("s3control").create_access_grants_instance(AccountId=ACCOUNT)
    newcomer.client("sagemaker").create_domain(
        DomainName="Product-Domain",
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": role},
        VpcId="vpc-1",
        SubnetIds=["subnet-1"],
    )

    assert newcomer.list_problems() == {
        ("instance", "failure"),
        ("domain-name", "failure"),
        ("role-names", "failure"),
    }


def test_the_quotas_of_a_young_account_are_found(newcomer: Patient):
    with newcomer.switched(job_instances_quota=0, concurrent_executions=10):
        assert newcomer.list_problems() == {("job-quota", "failure"), ("concurrency", "warning")}


def test_a_stack_whose_creation_failed_is_found(newcomer: Patient):
    cloud = newcomer.client("cloudformation")
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": "no"}}
    cloud.create_stack(StackName="broken", TemplateBody=json.dumps({"Resources": {"Q": queue}}))

    wait_until(
        lambda: (
            cloud.describe_stacks(StackName="broken")["Stacks"][0]["StackStatus"]
            == "ROLLBACK_COMPLETE"
        )
    )

    assert ("stack-state", "failure") in newcomer.list_problems("--stack", "broken")


def test_a_stack_of_somebody_else_is_not_judged(newcomer: Patient):
    cloud, queue = newcomer.client("cloudformation"), {"Type": "AWS::SQS::Queue"}
    cloud.create_stack(StackName="other", TemplateBody=json.dumps({"Resources": {"Q": queue}}))
    wait_until(
        lambda: (
            cloud.describe_stacks(StackName="other")["Stacks"][0]["StackStatus"]
            == "CREATE_COMPLETE"
        )
    )

    assert newcomer.run("doctor", "--stack", "other") == (1, "")


def test_an_unknown_parameter_is_a_mistake_of_usage(newcomer: Patient):
    assert newcomer.run("doctor", "--parameter", "VpcCidr=10.0.0.0/16")[0] == 2
