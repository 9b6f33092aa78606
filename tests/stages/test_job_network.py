"""A stack whose jobs run in a network of the account: its users' roles can create the interfaces."""

from sandbox.testing.helpers import run_networked_job
from tests.conftest import ACCOUNT
from tests.teardown.empty_account import EmptyAccount


def create_network(account: EmptyAccount) -> tuple[str, str]:
    """A subnet and a security group of a network that is not the stack's."""
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="jobs", Description="jobs", VpcId=vpc)["GroupId"]
    return str(subnet), str(group)


def test_jobs_run_in_the_subnets_that_the_stack_was_deployed_with(account: EmptyAccount):
    subnet, group = create_network(account)
    before = account.list_resources()
    stack = account.build_stack()
    made = stack.create(JobSubnets=subnet, JobSecurityGroups=group)
    assert made == "CREATE_COMPLETE", stack.describe_failures()

    sagemaker = account.client("sagemaker")
    for name in ("grantor-usera-role", "grantor-userb-role"):
        role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        ended = run_networked_job(sagemaker, role, subnet, group)
        assert ended["ProcessingJobStatus"] == "Completed", ended.get("FailureReason")
    assert stack.delete() == "DELETE_COMPLETE", stack.describe_failures()
    assert account.list_resources() == before
