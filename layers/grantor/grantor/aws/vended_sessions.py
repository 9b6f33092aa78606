"""The credentials that S3 Access Grants has vended: sessions of the location's role.

A grant that is deleted does not end them. AWS's way to do that is an inline policy on the role that
denies everything to sessions issued before a time: IAM User Guide, "Revoke IAM role temporary
security credentials". IAM takes seconds to apply it. Errors of AWS pass unchanged, except those
that say that there is no such policy.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from grantor.aws.clients import error_code, retryable

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
