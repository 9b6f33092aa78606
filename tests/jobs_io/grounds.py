"""What a job stands on, laid out on a sandbox: buckets, a role without a right on the data, a location, grants. Every name is its own.

grounds = lay(sandbox, ("UserA/*", "READWRITE"))   two buckets, the role, its grants in the data bucket
grounds.upload("UserA/abalone.csv", body)          as anybody may put it there
grounds.environment()                              what a process of the job has: the sandbox's address and the role's session
grounds.calls()                                    what the role, and whatever was vended to it, asked of AWS
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

ASK = ["s3:GetDataAccess", "s3:GetAccessGrantsInstanceForPrefix"]
HOST = f"{ACCOUNT}.localhost"  # where AWS's clients look for S3 Control, given http://localhost


@dataclass(frozen=True)
class Grounds:
    """One job's surroundings."""

    sandbox: Sandbox
    data: str
    operations: str
    role: str
    location: str  # the name of the role that vended credentials are sessions of
    place: str  # the id of the location

    def grant(self, scope: str, permission: str) -> str:
        """The role may do this below the scope; the grant's id."""
        made = self.sandbox.client("s3control").create_access_grant(
            AccountId=ACCOUNT, AccessGrantsLocationId=self.place, Permission=permission,
            AccessGrantsLocationConfiguration={"S3SubPrefix": scope},
            Grantee={"GranteeType": "IAM", "GranteeIdentifier": f"arn:aws:iam::{ACCOUNT}:role/{self.role}"},
        )  # fmt: skip
        return str(made["AccessGrantId"])

    def no_grant(self, grant: str) -> None:
        self.sandbox.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=grant)

    def take_back(self) -> None:
        """Every credential that was vended so far is worth nothing from now on, as IAM revokes sessions."""
        deny = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}],
            }
        )
        self.sandbox.client("iam").put_role_policy(
            RoleName=self.location, PolicyName="revoked", PolicyDocument=deny
        )

    def upload(self, key: str, body: bytes) -> str:
        """The ETag."""
        return str(
            self.sandbox.client("s3").put_object(Bucket=self.data, Key=key, Body=body)["ETag"]
        ).strip('"')

    def delete(self, key: str) -> None:
        self.sandbox.client("s3").delete_object(Bucket=self.data, Key=key)

    def get(self, key: str) -> bytes | None:
        try:
            return bytes(
                self.sandbox.client("s3").get_object(Bucket=self.data, Key=key)["Body"].read()
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise

    def listed(self, prefix: str = "") -> list[str]:
        listed = self.sandbox.client("s3").list_objects_v2(Bucket=self.data, Prefix=prefix)
        return [one["Key"] for one in listed.get("Contents", ())]

    def document(self, key: str) -> Any:
        """A JSON object of the data bucket, or None."""
        body = self.get(key)
        return None if body is None else json.loads(body)

    def summary(self, name: str = "summary.json") -> Any:
        """What the job left in the operations bucket."""
        body = self.sandbox.client("s3").get_object(
            Bucket=self.operations, Key=f"runs/{self.role}/{name}"
        )["Body"]
        return json.load(body)

    def words(
        self, key: str = "UserA/abalone.csv", folder: str = "UserA/output", **more: str
    ) -> list[str]:
        """The job's arguments: the article's five, and more."""
        options = {
            "account_id": ACCOUNT, "s3_input_bucket": self.data, "s3_input_key_prefix": key,
            "s3_output_bucket": self.data, "s3_output_key_prefix": folder, **more,
        }  # fmt: skip
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def place_of_summary(self, name: str = "summary.json") -> str:
        return f"s3://{self.operations}/runs/{self.role}/{name}"

    def keys_of_role(self) -> dict[str, Any]:
        """A session of the role, as SageMaker gives it to a container."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{self.role}"
        return dict(
            self.sandbox.client("sts").assume_role(RoleArn=arn, RoleSessionName="job")[
                "Credentials"
            ]
        )

    def environment(self) -> dict[str, str]:
        """What a process has that is the job: the way to the sandbox, and a session of the role."""
        keys = self.keys_of_role()
        return addresses(self.sandbox) | {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }

    def calls(self) -> list[dict[str, Any]]:
        """All calls that were made by the role or with what was vended to it, in order."""
        made = call_control(self.sandbox, "calls?record=1")
        return [call for call in made if call["principal"] in (self.role, self.location)]

    def switch(self, **values: Any) -> None:
        """From now on Access Grants behaves so; see docs/sandbox.md."""
        call_control(self.sandbox, "faults", "POST", {"switches": values})

    def no_faults(self) -> None:
        call_control(self.sandbox, "faults", "DELETE")


def addresses(sandbox: Sandbox) -> dict[str, str]:
    """Where AWS is, for boto3 and for the Java SDK alike.

    S3 Control's host has the account in front, a name that resolves nowhere: boto3 goes there through the sandbox as its proxy, Java by
    a file of hosts (see `java`).
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


def java(hosts: Path) -> str:
    """Options for a JVM that finds S3 Control; `hosts` is the file that is written for it."""
    hosts.write_text(f"127.0.0.1 localhost {socket.gethostname()} {HOST}\n")
    return f"-Djdk.net.hosts.file={hosts} -XX:TieredStopAtLevel=1"


def lay(sandbox: Sandbox, *grants: tuple[str, str]) -> Grounds:
    """Everything anew, beside whatever is there; `grants` are (scope in the data bucket, permission)."""
    iam, s3 = sandbox.client("iam"), sandbox.client("s3")
    names = Grounds(
        sandbox,
        unique_name("data"),
        unique_name("ops"),
        unique_name("userA"),
        unique_name("location"),
        "",
    )
    for bucket in (names.data, names.operations):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=names.data, VersioningConfiguration={"Status": "Enabled"})
    iam.create_role(
        RoleName=names.role,
        AssumeRolePolicyDocument=_trust(
            {"AWS": f"arn:aws:iam::{ACCOUNT}:root", "Service": "sagemaker.amazonaws.com"},
            "sts:AssumeRole",
        ),
    )
    own_part = {
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{names.operations}/runs/{names.role}/*",
    }
    iam.put_role_policy(
        RoleName=names.role,
        PolicyName="job",
        PolicyDocument=policy_document({"Action": ASK, "Resource": "*"}, own_part),
    )
    grounds = Grounds(
        sandbox, names.data, names.operations, names.role, names.location, _location(sandbox, names)
    )
    for scope, permission in grants:
        grounds.grant(scope, permission)
    return grounds


def _location(sandbox: Sandbox, names: Grounds) -> str:
    iam, control = sandbox.client("iam"), sandbox.client("s3control")
    try:
        control.create_access_grants_instance(AccountId=ACCOUNT)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessGrantsInstanceAlreadyExists":
            raise
    trusted = _trust(
        {"Service": "access-grants.s3.amazonaws.com"}, ["sts:AssumeRole", "sts:SetSourceIdentity"]
    )
    role = iam.create_role(RoleName=names.location, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    everything = [f"arn:aws:s3:::{names.data}", f"arn:aws:s3:::{names.data}/*"]
    iam.put_role_policy(
        RoleName=names.location,
        PolicyName="data",
        PolicyDocument=policy_document({"Action": "s3:*", "Resource": everything}),
    )
    made = control.create_access_grants_location(
        AccountId=ACCOUNT, LocationScope=f"s3://{names.data}/", IAMRoleArn=role
    )
    return str(made["AccessGrantsLocationId"])


def _trust(whom: dict[str, str], action: str | list[str]) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": whom, "Action": action}],
        }
    )


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
