"""A running sandbox with random grants, and sessions of everybody who may ask for data.

Names are few and short, so that scopes nest, overlap and nearly match.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from grantor.aws.access_grants import AccessGrants
from grantor.core.access.access_index import AccessIndex, Principal
from grantor.core.access.answers import AccessSnapshot
from grantor.core.access.explain import AccessEvidence
from grantor.core.grant import Grantee, Permission, iam_grantee
from grantor.core.snapshot import Authority, Focus, Inventory, Snapshot, WantedGrants
from sandbox.testing.people import CONTEXT_PROVIDER, PeopleApplication
from sandbox.testing.scenario import AwsAccount, ControlClient
from tests.conftest import ACCOUNT, REGION, Sandbox
from tests.core.access.random_rules import NOW

BUCKETS = ("one", "one-more")
SEGMENTS = ("a", "ab", "a-b")
KEYS = [
    "/".join((*folders, name))
    for depth in range(3)
    for folders in product(SEGMENTS, repeat=depth)
    for name in ("a", "ab.csv")
]
ASK = ["s3:GetDataAccess"]
DENIALS = ("AccessDenied", "403")


class Asker(NamedTuple):
    """Somebody who may ask: who they are to S3, and the keys of their session."""

    principal: Principal
    keys: Mapping[str, str]


class Given(NamedTuple):
    """The answer of GetDataAccess: what the credentials reach, and the credentials."""

    scope: str
    keys: Mapping[str, str]


@dataclass(frozen=True)
class LiveAccount:
    """The account of a sandbox whose instance of S3 Access Grants has random grants."""

    sandbox: Sandbox
    location_role: str
    askers: tuple[Asker, ...]

    @classmethod
    def create(cls, sandbox: Sandbox) -> "LiveAccount":
        """Create an instance, two buckets with objects, two roles, a user, and two people for whom
        an application acts.
        """
        aws = AwsAccount(ACCOUNT, sandbox.client)
        for bucket in BUCKETS:
            sandbox.shared("s3").create_bucket(Bucket=bucket)
            for key in KEYS:
                sandbox.shared("s3").put_object(Bucket=bucket, Key=key, Body=b"M,0.455\n")
        aws.control("CreateAccessGrantsInstance", IdentityCenterArn=aws.center["InstanceArn"])
        role = aws.role("location", allow="s3:*")
        _trust_service(sandbox)
        return cls(sandbox, role, (*_create_askers(aws), *_create_people(sandbox, aws)))

    def fill(self, random: Random) -> None:
        """Replace all locations and grants by random ones."""
        control = ControlClient(self.sandbox.shared("s3control"), ACCOUNT)
        for one in control("ListAccessGrants")["AccessGrantsList"]:
            control("DeleteAccessGrant", AccessGrantId=one["AccessGrantId"])
        for one in control("ListAccessGrantsLocations")["AccessGrantsLocationsList"]:
            name = one["AccessGrantsLocationId"]
            control("DeleteAccessGrantsLocation", AccessGrantsLocationId=name)
        scopes = ("s3://", "s3://one", "s3://one/", "s3://one/a/", "s3://one-more/", "s3://one/a*")
        made = {}
        for scope in random.sample(scopes, random.randint(1, 3)):
            found = control(
                "CreateAccessGrantsLocation", LocationScope=scope, IAMRoleArn=self.location_role
            )
            made[found["AccessGrantsLocationId"]] = scope
        grantees = sorted({who for asker in self.askers for who in asker.principal.grantees})
        for _ in range(random.randint(10, 40)):
            name = random.choice(list(made))
            with suppress(ClientError):  # the same grant twice, or the whole of s3://
                control("CreateAccessGrant", **_choose_grant(random, name, made[name], grantees))

    def read_index(self) -> AccessIndex:
        """Read the index as the product does."""
        grants = AccessGrants(self.sandbox.shared("s3control"), ACCOUNT, REGION, "grantor")
        inventory = Inventory(NOW, grants.list_locations())
        authority = Authority.build(NOW, Focus(), {})
        actual = grants.list_grants()
        snapshot = Snapshot(inventory, WantedGrants(), {}, actual, frozenset(), authority)
        return AccessSnapshot(snapshot, AccessEvidence((), inventory)).index

    def ask(
        self, asker: Asker, permission: Permission, target: str, *, minimal: bool
    ) -> Given | None:
        """Call GetDataAccess with the asker's session; None for a refusal."""
        control = self.find_client("s3control", asker.keys)
        more = {"Privilege": "Minimal"} if minimal else {}
        try:
            answer = control.get_data_access(
                AccountId=ACCOUNT, Target=target, Permission=str(permission), **more
            )
        except ClientError as refused:
            if refused.response["Error"]["Code"] != "AccessDenied":
                raise
            return None
        return Given(answer["MatchedGrantTarget"], answer["Credentials"])

    def list_allowed(self, given: Given, bucket: str, key: str) -> set[Permission]:
        """What the credentials of an answer may do with an object: read it, write it."""
        s3, place = self.sandbox.client("s3", dict(given.keys)), {"Bucket": bucket, "Key": key}
        calls = {
            Permission.READ: lambda: s3.get_object(**place),
            Permission.WRITE: lambda: s3.put_object(**place, Body=b"M,0.455\n"),
        }
        return {permission for permission, call in calls.items() if _is_allowed(call)}

    def find_client(self, service: str, keys: Mapping[str, str]) -> Any:
        """A client of a session; one for each, because making it costs as much as five calls."""
        return _make_client(self.sandbox, service, tuple(sorted(map(_as_text, keys.items()))))


