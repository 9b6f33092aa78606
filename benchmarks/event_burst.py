"""Ten thousand uploads and five hundred new profiles at once: how many runs, how soon, none lost.

It runs against the stack as it is deployed. Profiles and folders are created while their event
rules are disabled. Then their events are put into the queue, as EventBridge shapes them and as
fast as SQS accepts them. The burst is over when every wanted grant exists and the queue is empty.
"""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from harness.deployment import Deployment
from harness.figures import Figure
from harness.session import ROOT
from sandbox.testing.helpers import call_control
from tests.conftest import Sandbox

UPLOADS, PROFILES = 10_000, 500
FOLDERS = 48  # every second one lies below a prefix that a rule follows
RUNS_BOUND, FIRST_GRANT_BOUND = 20, 2.0  # runs; seconds from the first event to the first grant
REST_SECONDS = 400.0
POLL_SECONDS = 0.5
READER = "load-reader"
USERS = [f"load-{n:03}" for n in range(PROFILES)]
PREFIXES = [f"{'projects' if n % 2 else 'raw'}/{n:02}/" for n in range(FOLDERS)]
POLICY_KEY = "policy/load.yaml"
POLICY = """\
version: 1
rules:
  - name: each-project
    to: {{role: "{reader}"}}
    on: {{each_prefix: "s3://{{data_bucket}}/projects/"}}
    allow: READ
"""
SERVICES = {
    "dynamodb": "DynamoDB",
    "s3control": "Access Grants",
    "sagemaker": "Studio",
    "s3": "S3",
    "events": "EventBridge",
}
RUN_MESSAGE = "run finished"  # logged once for each run, with its report

RoleAndScope = tuple[str, str]
BridgeEvent = dict[str, Any]


@dataclass
class EventBurst:
    """One burst. `wanted` are the grants that it must bring; `sent` is the time of the last event.

    All times are in seconds since the epoch.
    """

    deployment: Deployment
    sent: float = 0.0
    wanted: set[RoleAndScope] = field(default_factory=set)

    def prepare(self) -> None:
        """Put a rule that follows folders; then create folders and profiles without events."""
        policy = POLICY.format(reader=self.deployment.create_studio_role(READER))
        self.deployment.put_policy(POLICY_KEY, policy.encode())
        _wait_until(self._is_policy_accepted)
        bus = self.deployment.session.client("events")
        rules = [self.deployment.find_resource(it) for it in ("DataChanged", "ProfileChanged")]
        for rule in rules:
            bus.disable_rule(Name=rule)
        self._create_profiles()
        self.deployment.upload_files(*(f"{prefix}first.csv" for prefix in PREFIXES))
        for rule in rules:
            bus.enable_rule(Name=rule)
        self.wanted = set(_list_wanted(f"s3://{self.deployment.data_bucket}"))
        call_control(self._sandbox, "calls", "DELETE")

    def send(self) -> float:
        """Put every event into the queue, ten at a time, and return the time of the first.

        One sender only: the one server answers its calls between all others.
        """
        sqs, queue = self.deployment.session.client("sqs"), self.deployment.outputs["EventQueue"]
        begun = time.time()
        for entries in self._build_batches():
            if refused := sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed"):
                raise RuntimeError(f"SQS did not accept {refused}")
        self.sent = time.time()
        return begun

    def wait_for_rest(self) -> float:
        """Wait until every wanted grant exists and the queue is empty; the time of that."""
        _wait_until(
            lambda: (
                self.deployment.count_messages("EventQueue") == 0
                and self.list_grant_times().keys() >= self.wanted
            )
        )
        return time.time()

    def list_grant_times(self) -> dict[RoleAndScope, float]:
        """Every grant, with the time of its creation."""
        return {
            (grant["Grantee"]["GranteeIdentifier"].rpartition("/")[2], grant["GrantScope"]): float(
                grant["CreatedAt"].timestamp()
            )
            for grant in self.deployment.iterate_grants()
        }

    def read_log_lines(self, since: float = 0.0) -> list[str]:
        """What the reconciler has logged since then."""
        return self.deployment.read_log_lines(self.deployment.outputs["ReconcileGrants"], since)

    def count_calls(self) -> Counter[str]:
        """The reconciler's calls since the burst was prepared, by service."""
        counted: Counter[str] = Counter()
        for row in call_control(self._sandbox, "calls"):
            if "ReconcileGrantsRole" in row["principal"]:
                counted[row["service"]] += row["answered"] + row["refused"]
        return counted

    @property
    def _sandbox(self) -> Sandbox:
        return Sandbox.find(self.deployment.session.port, ROOT)

    def _is_policy_accepted(self) -> bool:
        records = self.deployment.read_log(self.deployment.outputs["ReconcileGrants"])
        reports = [it["report"] for it in records if it.get("message") == RUN_MESSAGE]
        accepted = [it["file"] for report in reports for it in report["policy"]["accepted"]]
        return POLICY_KEY in accepted

    def _create_profiles(self) -> None:
        studio = self.deployment.session.client("sagemaker")
        domain = self.deployment.find_domain_id()
        for name in USERS:
            settings = {"ExecutionRole": self.deployment.create_studio_role(name)}
            studio.create_user_profile(DomainId=domain, UserProfileName=name, UserSettings=settings)

    def _build_batches(self) -> Iterator[list[dict[str, str]]]:
        """All events in tens, each with the time at which it is sent."""
        events = _build_events(self.deployment.data_bucket, self.deployment.find_domain_id())
        for ten in batched(events, 10):
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            bodies = [json.dumps(event | {"id": str(uuid.uuid4()), "time": now}) for event in ten]
            yield [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]


