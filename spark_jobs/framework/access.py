"""Credentials for S3 that S3 Access Grants vends: one set for each target and permission, renewed.

Here the role's own credentials sign GetDataAccess and nothing else. AWS's plugin for boto3 is not
used: it calls STS before every request and assumes a constant lifetime of credentials.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials
from botocore.exceptions import ClientError
from botocore.loaders import create_loader

from framework.exits import ACCESS, JobFailed

MODEL_LOADER = create_loader()  # shared: reading the models from disk is most of a client's cost
READ, WRITE, READWRITE = "READ", "WRITE", "READWRITE"
# The errors of GetDataAccess for: no grant, no instance, no permission to call it.
DENIAL_CODES = (
    "AccessDenied",
    "AccessDeniedException",
    "AccessGrantsInstanceNotExistsError",
    "StsNotAuthorizedError",
)


class CredentialBroker:
    """Requests credentials for the job's role, in one account and Region.

    `audit` is the AuditContext that CloudTrail records.
    """

    def __init__(self, account: str, audit: str = "") -> None:
        self.session = make_role_session()
        self.used: set[tuple[str, str]] = set()  # permission and matched target of all vended sets
        self._account = account
        self._control: Any = self.session.client("s3control")
        self._audit = (
            {"AuditContext": audit}
            if audit and _has_parameter(self._control, "AuditContext")
            else {}
        )
        self.s3 = cache(self._make_client)

    def _make_client(self, target: str, permission: str) -> Any:
        """Return an S3 client for one permission on `target` (an object, or a prefix ending in *).

        Raises JobFailed if no grant allows it.
        """
        return _make_vended_client(lambda: self.fetch_credentials(target, permission))

    def is_granted(self, target: str, permission: str) -> bool:
        """Whether a grant allows the permission on the target."""
        try:
            self.s3(target, permission)
        except JobFailed as refused:
            if refused.code != ACCESS:
                raise
            return False
        return True

    def fetch_credentials(self, target: str, permission: str) -> dict[str, str]:
        """Fetch credentials no wider than requested, as botocore's RefreshableCredentials takes
        them.

        One call. Raises JobFailed if no grant allows it.
        """
        kind = {} if target.endswith("*") else {"TargetType": "Object"}
        try:
            given = self._control.get_data_access(
                AccountId=self._account,
                Target=target,
                Permission=permission,
                Privilege="Minimal",
                **kind,
                **self._audit,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in DENIAL_CODES:
                raise self._explain_denial(target, permission, error) from error
            raise
        self.used.add((permission, given.get("MatchedGrantTarget", target)))
        keys = given["Credentials"]
        return {
            "access_key": keys["AccessKeyId"],
            "secret_key": keys["SecretAccessKey"],
            "token": keys["SessionToken"],
            "expiry_time": keys["Expiration"].isoformat(),
        }

    def _explain_denial(self, target: str, permission: str, error: ClientError) -> JobFailed:
        said = error.response["Error"].get("Message", "").rstrip(".")
        return JobFailed(
            ACCESS,
            f"{self.describe_role()} has no {permission} on {target} (asked GetDataAccess: "
            f"{said}). A rule in a policy file gives it.",
        )

    def describe_role(self) -> str:
        """Return the role's name, for people; GetCallerIdentity needs no permission. One call."""
        try:
            arn = str(self.session.client("sts").get_caller_identity()["Arn"])
        except ClientError:
            return "the job's role"
        return f"role {arn.split('/')[1]}" if ":assumed-role/" in arn else arn


def make_role_session() -> boto3.Session:
    """Make a session as the job's role, for calls that do not touch the data.

    Those are requests for credentials, and the role's own part of the operations bucket.
    """
    return boto3.Session(region_name=find_region(), botocore_session=_make_botocore_session())


def _make_botocore_session() -> botocore.session.Session:
    core = botocore.session.Session()
    core.register_component("data_loader", MODEL_LOADER)
    return core


def find_region() -> str | None:
    """Return the Region from AWS_REGION, which SageMaker sets and boto3 does not read.

    None leaves the Region to boto3's own configuration.
    """
    return os.environ.get("AWS_REGION") or None


def _has_parameter(client: Any, member: str) -> bool:
    return member in client.meta.service_model.operation_model("GetDataAccess").input_shape.members


def _make_vended_client(fetch: Callable[[], dict[str, str]]) -> Any:
    """Make an S3 client whose credentials are fetched now, and again before they expire."""
    core = _make_botocore_session()
    core.register_component(
        "credential_provider", CredentialResolver([_VendedCredentialProvider(fetch)])
    )
    core.get_credentials()  # fetched here, so that a denial is raised here
    return boto3.Session(region_name=find_region(), botocore_session=core).client("s3")


class _VendedCredentialProvider(CredentialProvider):
    METHOD = "access-grants"

    def __init__(self, fetch: Callable[[], dict[str, str]]) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self) -> RefreshableCredentials:
        return RefreshableCredentials.create_from_metadata(self._fetch(), self._fetch, self.METHOD)
