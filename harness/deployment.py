"""The deployed stack, and what its users can do with it and see of it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.session import ROOT, SandboxSession
from harness.steps import expect, print_lines, step, wait_until

STACK = "grantor"
DOMAIN = "Product-Domain"
ARTICLE_POLICY = "policy/article.yaml"
JOB_POLICY = "policy/abalone.yaml"
INPUT_KEY = "UserA/abalone.csv"
DATASET_BUCKET = "demo-dataset"
# SageMaker's own group, one for all jobs of an account; it outlives the stack.
JOB_LOGS = "/aws/sagemaker/ProcessingJobs"
SAM_STACK = "aws-sam-cli-managed-default"
SANDBOX_HOST = "sandbox.internal"  # the sandbox's name in a container: `python -m sandbox relay`
QUEUE_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)

GrantRow = tuple[str, str, str]  # role name, permission, scope


@dataclass(frozen=True)
class Deployment:
    """A deployed stack: the administrator's session, and the stack's outputs."""

    session: SandboxSession
    outputs: dict[str, str]

    @property
    def data_bucket(self) -> str:
        """The name of the stack's data bucket."""
        return self.outputs["DataBucket"]

    @property
    def policy_bucket(self) -> str:
        """The name of the stack's policy bucket."""
        return self.outputs["PolicyBucket"]

    def list_grants(self) -> set[GrantRow]:
        """All grants of the instance, as an auditor sees them. One call for each 1,000 grants."""
        return {_to_row(grant) for grant in self.iterate_grants()}

    def iterate_grants(self) -> Iterator[dict[str, Any]]:
        """All grants of the instance, as ListAccessGrants returns them."""
        control = self.session.client("s3control")
        asked: dict[str, Any] = {"AccountId": self.session.account, "MaxResults": 1000}
        while True:
            page = control.list_access_grants(**asked)
            yield from page.get("AccessGrantsList", [])
            if not (token := page.get("NextToken")):
                return
            asked["NextToken"] = token

    def expected_grants(self, profile: str, *folders: str) -> set[GrantRow]:
        """The rows that a profile should have: READWRITE for each folder."""
        role = f"grantor-{profile.lower()}-role"
        return {(role, "READWRITE", f"s3://{self.data_bucket}/{folder}/*") for folder in folders}

    def put_policy(self, key: str, body: bytes) -> None:
        """Put a policy file, as a steward does."""
        self._steward_s3.put_object(Bucket=self.policy_bucket, Key=key, Body=body)

    def delete_policy(self, key: str) -> None:
        """Delete a policy file, as a steward does."""
        self._steward_s3.delete_object(Bucket=self.policy_bucket, Key=key)

    @cached_property
    def _steward_s3(self) -> Any:
        """S3 for StewardRole: the policy bucket refuses everybody else, the administrator too."""
        sts, role = self.session.client("sts"), self.outputs["StewardRole"]
        assumed = sts.assume_role(RoleArn=role, RoleSessionName="steward")
        return self.session.with_credentials(assumed["Credentials"]).client("s3")

    def put_article_policy(self) -> set[GrantRow]:
        """Put the article's policy file, wait for its four grants and return them."""
        self.put_policy(ARTICLE_POLICY, (ROOT / ARTICLE_POLICY).read_bytes())
        grants = self.expected_grants("userA", "Product", "UserA")
        grants |= self.expected_grants("userB", "Product", "UserB")
        wait_until("the grants are the article's four", grants, self.list_grants)
        return grants

    def put_job_policy(self) -> None:
        """Put the policy file with the article's job."""
        self.put_policy(JOB_POLICY, (ROOT / JOB_POLICY).read_bytes())

    def upload_files(self, *keys: str) -> None:
        """Upload a small file to each key."""
        s3 = self.session.client("s3")
        for key in keys:
            s3.put_object(Bucket=self.data_bucket, Key=key, Body=b"M,0.455\n")

    def create_studio_role(self, name: str) -> str:
        """Create a role without permissions that Studio may assume, and return its ARN."""
        iam = self.session.client("iam")
        found = iam.get_role(RoleName="grantor-usera-role")["Role"]
        trust = json.dumps(found["AssumeRolePolicyDocument"])
        created = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        return str(created["Role"]["Arn"])

    @contextmanager
    def act_as_person(self, name: str, *policies: str) -> Iterator[SandboxSession]:
        """A session whose role has these managed policies of the stack, and nothing else."""
        iam, role = self.session.client("iam"), f"person-{'-'.join(policies).lower()}"
        root = f"arn:aws:iam::{self.session.account}:root"
        allow = {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        for policy in policies:
            iam.attach_role_policy(RoleName=role, PolicyArn=self.outputs[policy])
        sts = self.session.client("sts")
        assumed = sts.assume_role(RoleArn=arn, RoleSessionName=name)
        yield self.session.with_credentials(assumed["Credentials"])
        for policy in policies:
            iam.detach_role_policy(RoleName=role, PolicyArn=self.outputs[policy])
        iam.delete_role(RoleName=role)

    def find_domain_id(self) -> str:
        """The id of the Studio domain."""
        listed = self.session.client("sagemaker").list_domains()["Domains"]
        return next(str(domain["DomainId"]) for domain in listed if domain["DomainName"] == DOMAIN)

    def find_resource(self, logical_id: str) -> str:
        """The physical id of a resource of the stack."""
        cloud = self.session.client("cloudformation")
        found = cloud.describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def count_messages(self, queue: str) -> int:
        """The messages of a queue of the stack, those in flight and delayed ones included."""
        asked = {"QueueUrl": self.find_resource(queue), "AttributeNames": list(QUEUE_COUNTS)}
        counts = self.session.client("sqs").get_queue_attributes(**asked)["Attributes"]
        return sum(int(counts[name]) for name in QUEUE_COUNTS)

    def read_warnings(self) -> set[str]:
        """The messages that the reconciler has logged as warnings or errors."""
        records = self.read_log(self.outputs["ReconcileGrants"])
        return {str(it["message"]) for it in records if it.get("level") in ("WARNING", "ERROR")}

    def read_log(self, function: str) -> list[dict[str, Any]]:
        """The JSON records that a function has logged, oldest first."""
        lines = self.read_log_lines(function)
        return [json.loads(line) for line in lines if line.startswith("{")]

    def read_log_lines(self, function: str, since: float = 0.0) -> list[str]:
        """The lines that a function has logged since a time in seconds since the epoch."""
        asked = {"logGroupName": f"/aws/lambda/{function}", "startTime": int(since * 1000)}
        pages = self.session.client("logs").get_paginator("filter_log_events").paginate(**asked)
        return [event["message"] for page in pages for event in page["events"]]


def deploy_stack(
    session: SandboxSession,
    data: Path | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Deployment:
    """Deploy Grantor with one `sam deploy`, with `data` as the data set if it is given.

    The Studio environment and the alarms are nested stacks.
    """
    with step("A platform engineer deploys: sam deploy"):
        dataset = {"Dataset": _upload_dataset(session, data)} if data else {}
        given = {**(parameters or {}), **dataset}
        pairs = [f"{name}={value}" for name, value in given.items()]
        options = ["--parameter-overrides", *pairs] if pairs else []
        session.run_sam(
            "deploy", "--stack-name", STACK, "--resolve-s3", "--no-confirm-changeset",
            "--no-progressbar", *options,
        )  # fmt: skip
        deployment = Deployment(session, read_outputs(session))
        data_bucket, policy_bucket = deployment.data_bucket, deployment.policy_bucket
        print_lines(f"stack {STACK}: data in {data_bucket}, policy files in {policy_bucket}")
        expect("nobody has a grant yet", set(), deployment.list_grants())
        return deployment


def delete_stack(session: SandboxSession) -> None:
    """Delete the stack with `sam delete`."""
    session.run_sam("delete", "--stack-name", STACK, "--no-prompts")


def delete_leftovers(session: SandboxSession) -> None:
    """Delete what outlives `sam delete`: SAM's bucket and stack, the data set, the jobs' logs."""
    s3, cloud = session.client("s3"), session.client("cloudformation")
    for bucket in [item["Name"] for item in s3.list_buckets()["Buckets"]]:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for item in page.get("Versions", []) + page.get("DeleteMarkers", []):
                s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])
        if bucket == DATASET_BUCKET:
            s3.delete_bucket(Bucket=bucket)
    session.client("logs").delete_log_group(logGroupName=JOB_LOGS)
    cloud.delete_stack(StackName=SAM_STACK)
    waiter = cloud.get_waiter("stack_delete_complete")
    waiter.wait(StackName=SAM_STACK, WaiterConfig={"Delay": 1})


