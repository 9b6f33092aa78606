"""An upload that waits for hours is retried by a chain of the launcher's own messages.

The account is young: it has no processing instances, so every start is refused. Hours pass by the
test's clock. Lambda would stop the chain at its 17th link if the launcher did not allow loops.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grantor.settings import UPLOAD_RETRY_ATTEMPTS, UPLOAD_RETRY_MAX_SECONDS
from sandbox.testing.helpers import call_control
from tests.conftest import ROOT
from tests.teardown.empty_account import DeployedStack, EmptyAccount, wait_until

ONE_LOOK = UPLOAD_RETRY_MAX_SECONDS  # seconds: the next message is visible after that
BUSY_SECONDS = 20  # after which an invocation on a busy machine has ended
MAX_LOOKS = 5  # a message that failed once comes again
CHAIN = 16  # invocations in a chain; the next one is refused


@dataclass(frozen=True)
class Upload:
    """What happens to the upload of one user."""

    account: EmptyAccount
    stack: DeployedStack
    key: str

    def read_attempt(self) -> int:
        """Return the number of the retry that waits in the queue; 0 if none does."""
        found = self.account.client("dynamodb").query(
            TableName=self.stack.read_outputs()["Ledger"],
            KeyConditionExpression="pk = :waiting",
            ExpressionAttributeValues={":waiting": {"S": "job waiting"}},
        )["Items"]
        own = (it for it in found if it["upload"]["S"].endswith(self.key))
        return next((int(it["attempt"]["N"]) for it in own), 0)

    def let_time_pass(self, attempt: int) -> None:
        """Let time pass until this retry waits in the queue."""
        looks = 0  # since the last progress
        while (now := self.read_attempt()) < attempt:
            call_control(self.account.sandbox, "pass-time", "POST", {"seconds": ONE_LOOK})
            self.wait_while_busy()
            looks = 0 if self.read_attempt() > now else looks + 1
            assert looks < MAX_LOOKS, f"retry {now} is the last; {self.count_dropped()} dropped"

    def wait_while_busy(self) -> None:
        """Wait while the launcher has a message, as long as an invocation may take."""
        end = time.monotonic() + BUSY_SECONDS
        busy = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        while any(self.count_messages("UploadQueue", which) for which in busy):
            if time.monotonic() > end:
                return
            time.sleep(0.05)

    def count_letters(self) -> int:
        """Count the messages in the dead-letter queue."""
        return self.count_messages("UploadDLQ", "ApproximateNumberOfMessages")

    def count_messages(self, queue: str, which: str) -> int:
        answer = self.account.client("sqs").get_queue_attributes(
            QueueUrl=self.stack.find_physical_id(queue), AttributeNames=[which]
        )
        return int(answer["Attributes"][which])

    def count_dropped(self) -> float:
        """Return the launcher's metric RecursiveInvocationsDropped of the last hour."""
        now = datetime.now(UTC)
        points = self.account.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda", MetricName="RecursiveInvocationsDropped", Statistics=["Sum"],
            Dimensions=[{"Name": "FunctionName", "Value": self.launcher}], Period=3600,
            StartTime=now - timedelta(hours=1), EndTime=now + timedelta(minutes=1),
        )["Datapoints"]  # fmt: skip
        return sum(point["Sum"] for point in points)

    @property
    def launcher(self) -> str:
        return self.stack.find_physical_id("StartSparkJob")

    def list_jobs(self) -> list[str]:
        listed = self.account.client("sagemaker").list_processing_jobs()
        return [it["ProcessingJobName"] for it in listed["ProcessingJobSummaries"]]

    def list_alarms(self) -> list[str]:
        alarms = self.account.client("cloudwatch").describe_alarms(StateValue="ALARM")
        return [it["AlarmName"] for it in alarms["MetricAlarms"]]


def set_switches(account: EmptyAccount, **switches: Any) -> None:
    call_control(account.sandbox, "faults", "POST", {"switches": switches})


@pytest.fixture(scope="module")
def stack(account: EmptyAccount) -> Iterator[DeployedStack]:
    """A stack with the article's grants and job, in a young account, whose jobs wait."""
    set_switches(account, young_account=True, jobs_at_once=0)
    stack = account.build_stack()
    assert stack.create() == "CREATE_COMPLETE", stack.describe_failures()
    # The dataset that the stack loads starts no job, since there is no policy yet.
    Upload(account, stack, "").wait_while_busy()
    s3, bucket = account.client("s3"), stack.read_outputs()["PolicyBucket"]
    for file in ("article.yaml", "abalone.yaml"):
        body = (ROOT / "policy" / file).read_bytes()
        s3.put_object(Bucket=bucket, Key=f"policy/{file}", Body=body)
    wait_until(lambda: count_grants(account) == 4)
    yield stack
    call_control(account.sandbox, "faults", "DELETE")


def count_grants(account: EmptyAccount) -> int:
    listed = account.client("s3control").list_access_grants(AccountId="0" * 12)
    return len(listed["AccessGrantsList"])


def upload(stack: DeployedStack, key: str) -> Upload:
    """Upload new content and wait until its first retry is in the queue."""
    made = Upload(stack.account, stack, key)
    stack.account.client("s3").put_object(
        Bucket=stack.read_outputs()["DataBucket"], Key=key, Body=key.encode()
    )
    wait_until(lambda: made.read_attempt() >= 1)
    made.wait_while_busy()
    return made


def test_forty_retries_in_four_hours_end_in_one_job_without_a_dead_letter_or_an_alarm(
    stack: DeployedStack,
) -> None:
    assert UPLOAD_RETRY_ATTEMPTS == 40
    waiting = upload(stack, "UserA/abalone.csv")
    waiting.let_time_pass(UPLOAD_RETRY_ATTEMPTS)
    assert waiting.list_jobs() == []
    set_switches(stack.account, young_account=False)
    call_control(stack.account.sandbox, "pass-time", "POST", {"seconds": ONE_LOOK})
    wait_until(waiting.list_jobs)
    waiting.wait_while_busy()

    passed = call_control(stack.account.sandbox, "pass-time")["passed"]
    assert passed >= timedelta(hours=4).total_seconds()
    assert len(waiting.list_jobs()) == 1
    assert (waiting.count_letters(), waiting.count_dropped(), waiting.list_alarms()) == (0, 0, [])


def test_without_the_property_the_17th_link_is_dropped_and_reaches_the_dead_letter_queue(
    stack: DeployedStack,
) -> None:
    set_switches(stack.account, young_account=True)
    jobs = Upload(stack.account, stack, "").list_jobs()
    stack.account.client("lambda").put_function_recursion_config(
        FunctionName=stack.find_physical_id("StartSparkJob"), RecursiveLoop="Terminate"
    )
    waiting = upload(stack, "UserB/abalone.csv")
    waiting.let_time_pass(CHAIN)

    def reach_dead_letters() -> bool:
        call_control(stack.account.sandbox, "pass-time", "POST", {"seconds": ONE_LOOK})
        return waiting.count_letters() == 1

    wait_until(reach_dead_letters)
    assert (waiting.read_attempt(), waiting.list_jobs()) == (CHAIN, jobs)
    assert waiting.count_dropped() > 0
