"""One account of a world: the doubles, the clients of a process, and what is true.

Everything that people and AWS do to the account goes through here, so that the reality and the
events follow.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from grantor.aws.services import Services
from simulation.choices import Choices
from simulation.doubles.gate import Gate, ServiceError
from simulation.doubles.grants import GrantsAccount, GrantsBackend, GrantsClient
from simulation.doubles.messages import Bus, BusClient, Queue, QueueClient, Topic, TopicClient
from simulation.doubles.objects import Objects, ObjectsClient, ObjectVersion
from simulation.doubles.people import (
    CenterClient,
    DirectoryBackend,
    RolesBackend,
    RolesClient,
    StoreClient,
    StudioBackend,
    StudioClient,
    StudioDomain,
    StudioProfile,
)
from simulation.doubles.table import Table, TableClient
from simulation.estate import (
    ACCOUNT,
    AUDITOR,
    BOUNDS,
    DATA,
    DEFAULT_ROLE,
    DOMAIN,
    DOMAIN_ID,
    EXPORTER,
    NAMES,
    OPERATIONS,
    POLICIES,
    REGION,
    describe_file,
    role_arn,
)
from simulation.faults import FaultPlan
from simulation.reality import GrantKey, Reality, Snapshot
from simulation.scheduler import Process, Scheduler
from simulation.substitutes import SimulatedExecutor

PAGES = (1000, 3, 2)


class Cloud:
    """The account of one world."""

    def __init__(self, scheduler: Scheduler, choices: Choices, faults: FaultPlan) -> None:
        self.scheduler, self.choices = scheduler, choices
        self.gate = Gate(scheduler, choices, faults)
        self.table = Table(scheduler, choices, choices.pick(PAGES) * 4)
        self.objects = Objects(scheduler, choices.pick(PAGES))
        self.studio = StudioBackend(scheduler, choices.pick(PAGES))
        self.roles = RolesBackend(scheduler, ACCOUNT)
        self.directory = DirectoryBackend()
        self.queue = Queue(scheduler, choices)
        self.bus = Bus(scheduler, choices, self.queue, notes=self._tell)
        self.topic = Topic()
        account = GrantsAccount(self.roles.find_known_id, lambda name: name in self.objects.buckets)
        self.grants = GrantsBackend(scheduler, choices, ACCOUNT, REGION, account)
        self.grants.set_pages(choices.pick(PAGES))
        self.reality = Reality()
        self.notes: Callable[[str], None] = lambda _: None
        self._build()

    def _build(self) -> None:
        for bucket in (DATA, POLICIES, OPERATIONS):
            self.objects.create_bucket(bucket)
        for arn in (AUDITOR, EXPORTER, DEFAULT_ROLE):
            self.roles.create_role(arn, late=0)
        call = self.grants.call
        call("CreateAccessGrantsInstance", {"AccountId": ACCOUNT})
        location = {"LocationScope": f"s3://{DATA}", "IAMRoleArn": role_arn("location")}
        call("CreateAccessGrantsLocation", {"AccountId": ACCOUNT, **location})
        self.studio.domains[DOMAIN_ID] = StudioDomain(DOMAIN, DOMAIN_ID, DEFAULT_ROLE)
        self.reality.add(Snapshot(self.scheduler.now, {}, {}, {}, frozenset()))
        self.objects.on_change = self._note_object
        self.table.on_accept = self._note_accepted

    def _tell(self, text: str) -> None:
        self.notes(text)

    # What is true

    def _change(self, **changes: Any) -> None:
        self.reality.add(replace(self.reality.now, at=self.scheduler.now, **changes))

    def _note_object(self, bucket: str, version: ObjectVersion) -> None:
        if bucket == POLICIES:
            self.notes(f"{version.key} {version.id}: {describe_file(version.body)}")
            files = dict(self.reality.now.files)
            if version.body is None:
                files.pop(version.key, None)
            else:
                files[version.key] = version.body
            if version.key == BOUNDS or version.key.startswith("policy/"):
                self._change(files=files)
        elif bucket == DATA:
            keys = [key.split("/") for key in self.objects.list_current(DATA)]
            folders = frozenset(parts[1] for parts in keys if parts[0] == "projects")
            if folders != self.reality.now.folders:
                self._change(folders=folders)

    def _note_accepted(self, file: str, version_id: str) -> None:
        accepted = dict(self.reality.now.accepted)
        versions = self.objects.buckets[POLICIES].get(file, [])
        body = next((one.body for one in versions if one.id == version_id), None)
        if body is None:
            accepted.pop(file, None)
        else:
            accepted[file] = body
        self._change(accepted=accepted)

    # What people do

    def put_file(self, key: str, body: bytes) -> None:
        """Upload a policy file or the bounds file."""
        self.objects.add_version(POLICIES, key, body)
        self._bring_object_event("Object Created", POLICIES, key)

    def delete_file(self, key: str) -> None:
        """Delete it."""
        self.objects.add_version(POLICIES, key, None)
        self._bring_object_event("Object Deleted", POLICIES, key)

    def put_data(self, key: str) -> None:
        """Upload data."""
        self.objects.add_version(DATA, key, b"x")
        self._bring_object_event("Object Created", DATA, key)

    def delete_data(self, key: str) -> None:
        """Delete data."""
        self.objects.add_version(DATA, key, None)
        self._bring_object_event("Object Deleted", DATA, key)

    def put_profile(self, name: str, role: str) -> None:
        """Create a Studio profile, or give it another role; "" is the domain's."""
        profiles, now = self.studio.domains[DOMAIN_ID].profiles, self.scheduler.now
        created = profiles[name].created if name in profiles else now
        call = "UpdateUserProfile" if name in profiles else "CreateUserProfile"
        profiles[name] = StudioProfile(name, role, created, now)
        self.notes(f"profile {name} runs as {role.rpartition('/')[2] or 'the default role'}")
        self._change_profiles()
        self._bring_profile_event(call, name)

    def delete_profile(self, name: str) -> None:
        """Delete a Studio profile."""
        del self.studio.domains[DOMAIN_ID].profiles[name]
        self.notes(f"profile {name} is deleted")
        self._change_profiles()
        self._bring_profile_event("DeleteUserProfile", name)

    def make_grant(self, key: GrantKey, sub_prefix: str) -> str:
        """Somebody else makes a grant; returns its id, "" if the service refuses it."""
        location = next(iter(self.grants.location_ids))
        request = {
            "AccountId": ACCOUNT,
            "AccessGrantsLocationId": location,
            "AccessGrantsLocationConfiguration": {"S3SubPrefix": sub_prefix},
            "Grantee": {"GranteeType": "IAM", "GranteeIdentifier": key.grantee},
            "Permission": key.permission,
        }
        try:
            return str(self.grants.call("CreateAccessGrant", request)["AccessGrantId"])
        except ServiceError:
            return ""

    def bring_schedule(self) -> None:
        """The schedule fires, which asks for a run over everything."""
        self.queue.add('{"source": "aws.scheduler", "detail": {}}')

    def _change_profiles(self) -> None:
        profiles = self.studio.domains[DOMAIN_ID].profiles.values()
        self._change(profiles={one.name: one.role or DEFAULT_ROLE for one in profiles})

    def _bring_object_event(self, kind: str, bucket: str, key: str) -> None:
        detail = {"bucket": {"name": bucket}, "object": {"key": key}}
        self._bring_event("aws.s3", kind, detail)

    def _bring_profile_event(self, call: str, name: str) -> None:
        asked = {"domainId": DOMAIN_ID, "userProfileName": name}
        detail = {"eventName": call, "requestParameters": asked}
        self._bring_event("aws.sagemaker", "AWS API Call via CloudTrail", detail)

    def bring_author_event(self, call: str, key: str, principal: str) -> None:
        """CloudTrail says who has written a policy file."""
        versions = self.objects.buckets[POLICIES][key]
        detail = {
            "eventName": call,
            "eventTime": self._format_now(),
            "userIdentity": {"principalId": principal},
            "requestParameters": {"bucketName": POLICIES, "key": key},
            "responseElements": {"x-amz-version-id": versions[-1].id},
        }
        self._bring_event("aws.s3", "AWS API Call via CloudTrail", detail)

    def _bring_event(self, source: str, kind: str, detail: Mapping[str, Any]) -> None:
        event = {"source": source, "detail-type": kind, "time": self._format_now()}
        self.bus.bring({**event, "detail": detail})

    def _format_now(self) -> str:
        now = datetime.fromtimestamp(self.scheduler.now, UTC)
        return now.strftime("%Y-%m-%dT%H:%M:%SZ")


