"""The credentials that S3 Access Grants vends: how a caller gets them, and how all of them end.

They are sessions of the location's role. A grant that is deleted does not end them. AWS's way to do
that is an inline policy on the role that denies everything to sessions issued before a time: IAM
User Guide, "Revoke IAM role temporary security credentials". IAM takes seconds to apply it. Errors
of AWS pass unchanged, except those that say that there is no such policy.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from grantor.aws.clients import error_code, retryable
from grantor.core.data_access import CallerGrant, DataRequest, VendedCredentials
from grantor.core.grant import Permission

if TYPE_CHECKING:
    from mypy_boto3_s3control import S3ControlClient

POLICY_NAME = "grantor-end-sessions"
ISSUED = "aws:TokenIssueTime"


def build_deny(before: datetime) -> dict[str, Any]:
    """The policy that ends every session that was issued before a time (aware, whole seconds).

    >>> build_deny(datetime(2026, 11, 30, 15, tzinfo=UTC))["Statement"][0]["Condition"]
    {'DateLessThan': {'aws:TokenIssueTime': '2026-11-30T15:00:00Z'}}
    """
    condition = {"DateLessThan": {ISSUED: f"{before.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}}
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def vend_credentials(
    client: "S3ControlClient", account: str, request: DataRequest
) -> VendedCredentials:
    """Get credentials for the data of an account as the client's caller. Costs one call."""
    wanted: dict[str, Any] = {"Target": request.target, "Permission": str(request.permission)}
    if request.minimal:
        wanted["Privilege"] = "Minimal"
        wanted |= {"TargetType": "Object"} if request.is_object else {}
    if request.seconds:
        wanted["DurationSeconds"] = request.seconds
    with retryable():
        answer = client.get_data_access(AccountId=account, **wanted)
    keys = answer["Credentials"]
    return VendedCredentials(
        keys["AccessKeyId"],
        keys["SecretAccessKey"],
        keys["SessionToken"],
        keys["Expiration"],
        request.permission,
        answer["MatchedGrantTarget"],
    )


def list_caller_grants(
    client: "S3ControlClient", account: str, bucket: str = ""
) -> tuple[CallerGrant, ...]:
    """List the grants that the client's caller has in a bucket, or all. Costs a call per page."""
    scope: dict[str, Any] = {"GrantScope": f"s3://{bucket}/"} if bucket else {}
    pages = client.get_paginator("list_caller_access_grants").paginate(AccountId=account, **scope)
    with retryable():
        found = [item for page in pages for item in page.get("CallerAccessGrantsList", [])]
    return tuple(
        CallerGrant(Permission(item["Permission"]), item["GrantScope"], _read_application(item))
        for item in found
    )


def _read_application(item: Mapping[str, Any]) -> str:
    """The only application that may use a grant; S3 writes ALL or NA for a grant without one (S3
    User Guide, "List the caller's access grants").
    """
    found = str(item.get("ApplicationArn") or "")
    return found if found.startswith("arn:") else ""


class VendedSessions:
    """The sessions of one location's role, by the role's name."""

    def __init__(self, client: Any, role: str) -> None:
        self._client = client
        self.role = role

    def read_end(self) -> datetime | None:
        """Before which time sessions have ended; None if none were ended. One call."""
        try:
            with retryable():
                found = self._client.get_role_policy(RoleName=self.role, PolicyName=POLICY_NAME)
        except ClientError as error:
            if error_code(error) == "NoSuchEntity":
                return None
            raise
        return _parse_deny(found["PolicyDocument"])

    def end_before_now(self, now: datetime) -> datetime:
        """End every session that exists now; returns the time before which they were issued. Two
        calls.

        IAM's clock decides when it is later than the caller's `now`.
        """
        with retryable():
            answer = self._client.list_role_policies(RoleName=self.role)
        latest = max(now, _read_date(answer["ResponseMetadata"]["HTTPHeaders"], now))
        # Sessions are issued at whole seconds, so this also ends those of the current second.
        before = latest.replace(microsecond=0) + timedelta(seconds=1)
        document = json.dumps(build_deny(before))
        with retryable():
            self._client.put_role_policy(
                RoleName=self.role, PolicyName=POLICY_NAME, PolicyDocument=document
            )
        return before

    def undo(self) -> bool:
        """Remove the policy; False if there is none. One call."""
        try:
            with retryable():
                self._client.delete_role_policy(RoleName=self.role, PolicyName=POLICY_NAME)
        except ClientError as error:
            if error_code(error) == "NoSuchEntity":
                return False
            raise
        return True


class StackSessions:
    """The sessions of all roles of a stack's locations, by the roles' names."""

    def __init__(self, client: Any, roles: Iterable[str]) -> None:
        self.roles = tuple(roles)
        self._sessions = [VendedSessions(client, role) for role in self.roles]

    @classmethod
    def of_stack(cls, client: Any, outputs: Mapping[str, str]) -> "StackSessions":
        """Those of the roles that a stack's outputs name; without roles if it has none."""
        named = outputs.get("LocationRoles") or outputs.get("LocationRole") or ""
        return cls(client, filter(None, named.split(",")))

    def read_end(self) -> datetime | None:
        """Before which time the sessions of every role have ended; None if those of one were not.
        A call for each role.
        """
        ends = [one.read_end() for one in self._sessions]
        known = [end for end in ends if end is not None]
        return min(known) if known and len(known) == len(ends) else None

    def end_before_now(self, now: datetime) -> datetime:
        """End every session that exists now; returns the first time before which they were issued.
        Two calls for each role.
        """
        return min(one.end_before_now(now) for one in self._sessions)

    def undo(self) -> bool:
        """Remove the policies; False if there is none. A call for each role."""
        removed = [one.undo() for one in self._sessions]
        return any(removed)


def _parse_deny(document: Any) -> datetime | None:
    """The time in the policy; None if somebody has put something else under its name."""
    value = json.loads(unquote(document)) if isinstance(document, str) else document
    try:
        (statement,) = value["Statement"]
        return datetime.fromisoformat(statement["Condition"]["DateLessThan"][ISSUED])
    except (KeyError, TypeError, ValueError):
        return None


def _read_date(headers: Mapping[str, str], default: datetime) -> datetime:
    """The time of the answer, which only the service's own clock can tell."""
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return default
