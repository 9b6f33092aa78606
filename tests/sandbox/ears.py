"""Patience with a limit, roles, trails and archives, and a queue that hears what a rule matches."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import ACCOUNT, Sandbox
from tests.sandbox.desk import allowing, own


def until[T](look: Callable[[], T], seconds: float = 20) -> T:
    """What `look` gives, once it is something; the test fails if it is nothing for so many seconds."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s, and there was still {seen!r}")
        time.sleep(0.03)
    return seen


def archive(files: dict[str, str]) -> bytes:
    """A zip file of these texts."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return made.getvalue()


def make_role(sandbox: Sandbox, service: str, *actions: str) -> str:
    """A role that the service may assume, and that may do these actions; its ARN."""
    iam, name = sandbox.client("iam"), own("role")
    trust = allowing({"Principal": {"Service": service}, "Action": "sts:AssumeRole"})
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if actions:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=allowing({"Action": actions, "Resource": "*"}))
    return str(made)


def make_trail(sandbox: Sandbox) -> str:
    """A trail that logs all management events, without which nobody hears of an API call; its name."""
    s3, cloudtrail, name = sandbox.client("s3"), sandbox.client("cloudtrail"), own("trail")
    whose = {"Principal": {"Service": "cloudtrail.amazonaws.com"}}
    s3.create_bucket(Bucket=name)
    policy = allowing(
        whose | {"Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{name}"},
        whose | {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/AWSLogs/{ACCOUNT}/*"},
    )
    s3.put_bucket_policy(Bucket=name, Policy=policy)
    cloudtrail.create_trail(Name=name, S3BucketName=name)
    cloudtrail.start_logging(Name=name)
    return name


@dataclass(frozen=True)
class Ear:
    """A queue, the rule that sends to it, and what the queue has heard."""

    sandbox: Sandbox
    rule: str
    queue: str
    rule_arn: str
    queue_arn: str

    def let(self, **statement: Any) -> None:
        """Give the queue a policy of one statement about EventBridge."""
        whole = {"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": self.queue_arn}
        attributes = {"Policy": allowing(whole | statement)}
        self.sandbox.client("sqs").set_queue_attributes(QueueUrl=self.queue, Attributes=attributes)

    def heard(self, count: int) -> list[dict[str, Any]]:
        """The next events, as many as are asked for; the test fails if there are fewer."""
        events: list[dict[str, Any]] = []
        until(lambda: (events.extend(self.rest()), len(events) >= count)[1])
        return events

    def rest(self) -> list[dict[str, Any]]:
        """All that is in the queue now."""
        sqs, events = self.sandbox.client("sqs"), []
        while got := sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(got)]
            sqs.delete_message_batch(QueueUrl=self.queue, Entries=entries)
            events += [json.loads(message["Body"]) for message in got]
        return events


def make_ear(sandbox: Sandbox, let: bool = True, **rule: Any) -> Ear:
    """A new queue and a new rule that sends to it, which the queue's policy allows unless `let` is false."""
    events, sqs, name = sandbox.client("events"), sandbox.client("sqs"), own("ear")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    ear = Ear(sandbox, name, queue, events.put_rule(Name=name, **rule)["RuleArn"], arn)
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    if let:
        ear.let(Condition={"ArnEquals": {"aws:SourceArn": ear.rule_arn}})
    return ear
