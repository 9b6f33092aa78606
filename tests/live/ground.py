"""The ground that probes stand on: one bucket, one location, roles, and grants to these roles; all with names of its own, all removed.

An Access Grants instance that is there already is used and left as it is: nothing in it is touched but what is made here.
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
from tests.live.making import FOLDER, Made
from tests.live.waiting import SPREAD, despite, until

DONE = "done"
SERVICE = "access-grants.s3.amazonaws.com"
# What STS, IAM and S3 say of a role, a policy or a key that not all of their machines have heard of.
UNHEARD = {"AccessDenied", "AccessDeniedException", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken"}
READ = ["s3:GetDataAccess", "s3:ListCallerAccessGrants"]
LOCATION = [
    "s3:GetObject*", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:DeleteObject*", "s3:AbortMultipartUpload",
    "s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads",
]  # fmt: skip


class Left(RuntimeError):
    """Something that was made could not be removed; the text says what, and why."""


class NotOurs(RuntimeError):
    """What is to be made is there already, and somebody else's; nothing was done to it."""


@dataclass(frozen=True)
class Person:
    """A role of ours and the keys of a session of it."""

    role: str
    keys: dict[str, str] = field(repr=False)


@dataclass
class Ground:
    """What one run has in the account. `name` begins everything that it makes, and stands in its tag."""

    account: Account
    made: Made
    name: str
    bucket: str = ""
    doubt: float = 60.0  # seconds for which a refusal is taken for one of a machine that has not heard
    ours: bool = False  # whether the instance is
    location: str = ""
    _count: int = 0

    def __post_init__(self) -> None:
        self.bucket = self.bucket or self.name

    @property
    def tags(self) -> list[dict[str, str]]:
        return [{"Key": "grantor:live", "Value": self.name}]

    def control(self, operation: str, **asked: Any) -> dict[str, Any]:
        """An operation of S3 Control, in boto3's words, as whoever asks."""
        return dict(getattr(self.account.client("s3control"), operation)(AccountId=self.account.id, **asked))

    def open(self) -> None:
        """Make the bucket, and the instance where there is none."""
        s3, region = self.account.client("s3"), self.account.region
        try:
            s3.head_bucket(Bucket=self.bucket)
        except ClientError as refused:
            if refused.response["Error"]["Code"] != "404":
                raise NotOurs(f"bucket {self.bucket} is somebody else's: {refused}") from refused
        else:
            raise NotOurs(f"bucket {self.bucket} is there already: nothing of this run's")
        self.made.add("s3", "delete_bucket", Bucket=self.bucket)
        self.made.add("s3", "purge", Bucket=self.bucket, Prefix="")
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=self.bucket, **place)
        self.ours = self.tried(lambda: self.control("get_access_grants_instance")) == "AccessGrantsInstanceNotExistsError"
        if self.ours:
            self.instance()
            self.made.add("s3control", "delete_access_grants_instance", AccountId=self.account.id)

    def instance(self) -> None:
        """Make the instance."""
        self.control("create_access_grants_instance", Tags=self.tags)

    def lay(self) -> None:
        """Make the location over the bucket."""
        self.location = self.at(f"s3://{self.bucket}/")

    def folder(self) -> str:
        """A prefix in the bucket that no other probe has, with a slash at its end."""
        self._count += 1
        return f"p{self._count}/"

    def at(self, scope: str) -> str:
        """A location; its id."""
        role = self._location_role()
        made = despite({"InvalidIamRole"}, lambda: self._register(scope, role))
        return str(made["AccessGrantsLocationId"])

    def _register(self, scope: str, role: str) -> dict[str, Any]:
        made = self.control("create_access_grants_location", LocationScope=scope, IAMRoleArn=role, Tags=self.tags)
        asked = {"AccountId": self.account.id, "AccessGrantsLocationId": made["AccessGrantsLocationId"]}
        self.made.add("s3control", "delete_access_grants_location", **asked)
        return made

    def _location_role(self) -> str:
        """A role that Access Grants may vend, for this bucket and through this instance alone."""
        trust = {
            "Principal": {"Service": SERVICE},
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            "Condition": {"StringEquals": {"aws:SourceAccount": self.account.id}, "ArnEquals": {"aws:SourceArn": self.account.instance}},
        }  # fmt: skip
        places = [f"arn:{self.account.partition}:s3:::{self.bucket}{rest}" for rest in ("", "/*")]
        vended = {"ArnEquals": {"s3:AccessGrantsInstanceArn": self.account.instance}}
        return self.role(trust, {"Action": LOCATION, "Resource": places, "Condition": vended})

    def role(self, trust: dict[str, Any], *rights: dict[str, Any], name: str = "") -> str:
        """A role with these rights and no others; its ARN."""
        self._count += 1
        name, iam = name or f"{self.name}-{self._count}", self.account.client("iam")
        self.made.add("iam", "delete_role", RoleName=name)
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust), Tags=self.tags)["Role"]["Arn"]
        if rights:
            self.made.add("iam", "delete_role_policy", RoleName=name, PolicyName="own")
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*rights))
        return str(arn)

    def person(self, *rights: dict[str, Any], name: str = "", service: str = "") -> Person:
        """A role with these rights, or else that of asking for access, and a session of it once IAM has told everybody of both.

        That it has is known by a right that every person has besides: to see the instance. A `service` may assume the role, too.
        """
        asking = rights or ({"Action": READ, "Resource": "*"},)
        seeing = {"Action": "s3:GetAccessGrantsInstance", "Resource": "*"}
        root = f"arn:{self.account.partition}:iam::{self.account.id}:root"
        principals = {"AWS": root} | ({"Service": service} if service else {})
        role = self.role({"Principal": principals, "Action": "sts:AssumeRole"}, *asking, seeing, name=name)
        return self.session(role)

    def session(self, role: str) -> Person:
        """A session of a role that sees the instance."""
        sts = self.account.client("sts")
        given = despite(UNHEARD, lambda: sts.assume_role(RoleArn=role, RoleSessionName=self.name))
        someone = Person(role, dict(given["Credentials"]))
        client = self.account.client("s3control", someone.keys)
        despite(UNHEARD, lambda: client.get_access_grants_instance(AccountId=self.account.id))
        return someone

    def grant(self, sub_prefix: str, who: Person | str, permission: str = "READ", **more: Any) -> dict[str, Any]:
        """A grant at the location over the bucket, or another one; waits until S3 knows the grantee."""
        return until("S3 knows the grantee", lambda: self._granted(sub_prefix, who, permission, **more))

    def _granted(self, sub_prefix: str, who: Person | str, permission: str, **more: Any) -> dict[str, Any] | None:
        try:
            return self.grant_at_once(sub_prefix, who, permission, **more)
        except ClientError as refused:
            if "Invalid Grantee" in refused.response["Error"]["Message"]:
                return None
            raise

    def grant_at_once(self, sub_prefix: str, who: Person | str, permission: str = "READ", **more: Any) -> dict[str, Any]:
        """The same, or AWS's first refusal."""
        grantee = {"GranteeType": "IAM", "GranteeIdentifier": who if isinstance(who, str) else who.role}
        place = {"AccessGrantsLocationConfiguration": {"S3SubPrefix": sub_prefix}} if sub_prefix else {}
        asked = (
            {"AccessGrantsLocationId": self.location, "Grantee": grantee, "Permission": permission, "Tags": self.tags}
            | place
            | more
        )
        made = self.control("create_access_grant", **asked)
        self.made.add("s3control", "delete_access_grant", AccountId=self.account.id, AccessGrantId=made["AccessGrantId"])
        return made

    def revoke(self, grant: dict[str, Any]) -> None:
        """Take a grant away now, as its removal would."""
        self.control("delete_access_grant", AccessGrantId=grant["AccessGrantId"])

    def ask(self, who: Person, target: str, permission: str = "READ", **more: Any) -> dict[str, Any]:
        """GetDataAccess for a target in the bucket, as this person; an empty target is the bare bucket."""
        client = self.account.client("s3control", who.keys)
        scope = f"s3://{self.bucket}" + (f"/{target}" if target else "")
        return dict(client.get_data_access(AccountId=self.account.id, Target=scope, Permission=permission, **more))

    def vended(self, who: Person, target: str, permission: str = "READ", **more: Any) -> dict[str, Any]:
        """The same for what a grant gives, once Access Grants has told all its machines of that grant."""
        return despite(UNHEARD, lambda: self.ask(who, target, permission, **more))

    def listed(self, who: Person | str, **filters: Any) -> list[dict[str, Any]]:
        """This person's grants, in one list call of one page."""
        role = who if isinstance(who, str) else who.role
        told = self.control("list_access_grants", GranteeType="IAM", GranteeIdentifier=role, **filters)
        return list(told.get("AccessGrantsList", []))

    def tried(self, do: Callable[[], Any]) -> str:
        """How it went: "done", or the code with which AWS refused."""
        try:
            do()
        except ClientError as refused:
            return str(refused.response["Error"]["Code"])
        return DONE

    def surely(self, do: Callable[[], Any]) -> str:
        """The same, where a refusal may come of a right or a tag that IAM has not told everybody of."""
        return self.tried(lambda: despite(UNHEARD, do, self.doubt))


def document(*statements: dict[str, Any]) -> str:
    """A policy document; what a statement does not say, it allows."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | each for each in statements]})


@contextmanager
def ground(account: Account, folder: Path = FOLDER, patience: float = SPREAD, doubt: float = Ground.doubt) -> Iterator[Ground]:
    """A ground with a name of its own, and nothing of it afterwards, however that came; Left with what could not be removed."""
    name = f"grantor-live-{uuid.uuid4().hex[:10]}"
    made = Made(account, folder / f"{account.id}-{account.region}-{name}.jsonl", patience)
    try:
        yield Ground(account, made, name, doubt=doubt)
    finally:
        left = made.remove()
        if left:
            raise Left("\n".join(["these are left; make live ACCOUNT=… SWEEP=yes tries again:", *left]))
