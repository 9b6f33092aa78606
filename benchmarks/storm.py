"""A storm of bells over a deployed stack: what it needs is prepared in silence, all of it rings at once, and it is over when all is at rest.

Profiles and folders are made while their doorbells are off. Then the events are put into the queue, as EventBridge shapes them and
as fast as SQS takes them.
"""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from demo.cast import STACK, Cast
from demo.desk import ROOT
from tests.conftest import Sandbox
from tests.sandbox.desk import ask

UPLOADS, PROFILES, FOLDERS = 10_000, 500, 48  # every second folder lies below a base that a rule follows
PATIENCE = 400.0  # seconds until all must be at rest
READER = "load-reader"
PEOPLE = [f"load-{n:03}" for n in range(PROFILES)]
PLACES = [f"{'projects' if n % 2 else 'raw'}/{n:02}/" for n in range(FOLDERS)]
POLICY = """\
version: 1
rules:
  - name: each-project
    to: {{role: "{reader}"}}
    on: {{each_prefix: "s3://{{data_bucket}}/projects/"}}
    allow: READ
"""
Row = tuple[str, str]  # role and scope
Event = dict[str, Any]


@dataclass
class Storm:
    """One storm; `wanted` are the grants that it must bring, `sent` is when the last bell was put, in seconds since 1970."""

    cast: Cast
    sent: float = 0.0
    wanted: set[Row] = field(default_factory=set)

    def prepare(self) -> None:
        """A rule that follows folders; then folders and profiles, of which nobody hears yet."""
        self.cast.put_policy("policy/load.yaml", POLICY.format(reader=self._role(READER)).encode())
        _until(lambda: any('"adopted":["policy/load.yaml"]' in line for line in self.lines()))
        bus, studio, domain = self.cast.desk.client("events"), self.cast.desk.client("sagemaker"), self.cast.domain()
        bells = [self._resource(rule) for rule in ("DataChanged", "ProfileChanged")]
        for rule in bells:
            bus.disable_rule(Name=rule)
        for name in PEOPLE:
            studio.create_user_profile(DomainId=domain, UserProfileName=name, UserSettings={"ExecutionRole": self._role(name)})
        self.cast.upload(*(f"{place}first.csv" for place in PLACES))
        for rule in bells:
            bus.enable_rule(Name=rule)
        self.wanted = set(_wanted(f"s3://{self.cast.data}"))
        ask(self._sandbox, "calls", "DELETE")

    def send(self) -> float:
        """Put every event into the queue, ten at a time by one sender, whose calls the one server answers between all others.

        When that began, in seconds since 1970.
        """
        sqs, queue = self.cast.desk.client("sqs"), self.cast.outputs["Bells"]
        begun = time.time()
        for entries in self._messages():
            if refused := sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed"):
                raise RuntimeError(f"SQS did not take {refused}")
        self.sent = time.time()
        return begun

    def rest(self) -> float:
        """Wait until every wanted grant is there, and no message waits or is being answered; when that was."""
        _until(lambda: self.waiting("Bells") == 0 and self.grants().keys() >= self.wanted)
        return time.time()

    def waiting(self, queue: str) -> int:
        """The messages of a queue of the stack, also those that somebody has received and not yet answered."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        asked = {"QueueUrl": self._resource(queue), "AttributeNames": names}
        told = self.cast.desk.client("sqs").get_queue_attributes(**asked)["Attributes"]
        return sum(int(told[name]) for name in names)

    def grants(self) -> dict[Row, float]:
        """Every grant that exists, and when it was made, in seconds since 1970."""
        control, found = self.cast.desk.client("s3control"), {}
        asked = {"AccountId": self.cast.desk.account, "MaxResults": 1000}
        while True:
            page = control.list_access_grants(**asked)
            found |= {_row(grant): grant["CreatedAt"].timestamp() for grant in page["AccessGrantsList"]}
            if "NextToken" not in page:
                return found
            asked["NextToken"] = page["NextToken"]

    def lines(self, since: float = 0.0) -> list[str]:
        """What the reconciler has logged since then."""
        pages = self.cast.desk.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=f"/aws/lambda/{self.cast.outputs['ReconcileGrants']}", startTime=int(since * 1000))
        return [event["message"] for page in found for event in page["events"]]

    def calls(self) -> Counter[str]:
        """The calls of the reconciler since the storm was prepared, by service."""
        counted: Counter[str] = Counter()
        for row in ask(self._sandbox, "calls"):
            if "ReconcileGrantsRole" in row["principal"]:
                counted[row["service"]] += row["answered"] + row["refused"]
        return counted

    @property
    def _sandbox(self) -> Sandbox:
        return Sandbox(self.cast.desk.port, ROOT)

    def _messages(self) -> Iterator[list[dict[str, str]]]:
        """All events in tens, each as of the moment when it is sent."""
        for some in batched(_events(self.cast.data, self.cast.domain()), 10):
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            bodies = [json.dumps(event | {"id": str(uuid.uuid4()), "time": now}) for event in some]
            yield [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]

    def _role(self, name: str) -> str:
        iam = self.cast.desk.client("iam")
        trust = json.dumps(iam.get_role(RoleName="sagemaker-usera-role")["Role"]["AssumeRolePolicyDocument"])
        return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"])

    def _resource(self, name: str) -> str:
        asked = {"StackName": STACK, "LogicalResourceId": name}
        told = self.cast.desk.client("cloudformation").describe_stack_resource(**asked)
        return str(told["StackResourceDetail"]["PhysicalResourceId"])


def _wanted(data: str) -> Iterator[Row]:
    for name in PEOPLE:
        yield name, f"{data}/Product/*"
        yield name, f"{data}/{name.capitalize()}/*"
    for place in PLACES[1::2]:
        yield READER, f"{data}/{place}*"


def _events(bucket: str, domain: str) -> Iterable[Event]:
    """Uploads into one folder after the other, and the profiles evenly among them."""
    uploaded, created = (_example(name) for name in ("data_uploaded", "profile_created"))
    for n in range(UPLOADS):
        key = f"{PLACES[n % FOLDERS]}upload-{n}.csv"
        yield uploaded | {"detail": uploaded["detail"] | {"bucket": {"name": bucket}, "object": {"key": key}}}
        who, rest = divmod(n, UPLOADS // PROFILES)
        if rest == 0:
            asked = {"domainId": domain, "userProfileName": PEOPLE[who]}
            yield created | {"detail": created["detail"] | {"requestParameters": asked}}


def _example(name: str) -> Event:
    event: Event = json.loads((ROOT / f"events/{name}.json").read_text())
    return event


def _row(grant: dict[str, Any]) -> Row:
    return grant["Grantee"]["GranteeIdentifier"].rpartition("/")[2], grant["GrantScope"]


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(f"not at rest within {PATIENCE:.0f} s")
        time.sleep(0.5)
