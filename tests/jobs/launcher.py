"""Set up a stack's launcher on a sandbox. Its processing jobs wait: the test decides how each ends.

launcher.upload("UserA/abalone.csv", b"…")  upload an object; returns its event
launcher.deliver(event, …)                  deliver one batch of the queue
launcher.list_running()                     the processing jobs that are in progress
launcher.end_job(name, 12)                  end one with an exit code; returns the event of its end
launcher.read_alerts()                      the alerts since the last look
"""

import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grantor.aws.job_store import JobRun, WaitingUpload
from grantor.aws.services import JobNames, JobServices
from grantor.core.jobs.request import JobNetwork
from grantor.jobs.handler import handle
from tests.conftest import ACCOUNT, Sandbox
from tests.engine.watch import Calls
from tests.estate import ARTICLE, DATA, Estate, lay

OPERATIONS = "operations"
JOB = """\
jobs:
  - name: abalone
    run: abalone
    as: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/abalone.csv
    output: s3://{data_bucket}/{profile.folder}/output/
"""
WAITING = {
    "jobs_at_once": 0,
    "job_image_needs_rights": False,
}  # what the sandbox's processing jobs do
ANY = f"arn:aws:iam::{ACCOUNT}:role/role-*"


@dataclass
class LauncherSetup:
    """One stack, and its launcher."""

    estate: Estate
    job_code: Path
    uploads: str
    alerts: Calls
    roles: frozenset[str] = frozenset((ANY,))

    def build_jobs(self, keys: dict[str, str] | None = None) -> JobServices:
        """A fresh world, as a cold function has it."""
        names = JobNames(OPERATIONS, self.uploads, self.roles, JobNetwork())
        return JobServices(
            self.estate.world(keys) if keys else self.estate.warm(), names, self.job_code
        )

    def build_later(self, seconds: float) -> JobServices:
        """A fresh world, so many seconds from now."""
        return LaterJobServices(
            self.build_jobs().services, self.build_jobs().names, self.job_code, ahead=seconds
        )

    def upload(self, key: str, body: bytes = b"M,0.455") -> dict[str, Any]:
        """Upload something; its event."""
        made = self.estate.client("s3").put_object(Bucket=DATA, Key=key, Body=body)
        return upload_event(key, made["VersionId"])

    def deliver(
        self, *events: dict[str, Any], jobs: JobServices | None = None, received: int = 1
    ) -> list[dict[str, Any]]:
        """One batch of the queue; the events that are to come again. Only few of them were really received."""
        few = len(events) < 20
        records = [
            {"messageId": str(n), "receiptHandle": self._received(event) if few else "none", "body": json.dumps(event), "attributes": {"ApproximateReceiveCount": str(received)}}
            for n, event in enumerate(events)
        ]  # fmt: skip
        answer = handle(jobs or self.build_jobs(), {"Records": records}, None)
        return [events[int(failed["itemIdentifier"])] for failed in answer["batchItemFailures"]]

    def _received(self, event: dict[str, Any]) -> str:
        """The handle of the event's message, sent and received."""
        sqs = self.estate.client("sqs")
        sqs.send_message(QueueUrl=self.uploads, MessageBody=json.dumps(event))
        return str(
            sqs.receive_message(QueueUrl=self.uploads, VisibilityTimeout=600)["Messages"][0][
                "ReceiptHandle"
            ]
        )

    def count_sent(self) -> int:
        """How many messages the launcher has sent to itself since the last look; they are gone then."""
        sqs, names = (
            self.estate.client("sqs"),
            ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"],
        )
        count = sum(
            map(
                int,
                sqs.get_queue_attributes(QueueUrl=self.uploads, AttributeNames=names)[
                    "Attributes"
                ].values(),
            )
        )
        sqs.purge_queue(QueueUrl=self.uploads)
        return count

    def faults(self, *rules: dict[str, Any]) -> None:
        """From now on these calls are struck; none at all forgets every fault."""
        self.estate.faults(*rules)
        self.estate.switches(**WAITING)

    def list_statuses(self) -> dict[str, str]:
        """Every processing job's status, by its name."""
        pages = self.estate.client("sagemaker").get_paginator("list_processing_jobs").paginate()
        return {
            one["ProcessingJobName"]: one["ProcessingJobStatus"]
            for page in pages
            for one in page["ProcessingJobSummaries"]
        }

    def list_running(self) -> list[str]:
        return [name for name, status in self.list_statuses().items() if status == "InProgress"]

    def end_job(
        self, name: str, code: int = 0, summary: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The job ends with this exit code, and leaves this summary; the event of its end."""
        sagemaker, s3 = self.estate.client("sagemaker"), self.estate.client("s3")
        if summary:
            folder = sagemaker.describe_processing_job(ProcessingJobName=name)["AppSpecification"][
                "ContainerArguments"
            ]
            key = folder[folder.index("--summary") + 1].partition(f"{OPERATIONS}/")[2]
            s3.put_object(Bucket=OPERATIONS, Key=key, Body=json.dumps(summary).encode())
        sagemaker.stop_processing_job(ProcessingJobName=name)
        sagemaker.delete_processing_job(ProcessingJobName=name)
        self.run_script(name, f"exit {code}")
        return job_event(name)

    def run_script(self, name: str, script: str, wait: bool = True) -> None:
        """A processing job of this name runs this script, to its end if `wait`."""
        sagemaker = self.estate.client("sagemaker")
        self.estate.switches(jobs_at_once=2)
        sagemaker.create_processing_job(
            ProcessingJobName=name, RoleArn=self.estate.role("role-userA"),
            AppSpecification={"ImageUri": "image", "ContainerEntrypoint": ["/bin/sh", "-c", script]},
            ProcessingResources={"ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}},
        )  # fmt: skip
        wait_until(lambda: self.list_statuses()[name] not in ("InProgress", "Stopping") or not wait)
        self.estate.switches(**WAITING)

    def stop_job(self, name: str) -> dict[str, Any]:
        """Somebody stops the job; the event of its end."""
        self.estate.client("sagemaker").stop_processing_job(ProcessingJobName=name)
        return job_event(name, "Stopped")

    def list_runs(self) -> list[JobRun]:
        """What is written down of runs, the newest first."""
        return list(self.build_jobs().store.iterate_runs())

    def list_waiting(self) -> list[WaitingUpload]:
        return list(self.build_jobs().store.iterate_waiting())

    def read_alerts(self) -> list[str]:
        """Return the alerts since the last look."""
        return [text for _, text in self.alerts.new()]


@dataclass
class LaterJobServices(JobServices):
    """A world whose clock is ahead."""

    ahead: float = 0.0

    def clock(self) -> float:
        return super().clock() + self.ahead


def set_up_launcher(sandbox: Sandbox, folder: Path, policy: str = ARTICLE + JOB) -> LauncherSetup:
    """Set up an estate with the policy's grants, an operations bucket, a queue, and a reader of the alerts."""
    estate = lay(sandbox, folder)
    estate.client("s3").create_bucket(Bucket=OPERATIONS)
    uploads = estate.client("sqs").create_queue(QueueName="uploads")["QueueUrl"]
    estate.switches(**WAITING)
    estate.policy("article", policy)
    estate.run()
    return LauncherSetup(estate, write_job_code(folder / "job_code"), uploads, Calls(estate))


def write_job_code(folder: Path, code: str = "c0de" * 8) -> Path:
    """Write a folder as the packer makes it, with a job in it that does nothing."""
    job = folder / "abalone"
    job.mkdir(parents=True, exist_ok=True)
    (job / "preprocess.py").write_text("")
    (job / "abalone.zip").write_bytes(b"zip")
    configuration = [
        {"Classification": "spark-defaults", "Properties": {"bucket.{data_bucket}.on": "true"}}
    ]
    (job / "code.json").write_text(
        json.dumps({"code": code, "contract": "1", "configuration": configuration})
    )
    return folder


def upload_event(key: str, version: str = "") -> dict[str, Any]:
    return event(
        "aws.s3",
        "Object Created",
        bucket={"name": DATA},
        object={"key": key, "version-id": version},
    )


def job_event(name: str, status: str = "Completed") -> dict[str, Any]:
    return event(
        "aws.sagemaker",
        "SageMaker Processing Job State Change",
        ProcessingJobName=name,
        ProcessingJobStatus=status,
    )


def retry_event(upload: str, attempt: int) -> dict[str, Any]:
    """What the launcher sends to itself about an upload that waits."""
    return event(
        "grantor",
        "Job Waiting",
        upload=f"s3://{DATA}/{upload}",
        attempt=attempt,
        at=None,
        granted=False,
    )


def grants_event() -> dict[str, Any]:
    return event("grantor", "Grants Reconciled", stack="grantor", created=1)


def schedule_event() -> dict[str, Any]:
    return event("aws.events", "Scheduled Event")


def event(source: str, kind: str, **detail: Any) -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex,
        "source": source,
        "detail-type": kind,
        "time": "2026-11-24T09:00:00Z",
        "detail": detail,
    }


def wait_until(true: Any) -> None:
    """Wait until something is true; half a minute at most."""
    limit = time.monotonic() + 30
    while not true():
        assert time.monotonic() < limit, "it did not become true in 30 seconds"
        time.sleep(0.05)
