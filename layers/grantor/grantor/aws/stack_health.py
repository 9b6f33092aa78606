"""Whether a deployed stack is at work: the rules that send it events, the queues that hold them,
the mappings that hand them to the functions, and the alarms.

What cannot be read is named in `unread`, and nothing is concluded from what is missing: a caller
with the Reader policy of an older version may read less. Names are those of the template, so that a
person finds them there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import CONNECTION_ERRORS, error_code, error_message, map_concurrently
from grantor.aws.cloudformation import StackResource, list_resources

if TYPE_CHECKING:
    from grantor.aws.clients import Clients

ENABLED = "enabled"
MISSING = "missing"  # the stack made it, and it is gone
IN_ALARM = "ALARM"  # the state of CloudWatch
# SQS reports the age each minute, and may begin 15 minutes after a queue was idle (SQS Developer
# Guide, "Available CloudWatch metrics for Amazon SQS").
AGE_WINDOW = timedelta(minutes=20)
AGE_PERIOD_SECONDS = 60
NESTED = "AWS::CloudFormation::Stack"
ALARM_STACK = "Operations"  # the nested stack with the alarms
BUCKET_STACKS = tuple(f"Buckets{number}" for number in range(1, 9))  # with rules of their own
MAX_NAMED_ALARMS = 100  # AlarmNames of DescribeAlarms (model of cloudwatch)


@dataclass(frozen=True, order=True)
class EventRule:
    """A rule of EventBridge: what sends events to the queues. `state` is in lower case as
    EventBridge has it (enabled, disabled, …), or missing.
    """

    name: str  # its logical id in the template: PolicyChanged, Schedule, …
    state: str

    @property
    def is_enabled(self) -> bool:
        """Whether its events reach a queue."""
        return self.state.startswith(ENABLED)


@dataclass(frozen=True, order=True)
class QueueMapping:
    """What hands the messages of a queue to a function. `state` is in lower case as Lambda has it
    (enabled, disabled, creating, enabling, …), or missing.
    """

    name: str  # its logical id: ReconcileGrantsEventQueue, StartSparkJobUploadQueue
    state: str
    result: str = ""  # of the last poll, as Lambda words it: "OK", "PROBLEM: …", or ""

    @property
    def is_enabled(self) -> bool:
        """Whether messages are handed over, or will be in a moment."""
        return self.state in (ENABLED, "creating", "enabling", "updating")


@dataclass(frozen=True, order=True)
class QueueDepth:
    """How many messages a queue holds, about; SQS counts no more exactly."""

    name: str  # its logical id: EventQueue, EventDLQ, UploadQueue, UploadDLQ
    waiting: int  # that can be received now
    in_flight: int = 0  # received and not deleted yet
    delayed: int = 0  # sent for later: a retry
    # Seconds, by the last minute that CloudWatch knows; None if it knows none.
    oldest_seconds: float | None = None

    @property
    def is_dead_letter_queue(self) -> bool:
        """Whether its messages wait for a person."""
        return self.name.endswith("DLQ")

    @property
    def total(self) -> int:
        """All its messages."""
        return self.waiting + self.in_flight + self.delayed


@dataclass(frozen=True, order=True)
class StackAlarm:
    """An alarm of the stack, in the state of CloudWatch: OK, ALARM, INSUFFICIENT_DATA; or missing.

    `since` is when it entered the state.
    """

    name: str  # as CloudWatch has it: STACK-policy-rejected, …
    state: str
    since: datetime | None = None
    about: str = ""  # what it means, from the template

    @property
    def is_on(self) -> bool:
        """Whether a person must act."""
        return self.state == IN_ALARM


@dataclass(frozen=True)
class StackHealth:
    """All of these, each sorted by name; `unread` says what could not be read, and why."""

    rules: tuple[EventRule, ...] = ()
    mappings: tuple[QueueMapping, ...] = ()
    queues: tuple[QueueDepth, ...] = ()
    alarms: tuple[StackAlarm, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


def read_stack_health(clients: "Clients", stack: str, now: datetime) -> StackHealth:
    """Read the health of a stack, by its name.

    Costs a call for its resources, for those of its alarms' nested stack and for those of each
    group of existing buckets, one for each rule, mapping and queue, one for all alarms, and one for
    the age of the oldest message of each queue: 18 calls for the template without such buckets.
    """
    return _HealthReader(clients, now).read_all(stack)


@dataclass
class _HealthReader:
    clients: "Clients"
    now: datetime
    unread: dict[str, str] = field(default_factory=dict)

    def read_all(self, stack: str) -> StackHealth:
        resources = self._list_resources(stack)
        rules = self._read_each("AWS::Events::Rule", resources, self._read_rule)
        mappings = self._read_each("AWS::Lambda::EventSourceMapping", resources, self._read_mapping)
        return StackHealth(
            tuple(rules),
            tuple(mappings),
            tuple(self._read_queues(resources)),
            tuple(self._read_alarms(resources)),
            self.unread,
        )

    def _list_resources(self, stack: str) -> list[StackResource]:
        """The resources of the stack and of those nested in it, except Studio's. Those of buckets
        have the names of their stacks before theirs.
        """
        found = self._list_own(stack, stack)
        nested = {one.name: one.id for one in found if one.kind == NESTED}
        resources = list(found)
        if ALARM_STACK in nested:
            resources += self._list_own(nested[ALARM_STACK], ALARM_STACK)
        for name in sorted(nested.keys() & set(BUCKET_STACKS)):
            own = self._list_own(nested[name], name)
            resources += [replace(one, name=f"{name}.{one.name}") for one in own]
        return resources

    def _list_own(self, stack: str, name: str) -> list[StackResource]:
        client = self.clients.cloudformation
        return self._try(f"resources of {name}", lambda: list_resources(client, stack)) or []

    def _read_each[T](
        self, kind: str, resources: Iterable[StackResource], read: Callable[[StackResource], T]
    ) -> list[T]:
        chosen = sorted(one for one in resources if one.kind == kind)

        def read_one(resource: StackResource) -> T | None:
            return self._try(resource.name, lambda: read(resource))

        return [one for one in map_concurrently(read_one, chosen) if one is not None]

    def _read_rule(self, resource: StackResource) -> EventRule:
        # A rule of another bus has "BUS|NAME" as its id; ours are on the default bus.
        client = self.clients.events
        state = _find_state(
            lambda: client.describe_rule(Name=resource.id)["State"], "ResourceNotFoundException"
        )
        return EventRule(resource.name, state.lower())

    def _read_mapping(self, resource: StackResource) -> QueueMapping:
        found: dict[str, Any] = {}

        def ask() -> str:
            found.update(self.clients.functions.get_event_source_mapping(UUID=resource.id))
            return str(found["State"])

        state = _find_state(ask, "ResourceNotFoundException")
        return QueueMapping(resource.name, state.lower(), found.get("LastProcessingResult", ""))

    def _read_queues(self, resources: Iterable[StackResource]) -> list[QueueDepth]:
        queues = sorted(one for one in resources if one.kind == "AWS::SQS::Queue")
        ages = self._try("age of messages", lambda: self._read_ages(queues)) if queues else None
        return self._read_each(
            "AWS::SQS::Queue", queues, lambda one: self._read_queue(one, ages or {})
        )

    def _read_queue(self, resource: StackResource, ages: Mapping[str, float]) -> QueueDepth:
        names: Any = [
            f"ApproximateNumberOfMessages{part}" for part in ("", "NotVisible", "Delayed")
        ]
        found = self.clients.sqs.get_queue_attributes(QueueUrl=resource.id, AttributeNames=names)
        waiting, in_flight, delayed = (int(found["Attributes"].get(name, 0)) for name in names)
        total = waiting + in_flight + delayed
        age = ages.get(resource.id) if total else None
        return QueueDepth(resource.name, waiting, in_flight, delayed, age)

    def _read_ages(self, queues: Iterable[StackResource]) -> dict[str, float]:
        """The age of the oldest message in seconds, by the queue's URL, where it is known."""
        urls = {f"q{number}": one.id for number, one in enumerate(queues)}
        answer = self.clients.cloudwatch.get_metric_data(
            MetricDataQueries=[_ask_age(key, url) for key, url in urls.items()],
            StartTime=self.now - AGE_WINDOW,
            EndTime=self.now + timedelta(minutes=1),
            ScanBy="TimestampDescending",
        )
        return {
            urls[one["Id"]]: float(one["Values"][0])
            for one in answer["MetricDataResults"]
            if one["Values"]
        }

    def _read_alarms(self, resources: Iterable[StackResource]) -> list[StackAlarm]:
        names = sorted(one.id for one in resources if one.kind == "AWS::CloudWatch::Alarm")
        if not names:
            return []
        client = self.clients.cloudwatch

        def ask() -> list[dict[str, Any]]:
            asked = names[:MAX_NAMED_ALARMS]
            return list(client.describe_alarms(AlarmNames=asked, MaxRecords=100)["MetricAlarms"])

        found = self._try("alarms", ask)
        if found is None:
            return []
        alarms = {one["AlarmName"]: one for one in found}
        return [_build_alarm(name, alarms.get(name)) for name in names]

    def _try[T](self, what: str, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except ClientError as error:
            self.unread[what] = f"{error_code(error)}: {error_message(error)}"
        except CONNECTION_ERRORS as error:
            self.unread[what] = str(error)
        return None


def _find_state(ask: Callable[[], str], gone: str) -> str:
    try:
        return ask()
    except ClientError as error:
        if error_code(error) != gone:
            raise
        return MISSING


def _ask_age(key: str, url: str) -> dict[str, Any]:
    metric = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
    }
    return {
        "Id": key,
        "MetricStat": {"Metric": metric, "Period": AGE_PERIOD_SECONDS, "Stat": "Maximum"},
    }


def _build_alarm(name: str, found: Mapping[str, Any] | None) -> StackAlarm:
    if found is None:
        return StackAlarm(name, MISSING)
    since = found.get("StateTransitionedTimestamp") or found.get("StateUpdatedTimestamp")
    return StackAlarm(name, found["StateValue"], since, found.get("AlarmDescription", ""))
