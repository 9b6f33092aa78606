"""Records how to remove each resource before it is created, so that nothing stays behind.

The list is also a file below build/live/. `make test-live ACCOUNT=… SWEEP=yes` removes what a
killed run has left.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.live.account import Account
from tests.live.waiting import EVENT_SECONDS, SPREAD_SECONDS, WaitTimeout, retry_on, wait_for

FOLDER = Path(__file__).parents[2] / "build" / "live"
GONE = {
    "AccessGrantsInstanceNotExistsError",
    "NoSuchAccessGrantError",
    "NoSuchAccessGrantsLocationError",
    "NoSuchBucket",
    "NoSuchEntity",
    "ResourceNotFound",
}
# Returned for a while after the last resource inside is gone, or while a change is in progress.
NOT_YET = {
    "AccessGrantsInstanceNotEmptyError",
    "AccessGrantsLocationNotEmptyError",
    "BucketNotEmpty",
    "DeleteConflict",
    "OperationAborted",
    "ResourceInUse",
}


@dataclass(frozen=True)
class CreatedResource:
    """A created resource, as the call that removes it."""

    service: str
    operation: str
    asked: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.service} {self.operation} {json.dumps(self.asked)}"


@dataclass
class CleanupList:
    """All that one run has created, oldest first.

    It tries for `patience` seconds to remove each resource.
    """

    account: Account
    file: Path
    patience: float = SPREAD_SECONDS
    resources: list[CreatedResource] = field(default_factory=list)

    def add(self, service: str, operation: str, **asked: Any) -> None:
        """Record that `operation` with the arguments `asked` removes a resource."""
        self.resources.append(CreatedResource(service, operation, asked))
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as file:
            file.write(_format_line(self.resources[-1]))

    def remove(self, down_to: int = 0) -> list[str]:
        """Remove all but the first `down_to` resources, newest first; return what could not be
        removed, and why.

        That stays in the file.
        """
        failed: list[CreatedResource] = []
        reasons: list[str] = []
        while len(self.resources) > down_to:
            resource = self.resources.pop()
            if why := self._try_remove(resource):
                failed.append(resource)
                reasons.append(f"{resource}: {why}")
        self.resources += reversed(failed)
        self._write_file()
        return reasons

    def _try_remove(self, resource: CreatedResource) -> str:
        """Why the resource still exists, or "" if it is gone."""
        try:
            retry_on(NOT_YET, lambda: self._call_removal(resource), self.patience)
        except ClientError as refused:
            return "" if refused.response["Error"]["Code"] in GONE else str(refused)
        except (BotoCoreError, WaitTimeout) as broken:
            return str(broken)
        return ""

    def _call_removal(self, resource: CreatedResource) -> None:
        client = self.account.client(resource.service)
        done: Callable[..., Any] = getattr(client, resource.operation, None) or (
            lambda **asked: SPECIAL[resource.operation](client, **asked)
        )
        done(**resource.asked)

    def _write_file(self) -> None:
        if self.resources:
            self.file.write_text("".join(map(_format_line, self.resources)))
        else:
            self.file.unlink(missing_ok=True)


def _format_line(resource: CreatedResource) -> str:
    return json.dumps(asdict(resource)) + "\n"


def purge(s3: Any, **below: str) -> None:
    """Delete every object below a prefix, with all versions and delete markers, and unfinished
    uploads.
    """
    for page in s3.get_paginator("list_object_versions").paginate(**below):
        for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=below["Bucket"], Key=each["Key"], VersionId=each["VersionId"])
    for each in s3.list_multipart_uploads(**below).get("Uploads", ()):
        s3.abort_multipart_upload(
            Bucket=below["Bucket"], Key=each["Key"], UploadId=each["UploadId"]
        )


def end_job(sagemaker: Any, name: str) -> None:
    """Stop a processing job that is running, and delete its record."""
    if (
        sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"]
        == "InProgress"
    ):
        sagemaker.stop_processing_job(ProcessingJobName=name)
    sagemaker.delete_processing_job(ProcessingJobName=name)


def wait_for_revocation(control: Any, account: str, scopes: list[str]) -> None:
    """Wait until no grant is left whose scope begins with one of these.

    Raises WaitTimeout after more than a sweep's time.
    """

    def none() -> bool:
        asked: dict[str, Any] = {"AccountId": account, "MaxResults": 1000}
        while True:
            page = control.list_access_grants(**asked)
            if any(
                grant["GrantScope"].startswith(tuple(scopes))
                for grant in page.get("AccessGrantsList", [])
            ):
                return False
            if not (token := page.get("NextToken")):
                return True
            asked["NextToken"] = token

    wait_for(f"Grantor revokes its grants on {' and '.join(scopes)}", none, EVENT_SECONDS)


SPECIAL: dict[str, Callable[..., None]] = {
    "purge": purge,
    "end_job": end_job,
    "wait_for_revocation": wait_for_revocation,
}


def find_leftovers(account: Account, folder: Path = FOLDER) -> list[CleanupList]:
    """What earlier runs have created in this account and Region and not removed."""
    files = sorted(folder.glob(f"{account.id}-{account.region}-*.jsonl"))
    return [
        CleanupList(
            account,
            file,
            resources=[
                CreatedResource(**json.loads(line)) for line in file.read_text().splitlines()
            ],
        )
        for file in files
    ]
