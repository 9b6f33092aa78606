"""The resources of one job on a sandbox: buckets, a role without permissions on the data, a
location, and grants. Every name is unique.

setup = set_up_job(sandbox, ("UserA/*", "READWRITE"))  buckets, the role, its grants
setup.upload("UserA/abalone.csv", body)                upload an object to the data bucket
setup.build_environment()                              the environment of a process of the job
setup.list_calls()                                     the calls of the role and with its grants
"""

import hashlib
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from sandbox.testing.helpers import call_control, policy_document, unique_name
from tests.conftest import ACCOUNT, REGION, ROOT, Sandbox

ACCESS_ACTIONS = ["s3:GetDataAccess", "s3:GetAccessGrantsInstanceForPrefix"]
S3_CONTROL_HOST = f"{ACCOUNT}.localhost"  # S3 Control's host for the endpoint http://localhost


@dataclass(frozen=True)
class JobSetup:
    """The buckets and the role of one job."""

    sandbox: Sandbox
    data_bucket: str
    operations_bucket: str
    role: str
    location_role: str  # name of the role whose sessions are vended
    location_id: str  # of the Access Grants location

    def create_grant(self, scope: str, permission: str) -> str:
        """Create a grant of the role; return its id. `scope` is a path in the data bucket."""
        made = self.sandbox.client("s3control").create_access_grant(
            AccountId=ACCOUNT,
            AccessGrantsLocationId=self.location_id,
            Permission=permission,
            AccessGrantsLocationConfiguration={"S3SubPrefix": scope},
            Grantee={
                "GranteeType": "IAM",
                "GranteeIdentifier": f"arn:aws:iam::{ACCOUNT}:role/{self.role}",
            },
        )
        return str(made["AccessGrantId"])

    def delete_grant(self, grant: str) -> None:
        self.sandbox.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=grant)

    def revoke_sessions(self) -> None:
        """Make every credential that was vended so far invalid, as IAM revokes sessions."""
        deny = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}],
            }
        )
        self.sandbox.client("iam").put_role_policy(
            RoleName=self.location_role, PolicyName="revoked", PolicyDocument=deny
        )

    def upload(self, key: str, body: bytes) -> str:
        """Upload an object to the data bucket; return its ETag."""
        return str(
            self.sandbox.client("s3").put_object(Bucket=self.data_bucket, Key=key, Body=body)[
                "ETag"
            ]
        ).strip('"')

    def delete_object(self, key: str) -> None:
        self.sandbox.client("s3").delete_object(Bucket=self.data_bucket, Key=key)

    def read_object(self, key: str) -> bytes | None:
        try:
            return bytes(
                self.sandbox.client("s3")
                .get_object(Bucket=self.data_bucket, Key=key)["Body"]
                .read()
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise

    def list_keys(self, prefix: str = "") -> list[str]:
        listed = self.sandbox.client("s3").list_objects_v2(Bucket=self.data_bucket, Prefix=prefix)
        return [one["Key"] for one in listed.get("Contents", ())]

    def read_json(self, key: str) -> Any:
        """Read a JSON document of the data bucket, or None."""
        body = self.read_object(key)
        return None if body is None else json.loads(body)

    def read_summary(self, name: str = "summary.json") -> Any:
        """Read the summary that the job wrote to the operations bucket."""
        body = self.sandbox.client("s3").get_object(
            Bucket=self.operations_bucket, Key=f"runs/{self.role}/{name}"
        )["Body"]
        return json.load(body)

    def build_arguments(
        self, key: str = "UserA/abalone.csv", folder: str = "UserA/output", **more: str
    ) -> list[str]:
        """Build the job's arguments: the article's five, and more."""
        options = {
            "account_id": ACCOUNT, "s3_input_bucket": self.data_bucket, "s3_input_key_prefix": key,
            "s3_output_bucket": self.data_bucket, "s3_output_key_prefix": folder, **more,
        }  # fmt: skip
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def build_summary_url(self, name: str = "summary.json") -> str:
        return f"s3://{self.operations_bucket}/runs/{self.role}/{name}"

    def assume_role(self) -> dict[str, Any]:
        """Return keys of a session of the role, as SageMaker gives them to a container."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{self.role}"
        return dict(
            self.sandbox.client("sts").assume_role(RoleArn=arn, RoleSessionName="job")[
                "Credentials"
            ]
        )

    def build_environment(self) -> dict[str, str]:
        """Build the environment of the job: the sandbox's endpoints and a session of the role."""
        keys = self.assume_role()
        return build_endpoint_variables(self.sandbox) | {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }

    def list_calls(self) -> list[dict[str, Any]]:
        """List the calls of the role and with credentials vended to it, in order."""
        made = call_control(self.sandbox, "calls?record=1")
        return [call for call in made if call["principal"] in (self.role, self.location_role)]

    def set_switches(self, **values: Any) -> None:
        """Set switches of the sandbox's Access Grants; see docs/sandbox.md."""
        call_control(self.sandbox, "faults", "POST", {"switches": values})

    def clear_faults(self) -> None:
        call_control(self.sandbox, "faults", "DELETE")


def build_endpoint_variables(sandbox: Sandbox) -> dict[str, str]:
    """Build the variables with the sandbox's endpoints, for boto3 and the Java SDK.

    S3 Control's host begins with the account, a name that does not resolve. boto3 reaches it with
    the sandbox as its proxy, Java with a hosts file (see `build_java_options`).
    """
    here = f"http://127.0.0.1:{sandbox.port}"
    return {
        "AWS_ENDPOINT_URL_S3": here,
        "AWS_ENDPOINT_URL_STS": here,
        "AWS_ENDPOINT_URL_S3_CONTROL": f"http://localhost:{sandbox.port}",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "http_proxy": here,
        "no_proxy": "127.0.0.1,*.localhost",  # the star means something to Java only
        "PYTHONPATH": f"{ROOT}:{ROOT / 'sandbox/src'}:{ROOT / 'spark_jobs'}",
    }


def build_java_options(hosts: Path) -> str:
    """Write a hosts file with S3 Control's name; return the options of a JVM that uses it."""
    hosts.write_text(f"127.0.0.1 localhost {socket.gethostname()} {S3_CONTROL_HOST}\n")
    return f"-Djdk.net.hosts.file={hosts} -XX:TieredStopAtLevel=1"


def set_up_job(sandbox: Sandbox, *grants: tuple[str, str]) -> JobSetup:
    """Create new resources for a job; `grants` are (path in the data bucket, permission)."""
    iam, s3 = sandbox.client("iam"), sandbox.client("s3")
    names = JobSetup(
        sandbox,
        unique_name("data"),
        unique_name("ops"),
        unique_name("userA"),
        unique_name("location"),
        "",
    )
    for bucket in (names.data_bucket, names.operations_bucket):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(
        Bucket=names.data_bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    iam.create_role(
        RoleName=names.role,
        AssumeRolePolicyDocument=_build_trust_policy(
            {"AWS": f"arn:aws:iam::{ACCOUNT}:root", "Service": "sagemaker.amazonaws.com"},
            "sts:AssumeRole",
        ),
    )
    own_part = {
        "Action": ["s3:PutObject", "s3:GetObject"],  # summary.json, inputs.json
        "Resource": f"arn:aws:s3:::{names.operations_bucket}/runs/{names.role}/*",
    }
    iam.put_role_policy(
        RoleName=names.role,
        PolicyName="job",
        PolicyDocument=policy_document({"Action": ACCESS_ACTIONS, "Resource": "*"}, own_part),
    )
    setup = JobSetup(
        sandbox,
        names.data_bucket,
        names.operations_bucket,
        names.role,
        names.location_role,
        _create_location(sandbox, names),
    )
    for scope, permission in grants:
        setup.create_grant(scope, permission)
    return setup


def _create_location(sandbox: Sandbox, names: JobSetup) -> str:
    iam, control = sandbox.client("iam"), sandbox.client("s3control")
    try:
        control.create_access_grants_instance(AccountId=ACCOUNT)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessGrantsInstanceAlreadyExists":
            raise
    trusted = _build_trust_policy(
        {"Service": "access-grants.s3.amazonaws.com"}, ["sts:AssumeRole", "sts:SetSourceIdentity"]
    )
    role = iam.create_role(RoleName=names.location_role, AssumeRolePolicyDocument=trusted)["Role"][
        "Arn"
    ]
    everything = [f"arn:aws:s3:::{names.data_bucket}", f"arn:aws:s3:::{names.data_bucket}/*"]
    iam.put_role_policy(
        RoleName=names.location_role,
        PolicyName="data",
        PolicyDocument=policy_document({"Action": "s3:*", "Resource": everything}),
    )
    made = control.create_access_grants_location(
        AccountId=ACCOUNT, LocationScope=f"s3://{names.data_bucket}/", IAMRoleArn=role
    )
    return str(made["AccessGrantsLocationId"])


def _build_trust_policy(whom: dict[str, str], action: str | list[str]) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": whom, "Action": action}],
        }
    )


def hash_body(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
