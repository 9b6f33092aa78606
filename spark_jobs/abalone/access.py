"""Credentials for S3 that S3 Access Grants vended, one for each place and permission, renewed as long as the job runs.

The role's own credentials sign GetDataAccess and nothing else here. (AWS's plugin for boto3 asks STS before every single request and
takes the lifetime of a credential for a constant.)
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

from abalone.exits import ACCESS, Failed

MODELS = create_loader()  # what botocore reads from disk is most of a client's cost
READ, WRITE, BOTH = "READ", "WRITE", "READWRITE"
# GetDataAccess says so when no grant, no instance, or no right to ask stands behind the question.
REFUSALS = ("AccessDenied", "AccessDeniedException", "AccessGrantsInstanceNotExistsError", "StsNotAuthorizedError")


class Broker:
    """Asks Access Grants on behalf of the job's role, in one account and Region; `audit` is told to CloudTrail."""

    def __init__(self, account: str, audit: str = "") -> None:
        self.session = own_session()
        self.used: set[tuple[str, str]] = set()  # permission and matched target of all that was vended
        self._account = account
        self._control: Any = self.session.client("s3control")
        self._audit = {"AuditContext": audit} if audit and _knows(self._control, "AuditContext") else {}
        self.s3 = cache(self._s3)

    def _s3(self, target: str, permission: str) -> Any:
        """An S3 client for `target` (an object, or a prefix with * at its end) that may do just this; Failed where no grant allows it."""
        return _client(lambda: self.vended(target, permission))

    def may(self, target: str, permission: str) -> bool:
        """Whether a grant allows it."""
        try:
            self.s3(target, permission)
        except Failed as refused:
            if refused.code != ACCESS:
                raise
            return False
        return True

    def vended(self, target: str, permission: str) -> dict[str, str]:
        """Fresh keys, no wider than asked, in the words of botocore's refreshable credentials; Failed where no grant allows it."""
        kind = {} if target.endswith("*") else {"TargetType": "Object"}
        try:
            given = self._control.get_data_access(
                AccountId=self._account, Target=target, Permission=permission, Privilege="Minimal", **kind, **self._audit
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in REFUSALS:
                raise self._denied(target, permission, error) from error
            raise
        self.used.add((permission, given.get("MatchedGrantTarget", target)))
        keys = given["Credentials"]
        return {
            "access_key": keys["AccessKeyId"],
            "secret_key": keys["SecretAccessKey"],
            "token": keys["SessionToken"],
            "expiry_time": keys["Expiration"].isoformat(),
        }

    def _denied(self, target: str, permission: str, error: ClientError) -> Failed:
        said = error.response["Error"].get("Message", "").rstrip(".")
        return Failed(
            ACCESS,
            f"{self.role()} has no {permission} on {target} (asked GetDataAccess: {said}). A rule in a policy file gives it.",
        )

    def role(self) -> str:
        """Who the job is, as people call it; asking needs no permission."""
        try:
            arn = str(self.session.client("sts").get_caller_identity()["Arn"])
        except ClientError:
            return "the job's role"
        return f"role {arn.split('/')[1]}" if ":assumed-role/" in arn else arn


def own_session() -> boto3.Session:
    """As the job's role, for what is not data: asking for access, and its own part of the operations bucket."""
    return boto3.Session(region_name=region(), botocore_session=_core())


def _core() -> botocore.session.Session:
    core = botocore.session.Session()
    core.register_component("data_loader", MODELS)
    return core


def region() -> str | None:
    """The job's Region: SageMaker tells it in AWS_REGION, which boto3 does not read; None leaves it to boto3's own configuration."""
    return os.environ.get("AWS_REGION") or None


def _knows(client: Any, member: str) -> bool:
    return member in client.meta.service_model.operation_model("GetDataAccess").input_shape.members


def _client(fetch: Callable[[], dict[str, str]]) -> Any:
    """An S3 client whose credentials are fetched now, and again before they expire."""
    core = _core()
    core.register_component("credential_provider", CredentialResolver([_Vended(fetch)]))
    core.get_credentials()  # fetched here, so that a refusal is told here
    return boto3.Session(region_name=region(), botocore_session=core).client("s3")


class _Vended(CredentialProvider):
    METHOD = "access-grants"

    def __init__(self, fetch: Callable[[], dict[str, str]]) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self) -> RefreshableCredentials:
        return RefreshableCredentials.create_from_metadata(self._fetch(), self._fetch, self.METHOD)
