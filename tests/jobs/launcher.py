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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grantor.aws.job_services import JobNames, JobServices
from grantor.aws.job_store import JobRun, WaitingUpload
from grantor.core.jobs.request import JobNetwork
from grantor.jobs.follow_up import metrics
from grantor.jobs.handler import Invocation, handle, handle_batch
from sandbox.testing.helpers import call_control
from tests.conftest import ACCOUNT, Sandbox
from tests.engine.helpers import AlertInbox
from tests.grantor_setup import ARTICLE_POLICY, DATA, GrantorSetup, set_up_grantor

OPERATIONS = "operations"
ROLES_PARAMETER = "/grantor/grantor/job-roles"
JOB = """\
jobs:
  - name: abalone
    run: abalone
    as: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/abalone.csv
    output: s3://{data_bucket}/{profile.folder}/output/
"""
JOBS_WAIT = {
    "jobs_at_once": 0,
    "job_image_needs_rights": False,
}  # what the sandbox's processing jobs do
ANY_ROLE = f"arn:aws:iam::{ACCOUNT}:role/role-*"


@dataclass
class LauncherSetup:
    """One stack, and its launcher."""

    setup: GrantorSetup
    job_code: Path
    uploads: str
    alerts: AlertInbox
    roles: frozenset[str] = frozenset((ANY_ROLE,))

    def build_jobs(self, keys: dict[str, str] | None = None) -> JobServices:
        """Build services as a cold function has them."""
        self.setup.client("ssm").put_parameter(
            Name=ROLES_PARAMETER, Value=",".join(self.roles), Type="String", Overwrite=True
        )
        names = JobNames(OPERATIONS, self.uploads, ROLES_PARAMETER, JobNetwork())
        return JobServices(
            self.setup.build_services(keys) if keys else self.setup.build_warm_services(),
            names,
            self.job_code,
        )

    def build_jobs_later(self, seconds: float) -> JobServices:
        """Build services whose clock is so many seconds ahead."""
        return JobServicesAhead(
            self.build_jobs().services,
            self.build_jobs().names,
            self.job_code,
            seconds_ahead=seconds,
        )

    def upload(self, key: str, body: bytes = b"M,0.455") -> dict[str, Any]:
        """Upload an object; return its event."""
        made = self.setup.client("s3").put_object(Bucket=DATA, Key=key, Body=body)
        return upload_event(key, made["VersionId"])

    def deliver(
        self, *events: dict[str, Any], jobs: JobServices | None = None, received: int = 1
    ) -> list[dict[str, Any]]:
        """Deliver one batch; return the events that will be redelivered.

        Batches of 20 and more have no real messages in the queue.
        """
        records = self._build_records(events, received)
        answer = handle(jobs or self.build_jobs(), {"Records": records}, None)
        return [events[int(failed["itemIdentifier"])] for failed in answer["batchItemFailures"]]

    def deliver_at_once(self, *events: dict[str, Any], launchers: list[JobServices]) -> None:
        """Deliver the same batch to several launchers at the same moment, each in a thread.

        In Lambda each has a process of its own. Threads share its metrics, so none is written.
        """

        def deliver(jobs: JobServices) -> None:
            handle_batch(jobs, Invocation(jobs, None), self._build_records(events, 1))

        with ThreadPoolExecutor(len(launchers)) as together:
            list(together.map(deliver, launchers))
        metrics.clear_metrics()

    def _build_records(
        self, events: tuple[dict[str, Any], ...], received: int
    ) -> list[dict[str, Any]]:
        few = len(events) < 20
        return [
            {
                "messageId": str(n),
                "receiptHandle": self._receive(event) if few else "none",
                "body": json.dumps(event),
                "attributes": {"ApproximateReceiveCount": str(received)},
            }
            for n, event in enumerate(events)
        ]

    def _receive(self, event: dict[str, Any]) -> str:
        """Send and receive the event; return the message's receipt handle."""
        sqs = self.setup.client("sqs")
        sqs.send_message(QueueUrl=self.uploads, MessageBody=json.dumps(event))
        return str(
            sqs.receive_message(QueueUrl=self.uploads, VisibilityTimeout=600)["Messages"][0][
                "ReceiptHandle"
            ]
        )

    def count_sent(self) -> int:
        """Count and delete the messages that the launcher has sent to its own queue."""
        sqs, names = (
            self.setup.client("sqs"),
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

    def set_faults(self, *rules: dict[str, Any]) -> None:
        """Make these calls fail from now on; without rules, remove all faults.

        The switches stay, so that no waiting job begins to run in between.
        """
        sandbox = self.setup.sandbox
        for rule in call_control(sandbox, "faults")["rules"]:
            call_control(sandbox, f"faults?rule={rule['number']}", "DELETE")
        # Throttled clients slow down, and the next test is not to inherit that.
        self.setup.own_clients = self.setup.build_services().clients
        if rules:
            call_control(sandbox, "faults", "POST", {"rules": list(rules)})

    def list_statuses(self) -> dict[str, str]:
        """List the status of every processing job by its name."""
        pages = self.setup.client("sagemaker").get_paginator("list_processing_jobs").paginate()
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
        """End a job with this exit code and summary; return the event."""
        sagemaker, s3 = self.setup.client("sagemaker"), self.setup.client("s3")
        if summary:
            folder = sagemaker.describe_processing_job(ProcessingJobName=name)["AppSpecification"][
                "ContainerArguments"
            ]
            key = folder[folder.index("--summary") + 1].partition(f"{OPERATIONS}/")[2]
            s3.put_object(Bucket=OPERATIONS, Key=key, Body=json.dumps(summary).encode())
        ended = call_control(self.setup.sandbox, "end-job", "POST", {"name": name, "exit": code})
        assert ended == {"status": "Failed" if code else "Completed"}
        return job_event(name)

    def run_script(self, name: str, script: str, wait: bool = True) -> None:
        """Run a script as a processing job of this name, to its end if `wait`."""
        sagemaker = self.setup.client("sagemaker")
        self.setup.set_switches(jobs_at_once=2)
        sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=self.setup.create_role("role-userA"),
            AppSpecification={
                "ImageUri": "image",
                "ContainerEntrypoint": ["/bin/sh", "-c", script],
            },
            ProcessingResources={
                "ClusterConfig": {
                    "InstanceType": "ml.m5.xlarge",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 30,
                }
            },
        )
        wait_until(lambda: self.list_statuses()[name] not in ("InProgress", "Stopping") or not wait)
        self.setup.set_switches(**JOBS_WAIT)

    def stop_job(self, name: str) -> dict[str, Any]:
        """Stop a job as a person would; return the event."""
        self.setup.client("sagemaker").stop_processing_job(ProcessingJobName=name)
        return job_event(name, "Stopped")

    def list_runs(self) -> list[JobRun]:
        """List the recorded runs, newest first."""
        return list(self.build_jobs().store.iterate_runs())

    def list_waiting(self) -> list[WaitingUpload]:
        return list(self.build_jobs().store.iterate_waiting())

    def read_alerts(self) -> list[str]:
        """Return the alerts since the last look."""
        return [text for _, text in self.alerts.read_new()]


