"""What the suite makes is written down as the call that removes it, before anything else is done, so that nothing stays behind.

The list is also a file below build/live/: what a run that was killed has left, `make live ACCOUNT=… SWEEP=yes` removes.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.live.account import Account
from tests.live.waiting import SPREAD, SWEPT, Late, despite, until

FOLDER = Path(__file__).parents[2] / "build" / "live"
GONE = {
    "AccessGrantsInstanceNotExistsError",
    "NoSuchAccessGrantError",
    "NoSuchAccessGrantsLocationError",
    "NoSuchBucket",
    "NoSuchEntity",
    "ResourceNotFound",
}
# Said for a while after the last thing inside has gone, or as long as a change is under way.
NOT_YET = {
    "AccessGrantsInstanceNotEmptyError",
    "AccessGrantsLocationNotEmptyError",
    "BucketNotEmpty",
    "DeleteConflict",
    "OperationAborted",
    "ResourceInUse",
}


@dataclass(frozen=True)
class Thing:
    """Something that was made: the call that removes it."""

    service: str
    operation: str
    asked: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.service} {self.operation} {json.dumps(self.asked)}"


@dataclass
class Made:
    """All that one run has made, oldest first; `patience` is how many seconds it tries to remove each."""

    account: Account
    file: Path
    patience: float = SPREAD
    things: list[Thing] = field(default_factory=list)

    def add(self, service: str, operation: str, **asked: Any) -> None:
        """From now on it is ours: `operation` with what is `asked` removes it."""
        self.things.append(Thing(service, operation, asked))
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as file:
            file.write(_line(self.things[-1]))

    def remove(self, down_to: int = 0) -> list[str]:
        """Remove what was made since there were so many things, the newest first; what could not be removed, each with why.

        What could not be removed stays in the file.
        """
        failed: list[Thing] = []
        told: list[str] = []
        while len(self.things) > down_to:
            thing = self.things.pop()
            if why := self._removed(thing):
                failed.append(thing)
                told.append(f"{thing}: {why}")
        self.things += reversed(failed)
        self._write()
        return told

    def _removed(self, thing: Thing) -> str:
        """Why the thing is still there; empty if it is gone."""
        try:
            despite(NOT_YET, lambda: self._call(thing), self.patience)
        except ClientError as refused:
            return "" if refused.response["Error"]["Code"] in GONE else str(refused)
        except (BotoCoreError, Late) as broken:
            return str(broken)
        return ""

    def _call(self, thing: Thing) -> None:
        client = self.account.client(thing.service)
        done: Callable[..., Any] = getattr(client, thing.operation, None) or (
            lambda **asked: SPECIAL[thing.operation](client, **asked)
        )
        done(**thing.asked)

    def _write(self) -> None:
        if self.things:
            self.file.write_text("".join(map(_line, self.things)))
        else:
            self.file.unlink(missing_ok=True)


def _line(thing: Thing) -> str:
    return json.dumps(asdict(thing)) + "\n"


def purge(s3: Any, **below: str) -> None:
    """Delete every object below a prefix, with all its versions and delete markers, and uploads that were never completed."""
    for page in s3.get_paginator("list_object_versions").paginate(**below):
        for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=below["Bucket"], Key=each["Key"], VersionId=each["VersionId"])
    for each in s3.list_multipart_uploads(**below).get("Uploads", ()):
        s3.abort_multipart_upload(Bucket=below["Bucket"], Key=each["Key"], UploadId=each["UploadId"])


def end_job(sagemaker: Any, name: str) -> None:
    """Stop a processing job that goes on, and delete its record once it is over."""
    if sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "InProgress":
        sagemaker.stop_processing_job(ProcessingJobName=name)
    sagemaker.delete_processing_job(ProcessingJobName=name)


def wait_for_revocation(control: Any, account: str, scopes: list[str]) -> None:
    """Wait until no grant is left whose scope begins with one of these; Late after a sweep's time and more."""

    def none() -> bool:
        asked: dict[str, Any] = {"AccountId": account, "MaxResults": 1000}
        while True:
            page = control.list_access_grants(**asked)
            if any(grant["GrantScope"].startswith(tuple(scopes)) for grant in page.get("AccessGrantsList", [])):
                return False
            if not (token := page.get("NextToken")):
                return True
            asked["NextToken"] = token

    until(f"Grantor takes away what it has granted on {' and '.join(scopes)}", none, SWEPT)


SPECIAL: dict[str, Callable[..., None]] = {"purge": purge, "end_job": end_job, "wait_for_revocation": wait_for_revocation}


def left_behind(account: Account, folder: Path = FOLDER) -> list[Made]:
    """What earlier runs have made in this account and Region and not removed."""
    files = sorted(folder.glob(f"{account.id}-{account.region}-*.jsonl"))
    return [Made(account, file, things=[Thing(**json.loads(line)) for line in file.read_text().splitlines()]) for file in files]
