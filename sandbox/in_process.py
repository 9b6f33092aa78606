"""S3 Access Grants inside the process, for tests under moto: `with mock_aws(), access_grants():`.

The same rules as the server's. moto judges neither IAM policies nor session policies: here every caller may call every
operation, and a vended credential is a session of the location's role that moto lets do anything. What must be refused
by a policy is tested against the server.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from moto.core import botocore_stubber as stubs
from moto.core.utils import extract_region_from_aws_authorization
from moto.iam.models import iam_backends
from moto.identitystore.models import identitystore_backends
from moto.s3.models import s3_backends
from moto.ssoadmin.models import ssoadmin_backends
from moto.sts.models import sts_backends

from sandbox.access_grants import AccessGrants, Caller, Model, Refused, Role, Switches
from sandbox.access_grants.wire import Wire, error

MODEL = Model.read(Path(__file__).parent.parent / ".tools/runtime/botocore/data")
WIRE = Wire(MODEL)
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def access_grants(switches: Switches | None = None, account: str = "123456789012") -> Iterator[Callable[[str], AccessGrants]]:
    """Answer for Access Grants where moto would say 404; a fresh service a Region, gone at the end.

    Gives the service of a Region, whose `switches` may be set at any time.
    """
    services: dict[str, AccessGrants] = {}

    def service(region: str) -> AccessGrants:
        if region not in services:
            world = MotoWorld(account, region)
            services[region] = AccessGrants(account, region, world, lambda: datetime.now(UTC), MODEL, switches or Switches())
        return services[region]

    original = stubs.BotocoreStubber.process_request

    def process(self: Any, request: Any) -> Any:
        asked = _asked(request)
        return _answer(service, asked, request, account) if asked else original(self, request)

    stubs.BotocoreStubber.process_request = process  # type: ignore[method-assign]
    try:
        yield service
    finally:
        stubs.BotocoreStubber.process_request = original  # type: ignore[method-assign]


def _asked(request: Any) -> tuple[str, dict[str, str]] | None:
    """The operation of Access Grants that a request asks for; the tag operations only where they are about it."""
    split = urlsplit(request.url)
    if "s3-control" not in split.netloc:
        return None
    found = WIRE.operation(request.method, split.path)
    return found if found and ("Tag" not in found[0] or "access-grants" in unquote(split.path)) else None


def _answer(service: Callable[[str], AccessGrants], asked: tuple[str, dict[str, str]], request: Any, account: str) -> Answer:
    name, uri = asked
    headers = {key.lower(): _text(value) for key, value in request.headers.items()}
    told = {"Content-Type": "application/xml", "x-amz-request-id": "IN-PROCESS"}
    body = request.body.read() if hasattr(request.body, "read") else request.body or b""
    try:
        query = parse_qs(urlsplit(request.url).query)
        value = WIRE.request(name, uri, query, headers, body.encode() if isinstance(body, str) else body)
        region = extract_region_from_aws_authorization(headers.get("authorization", "")) or "us-east-1"
        answer = service(region).call(name, value, _caller(headers.get("authorization", ""), account))
    except Refused as refusal:
        return refusal.status, told, error(refusal, "IN-PROCESS")
    return WIRE.status(name), told, WIRE.answer(name, answer)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _caller(authorization: str, account: str) -> Caller:
    key = authorization.partition("Credential=")[2].partition("/")[0]
    session = sts_backends[account]["aws"].get_assumed_role_from_access_key(key)
    if session:
        return Caller(session.role_arn, account)
    user = iam_backends[account]["aws"].get_user_from_access_key_id(key)
    return Caller(user.arn if user else f"arn:aws:iam::{account}:root", account)


class MotoWorld:
    """The world around Access Grants, as moto has it."""

    def __init__(self, account: str, region: str) -> None:
        self.account, self.region = account, region

    def allowed(self, caller: Caller, action: str, resource: str, context: Mapping[str, str]) -> bool:  # noqa: ARG002  -- see above
        return True

    def identity(self, principal: str) -> str | None:
        if principal.split(":")[4] != self.account:
            return principal
        iam = iam_backends[self.account]["aws"]
        known = {role.arn: role.id for role in iam.roles.values()} | {user.arn: user.id for user in iam.users.values()}
        return known.get(principal)

    def role(self, arn: str) -> Role | None:
        found = [role for role in iam_backends[self.account]["aws"].roles.values() if role.arn == arn]
        return Role(arn, int(found[0].max_session_duration or 3600)) if found else None

    def trusts(self, arn: str, context: Mapping[str, str]) -> bool:  # noqa: ARG002  -- moto has no evaluator of conditions
        found = [role for role in iam_backends[self.account]["aws"].roles.values() if role.arn == arn]
        return bool(found) and "access-grants.s3.amazonaws.com" in str(found[0].assume_role_policy_document)

    def bucket(self, name: str) -> bool:
        found = s3_backends[self.account]["aws"].buckets.get(name)
        return found is not None and found.region_name == self.region

    def knows(self, kind: str, identifier: str) -> bool:
        stores = identitystore_backends[self.account][self.region].identity_stores
        store = stores.get(self._center().identity_store_id)
        listed = {"DIRECTORY_USER": store.users, "DIRECTORY_GROUP": store.groups} if store else {}
        return identifier in listed.get(kind, ())

    def identity_center(self, arn: str) -> bool:
        return self._center().instance_arn == arn

    def identity_store(self) -> str:
        return f"arn:aws:identitystore::{self.account}:identitystore/{self._center().identity_store_id}"

    def _center(self) -> Any:
        return ssoadmin_backends[self.account][self.region].instances[0]

    def vend(
        self,
        role: Role,
        session: str,
        policy: dict[str, Any],
        until: datetime,
        context: Mapping[str, str],  # noqa: ARG002  -- see above
    ) -> dict[str, str]:
        seconds = int((until - datetime.now(UTC)).total_seconds())
        made = sts_backends[self.account]["aws"].assume_role(
            region_name=self.region, role_session_name=session, role_arn=role.arn, policy=json.dumps(policy), duration=seconds,
            external_id="",
        )  # fmt: skip
        return {"AccessKeyId": made.access_key_id, "SecretAccessKey": made.secret_access_key, "SessionToken": made.session_token}
