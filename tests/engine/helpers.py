"""Assertions, alerts, faults and special services for the tests of the reconciler.

assert_settled(setup, {"READ s3://data/* …"})  a clean run leads there, the next changes nothing
count_enqueued(setup)                          the number of triggers that runs have enqueued
AlertInbox(setup)                              reads the alerts that are sent from here on
build_services_ahead(setup, 90)                services whose clock is 90 seconds ahead
build_impatient_services(setup)                services that give up soon on a failing call
injected_faults(setup, build_fault(…))         calls fail inside this context
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from botocore.config import Config

from grantor.aws.services import Services
from grantor.cli.changing import render_report
from grantor.core.grant import State
from grantor.core.planning.rendering import describe_grant
from grantor.reconcile.report import Report
from sandbox.testing.helpers import policy_document
from tests.conftest import ACCOUNT, REGION
from tests.grantor_setup import HOME, LEDGER, POLICIES, STACK, GrantorSetup

SWEEP_CALLS = {
    "ListAccessGrants": 1,
    "ListAccessGrantsLocations": 1,
}  # all calls to Access Grants of a sweep that has nothing to do
ASSOCIATION_CALLS = {"GetAccessGrantsInstance": 1}  # and of one whose rules name the directory
OTHER_FILE_GRANTS = {
    "WRITE s3://data/00/* to role/auditor"
}  # what the second file of the fixture `thirty_grants` grants
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
class ServicesAhead(Services):
    """Services whose clock is ahead: what is due by then is due for them."""

    seconds_ahead: float = 0.0

    def clock(self) -> float:
        return super().clock() + self.seconds_ahead


def build_services_ahead(setup: GrantorSetup, seconds: float) -> Services:
    return ServicesAhead(setup.names, setup.build_services().clients, seconds_ahead=seconds)


def build_impatient_services(setup: GrantorSetup) -> Services:
    """Build services that try a call twice and wait two seconds for a response.

    A run with them fails soon if a service keeps failing.
    """
    chosen = setup.build_services()
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=2
    )
    for service in SERVICES:
        client = chosen.clients.create(service.replace("_", "-"), config)
        setattr(chosen.clients, service, client)
    return chosen


def describe_confirmed_grants(setup: GrantorSetup) -> set[str]:
    """Return the live grants of the ledger whose ids are those in Access Grants."""
    actual = setup.list_grants()
    return {
        describe_grant(grant, HOME)
        for grant, entry in setup.read_ledger().items()
        if entry.state is State.LIVE and actual.get(grant) == entry.id
    }


def assert_settled(
    setup: GrantorSetup, wanted: Iterable[str], unmanaged: Iterable[str] = ()
) -> None:
    """Assert that after a run without faults the grants and the ledger are exactly as wanted.

    A second run must change nothing.
    """
    setup.set_faults()
    first = setup.reconcile()
    assert (setup.describe_grants(), first.is_finished) == ({*wanted, *unmanaged}, True)
    assert (
        {describe_grant(grant, HOME) for grant in setup.read_ledger()}
        == describe_confirmed_grants(setup)
        == set(wanted)
    )
    names_directory = any(" to directory_" in grant for grant in wanted)
    assert_run_changes_nothing(setup, ASSOCIATION_CALLS if names_directory else {})


def assert_run_changes_nothing(
    setup: GrantorSetup, also: Mapping[str, int] = MappingProxyType({})
) -> Report:
    """Run, and assert that only the lease and the time of the sweep were written.

    The run must make two calls to Access Grants, and those that are given.
    """
    before = read_table(setup)
    setup.reset_call_counts()
    report = setup.reconcile()
    calls = SWEEP_CALLS | also
    assert (report.done, setup.count_calls(), read_table(setup)) == ([], calls, before)
    return report


def find_report_lines(report: Report, label: str) -> list[str]:
    """Return the texts of the report's lines with this label: error, deferred, unmanaged …"""
    lines = (line.partition(": ") for line in render_report(report, HOME, STACK))
    return [text for found, _, text in lines if found == label]


def read_table(setup: GrantorSetup) -> list[Any]:
    """Read the ledger's table without the lease and the last sweep, which every run writes."""
    items = setup.client("dynamodb").scan(TableName=LEDGER)["Items"]
    marks = ("lease", "sweep")
    return sorted((item for item in items if item["sk"]["S"] not in marks), key=str)


def count_enqueued(setup: GrantorSetup) -> int:
    """Count the triggers in the queue, visible or delayed; only runs enqueue there."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
    counts = setup.client("sqs").get_queue_attributes(
        QueueUrl=setup.names.event_queue, AttributeNames=names
    )["Attributes"]
    return sum(int(counts[name]) for name in names)


@dataclass
class AlertInbox:
    """Receives the alerts that are sent from its creation on, through a queue of its own."""

    setup: GrantorSetup
    queue_url: str = field(init=False)

    def __post_init__(self) -> None:
        sqs = self.setup.client("sqs")
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:people"
        sns = {
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        self.queue_url = sqs.create_queue(
            QueueName="people", Attributes={"Policy": policy_document(sns)}
        )["QueueUrl"]
        self.setup.client("sns").subscribe(
            TopicArn=self.setup.names.alert_topic, Protocol="sqs", Endpoint=arn
        )

    def read_new(self) -> list[tuple[str, str]]:
        """Receive the new alerts; return subject and text of each."""
        found = (
            self.setup.client("sqs")
            .receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
            .get("Messages", [])
        )
        for message in found:
            self.setup.client("sqs").delete_message(
                QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
        messages = [json.loads(message["Body"]) for message in found]
        return [(each["Subject"], each["Message"]) for each in messages]


def list_versions(setup: GrantorSetup, name: str) -> list[str]:
    """List the versions of a policy file, newest first."""
    listed = (
        setup.client("s3")
        .list_object_versions(Bucket=POLICIES, Prefix=f"policy/{name}.yaml")
        .get("Versions", [])
    )
    return [version["VersionId"] for version in listed]


@contextmanager
def injected_faults(setup: GrantorSetup, *rules: dict[str, Any]) -> Iterator[None]:
    """Make these calls fail inside the context."""
    setup.set_faults(*rules)
    try:
        yield
    finally:
        setup.set_faults()


def build_fault(what: str, kind: str, **more: Any) -> dict[str, Any]:
    """Build a rule for `set_faults`; `what` is SERVICE/OPERATION."""
    service, _, operation = what.partition("/")
    return {"service": service, "operation": operation, "kind": kind, **more}


def build_rules(count: int) -> str:
    """Build a policy file of so many rules, each with one grant for the role auditor."""
    one = """\
  - name: r{n:02}
    to: {{role: "arn:aws:iam::000000000000:role/auditor"}}
    on: s3://{{data_bucket}}/{n:02}/*
    allow: READ
"""
    return "version: 1\nrules:\n" + "".join(one.format(n=n) for n in range(count))


def expected_grants(count: int) -> set[str]:
    return {f"READ s3://data/{n:02}/* to role/auditor" for n in range(count)}


def wait_until(look: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, f"waited {seconds} s"
        time.sleep(0.02)
