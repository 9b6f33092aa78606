"""An account with buckets of others, and a stack that is deployed for them."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from sandbox.testing.helpers import (
    call_control,
    make_trail,
    policy_document,
    put_notifications,
    read_notifications,
)
from tests.conftest import ACCOUNT, ROOT, Sandbox
from tests.stages.conftest import create_role
from tests.teardown.empty_account import DeployedStack, EmptyAccount, package_stack, wait_until

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
THEIR_QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:theirs"
# Not in the order of S3's model; a client that parses and writes it anew changes it.
THEIR_NOTIFICATIONS = (
    f'<NotificationConfiguration xmlns="{NAMESPACE}">'
    "<CloudFunctionConfiguration><Id>resize</Id>"
    f"<CloudFunction>arn:aws:lambda:us-east-1:{ACCOUNT}:function:theirs</CloudFunction>"
    "<Event>s3:ObjectCreated:Put</Event></CloudFunctionConfiguration>"
    f"<QueueConfiguration><Id>audit</Id><Queue>{THEIR_QUEUE}</Queue>"
    "<Event>s3:ObjectRemoved:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name>"
    "<Value>keep/</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
    "</NotificationConfiguration>"
)
THEIR_POLICY = """{ "Version": "2012-10-17",
  "Statement": [ {"Sid": "Theirs", "Effect": "Deny", "Principal": "*",
    "Action": "s3:PutObject", "Resource": "arn:aws:s3:::wired/sealed/*"} ] }"""
KEYED, WIRED, UNDER, LATER = "keyed", "wired", "under", "later"
RULES = """\
version: 1
rules:
  - name: shared
    to: {profiles: {domain: Theirs}}
    on: s3://BUCKET/shared/*
    allow: READWRITE
  - name: own
    to: {each_profile: {domain: Theirs}}
    on: s3://BUCKET/{profile.folder}/*
    allow: READWRITE
"""
EXISTING = {
    "CreateStudio": "false",
    "AccessGrants": "existing",
    "Trail": "existing",
    "DataBuckets": f"{KEYED},{WIRED}",
    "DataBuckets2": UNDER,
}


@dataclass
class Estate:
    """What the others have: buckets, a key, a location over one bucket, and a domain with Ana."""

    account: EmptyAccount
    key: str  # the ARN of the KMS key
    location: str  # the id of their location
    ana: str  # the ARN of her role
    domain: str

    def put(self, bucket: str, key: str, body: bytes = b"1,2") -> None:
        self.account.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def read_settings(self, bucket: str) -> dict[str, str]:
        """The texts of a bucket's configuration, letter by letter."""
        s3 = self.account.client("s3")
        found = {"notifications": read_notifications(s3, bucket)}
        try:
            found["policy"] = s3.get_bucket_policy(Bucket=bucket)["Policy"]
        except s3.exceptions.ClientError as error:
            found["policy"] = error.response["Error"]["Code"]
        for name in ("encryption", "versioning", "location"):
            answer = getattr(s3, f"get_bucket_{name}")(Bucket=bucket)
            answer.pop("ResponseMetadata")
            found[name] = json.dumps(answer, sort_keys=True)
        return found

    def list_objects(self, bucket: str) -> dict[str, str]:
        """The ETag of each object by its key."""
        listed = self.account.client("s3").list_objects_v2(Bucket=bucket)
        return {it["Key"]: it["ETag"] for it in listed.get("Contents", [])}

    def list_grants(self) -> set[tuple[str, str]]:
        """Location and scope of every grant."""
        control = self.account.client("s3control")
        listed = control.list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"]
        return {(it["AccessGrantsLocationId"], it["GrantScope"]) for it in listed}

    def list_scopes(self) -> set[str]:
        return {scope for _, scope in self.list_grants()}

    def vend(self, target: str, permission: str = "READWRITE") -> Any:
        """An S3 client with the credentials that Ana gets for a target."""
        sts = self.account.client("sts")
        session = sts.assume_role(RoleArn=self.ana, RoleSessionName="ana")["Credentials"]
        control = self.account.sandbox.client("s3control", session)
        found = control.get_data_access(AccountId=ACCOUNT, Target=target, Permission=permission)
        return self.account.sandbox.client("s3", found["Credentials"])

    def restart_calls(self) -> None:
        call_control(self.account.sandbox, "calls", "DELETE")

    def count_calls(self, principal: str) -> Counter[str]:
        """The calls by those whose name begins so, by operation, since they were last restarted."""
        record = call_control(self.account.sandbox, "calls?record=1")
        return Counter(
            it["operation"] for it in record if str(it["principal"]).startswith(principal)
        )