def read_function_variables(session: SandboxSession) -> dict[str, dict[str, str]]:
    """The environment of each deployed function, as `sam local invoke --env-vars` takes it.

    The endpoint is the name that the sandbox has inside of a container.
    """
    cloud, functions = session.client("cloudformation"), session.client("lambda")
    resources = cloud.describe_stack_resources(StackName=STACK)["StackResources"]
    endpoint = {"AWS_ENDPOINT_URL": f"http://{SANDBOX_HOST}:{session.port}"}
    variables = {}
    for resource in resources:
        if resource["ResourceType"] == "AWS::Lambda::Function":
            name = resource["PhysicalResourceId"]
            configuration = functions.get_function_configuration(FunctionName=name)
            own = configuration["Environment"]["Variables"]
            variables[resource["LogicalResourceId"]] = own | endpoint
    return variables


def adapt_sample_event(sample: Path, deployment: Deployment) -> str:
    """A sample event with the names of this stack's own buckets."""
    event = sample.read_text().replace("grantor-databucket", deployment.data_bucket)
    return event.replace("grantor-policybucket", deployment.policy_bucket)


def _to_row(grant: dict[str, Any]) -> GrantRow:
    role = grant["Grantee"]["GranteeIdentifier"].rpartition("/")[2]
    return role, grant["Permission"], grant["GrantScope"]


def read_outputs(session: SandboxSession) -> dict[str, str]:
    stack = session.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _upload_dataset(session: SandboxSession, data: Path) -> str:
    s3 = session.client("s3")
    s3.create_bucket(Bucket=DATASET_BUCKET)
    s3.upload_file(str(data), DATASET_BUCKET, "abalone.csv")
    return f"s3://{DATASET_BUCKET}/abalone.csv"
