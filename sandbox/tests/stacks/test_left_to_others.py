"""What a stack has made and can't delete, because others use it by now, it may leave to them."""

from sandbox.testing.helpers import policy_document, unique_name
from sandbox.testing.running import ACCOUNT

INSTANCE = """
Resources:
  Before: {Type: AWS::SQS::Queue}
  Instance: {Type: AWS::S3::AccessGrantsInstance, DependsOn: Before}
"""


def test_an_instance_that_others_use_is_left_to_them_and_the_stack_goes(stacks):
    before = stacks.things()
    stacks.create("first", INSTANCE)
    control, iam, bucket = stacks.client("s3control"), stacks.client("iam"), unique_name("theirs")
    trust = policy_document(
        {"Principal": {"Service": "access-grants.s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )
    role = iam.create_role(RoleName=bucket, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    stacks.client("s3").create_bucket(Bucket=bucket)
    control.create_access_grants_location(
        AccountId=ACCOUNT, LocationScope=f"s3://{bucket}/", IAMRoleArn=role
    )

    assert stacks.delete("first") == "DELETE_FAILED"
    assert (
        "Please clean up locations before deleting the access grants instance"
        in stacks.why("first")["Instance"]
    )
    identifier = stacks.described("first")["StackId"]
    stacks.cloud.delete_stack(StackName="first", RetainResources=["Instance"])
    assert stacks.settled(identifier) == "DELETE_COMPLETE"
    assert {thing.partition(":")[0] for thing in stacks.things() - before} == {
        "iam roles", "s3 buckets", "s3control access_grants_instances", "s3control access_grants_locations",
    }  # fmt: skip
