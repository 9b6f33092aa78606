"""Recursive loops: the 17th invocation of a function in one chain of requests is refused.

A chain is real where it costs little: a function that sends its message to its own queue again.
Where one link is enough, a client sends the header that a long chain would have.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import (
    FUNCTION_TEMPLATE,
    call_control,
    make_role,
    make_zip,
    policy_document,
    unique_name,
    wait_until,
)
from sandbox.testing.running import ACCOUNT, Sandbox

CONSUMES = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage")
ECHO = "import os\ndef handler(event, context): return os.environ['_X_AMZN_TRACE_ID']"
# Sends the number of each message on, plus one, up to 20; the delay is in the queue's name.
RESEND = """
import json, os, boto3
sqs = boto3.client("sqs")
def handler(event, context):
    for record in event["Records"]:
        number = int(record["body"])
        sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=str(number))
        if number < 20:
            more = {"QueueUrl": os.environ["OWN"], "DelaySeconds": int(os.environ["DELAY"])}
            sqs.send_message(MessageBody=str(number + 1), **more)
"""
HOURS = 43_200  # seconds: as long as a message can be hidden
LONG = 16  # invocations, after which the next is refused


@dataclass
class Chains:
    """Makes functions and queues, and takes them away again."""

    sandbox: Sandbox
    role: str
    undo: list[Callable[[], Any]] = field(default_factory=list)

    @cached_property
    def functions(self) -> Any:
        return self.sandbox.client("lambda")

    @cached_property
    def sqs(self) -> Any:
        return self.sandbox.client("sqs")

    def deploy(self, source: str, **more: Any) -> str:
        name, code = unique_name("function"), {"ZipFile": make_zip({"app.py": source})}
        given = {"Runtime": "python3.12", "Handler": "app.handler", "Role": self.role, "Timeout": 2}
        self.functions.create_function(FunctionName=name, Code=code, **given | more)
        self.undo.append(lambda: self.functions.delete_function(FunctionName=name))
        return name

    def queue(self, **attributes: Any) -> str:
        given = {name: json.dumps(value) for name, value in attributes.items()}
        made = self.sqs.create_queue(QueueName=unique_name("queue"), Attributes=given)
        return str(made["QueueUrl"])

    def feed(self, queue: str, name: str, **more: Any) -> None:
        mapping = self.functions.create_event_source_mapping(
            EventSourceArn=arn_of(queue), FunctionName=name, **more
        )["UUID"]
        self.undo.append(lambda: self.functions.delete_event_source_mapping(UUID=mapping))

    def build_header(self, name: str, invocations: int) -> str:
        """Return the trace header of a chain in which the function had so many invocations."""
        answer = json.load(self.functions.invoke(FunctionName=name)["Payload"])
        return str(answer).removesuffix(":0") + f":{invocations - 1}"

    def client_with(self, service: str, header: str) -> Any:
        """Return a client that sends this header, as botocore does inside a function."""
        client = self.sandbox.client(service)
        client.meta.events.register(
            "before-call", lambda params, **_: params["headers"].update({"X-Amzn-Trace-Id": header})
        )
        return client

    def read_bodies(self, queue: str, count: int, each_look: int = 0) -> list[str]:
        """Receive and delete so many messages of a queue, once they are there.

        So many seconds pass before each look.
        """
        bodies: list[str] = []

        def receive() -> bool:
            if each_look:
                self.pass_time(each_look)
            found = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            for message in found.get("Messages", ()):
                bodies.append(message["Body"])
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return len(bodies) >= count

        wait_until(receive)
        return bodies

    def pass_time(self, seconds: float) -> None:
        call_control(self.sandbox, "pass-time", "POST", {"seconds": seconds})

    def count_dropped(self, name: str) -> float:
        """Return the function's metric RecursiveInvocationsDropped of the last hour."""
        now = datetime.now(UTC)
        points = self.sandbox.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda", MetricName="RecursiveInvocationsDropped", Statistics=["Sum"],
            Dimensions=[{"Name": "FunctionName", "Value": name}], Period=3600,
            StartTime=now - timedelta(hours=1), EndTime=now + timedelta(minutes=1),
        )["Datapoints"]  # fmt: skip
        return sum(point["Sum"] for point in points)


@pytest.fixture
def chains(server: Sandbox) -> Iterator[Chains]:
    made = Chains(server, make_role(server, "lambda.amazonaws.com", *CONSUMES))
    yield made
    for undo in reversed(made.undo):
        undo()
    call_control(server, "faults", "DELETE")


def arn_of(queue: str) -> str:
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue.rpartition('/')[2]}"


@dataclass(frozen=True)
class Loop:
    """A function that its own messages invoke, and where its invocations and dead letters are."""

    name: str
    own: str
    seen: str
    letters: str