class ProcessClients:
    """The clients of one process, as grantor.aws.clients.Clients has them."""

    region = REGION

    def __init__(self, cloud: Cloud, process: Process) -> None:
        gate = cloud.gate
        self.s3control = GrantsClient(gate, process, cloud.grants)
        self.dynamodb = TableClient(gate, process, cloud.table)
        self.s3 = ObjectsClient(gate, process, cloud.objects)
        self.sagemaker = StudioClient(gate, process, cloud.studio)
        self.iam = RolesClient(gate, process, cloud.roles)
        self.identitystore = StoreClient(gate, process, cloud.directory)
        self.sso_admin = CenterClient(gate, process, cloud.directory)
        self.sqs = QueueClient(gate, process, cloud.queue)
        self.events = BusClient(gate, process, cloud.bus)
        self.sns = TopicClient(gate, process, cloud.topic)


class ProcessServices(Services):
    """The product's services in a simulated process: its clients, its clock, its threads."""

    def __init__(self, cloud: Cloud, process: Process) -> None:
        clients: Any = ProcessClients(cloud, process)
        super().__init__(NAMES, clients)
        self._scheduler, self._process = cloud.scheduler, process

    @cached_property
    def executor(self) -> Any:
        """Threads of the scheduler."""
        return SimulatedExecutor()

    def clock(self) -> float:
        """The world's time, as the clock of this process has it."""
        return self._scheduler.now + self._process.skew
