"""What these tests look at and choose: whether all is at rest, what was enqueued, who was alerted,
and worlds of another clock or patience.

at_rest(estate, {"READ s3://data/* to …"})   one clean run makes it so, the next one changes nothing
count_enqueued(estate)                       how many triggers the runs have enqueued
Calls(estate)                                what was said to a person from here on
Ahead(estate.names, …, ahead=90)             a world whose clock is 90 seconds ahead
hasty(estate)                                a world that gives up soon on who does not answer
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config

from grantor.aws.services import Services
from grantor.core.grant import State
from grantor.core.planning.rendering import describe_grant
from grantor.reconcile.report import Report, render_report
from sandbox.testing.helpers import policy_document
from tests.conftest import ACCOUNT, REGION
from tests.estate import HOME, LEDGER, POLICIES, STACK, Estate

READS = {
    "ListAccessGrants": 1,
    "ListAccessGrantsLocations": 1,
}  # all that a sweep with nothing to do asks Access Grants
ELSE = {"WRITE s3://data/00/* to role/auditor"}  # what the other file of `thirty` gives
SERVICES = (
    "dynamodb",
    "events",
    "identitystore",
    "s3",
    "s3control",
    "sagemaker",
    "sns",
    "sqs",
    "sso_admin",
)


@dataclass
class Ahead(Services):
    """A world whose clock is so many seconds ahead of ours: what is due by then is due in it."""

    ahead: float = 0.0

    def clock(self) -> float:
        return super().clock() + self.ahead


def ahead(estate: Estate, seconds: float) -> Services:
    return Ahead(estate.names, estate.world().clients, ahead=seconds)


def hasty(estate: Estate) -> Services:
    """A world that asks at most twice and waits two seconds for an answer, so that a service that
    fails for long fails soon.
    """
    chosen = estate.world()
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=2
    )
    for service in SERVICES:
        setattr(
            chosen.clients,
            service,
            chosen.clients.session.client(service.replace("_", "-"), config=config),
        )
    return chosen


def ledger(estate: Estate) -> set[str]:
    """The grants of which the ledger says that they stand, under the id that the service knows them
    by.
    """
    actual = estate.actual()
    return {
        describe_grant(grant, HOME)
        for grant, entry in estate.entries().items()
        if entry.state is State.LIVE and actual.get(grant) == entry.id
    }


def at_rest(estate: Estate, wanted: Iterable[str], foreign: Iterable[str] = ()) -> None:
    """What is wanted, what there is and what is written down are one after a clean run, and the run
    after it changes nothing.
    """
    estate.faults()
    first = estate.run()
    assert (estate.grants(), first.is_finished) == ({*wanted, *foreign}, True)
    assert (
        {describe_grant(grant, HOME) for grant in estate.entries()} == ledger(estate) == set(wanted)
    )
    quiet(estate)


def quiet(estate: Estate) -> Report:
    """A run that reads two pages of Access Grants, and writes nothing but that it held the lease
    and has looked.
    """
    before = written(estate)
    estate.forget_calls()
    report = estate.run()
    assert (report.done, estate.calls(), written(estate)) == ([], READS, before)
    return report


def said(report: Report, label: str) -> list[str]:
    """What the report's lines with this label say: error, deferred, unmanaged, …"""
    lines = (line.partition(": ") for line in render_report(report, HOME, STACK))
    return [text for found, _, text in lines if found == label]


def written(estate: Estate) -> list[Any]:
    """Everything in the ledger's table but the lease and the last sweep, which every run leaves a
    mark on.
    """
    items = estate.client("dynamodb").scan(TableName=LEDGER)["Items"]
    marks = ("lease", "sweep")
    return sorted((item for item in items if item["sk"]["S"] not in marks), key=str)


def count_enqueued(estate: Estate) -> int:
    """How many triggers are in the queue, due or not; only runs enqueue there."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
    counts = estate.client("sqs").get_queue_attributes(
        QueueUrl=estate.names.event_queue, AttributeNames=names
    )["Attributes"]
    return sum(int(counts[name]) for name in names)


@dataclass
class Calls:
    """What is said to people from here on: an address of the topic, read as a person reads it."""

    estate: Estate
    box: str = field(init=False)

    def __post_init__(self) -> None:
        sqs = self.estate.client("sqs")
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:people"
        sns = {
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        self.box = sqs.create_queue(
            QueueName="people", Attributes={"Policy": policy_document(sns)}
        )["QueueUrl"]
        self.estate.client("sns").subscribe(
            TopicArn=self.estate.names.alert_topic, Protocol="sqs", Endpoint=arn
        )

    def new(self) -> list[tuple[str, str]]:
        """Subject and text of each message since the last look."""
        found = (
            self.estate.client("sqs")
            .receive_message(QueueUrl=self.box, MaxNumberOfMessages=10)
            .get("Messages", [])
        )
        for message in found:
            self.estate.client("sqs").delete_message(
                QueueUrl=self.box, ReceiptHandle=message["ReceiptHandle"]
            )
        messages = [json.loads(message["Body"]) for message in found]
        return [(each["Subject"], each["Message"]) for each in messages]


def versions(estate: Estate, name: str) -> list[str]:
    """The versions of a policy file, the newest first."""
    listed = (
        estate.client("s3")
        .list_object_versions(Bucket=POLICIES, Prefix=f"policy/{name}.yaml")
        .get("Versions", [])
    )
    return [version["VersionId"] for version in listed]


@contextmanager
def struck(estate: Estate, *rules: dict[str, Any]) -> Iterator[None]:
    """Inside, these calls are struck."""
    estate.faults(*rules)
    try:
        yield
    finally:
        estate.faults()


def fault(what: str, kind: str, **more: Any) -> dict[str, Any]:
    """One rule of faults: `what` is service/operation."""
    service, _, operation = what.partition("/")
    return {"service": service, "operation": operation, "kind": kind, **more}


def rules(count: int) -> str:
    """So many rules, a grant each, of one auditor."""
    one = """\
  - name: r{n:02}
    to: {{role: "arn:aws:iam::000000000000:role/auditor"}}
    on: s3://{{data_bucket}}/{n:02}/*
    allow: READ
"""
    return "version: 1\nrules:\n" + "".join(one.format(n=n) for n in range(count))


def grants(count: int) -> set[str]:
    return {f"READ s3://data/{n:02}/* to role/auditor" for n in range(count)}


def wait_until(look: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, f"waited {seconds} s"
        time.sleep(0.02)