def make_loop(chains: Chains, delay: int = 0) -> Loop:
    letters, seen = chains.queue(), chains.queue()
    redrive = {"deadLetterTargetArn": arn_of(letters), "maxReceiveCount": 2}
    own = chains.queue(VisibilityTimeout=HOURS, RedrivePolicy=redrive)
    variables = {"OWN": own, "SEEN": seen, "DELAY": str(delay)}
    name = chains.deploy(RESEND, Environment={"Variables": variables})
    chains.feed(own, name, BatchSize=1)
    return Loop(name, own, seen, letters)


def test_the_17th_invocation_through_a_queue_is_refused_and_the_message_becomes_a_dead_letter(
    chains: Chains,
) -> None:
    delay = 300
    loop = make_loop(chains, delay)
    chains.sqs.send_message(QueueUrl=loop.own, MessageBody="1")
    invocations = chains.read_bodies(loop.seen, LONG, each_look=delay)
    letters = chains.read_bodies(loop.letters, 1, each_look=HOURS)

    assert (invocations, letters) == ([str(number) for number in range(1, LONG + 1)], ["17"])
    assert chains.count_dropped(loop.name) == 2  # one for each receipt


def test_a_function_that_allows_loops_is_invoked_on_and_on(chains: Chains) -> None:
    loop = make_loop(chains)
    chains.functions.put_function_recursion_config(FunctionName=loop.name, RecursiveLoop="Allow")
    chains.sqs.send_message(QueueUrl=loop.own, MessageBody="1")

    assert sorted(map(int, chains.read_bodies(loop.seen, 20))) == [*range(1, 21)]
    assert chains.count_dropped(loop.name) == 0


def test_a_direct_invocation_in_a_loop_is_refused_with_lambdas_exception(chains: Chains) -> None:
    name = chains.deploy(ECHO)
    allowed = chains.client_with("lambda", chains.build_header(name, LONG - 1))
    assert json.load(allowed.invoke(FunctionName=name)["Payload"]).endswith(f":{LONG - 1}")

    refused = chains.client_with("lambda", chains.build_header(name, LONG))
    with pytest.raises(refused.exceptions.RecursiveInvocationException, match="recursive loop"):
        refused.invoke(FunctionName=name)
    assert chains.count_dropped(name) == 1


def test_an_asynchronous_event_in_a_loop_goes_to_the_functions_dead_letters(chains: Chains) -> None:
    letters = chains.queue()
    name = chains.deploy(ECHO, DeadLetterConfig={"TargetArn": arn_of(letters)})
    caller = chains.client_with("lambda", chains.build_header(name, LONG))

    accepted = caller.invoke(FunctionName=name, InvocationType="Event", Payload=b'"late"')
    assert accepted["StatusCode"] == 202
    (letter,) = chains.read_bodies(letters, 1)
    assert json.loads(letter)["requestPayload"] == "late"
    assert chains.count_dropped(name) == 1


def test_a_chain_goes_on_through_a_topic(chains: Chains) -> None:
    letters, queue = chains.queue(), chains.queue()
    name = chains.deploy(ECHO, DeadLetterConfig={"TargetArn": arn_of(letters)})
    topic = chains.sandbox.client("sns").create_topic(Name=unique_name("topic"))["TopicArn"]
    allow = {"Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:*", "Resource": "*"}
    chains.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy_document(allow)})
    function = chains.functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    for protocol, endpoint in (("sqs", arn_of(queue)), ("lambda", function)):
        subscribe = chains.sandbox.client("sns").subscribe
        subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint)
    header = chains.build_header(name, LONG)
    chains.client_with("sns", header).publish(TopicArn=topic, Message="loop")

    assert read_trace(chains, queue) == header
    (letter,) = chains.read_bodies(letters, 1)
    assert json.loads(letter)["requestPayload"]["Records"][0]["Sns"]["Message"] == "loop"


def read_trace(chains: Chains, queue: str) -> str | None:
    """Return the trace header of the next message of a queue."""
    found = wait_until(
        lambda: chains.sqs.receive_message(QueueUrl=queue, AttributeNames=["All"]).get("Messages")
    )
    return found[0]["Attributes"].get("AWSTraceHeader")


def test_a_message_that_has_a_trace_of_its_own_keeps_it(chains: Chains) -> None:
    queue = chains.queue()
    own = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-0-1"}}
    sender = chains.client_with("sqs", "Root=1-0-2;Lineage=1:00000000:3")
    sender.send_message(QueueUrl=queue, MessageBody="own", MessageSystemAttributes=own)
    assert read_trace(chains, queue) == "Root=1-0-1"


