"""The managed policy JobNetwork, taken from the template: jobs run in JobSubnets by it."""

from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from sandbox.testing.helpers import make_role, run_networked_job, unique_name, wait_until
from tests.conftest import ROOT, Sandbox
from tests.template.test_events import Template

TEXT = (ROOT / "template.yaml").read_text()
TEMPLATE = yaml.load(TEXT, Template)
ENDPOINTS = ("S3", "S3 Control", "STS", "CloudWatch Logs", "CloudWatch", "ECR")
JOB_RIGHTS = ("logs:*", "ecr:*")


def cut_block(name: str) -> str:
    """The text of a parameter, condition or resource, with its name, waiting for no other."""
    lines = TEXT.splitlines()
    start = lines.index(next(line for line in lines if line.startswith(f"  {name}:")))
    rest = lines[start + 1 :]
    end = next(place for place, line in enumerate(rest) if not line.startswith("    "))
    own = [line for line in rest[:end] if not line.startswith("    DependsOn:")]
    return "\n".join([lines[start], *own])


@dataclass(frozen=True)
class NetworkedJobs:
    """A role with the policy, and the subnet and security group that the policy is for."""

    sandbox: Sandbox
    role: str
    subnet: str
    group: str

    def run(self, subnet: str, group: str) -> dict[str, Any]:
        """The description of a job that ran there and did nothing."""
        return run_networked_job(self.sandbox.client("sagemaker"), self.role, subnet, group)


@pytest.fixture(scope="module")
def jobs(server: Sandbox) -> NetworkedJobs:
    ec2, iam = server.client("ec2"), server.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet, spare = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24")["Subnet"]["SubnetId"]
        for n in (1, 2)
    )
    group = ec2.create_security_group(GroupName="jobs", Description="jobs", VpcId=vpc)["GroupId"]
    parts = ["Parameters:", cut_block("JobSubnets"), cut_block("JobSecurityGroups"), "Conditions:"]
    parts += [cut_block("JobsInNetwork"), "Resources:", cut_block("JobNetwork"), "Outputs:"]
    stack, cloudformation = unique_name("network"), server.client("cloudformation")
    given = {"JobSubnets": f"{subnet},{spare}", "JobSecurityGroups": group}
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody="\n".join([*parts, "  Policy: {Value: !Ref JobNetwork}", ""]),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
    )

    def describe() -> dict[str, Any]:
        return dict(cloudformation.describe_stacks(StackName=stack)["Stacks"][0])

    wait_until(lambda: describe()["StackStatus"] == "CREATE_COMPLETE")
    role = make_role(server, "sagemaker.amazonaws.com", *JOB_RIGHTS)
    iam.attach_role_policy(
        RoleName=role.rpartition("/")[2], PolicyArn=describe()["Outputs"][0]["OutputValue"]
    )
    return NetworkedJobs(server, role, subnet, group)


def test_a_job_runs_in_the_subnets_of_the_parameter(jobs: NetworkedJobs):
    ended = jobs.run(jobs.subnet, jobs.group)

    assert ended["ProcessingJobStatus"] == "Completed", ended.get("FailureReason")


def test_a_job_runs_in_no_other_subnet_and_with_no_other_security_group(jobs: NetworkedJobs):
    ec2 = jobs.sandbox.client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=[jobs.subnet])["Subnets"][0]["VpcId"]
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.3.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="wide", Description="wide", VpcId=vpc)["GroupId"]

    reasons = [
        jobs.run(*place)["FailureReason"] for place in ((other, jobs.group), (jobs.subnet, group))
    ]
    assert ["ec2:CreateNetworkInterface" in reason for reason in reasons] == [True, True]


def test_sagemaker_takes_no_subnets_without_security_groups(jobs: NetworkedJobs):
    with pytest.raises(ClientError, match="SecurityGroupIds"):
        jobs.run(jobs.subnet, "")


def test_the_parameter_names_every_service_that_a_job_calls():
    description = TEMPLATE["Parameters"]["JobSubnets"]["Description"]

    assert [name for name in ENDPOINTS if name not in description] == []


def test_the_roles_of_the_users_have_the_policy_if_jobs_have_a_network():
    studio = yaml.load((ROOT / "stacks/studio.yaml").read_text(), Template)["Resources"]
    attached = [
        studio[role]["Properties"]["ManagedPolicyArns"] for role in ("UserARole", "UserBRole")
    ]

    conditional = ["JobsInNetwork", "JobNetwork", "AWS::NoValue"]
    assert attached == [["Scientist", "Notebook", conditional]] * 2