def set_up_estate(account: EmptyAccount) -> Estate:
    """Create all that the others have."""
    account.reset()
    s3, control = account.client("s3"), account.client("s3control")
    make_trail(account.sandbox)
    for name in (KEYED, WIRED, UNDER, LATER):
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="shared/first.csv", Body=b"1,2")
    key = create_key(account)
    put_notifications(s3, WIRED, THEIR_NOTIFICATIONS)
    s3.put_bucket_policy(Bucket=WIRED, Policy=THEIR_POLICY)
    control.create_access_grants_instance(AccountId=ACCOUNT)
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    vending = create_role(account, "vending", "access-grants.s3.amazonaws.com", everything)
    location = control.create_access_grants_location(
        AccountId=ACCOUNT, LocationScope=f"s3://{UNDER}", IAMRoleArn=vending
    )["AccessGrantsLocationId"]
    ana, domain = create_ana(account)
    return Estate(account, key, location, ana, domain)


def create_key(account: EmptyAccount) -> str:
    """Create a KMS key, and encrypt the keyed bucket with it."""
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    account.client("s3").put_bucket_encryption(
        Bucket=KEYED,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]
        },
    )
    return str(key)


def create_ana(account: EmptyAccount) -> tuple[str, str]:
    """Create a domain with Ana's profile; her role's ARN, and the domain's id."""
    iam, studio = account.client("iam"), account.client("sagemaker")
    trust = policy_document(
        {"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"},
        {"Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"},
    )
    ana = iam.create_role(
        RoleName="ana",
        AssumeRolePolicyDocument=trust,
        Tags=[{"Key": "grantor:role", "Value": "ana"}],
    )["Role"]["Arn"]
    asking = {"Action": ["s3:GetDataAccess", "s3:ListCallerAccessGrants"], "Resource": "*"}
    iam.put_role_policy(RoleName="ana", PolicyName="ask", PolicyDocument=policy_document(asking))
    made = studio.create_domain(
        DomainName="Theirs", AuthMode="IAM", DefaultUserSettings={"ExecutionRole": ana}
    )
    domain = made["DomainArn"].rpartition("/")[2]
    profile = {"DomainId": domain, "UserProfileName": "ana"}
    studio.create_user_profile(**profile, UserSettings={"ExecutionRole": ana})
    wait_until(lambda: studio.describe_user_profile(**profile)["Status"] == "InService")
    wait_until(lambda: studio.describe_domain(DomainId=domain)["Status"] == "InService")
    return str(ana), domain


def put_rules(stack: DeployedStack, bucket: str, text: str = RULES) -> None:
    """Put the policy file of one bucket."""
    policies = stack.read_outputs()["PolicyBucket"]
    body = text.replace("BUCKET", bucket).encode()
    stack.account.client("s3").put_object(Bucket=policies, Key=f"policy/{bucket}.yaml", Body=body)


def list_expected(*buckets: str) -> set[str]:
    return {f"s3://{bucket}/{folder}/*" for bucket in buckets for folder in ("shared", "Ana")}


def update(stack: DeployedStack, **parameters: str) -> str:
    """Change some parameters of a stack, and return its status then."""
    cloud = stack.account.client("cloudformation")
    known = cloud.describe_stacks(StackName=stack.name)["Stacks"][0]["Parameters"]
    keep = [
        {"ParameterKey": it["ParameterKey"], "UsePreviousValue": True}
        for it in known
        if it["ParameterKey"] not in parameters
    ]
    new = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    cloud.update_stack(
        StackName=stack.name,
        UsePreviousTemplate=True,
        Parameters=[*keep, *new],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    describe = partial(cloud.describe_stacks, StackName=stack.name)
    wait_until(lambda: not describe()["Stacks"][0]["StackStatus"].endswith("_IN_PROGRESS"))
    return str(describe()["Stacks"][0]["StackStatus"])


def run_grantor(estate: Estate, *words: str) -> dict[str, Any]:
    """Run the command line as somebody with all permissions; the document that it prints."""
    sandbox = estate.account.sandbox
    command = [sys.executable, "-m", "sandbox", "env", "--port", str(sandbox.port), "--json"]
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("layers/grantor", "sandbox/src"))
    own = os.environ | {"PYTHONPATH": paths}
    printed = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, check=True).stdout
    done = subprocess.run(
        [sys.executable, "-m", "grantor", *words, "--json"],
        cwd=ROOT, env=own | json.loads(printed), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def account(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> EmptyAccount:
    sandbox = start_sandbox()
    return EmptyAccount(sandbox, package_stack(sandbox, tmp_path_factory.mktemp("package")))
