"""`python -m tests.keys.compare_decisions KEYS SEED`: the sandbox's decisions against the matcher's.

It runs in the server's interpreter and prints what it compared, and each difference, as JSON.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from botocore.exceptions import ClientError
from tests.keys import server_in_process as server
from tests.keys.arbitrary_keys import (
    ANY_OBJECT,
    BUCKET,
    make_key,
    make_list_statement,
    make_statements,
)
from tests.keys.matcher import Need, Pattern, Statement, Wild, is_allowed, is_xml_text
from tests.keys.object_calls import (
    CALLS,
    SOURCE,
    TAGGED,
    VERSION,
    delete_batch,
    is_done,
    list_batch_needs,
)

ACCOUNT = "000000000000"
GROUP = 25  # keys that share their policies
# AWS, "S3 Access Grants get data".
READ_ACTIONS = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:ListMultipartUploadParts")  # fmt: skip
WRITE_ACTIONS = ("s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload")  # fmt: skip
LIST_ACTIONS = ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads")
EVERYTHING = Statement(True, ("s3:*",), ((Wild.ANY,),))
STYLES = ("path", "virtual")


@dataclass(frozen=True)
class Caller:
    """A session, how it was made, and the layers of policies that limit it."""

    kind: str
    keys: dict[str, str]
    layers: tuple[tuple[Statement, ...], ...]


class Comparison:
    """A sandbox in this process, and what was compared so far."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.sandbox = server.ServerInProcess()
        self.count = 0
        self.allowed = 0
        self.differences: list[str] = []
        self.kinds: dict[str, int] = {}
        self._prepare()

    def _prepare(self) -> None:
        s3, iam, control = (self.sandbox.client(it) for it in ("s3", "iam", "s3control"))
        s3.create_bucket(Bucket="lake")
        s3.put_object(Bucket="lake", Key=SOURCE, Body=b"1")
        s3.put_object(Bucket="lake", Key=TAGGED, Body=b"1", Tagging="a=b")
        s3.put_object(Bucket="lake", Key="copy", Body=b"1")
        trust = {"Effect": "Allow", "Principal": {"Service": "access-grants.s3.amazonaws.com"}}
        trust["Action"] = ["sts:AssumeRole", "sts:SetSourceIdentity"]
        iam.create_role(RoleName="location", AssumeRolePolicyDocument=write_policy(trust))
        iam.put_role_policy(RoleName="location", PolicyName="own", PolicyDocument=write_policy(EVERYTHING.write()))  # fmt: skip
        own = {"AccountId": ACCOUNT}
        control.create_access_grants_instance(**own)
        made = control.create_access_grants_location(
            **own, LocationScope="s3://lake/", IAMRoleArn=f"arn:aws:iam::{ACCOUNT}:role/location"
        )
        self.location = made["AccessGrantsLocationId"]
        self.s3, self.iam, self.control = s3, iam, control
        self.sts = self.sandbox.client("sts")
        make = self.sandbox.caller_client
        self.data_access = make("s3control")
        self.styles = [
            make("s3", signature_version="s3v4", s3={"addressing_style": style}) for style in STYLES
        ]
        self.sigv2 = make("s3", signature_version="s3", s3={"addressing_style": "virtual"})

    def compare_group(self, keys: list[str]) -> None:
        """Compare every call with each key, by callers whose policies are about these keys."""
        denies = make_statements(self.random, keys, False, 1) if self.random.random() < 0.5 else []
        self._set_bucket_policy(denies)
        self.sandbox.forget_objects((SOURCE, TAGGED, "copy"))
        for caller in self._make_callers(f"c{self.count}", keys):
            self.sandbox.set_caller(caller.keys)
            for key in keys:
                self._compare_calls(caller, key, denies)
            self._compare_batches(caller, keys, denies)

    def _set_bucket_policy(self, denies: list[Statement]) -> None:
        if not denies:
            self.s3.delete_bucket_policy(Bucket="lake")
            return
        statements = [statement.write(Principal="*") for statement in denies]
        self.s3.put_bucket_policy(Bucket="lake", Policy=write_policy(*statements))

    def _make_callers(self, name: str, keys: list[str]) -> Iterator[Caller]:
        """Make a session of a role, perhaps with a session policy, and a vended one."""
        policy = self._make_policy(keys)
        self._make_role(name, policy)
        if self.random.random() < 0.5:
            yield Caller("role", self._assume(name), (policy,))
        else:
            within = self._make_policy(keys)
            session = self._assume(name, write_policy(*(it.write() for it in within)))
            yield Caller("role with a session policy", session, (policy, within))
        permission = self.random.choice(("READ", "READWRITE", "WRITE"))
        scopes = (self._vend(name, permission, key) for key in self.random.sample(keys, len(keys)))
        yield next(filter(None, scopes))

    def _make_policy(self, keys: list[str]) -> tuple[Statement, ...]:
        some = (
            [Statement(True, ("s3:*",), (ANY_OBJECT, BUCKET))] if self.random.random() < 0.4 else []
        )
        some += make_statements(self.random, keys, True, 3)
        if self.random.random() < 0.6:
            some += make_statements(self.random, keys, False, 2)
        reads = ("s3:GetObject", "s3:GetObjectTagging")
        sources = Statement(True, reads, (("lake/", SOURCE), ("lake/", TAGGED)))
        copies = Statement(True, ("s3:PutObject",), (("lake/copy",),))
        return (*some, make_list_statement(self.random, keys), sources, copies)

    def _make_role(self, name: str, policy: tuple[Statement, ...]) -> None:
        trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=write_policy(trust))
        get = {"Effect": "Allow", "Action": "s3:GetDataAccess", "Resource": "*"}
        document = write_policy(*(it.write() for it in policy), get)
        self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)

    def _assume(self, name: str, policy: str = "") -> dict[str, str]:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        more = {"Policy": policy} if policy else {}
        return dict(
            self.sts.assume_role(RoleArn=arn, RoleSessionName="session", **more)["Credentials"]
        )

    def _vend(self, name: str, permission: str, key: str) -> Caller | None:
        """Return a vended session for a prefix of a key; None if no grant can have that prefix."""
        prefix = key[: self.random.randint(1, len(key))].rstrip("*")
        scope, grantee = f"{prefix}*", f"arn:aws:iam::{ACCOUNT}:role/{name}"
        self.sandbox.set_caller(self._assume(name))
        with suppress(ClientError):
            self.control.create_access_grant(
                AccountId=ACCOUNT, AccessGrantsLocationId=self.location, Permission=permission,
                AccessGrantsLocationConfiguration={"S3SubPrefix": scope},
                Grantee={"GranteeType": "IAM", "GranteeIdentifier": grantee},
            )  # fmt: skip
            answer = self.data_access.get_data_access(
                AccountId=ACCOUNT, Target=f"s3://lake/{scope}", Permission=permission
            )
            session = tuple(list_vended_statements(prefix, permission))
            return Caller(f"vended {permission}", answer["Credentials"], ((EVERYTHING,), session))
        return None

    def _compare_calls(self, caller: Caller, key: str, denies: list[Statement]) -> None:
        for call in CALLS:
            needs = list(call.list_needs(key))
            wanted = is_allowed(needs, caller.layers, denies)
            s3 = self.random.choice(self.styles)
            done = is_done(lambda: call.send(s3, key))  # noqa: B023  -- called at once
            self._note(caller, call.name, key, wanted, done)
            self._compare_judged(call.name, key, needs, wanted)
        signer = self.random.choice((*self.styles, self.sigv2))
        url = signer.generate_presigned_url("get_object", Params={"Bucket": "lake", "Key": key})
        wanted = is_allowed([Need("s3:GetObject", f"lake/{key}")], caller.layers, denies)
        self._note(caller, "presigned get", key, wanted, self.sandbox.get(url) != 403)

    def _compare_judged(self, call: str, key: str, needs: list[Need], wanted: bool) -> None:
        """Compare what IAM was asked about; after a refusal it is not asked about the rest."""
        known = {(need.action, f"arn:aws:s3:::{need.resource}") for need in needs}
        judged = self.sandbox.list_judged()
        if not judged or not judged <= known or (wanted and judged != known):
            self.differences.append(f"{call} of {key!r}: judged {judged}, needs {known}")

    def _compare_batches(self, caller: Caller, keys: list[str], denies: list[Statement]) -> None:
        names: list[dict[str, str]] = []
        s3 = self.random.choice(self.styles)
        for key in dict.fromkeys(keys):
            if is_xml_text(key):
                names += [{"Key": key}, {"Key": key, "VersionId": VERSION}]
            else:
                self._note(caller, "batch", key, False, self._is_read(s3, key))
        self.random.shuffle(names)
        for name, done in zip(names, delete_batch(s3, names) if names else [], strict=True):
            wanted = is_allowed(list_batch_needs(name), caller.layers, denies)
            self._note(caller, "batch", name["Key"], wanted, done)

    def _is_read(self, s3: Any, key: str) -> bool:
        """Whether S3 reads a batch with this key, which XML cannot carry."""
        try:
            s3.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": key}]})
        except ClientError as error:
            return error.response["Error"]["Code"] != "MalformedXML"
        return True

    def _note(self, caller: Caller, call: str, key: str, wanted: bool, done: bool) -> None:
        self.count += 1
        self.allowed += wanted
        self.kinds[caller.kind] = self.kinds.get(caller.kind, 0) + 1
        if wanted != done:
            said = "allows" if done else "refuses"
            self.differences.append(f"{caller.kind}: the sandbox {said} {call} of {key!r}")


def list_vended_statements(prefix: str, permission: str) -> Iterator[Statement]:
    """Yield what AWS says that a permission gives on the keys that begin with a prefix."""
    objects: tuple[Pattern, ...] = (("lake/", prefix, Wild.ANY),)
    if permission in ("READ", "READWRITE"):
        yield Statement(True, READ_ACTIONS, objects)
        yield Statement(True, LIST_ACTIONS, (BUCKET,), ((prefix, Wild.ANY),))
    if permission in ("WRITE", "READWRITE"):
        yield Statement(True, WRITE_ACTIONS, objects)


def write_policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def main() -> None:
    keys, seed = int(sys.argv[1]), int(sys.argv[2])
    comparison = Comparison(seed)
    drawn = [make_key(comparison.random) for _ in range(keys)]
    for start in range(0, keys, GROUP):
        comparison.compare_group(drawn[start : start + GROUP])
    print(
        json.dumps(
            {
                "keys": len(set(drawn)),
                "compared": comparison.count,
                "allowed": comparison.allowed,
                "callers": comparison.kinds,
                "different": len(comparison.differences),
                "differences": comparison.differences[:20],
            }
        )
    )


if __name__ == "__main__":
    main()
