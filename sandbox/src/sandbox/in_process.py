"""S3 Access Grants in the test's own process, under moto: `with mock_aws(), access_grants():`.

The rules are those of the server. moto judges neither IAM policies nor session policies: every
caller may call every operation, and a vended credential is a session of the location's role that
moto lets do anything. Test against the server what a policy must refuse.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from moto.core import botocore_stubber as stubs
from moto.core.utils import extract_region_from_aws_authorization
from moto.iam.models import iam_backends
from moto.identitystore.models import identitystore_backends
from moto.s3.models import s3_backends
from moto.ssoadmin.models import ssoadmin_backends
from moto.sts.models import sts_backends

from sandbox.access_grants import (
    AccessGrants,
    AccessGrantsError,
    Caller,
    GrantsModel,
    GrantSwitches,
    Role,
)
from sandbox.access_grants.protocol import RestXml, error_document
from sandbox.identity_center import DIRECTORY_KINDS

MODEL = GrantsModel.read()
WIRE = RestXml(MODEL)
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def access_grants(
    switches: GrantSwitches | None = None, account: str = "123456789012"
) -> Iterator[Callable[[str], AccessGrants]]:
    """Answer for Access Grants where moto would answer 404.

    Each Region has a new service, which is gone at the end. Yields a function that returns the
    service of a Region; its `switches` may be set at any time.
    """
    services: dict[str, AccessGrants] = {}

    def service(region: str) -> AccessGrants:
        if region not in services:
            world = MotoAccount(account, region)
            services[region] = AccessGrants(
                account,
                region,
                world,
                lambda: datetime.now(UTC),
                MODEL,
                switches or GrantSwitches(),
            )
        return services[region]

    original = stubs.BotocoreStubber.process_request

    def process(self: Any, request: Any) -> Any:
        asked = _find_operation(request)
        return (
            _answer_request(service, asked, request, account) if asked else original(self, request)
        )

    stubs.BotocoreStubber.process_request = process  # type: ignore[method-assign]
    try:
        yield service
    finally:
        stubs.BotocoreStubber.process_request = original  # type: ignore[method-assign]


def _find_operation(request: Any) -> tuple[str, dict[str, str]] | None:
    """Return the operation of Access Grants that a request names.

    Tag operations serve other resources, too; these are left to moto.
    """
    split = urlsplit(request.url)
    if "s3-control" not in split.netloc:
        return None
    found = WIRE.find_operation(request.method, split.path)
    return (
        found
        if found and ("Tag" not in found[0] or "access-grants" in unquote(split.path))
        else None
    )


def _answer_request(
    service: Callable[[str], AccessGrants],
    asked: tuple[str, dict[str, str]],
    request: Any,
    account: str,
) -> Answer:
    name, uri = asked
    headers = {key.lower(): _decode_header(value) for key, value in request.headers.items()}
    answer_headers = {"Content-Type": "application/xml", "x-amz-request-id": "IN-PROCESS"}
    body = request.body.read() if hasattr(request.body, "read") else request.body or b""
    try:
        query = parse_qs(urlsplit(request.url).query)
        value = WIRE.read_request(
            name, uri, query, headers, body.encode() if isinstance(body, str) else body
        )
        region = (
            extract_region_from_aws_authorization(headers.get("authorization", "")) or "us-east-1"
        )
        answer = service(region).call(
            name, value, _find_caller(headers.get("authorization", ""), account)
        )
    except AccessGrantsError as refusal:
        return refusal.status, answer_headers, error_document(refusal, "IN-PROCESS")
    return WIRE.read_status(name), answer_headers, WIRE.write_answer(name, answer)


def _decode_header(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _find_caller(authorization: str, account: str) -> Caller:
    key = authorization.partition("Credential=")[2].partition("/")[0]
    session = sts_backends[account]["aws"].get_assumed_role_from_access_key(key)
    if session:
        return Caller(session.role_arn, account)
    user = iam_backends[account]["aws"].get_user_from_access_key_id(key)
    return Caller(user.arn if user else f"arn:aws:iam::{account}:root", account)


class MotoAccount:
    """The account of Access Grants, as moto has it."""

    def __init__(self, account: str, region: str) -> None:
        self.account, self.region = account, region

    def is_allowed(
        self,
        caller: Caller,  # noqa: ARG002  -- moto judges no policies
        action: str,  # noqa: ARG002  -- moto judges no policies
        resource: str,  # noqa: ARG002  -- moto judges no policies
        context: Mapping[str, str],  # noqa: ARG002  -- moto judges no policies
    ) -> bool:
        return True

    def find_principal_id(self, principal: str) -> str | None:
        if principal.split(":")[4] != self.account:
            return principal
        iam = iam_backends[self.account]["aws"]
        known = {role.arn: role.id for role in iam.roles.values()} | {
            user.arn: user.id for user in iam.users.values()
        }
        return known.get(principal)

    def find_role(self, arn: str) -> Role | None:
        found = [
            role for role in iam_backends[self.account]["aws"].roles.values() if role.arn == arn
        ]
        return Role(arn, int(found[0].max_session_duration or 3600)) if found else None

    def is_trusted_by(self, arn: str, action: str, context: Mapping[str, Any]) -> bool:  # noqa: ARG002  -- moto judges no policies
        found = [
            role for role in iam_backends[self.account]["aws"].roles.values() if role.arn == arn
        ]
        return bool(found) and "access-grants.s3.amazonaws.com" in str(
            found[0].assume_role_policy_document
        )

    def has_bucket(self, name: str) -> bool:
        found = s3_backends[self.account]["aws"].buckets.get(name)
        return found is not None and found.region_name == self.region

    def has_grantee(self, kind: str, identifier: str) -> bool:
        stores = identitystore_backends[self.account][self.region].identity_stores
        store = stores.get(self._find_instance().identity_store_id)
        if store is None or kind not in DIRECTORY_KINDS:
            return False
        return identifier in getattr(store, f"{DIRECTORY_KINDS[kind].lower()}s")

    def has_identity_center(self, arn: str) -> bool:
        return bool(self._find_instance().instance_arn == arn)

    def find_identity_store(self) -> str:
        return f"arn:aws:identitystore::{self.account}:identitystore/{self._find_instance().identity_store_id}"  # noqa: E501  -- one text

    def _find_instance(self) -> Any:
        return ssoadmin_backends[self.account][self.region].instances[0]

    def start_vended_session(
        self,
        role: Role,
        session: str,
        policy: dict[str, Any],
        until: datetime,
        context: Mapping[str, str],  # noqa: ARG002  -- moto judges no policies
    ) -> dict[str, str]:
        seconds = int((until - datetime.now(UTC)).total_seconds())
        made = sts_backends[self.account]["aws"].assume_role(
            region_name=self.region,
            role_session_name=session,
            role_arn=role.arn,
            policy=json.dumps(policy),
            duration=seconds,
            external_id="",
        )
        return {
            "AccessKeyId": made.access_key_id,
            "SecretAccessKey": made.secret_access_key,
            "SessionToken": made.session_token,
        }