def measure_event_burst(deployment: Deployment) -> list[Figure]:
    """One burst. Before it no event is under way, and only the stack's own policy has grants."""
    burst = EventBurst(deployment)
    burst.prepare()
    before = burst.list_grant_times().keys()
    begun = burst.send()
    rested = burst.wait_for_rest()
    times = burst.list_grant_times().items()
    made = {key: at - begun for key, at in times if key not in before}
    lines, calls = burst.read_log_lines(begun), burst.count_calls()
    runs = sum(f'"message":"{RUN_MESSAGE}"' in line for line in lines)
    missing, unwanted = burst.wanted - made.keys(), made.keys() - burst.wanted
    dead, events = deployment.count_messages("EventDLQ"), UPLOADS + PROFILES
    return [
        Figure("burst: wanted grants missing in the end", len(missing), "grants", 0),
        Figure("burst: unwanted grants in the end", len(unwanted), "grants", 0),
        Figure("burst: events in the dead-letter queue", dead, "events", 0),
        Figure(f"burst: runs for {events:,} events", runs, "runs", RUNS_BOUND),
        Figure("burst: first event to first grant", min(made.values()), "s", FIRST_GRANT_BOUND),
        Figure("burst: first event to last event sent", burst.sent - begun, "s"),
        Figure("burst: first event to last grant", max(made.values()), "s"),
        Figure("burst: first event to rest", rested - begun, "s"),
        Figure("burst: invocations", sum(it.startswith("REPORT ") for it in lines), "calls"),
        *(
            Figure(f"burst: calls to {name}", calls[service], "calls")
            for service, name in SERVICES.items()
        ),
    ]


def _list_wanted(data: str) -> Iterator[RoleAndScope]:
    for name in USERS:
        yield name, f"{data}/Product/*"
        yield name, f"{data}/{name.capitalize()}/*"
    for prefix in PREFIXES[1::2]:
        yield READER, f"{data}/{prefix}*"


def _build_events(bucket: str, domain: str) -> Iterator[BridgeEvent]:
    """Uploads into one folder after the other, and the profiles evenly among them."""
    uploaded, created = (_read_sample(name) for name in ("data_uploaded", "profile_created"))
    for n in range(UPLOADS):
        key = f"{PREFIXES[n % FOLDERS]}upload-{n}.csv"
        detail = {"bucket": {"name": bucket}, "object": {"key": key}}
        yield uploaded | {"detail": uploaded["detail"] | detail}
        user, rest = divmod(n, UPLOADS // PROFILES)
        if rest == 0:
            asked = {"domainId": domain, "userProfileName": USERS[user]}
            yield created | {"detail": created["detail"] | {"requestParameters": asked}}


def _read_sample(name: str) -> BridgeEvent:
    event: BridgeEvent = json.loads((ROOT / f"events/{name}.json").read_text())
    return event


def _wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + REST_SECONDS
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(f"not at rest within {REST_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)