@pytest.mark.parametrize("through", [False, True])
def test_a_chain_ends_at_the_event_bus_unless_the_switch_says_otherwise(
    chains: Chains, through: bool
) -> None:
    call_control(
        chains.sandbox, "faults", "POST", {"switches": {"loop_through_event_bus": through}}
    )
    queue, events, rule = chains.queue(), chains.sandbox.client("events"), unique_name("rule")
    allow = {"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:*", "Resource": "*"}
    chains.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy_document(allow)})
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn_of(queue)}])
    header = "Root=1-0-2;Lineage=1:00000000:3"
    entry = {"Source": rule, "DetailType": "test", "Detail": "{}"}
    chains.client_with("events", header).put_events(Entries=[entry])

    assert read_trace(chains, queue) == (header if through else None)


@pytest.mark.parametrize(
    ("which", "seen"), [("longest", set[str]()), ("each", {"fresh"})], ids=["longest", "each"]
)
def test_what_a_long_chain_does_to_its_batch_is_a_switch(
    chains: Chains, which: str, seen: set[str]
) -> None:
    call_control(chains.sandbox, "faults", "POST", {"switches": {"loop_batch": which}})
    letters = chains.queue()
    redrive = {"deadLetterTargetArn": arn_of(letters), "maxReceiveCount": 1}
    queue = chains.queue(VisibilityTimeout=60, RedrivePolicy=redrive)
    name = chains.deploy(ECHO)
    chains.client_with("sqs", chains.build_header(name, LONG)).send_message(
        QueueUrl=queue, MessageBody="long"
    )
    chains.sqs.send_message(QueueUrl=queue, MessageBody="fresh")
    chains.feed(queue, name, BatchSize=10)
    wait_until(lambda: chains.count_dropped(name))
    dead: list[str] = []

    def look() -> bool:
        chains.pass_time(60)
        found = chains.sqs.receive_message(QueueUrl=letters, MaxNumberOfMessages=10)
        dead.extend(message["Body"] for message in found.get("Messages", ()))
        return len(dead) == 2 - len(seen)

    wait_until(look)
    assert {"long", "fresh"} - set(dead) == seen


# Sends the message's text on after three seconds, in which the test lets an hour pass.
WORK_SLOWLY = """
import os, time, boto3
def handler(event, context):
    time.sleep(3)
    for record in event["Records"]:
        boto3.client("sqs").send_message(QueueUrl=os.environ["SEEN"], MessageBody=record["body"])
"""


def test_a_message_that_a_function_works_on_stays_invisible_while_time_passes(
    chains: Chains,
) -> None:
    seen, queue = chains.queue(), chains.queue(VisibilityTimeout=30)
    name = chains.deploy(WORK_SLOWLY, Timeout=10, Environment={"Variables": {"SEEN": seen}})
    chains.sqs.send_message(QueueUrl=queue, MessageBody="once")
    chains.feed(queue, name)
    wait_until(lambda: count_messages(chains, queue) == (0, 1))
    for _ in range(10):
        chains.pass_time(360)
        assert count_messages(chains, queue) == (0, 1)
    wait_until(lambda: count_messages(chains, queue) == (0, 0))

    assert count_messages(chains, seen) == (1, 0)


def count_messages(chains: Chains, queue: str) -> tuple[int, int]:
    """Return how many messages of a queue are visible, and how many were received."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = chains.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def has_status(cloud: Any, stack: str, word: str) -> bool:
    return word in cloud.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]


def test_cloudformation_sets_the_property_and_a_template_without_it_resets_it(
    server: Sandbox,
) -> None:
    cloud, stack = server.client("cloudformation"), unique_name("stack")
    with_property = FUNCTION_TEMPLATE.rstrip() + "\n      RecursiveLoop: Allow\n"
    found = []
    for make, body in (
        (cloud.create_stack, with_property),
        (cloud.update_stack, FUNCTION_TEMPLATE + "# without it\n"),
    ):
        make(StackName=stack, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        wait_until(lambda: not has_status(cloud, stack, "PROGRESS"))
        assert not has_status(cloud, stack, "ROLLBACK")
        name = cloud.describe_stack_resource(StackName=stack, LogicalResourceId="Function")
        asked = server.client("lambda").get_function_recursion_config(
            FunctionName=name["StackResourceDetail"]["PhysicalResourceId"]
        )
        found.append(asked["RecursiveLoop"])
    cloud.delete_stack(StackName=stack)
    assert found == ["Allow", "Terminate"]


def test_another_value_of_the_property_is_refused(chains: Chains) -> None:
    name = chains.deploy(ECHO)
    with pytest.raises(ClientError, match="Allow, Terminate"):
        chains.functions.put_function_recursion_config(FunctionName=name, RecursiveLoop="Maybe")