def _as_text(item: tuple[str, Any]) -> tuple[str, str]:
    return item[0], str(item[1])


@cache
def _make_client(sandbox: Sandbox, service: str, keys: tuple[tuple[str, str], ...]) -> Any:
    return sandbox.client(service, dict(keys))


def _is_allowed(call: Any) -> bool:
    try:
        call()
    except ClientError as refused:
        if refused.response["Error"]["Code"] in DENIALS:
            return False
        raise
    return True


def _trust_service(sandbox: Sandbox) -> None:
    """Let the service act for people with the location's role, as AWS's guide writes it."""
    service = {"Effect": "Allow", "Principal": {"Service": "access-grants.s3.amazonaws.com"}}
    condition = {"ForAllValues:ArnEquals": {"sts:RequestContextProviders": CONTEXT_PROVIDER}}
    statements = [
        service | {"Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]},
        service | {"Action": "sts:SetContext", "Condition": condition},
    ]
    sandbox.shared("iam").update_assume_role_policy(
        RoleName="location",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )


def _create_askers(aws: AwsAccount) -> Iterator[Asker]:
    for name, path in (("r", "/"), ("rr", "/r/")):
        role = aws.role(name, path=path, allow=ASK)
        yield Asker(Principal((iam_grantee(role),)), aws.session(role))
    iam = aws.client("iam")
    user = iam.create_user(UserName="u")["User"]["Arn"]
    policy = {"Effect": "Allow", "Action": ASK, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    iam.put_user_policy(UserName="u", PolicyName="own", PolicyDocument=document)
    made = iam.create_access_key(UserName="u")["AccessKey"]
    keys = {name: made[name] for name in ("AccessKeyId", "SecretAccessKey")}
    yield Asker(Principal((iam_grantee(user),)), keys)


def _create_people(sandbox: Sandbox, aws: AwsAccount) -> Iterator[Asker]:
    """Two people, of whom one is in a group, in sessions of an application."""
    application, group = PeopleApplication.create(sandbox), aws.directory_group("team")
    for name, groups in (("ana", [group]), ("ben", [])):
        user = aws.directory_user(name)
        for one in groups:
            aws.client("identitystore").create_group_membership(
                IdentityStoreId=aws.center["IdentityStoreId"],
                GroupId=one,
                MemberId={"UserId": user},
            )
        grantees = (
            iam_grantee(application.role),
            Grantee("DIRECTORY_USER", user),
            *(Grantee("DIRECTORY_GROUP", one) for one in groups),
        )
        yield Asker(Principal(grantees, application.arn), application.act_for(user))


def _choose_grant(
    random: Random, location: str, scope: str, grantees: list[Grantee]
) -> dict[str, Any]:
    grantee, path = random.choice(grantees), _choose_path(random)
    sub_prefix = random.choice((f"{path}/*", f"{path}*", "*", ""))
    if scope == "s3://":
        sub_prefix = f"{random.choice(BUCKETS)}/{sub_prefix or '*'}"
    request = {
        "AccessGrantsLocationId": location,
        "Grantee": {"GranteeType": grantee.kind, "GranteeIdentifier": grantee.identifier},
        "Permission": str(random.choice(list(Permission))),
    }
    if random.random() < 0.3:
        key = random.choice(KEYS)
        place = f"{random.choice(BUCKETS)}/{key}" if scope == "s3://" else key
        request["S3PrefixType"], sub_prefix = "Object", place
    if sub_prefix:
        request["AccessGrantsLocationConfiguration"] = {"S3SubPrefix": sub_prefix}
    return request


def choose_target(random: Random) -> str:
    """An object, a prefix or a bucket."""
    bucket, path = f"s3://{random.choice(BUCKETS)}", _choose_path(random)
    forms = (bucket, f"{bucket}/*", f"{bucket}/{path}*", f"{bucket}/{path}/*")
    return random.choice((*forms, *(f"{bucket}/{random.choice(KEYS)}" for _ in forms)))


def _choose_path(random: Random) -> str:
    return "/".join(random.choice(SEGMENTS) for _ in range(random.randint(1, 2)))
