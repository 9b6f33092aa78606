"""What probes work in: one bucket, one location, roles, and grants to these roles; all with names
of its own, all removed.

An Access Grants instance that exists is used and left as it is: nothing in it is changed but what
is created here.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.live.account import Account
from tests.live.cleanup_list import FOLDER, CleanupList
from tests.live.waiting import SPREAD_SECONDS, retry_on, wait_for

DONE = "done"
SERVICE = "access-grants.s3.amazonaws.com"
# Codes of STS, IAM and S3 for a role, policy or key that has not spread everywhere.
NOT_SPREAD = {
    "AccessDenied",
    "AccessDeniedException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
}
READ = ["s3:GetDataAccess", "s3:ListCallerAccessGrants"]
LOCATION = [
    "s3:GetObject*",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:DeleteObject*",
    "s3:AbortMultipartUpload",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
]


class NotRemoved(RuntimeError):
    """A created resource could not be removed; the text says which, and why."""


class NotOwned(RuntimeError):
    """What is to be created exists and is not ours; it was not changed."""


@dataclass(frozen=True)
class Person:
    """A role that was created here, and the keys of a session of it."""

    role: str
    keys: dict[str, str] = field(repr=False)


@dataclass
class Workspace:
    """What one run has in the account.

    All names begin with `name`, which is also the value of the tag.
    """

    account: Account
    cleanup: CleanupList
    name: str
    bucket: str = ""
    doubt: float = 60.0  # seconds for which a refusal may mean that a change has not spread
    ours: bool = False  # whether the instance was created here
    location: str = ""
    _count: int = 0

    def __post_init__(self) -> None:
        self.bucket = self.bucket or self.name

    @property
    def tags(self) -> list[dict[str, str]]:
        return [{"Key": "grantor:live", "Value": self.name}]

    def call_control(self, operation: str, **asked: Any) -> dict[str, Any]:
        """Call an operation of S3 Control with the configured credentials."""
        return dict(
            getattr(self.account.client("s3control"), operation)(AccountId=self.account.id, **asked)
        )

    def set_up(self) -> None:
        """Create the bucket, and the instance if there is none."""
        s3, region = self.account.client("s3"), self.account.region
        try:
            s3.head_bucket(Bucket=self.bucket)
        except ClientError as refused:
            if refused.response["Error"]["Code"] != "404":
                raise NotOwned(f"bucket {self.bucket} is somebody else's: {refused}") from refused
        else:
            raise NotOwned(f"bucket {self.bucket} exists, and not from this run")
        self.cleanup.add("s3", "delete_bucket", Bucket=self.bucket)
        self.cleanup.add("s3", "purge", Bucket=self.bucket, Prefix="")
        place = (
            {}
            if region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        s3.create_bucket(Bucket=self.bucket, **place)
        self.ours = (
            self.try_call(lambda: self.call_control("get_access_grants_instance"))
            == "AccessGrantsInstanceNotExistsError"
        )
        if self.ours:
            self.create_instance()
            self.cleanup.add(
                "s3control", "delete_access_grants_instance", AccountId=self.account.id
            )

    def create_instance(self) -> None:
        """Create the instance."""
        self.call_control("create_access_grants_instance", Tags=self.tags)

    def create_location(self) -> None:
        """Create the location for the bucket."""
        self.location = self.register_location(f"s3://{self.bucket}/")

    def new_folder(self) -> str:
        """A prefix in the bucket for one probe alone, with a slash at its end."""
        self._count += 1
        return f"p{self._count}/"

    def register_location(self, scope: str) -> str:
        """Register a location and return its id."""
        role = self._location_role()
        made = retry_on({"InvalidIamRole"}, lambda: self._register_once(scope, role))
        return str(made["AccessGrantsLocationId"])

    def _register_once(self, scope: str, role: str) -> dict[str, Any]:
        made = self.call_control(
            "create_access_grants_location", LocationScope=scope, IAMRoleArn=role, Tags=self.tags
        )
        asked = {
            "AccountId": self.account.id,
            "AccessGrantsLocationId": made["AccessGrantsLocationId"],
        }
        self.cleanup.add("s3control", "delete_access_grants_location", **asked)
        return made

    def _location_role(self) -> str:
        """Create a role that Access Grants may vend, only for this bucket and through this
        instance.
        """
        trust = {
            "Principal": {"Service": SERVICE},
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            "Condition": {
                "StringEquals": {"aws:SourceAccount": self.account.id},
                "ArnEquals": {"aws:SourceArn": self.account.instance},
            },
        }
        places = [f"arn:{self.account.partition}:s3:::{self.bucket}{rest}" for rest in ("", "/*")]
        vended = {"ArnEquals": {"s3:AccessGrantsInstanceArn": self.account.instance}}
        return self.create_role(
            trust, {"Action": LOCATION, "Resource": places, "Condition": vended}
        )

    def create_role(self, trust: dict[str, Any], *rights: dict[str, Any], name: str = "") -> str:
        """Create a role with exactly these permissions and return its ARN."""
        self._count += 1
        name, iam = name or f"{self.name}-{self._count}", self.account.client("iam")
        self.cleanup.add("iam", "delete_role", RoleName=name)
        arn = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=format_policy(trust), Tags=self.tags
        )["Role"]["Arn"]
        if rights:
            self.cleanup.add("iam", "delete_role_policy", RoleName=name, PolicyName="own")
            iam.put_role_policy(
                RoleName=name, PolicyName="own", PolicyDocument=format_policy(*rights)
            )
        return str(arn)

    def create_person(self, *rights: dict[str, Any], name: str = "", service: str = "") -> Person:
        """Create a role with these permissions, by default to request access, and a session of it,
        and wait until both have spread.

        To see that, each role may also read the instance. A `service` may assume the role, too.
        """
        asking = rights or ({"Action": READ, "Resource": "*"},)
        seeing = {"Action": "s3:GetAccessGrantsInstance", "Resource": "*"}
        root = f"arn:{self.account.partition}:iam::{self.account.id}:root"
        principals = {"AWS": root} | ({"Service": service} if service else {})
        role = self.create_role(
            {"Principal": principals, "Action": "sts:AssumeRole"}, *asking, seeing, name=name
        )
        return self.start_session(role)

    def start_session(self, role: str) -> Person:
        """Start a session of a role that may read the instance, and wait until it has spread."""
        sts = self.account.client("sts")
        given = retry_on(
            NOT_SPREAD, lambda: sts.assume_role(RoleArn=role, RoleSessionName=self.name)
        )
        someone = Person(role, dict(given["Credentials"]))
        client = self.account.client("s3control", someone.keys)
        retry_on(NOT_SPREAD, lambda: client.get_access_grants_instance(AccountId=self.account.id))
        return someone

    def create_grant(
        self, sub_prefix: str, who: Person | str, permission: str = "READ", **more: Any
    ) -> dict[str, Any]:
        """Create a grant at the bucket's location or another one; wait until S3 knows
        the grantee.
        """
        return wait_for(
            "S3 knows the grantee", lambda: self._try_grant(sub_prefix, who, permission, **more)
        )

    def _try_grant(
        self, sub_prefix: str, who: Person | str, permission: str, **more: Any
    ) -> dict[str, Any] | None:
        try:
            return self.create_grant_once(sub_prefix, who, permission, **more)
        except ClientError as refused:
            if "Invalid Grantee" in refused.response["Error"]["Message"]:
                return None
            raise

    def create_grant_once(
        self, sub_prefix: str, who: Person | str, permission: str = "READ", **more: Any
    ) -> dict[str, Any]:
        """The same without waiting."""
        grantee = {
            "GranteeType": "IAM",
            "GranteeIdentifier": who if isinstance(who, str) else who.role,
        }
        place = (
            {"AccessGrantsLocationConfiguration": {"S3SubPrefix": sub_prefix}} if sub_prefix else {}
        )
        asked = (
            {
                "AccessGrantsLocationId": self.location,
                "Grantee": grantee,
                "Permission": permission,
                "Tags": self.tags,
            }
            | place
            | more
        )
        made = self.call_control("create_access_grant", **asked)
        self.cleanup.add(
            "s3control",
            "delete_access_grant",
            AccountId=self.account.id,
            AccessGrantId=made["AccessGrantId"],
        )
        return made

    def delete_grant(self, grant: dict[str, Any]) -> None:
        """Delete a grant."""
        self.call_control("delete_access_grant", AccessGrantId=grant["AccessGrantId"])

    def request_access(
        self, who: Person, target: str, permission: str = "READ", **more: Any
    ) -> dict[str, Any]:
        """Call GetDataAccess for a target in the bucket as this person.

        An empty target is the bare bucket.
        """
        client = self.account.client("s3control", who.keys)
        scope = f"s3://{self.bucket}" + (f"/{target}" if target else "")
        return dict(
            client.get_data_access(
                AccountId=self.account.id, Target=scope, Permission=permission, **more
            )
        )

    def request_when_granted(
        self, who: Person, target: str, permission: str = "READ", **more: Any
    ) -> dict[str, Any]:
        """The same for what was granted; wait until the grant has spread."""
        return retry_on(NOT_SPREAD, lambda: self.request_access(who, target, permission, **more))

    def list_grants(self, who: Person | str, **filters: Any) -> list[dict[str, Any]]:
        """List this person's grants, one page."""
        role = who if isinstance(who, str) else who.role
        answer = self.call_control(
            "list_access_grants", GranteeType="IAM", GranteeIdentifier=role, **filters
        )
        return list(answer.get("AccessGrantsList", []))

    def try_call(self, do: Callable[[], Any]) -> str:
        """Call `do`; return "done", or the code with which AWS refused."""
        try:
            do()
        except ClientError as refused:
            return str(refused.response["Error"]["Code"])
        return DONE

    def try_when_spread(self, do: Callable[[], Any]) -> str:
        """The same, if a refusal may mean that a permission or a tag has not spread."""
        return self.try_call(lambda: retry_on(NOT_SPREAD, do, self.doubt))


def format_policy(*statements: dict[str, Any]) -> str:
    """A policy document. A statement without an effect allows."""
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | each for each in statements]}
    )


@contextmanager
def open_workspace(
    account: Account,
    folder: Path = FOLDER,
    patience: float = SPREAD_SECONDS,
    doubt: float = Workspace.doubt,
) -> Iterator[Workspace]:
    """A workspace with a name of its own; afterwards it is removed.

    Raises NotRemoved with what could not be removed.
    """
    name = f"grantor-live-{uuid.uuid4().hex[:10]}"
    made = CleanupList(account, folder / f"{account.id}-{account.region}-{name}.jsonl", patience)
    try:
        yield Workspace(account, made, name, doubt=doubt)
    finally:
        left = made.remove()
        if left:
            raise NotRemoved(
                "\n".join(
                    ["these are left; make test-live ACCOUNT=… SWEEP=yes tries again:", *left]
                )
            )