@dataclass
class JobServicesAhead(JobServices):
    """Job services whose clock is ahead."""

    seconds_ahead: float = 0.0

    def clock(self) -> float:
        return super().clock() + self.seconds_ahead


def set_up_launcher(
    sandbox: Sandbox, folder: Path, policy: str = ARTICLE_POLICY + JOB
) -> LauncherSetup:
    """Set up a stack with the grants of the policy, an operations bucket and an upload queue."""
    setup = set_up_grantor(sandbox, folder)
    setup.client("s3").create_bucket(Bucket=OPERATIONS)
    uploads = setup.client("sqs").create_queue(QueueName="uploads")["QueueUrl"]
    setup.set_switches(**JOBS_WAIT)
    setup.put_policy("article", policy)
    setup.reconcile()
    return LauncherSetup(setup, write_job_code(folder / "job_code"), uploads, AlertInbox(setup))


def write_job_code(folder: Path, code: str = "c0de" * 8) -> Path:
    """Write a folder as the packer makes it, with a job in it that does nothing."""
    job = folder / "abalone"
    job.mkdir(parents=True, exist_ok=True)
    (job / "preprocess.py").write_text("")
    (job / "framework.zip").write_bytes(b"zip")
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
    """The event that the launcher sends to its own queue about a waiting upload."""
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
