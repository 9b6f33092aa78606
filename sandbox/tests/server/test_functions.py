"""Functions as they are deployed.

Their answers, their logs, their rights, and the queues that feed them.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import (
    FUNCTION_TEMPLATE,
    make_role,
    make_zip,
    policy_document,
    unique_name,
    wait_until,
)
from sandbox.testing.running import ACCOUNT, Sandbox

LAMBDA = "lambda.amazonaws.com"
CONSUMES = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
ECHO = "def handler(event, context): return event"
# What each batch had is the line that the test reads: its bodies, and when it began and ended.
RECORDS = """
import json, time
def handler(event, context):
    bodies, begun = [record["body"] for record in event["Records"]], time.time()
    time.sleep(max([float(body) for body in bodies if body[0] == "0"], default=0))
    print("batch", json.dumps([bodies, begun, time.time()]))
"""
# Continues RECORDS: the messages that say "bad" are reported as failed.
REPORT = """
    bad = [record["messageId"] for record in event["Records"] if record["body"] == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in bad]}
"""


@dataclass
class Bench:
    """Makes functions and queues, and takes them away again."""

    sandbox: Sandbox
    role: str
    undo: list[Callable[[], Any]] = field(default_factory=list)

    @cached_property
    def functions(self) -> Any:
        return self.sandbox.client("lambda")

    def deploy(self, source: str, beside: dict[str, str] | None = None, **more: Any) -> str:
        """A function of this source, with other files beside it; its name."""
        name, functions = unique_name("function"), self.functions
        given = {
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "Role": self.role,
            "Timeout": 5,
            "MemorySize": 256,
        }
        code = make_zip({"app.py": source} | (beside or {}))
        functions.create_function(FunctionName=name, Code={"ZipFile": code}, **given | more)
        self.undo.append(lambda: functions.delete_function(FunctionName=name))
        return name

    def layer(self, files: dict[str, str]) -> str:
        """A layer of these files; its ARN."""
        content = {"ZipFile": make_zip(files)}
        return str(
            self.functions.publish_layer_version(LayerName=unique_name("layer"), Content=content)[
                "LayerVersionArn"
            ]
        )

    def invoke(self, name: str, event: Any = None, **more: Any) -> dict[str, Any]:
        """Lambda's answer, its payload read."""
        answer = self.functions.invoke(FunctionName=name, Payload=json.dumps(event), **more)
        return answer | {"Payload": json.loads(answer["Payload"].read() or "null")}

    def lines(self, name: str) -> list[str]:
        """All that is in the function's log group."""
        logs = self.sandbox.client("logs")
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in found]

    def queue(self, **attributes: Any) -> str:
        """A queue's URL.

        Unless said otherwise, what was received and not deleted is back after a second.
        """
        given = {"VisibilityTimeout": 1} | attributes
        strings = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in given.items()
        }
        return str(
            self.sandbox.client("sqs").create_queue(
                QueueName=unique_name("queue"), Attributes=strings
            )["QueueUrl"]
        )

    def send(self, queue: str, *bodies: str) -> None:
        for body in bodies:
            self.sandbox.client("sqs").send_message(QueueUrl=queue, MessageBody=body)

    def feed(self, queue: str, name: str, **more: Any) -> str:
        """Have the queue's messages brought to the function; the mapping's id."""
        functions = self.functions
        mapping = functions.create_event_source_mapping(
            EventSourceArn=arn_of(queue), FunctionName=name, **more
        )["UUID"]
        self.undo.append(lambda: functions.delete_event_source_mapping(UUID=mapping))
        return str(mapping)

    def change(self, mapping: str, **more: Any) -> None:
        self.functions.update_event_source_mapping(UUID=mapping, **more)

    def waiting(self, queue: str) -> tuple[int, int]:
        """How many of the queue's messages are visible.

        And how many have been received and not deleted.
        """
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        reported = self.sandbox.client("sqs").get_queue_attributes(
            QueueUrl=queue, AttributeNames=names
        )["Attributes"]
        return int(reported[names[0]]), int(reported[names[1]])

    def batches(self, name: str) -> list["Batch"]:
        """What a function that RECORDS has had, in the order in which it ended."""
        said = [
            line.removeprefix("batch ") for line in self.lines(name) if line.startswith("batch ")
        ]
        return sorted((Batch(*json.loads(text)) for text in said), key=lambda batch: batch.ended)

    def had(self, name: str, batches: int) -> list[list[str]]:
        """The bodies of the first batches, once there are so many."""
        wait_until(lambda: len(self.batches(name)) >= batches)
        return [batch.bodies for batch in self.batches(name)]


@dataclass(frozen=True)
class Batch:
    bodies: list[str]
    begun: float  # seconds since the epoch, as the next
    ended: float


def arn_of(queue: str) -> str:
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue.rpartition('/')[2]}"


@pytest.fixture
def bench(server: Sandbox) -> Iterator[Bench]:
    made = Bench(server, make_role(server, LAMBDA, *CONSUMES, *LOGS))
    yield made
    for undo in reversed(made.undo):
        undo()


# What Lambda answers, and what it writes.

ID = "RequestId: [0-9a-f-]{36}"


@pytest.mark.parametrize(
    ("wrong", "limit", "kind", "said"),
    [
        ("raise ValueError('no')", 9, "ValueError", "no"),
        (
            "import os; os._exit(7)",
            9,
            "Runtime.ExitError",
            f"{ID} Error: Runtime exited with error: exit status 7",
        ),
        (
            "held = bytearray(400_000_000)",
            9,
            "Runtime.ExitError",
            f"{ID} Error: Runtime exited with error: signal: killed",
        ),
        (
            "import time; time.sleep(60)",
            1,
            "Sandbox.Timedout",
            f"{ID} Error: Task timed out after 1.00 seconds",
        ),
    ],
    ids=["raises", "exits", "runs out of memory", "runs out of time"],
)
def test_a_failed_invocation_is_lambdas_error_and_the_next_one_works(
    bench: Bench, wrong: str, limit: int, kind: str, said: str
):
    name = bench.deploy(
        f"def handler(event, context):\n    if event == 'fail': {wrong}\n    return 'well'",
        Timeout=limit,
    )

    failed = bench.invoke(name, "fail")
    assert (failed["StatusCode"], failed["FunctionError"]) == (200, "Unhandled")
    assert failed["Payload"]["errorType"] == kind
    assert re.fullmatch(said, failed["Payload"]["errorMessage"])
    works = bench.invoke(name)
    assert ("FunctionError" in works, works["Payload"]) == (False, "well")


def test_a_function_that_crashes_at_import_is_tried_again_at_the_next_invocation(bench: Bench):
    first = "import pathlib, tempfile\nmark = pathlib.Path(tempfile.gettempdir(), 'mark')\n"
    crash = "if not mark.exists():\n    mark.touch()\n    raise KeyError('TABLE')\n"
    name = bench.deploy(first + crash + ECHO)

    failed = bench.invoke(name, 1)
    assert (failed["FunctionError"], failed["Payload"]["errorType"]) == ("Unhandled", "KeyError")
    assert failed["Payload"]["errorMessage"] == "'TABLE'"
    assert "line 5, in <module>" in failed["Payload"]["stackTrace"][-1]
    assert bench.invoke(name, 2)["Payload"] == 2


def test_what_a_function_raises_comes_with_the_place_in_its_code(bench: Bench):
    name = bench.deploy(
        "def handler(event, context):\n    return inner()\ndef inner():\n    return 1 / 0"
    )

    trace = bench.invoke(name)["Payload"]["stackTrace"]
    assert [re.sub('".*/', '"', line) for line in trace] == [
        '  File "app.py", line 2, in handler\n    return inner()\n',
        '  File "app.py", line 4, in inner\n    return 1 / 0\n',
    ]


@pytest.mark.parametrize(
    ("source", "limit", "lines"),
    [
        ("def handler(event, context):\n    print('working')\n    raise ValueError('no')", 9, ["working", r"\[ERROR\] ValueError: no"]),
        ("print('loading')\nimport nowhere", 9, ["loading", r"\[ERROR\] Runtime.ImportModuleError: .*No module named 'nowhere'"]),
        ("import time\ndef handler(event, context):\n    print('slow')\n    time.sleep(9)", 1, ["slow", ".* Task timed out after 1.00 seconds"]),
        ("def handler(event, context):\n    print('much', flush=True)\n    return len(bytearray(400_000_000))", 9, ["much"]),
    ],
    ids=["raises", "crashes at import", "runs out of time", "runs out of memory"],
)  # fmt: skip
def test_the_log_group_has_the_lines_of_an_invocation_that_failed(
    bench: Bench, source: str, limit: int, lines: list[str]
):
    name = bench.deploy(source, Timeout=limit)
    bench.invoke(name)

    wanted = [
        "START RequestId: .*",
        *lines,
        "END RequestId: .*",
        "REPORT RequestId: .*Memory Size: 256 MB.*",
    ]
    text = "\n".join(bench.lines(name))
    assert re.fullmatch("\n(?:.*\n)*".join(wanted), text), text


def test_a_function_that_was_killed_for_its_memory_has_used_all_of_it(bench: Bench):
    name = bench.deploy("def handler(event, context): return len(bytearray(400_000_000))")
    bench.invoke(name)

    assert "Memory Size: 256 MB\tMax Memory Used: 256 MB" in bench.lines(name)[-1]


@pytest.mark.parametrize(
    "may", [(), LOGS[:2], LOGS[1:]], ids=["do nothing", "not write", "not make the group"]
)
def test_a_function_whose_role_may_not_log_runs_and_leaves_no_log(
    bench: Bench, may: tuple[str, ...]
):
    name = bench.deploy(ECHO, Role=make_role(bench.sandbox, LAMBDA, *may))

    assert bench.invoke(name, "well")["Payload"] == "well"
    assert bench.lines(name) == []


def test_a_log_group_that_is_there_need_not_be_made(bench: Bench):
    name = bench.deploy(ECHO, Role=make_role(bench.sandbox, LAMBDA, *LOGS[1:]))
    bench.sandbox.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
    bench.invoke(name)

    assert len(bench.lines(name)) == 3


def test_the_end_of_the_log_comes_with_the_answer_if_requested(bench: Bench):
    name = bench.deploy("def handler(event, context): print('working')")

    tail = base64.b64decode(bench.invoke(name, LogType="Tail")["LogResult"]).decode().splitlines()
    assert [line.split()[0] for line in tail] == ["START", "working", "END", "REPORT"]


def test_an_asynchronous_invocation_is_answered_at_once_and_done_afterwards(bench: Bench):
    name = bench.deploy(
        "import time\ndef handler(event, context):\n    time.sleep(0.5)\n    print('done', event)"
    )

    assert bench.invoke(name, 7, InvocationType="Event")["StatusCode"] == 202
    assert not bench.lines(name)
    assert "done 7" in wait_until(lambda: bench.lines(name))


def test_a_change_of_code_or_variables_serves_the_next_invocation(bench: Bench):
    source = "import os\ndef handler(event, context): return os.environ['WORD']"
    name = bench.deploy(source, Environment={"Variables": {"WORD": "a"}})
    assert bench.invoke(name)["Payload"] == "a"

    bench.functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"WORD": "b"}}
    )
    assert bench.invoke(name)["Payload"] == "b"
    bench.functions.update_function_code(FunctionName=name, ZipFile=make_zip({"app.py": ECHO}))
    assert bench.invoke(name, "c")["Payload"] == "c"


def test_a_deleted_functions_process_ends(bench: Bench):
    name = bench.deploy("import os\ndef handler(event, context): return os.getpid()")
    process = Path(f"/proc/{bench.invoke(name)['Payload']}")
    assert process.exists()

    bench.undo.pop()()
    wait_until(lambda: not process.exists())


def test_invocations_at_once_have_a_process_each(bench: Bench):
    name = bench.deploy(
        "import os, time\ndef handler(event, context):\n    time.sleep(0.5)\n    print('process', "
        "os.getpid())"
    )
    for _ in range(3):
        bench.invoke(name, InvocationType="Event")

    assert len(set(wait_until(lambda: len(of := said(bench, name, "process")) == 3 and of))) == 3


def said(bench: Bench, name: str, word: str) -> list[str]:
    return [line for line in bench.lines(name) if line.startswith(word)]


def test_a_reserved_concurrency_that_is_used_up_is_a_429(bench: Bench):
    name = bench.deploy(ECHO)
    bench.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    with pytest.raises(bench.functions.exceptions.TooManyRequestsException) as refused:
        bench.invoke(name)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


# Whose it is, and what it has.


def test_a_function_is_a_session_of_its_role_that_bears_its_name(bench: Bench):
    name = bench.deploy(
        "import boto3\ndef handler(event, context): return "
        "boto3.client('sts').get_caller_identity()['Arn']"
    )

    role = bench.role.rpartition("/")[2]
    assert bench.invoke(name)["Payload"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"


def test_a_function_may_do_what_its_role_allows_at_the_time_and_no_more(bench: Bench):
    name = bench.deploy(
        "import boto3\ndef handler(event, context): return "
        "bool(boto3.client('dynamodb').list_tables())"
    )

    refused = bench.invoke(name)["Payload"]
    assert refused["errorType"] == "ClientError"
    assert f"{name} is not authorized to perform: dynamodb:ListTables" in refused["errorMessage"]
    role, more = (
        bench.role.rpartition("/")[2],
        policy_document({"Action": "dynamodb:ListTables", "Resource": "*"}),
    )
    bench.sandbox.client("iam").put_role_policy(
        RoleName=role, PolicyName="more", PolicyDocument=more
    )
    assert bench.invoke(name)["Payload"] is True


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"Role": f"arn:aws:iam::{ACCOUNT}:role/nobody"},
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        ({"Runtime": "python3.9"}, "The sandbox runs python3.12; it has no python3.9."),
    ],
    ids=["a role that is not there", "another Python"],
)
def test_a_function_that_could_not_run_is_not_created(
    bench: Bench, change: dict[str, str], said: str
):
    with pytest.raises(ClientError, match=re.escape(said)) as refused:
        bench.deploy(ECHO, **change)

    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_a_role_that_trusts_another_service_is_refused(bench: Bench):
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        bench.deploy(ECHO, Role=make_role(bench.sandbox, "ec2.amazonaws.com"))


def test_a_layer_is_looked_at_after_the_functions_own_code(bench: Bench):
    made = bench.layer({"python/own.py": "of = 'layer'", "python/shared.py": "of = 'layer'"})
    source = "import own, shared\ndef handler(event, context): return [own.of, shared.of]"
    name = bench.deploy(source, {"own.py": "of = 'code'"}, Layers=[made])

    assert bench.invoke(name)["Payload"] == ["code", "layer"]


def test_layers_are_merged_and_of_two_files_of_one_name_the_later_layers_counts(bench: Bench):
    layers = [
        bench.layer(
            {
                "python/pack/__init__.py": "",
                "python/pack/only.py": "of = 1",
                "python/pack/both.py": "of = 1",
            }
        ),
        bench.layer({"python/pack/both.py": "of = 2"}),
    ]
    source = "from pack import only, both\ndef handler(event, context): return [only.of, both.of]"

    assert bench.invoke(bench.deploy(source, Layers=layers))["Payload"] == [1, 2]


def test_one_environment_shares_its_files_with_no_other(bench: Bench):
    source = "import pathlib, tempfile\nhere = pathlib.Path(tempfile.gettempdir())\n"
    source += "def handler(event, context):\n    (here / 'mine').touch()\n    return str(here)"
    folders = [Path(bench.invoke(bench.deploy(source))["Payload"]) for _ in range(2)]

    assert folders[0] != folders[1]
    assert all((folder / "mine").exists() for folder in folders)


# What a queue brings.


def test_of_a_batch_only_the_messages_reported_as_failed_come_again_and_then_go_to_the_dead_letters(
    bench: Bench,
):
    dead = bench.queue()
    queue = bench.queue(RedrivePolicy={"deadLetterTargetArn": arn_of(dead), "maxReceiveCount": 2})
    name = bench.deploy(RECORDS + REPORT, Timeout=1)
    bench.send(queue, "good", "bad", "fine")
    bench.feed(queue, name, FunctionResponseTypes=["ReportBatchItemFailures"])

    wait_until(lambda: bench.waiting(dead) == (1, 0))
    assert [batch.bodies for batch in bench.batches(name)] == [["good", "bad", "fine"], ["bad"]]
    assert bench.waiting(queue) == (0, 0)
    assert (
        bench.sandbox.client("sqs").receive_message(QueueUrl=dead)["Messages"][0]["Body"] == "bad"
    )


def test_without_the_mappings_consent_a_report_of_failures_means_nothing(bench: Bench):
    queue = bench.queue()
    name = bench.deploy(RECORDS + REPORT, Timeout=1)
    bench.send(queue, "bad")
    bench.feed(queue, name)

    assert bench.had(name, 1) == [["bad"]]
    wait_until(lambda: bench.waiting(queue) == (0, 0))


@pytest.mark.parametrize(
    "answer",
    [
        "{'batchItemFailures': [{'itemIdentifier': ''}]}",
        "{'batchItemFailures': [{'itemIdentifier': None}]}",
        "{'batchItemFailures': [{'itemidentifier': event['Records'][0]['messageId']}]}",
        "{'batchItemFailures': [{'itemIdentifier': 'of another batch'}]}",
    ],
    ids=["empty", "null", "under another key", "unknown"],
)
def test_a_report_of_failures_that_lambda_cannot_read_fails_the_whole_batch(
    bench: Bench, answer: str
):
    """AWS, "Handling errors for an SQS event source in Lambda": success and failure conditions."""
    queue = bench.queue()
    name = bench.deploy(RECORDS + f"    return {answer}\n", Timeout=1)
    bench.send(queue, "one", "two")
    bench.feed(queue, name, FunctionResponseTypes=["ReportBatchItemFailures"])

    assert bench.had(name, 2)[:2] == [["one", "two"]] * 2


@pytest.mark.parametrize(
    "answer", ["None", "{}", "{'batchItemFailures': None}", "{'batchItemFailures': []}"]
)
def test_an_empty_report_of_failures_is_success(bench: Bench, answer: str):
    queue = bench.queue()
    name = bench.deploy(RECORDS + f"    return {answer}\n", Timeout=1)
    bench.send(queue, "one")
    bench.feed(queue, name, FunctionResponseTypes=["ReportBatchItemFailures"])

    assert bench.had(name, 1) == [["one"]]
    wait_until(lambda: bench.waiting(queue) == (0, 0))


def test_of_a_batch_whose_function_raises_every_message_comes_again(bench: Bench):
    dead = bench.queue()
    queue = bench.queue(RedrivePolicy={"deadLetterTargetArn": arn_of(dead), "maxReceiveCount": 2})
    name = bench.deploy(RECORDS + "    raise ValueError('no')\n", Timeout=1)
    bench.send(queue, "one", "two")
    mapping = bench.feed(queue, name, FunctionResponseTypes=["ReportBatchItemFailures"])

    wait_until(lambda: bench.waiting(dead) == (2, 0))
    assert [batch.bodies for batch in bench.batches(name)] == [["one", "two"]] * 2
    reported = bench.functions.get_event_source_mapping(UUID=mapping)["LastProcessingResult"]
    assert reported == "PROBLEM: Function call failed"


def test_a_message_shows_how_often_it_was_received(bench: Bench):
    queue = bench.queue()
    source = (
        "def handler(event, context):\n    count = "
        "event['Records'][0]['attributes']['ApproximateReceiveCount']\n"
    )
    name = bench.deploy(
        source + "    print('count', count)\n    if count == '1': raise ValueError", Timeout=1
    )
    bench.send(queue, "one")
    bench.feed(queue, name)

    wait_until(lambda: len(said(bench, name, "count")) == 2)
    assert said(bench, name, "count") == ["count 1", "count 2"]
    wait_until(lambda: bench.waiting(queue) == (0, 0))


def test_no_batch_is_larger_than_its_size(bench: Bench):
    queue, name = bench.queue(), bench.deploy(RECORDS, Timeout=1)
    bench.send(queue, *"abcde")
    bench.feed(queue, name, BatchSize=2)

    assert sorted(len(bodies) for bodies in bench.had(name, 3)) == [1, 2, 2]
    assert sorted(body for batch in bench.batches(name) for body in batch.bodies) == list("abcde")


def test_messages_within_the_window_are_one_batch_even_of_more_than_ten(bench: Bench):
    queue, name = bench.queue(), bench.deploy(RECORDS, Timeout=1)
    window = 4  # seconds, long enough for a busy machine to send twelve messages
    bench.feed(queue, name, BatchSize=100, MaximumBatchingWindowInSeconds=window)
    begun = time.time()
    bodies = [f"message {n}" for n in range(12)]
    bench.send(queue, *bodies)

    assert bench.had(name, 1) == [bodies]
    assert bench.batches(name)[0].begun - begun >= window


def test_a_full_batch_does_not_wait_for_its_window(bench: Bench):
    queue, name = bench.queue(), bench.deploy(RECORDS, Timeout=1)
    bench.feed(queue, name, BatchSize=2, MaximumBatchingWindowInSeconds=300)
    bench.send(queue, "one", "two")

    assert bench.had(name, 1) == [["one", "two"]]


def test_a_window_is_kept_after_a_batch_that_failed(bench: Bench):
    queue = bench.queue(VisibilityTimeout=30)
    name = bench.deploy(RECORDS + "    if bodies == ['bad']: raise ValueError('no')\n", Timeout=1)
    mapping = bench.feed(queue, name)
    bench.send(queue, "bad")
    bench.had(name, 1)
    bench.change(mapping, MaximumBatchingWindowInSeconds=2)
    sent = time.time()
    bench.send(queue, "one")

    assert bench.had(name, 2) == [["bad"], ["one"]]
    assert bench.batches(name)[1].begun - sent >= 2


def test_a_window_that_ends_while_the_function_is_busy_is_not_opened_anew(bench: Bench):
    queue, name = bench.queue(VisibilityTimeout=30), bench.deploy(RECORDS)
    bench.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    bench.send(queue, "0.0")
    mapping = bench.feed(queue, name, BatchSize=1, MaximumBatchingWindowInSeconds=300)
    bench.had(name, 1)
    bench.change(mapping, MaximumBatchingWindowInSeconds=1, BatchSize=2)
    bench.send(queue, "01.3", "00.0")
    wait_until(lambda: bench.waiting(queue) == (0, 2))
    bench.send(queue, "00.1")

    bench.had(name, 3)
    assert bench.batches(name)[2].begun - bench.batches(name)[1].ended < 0.5


def test_a_disabled_mapping_delivers_nothing_until_it_is_enabled(bench: Bench):
    idle, other = bench.queue(), bench.queue()
    name, witness = bench.deploy(RECORDS, Timeout=1), bench.deploy(RECORDS, Timeout=1)
    mapping = bench.feed(idle, name, Enabled=False)
    bench.feed(other, witness)
    bench.send(idle, "one")
    bench.send(other, "later")

    assert bench.had(witness, 1) == [["later"]]
    assert (bench.waiting(idle), bench.batches(name)) == ((1, 0), [])
    bench.change(mapping, Enabled=True)
    assert bench.had(name, 1) == [["one"]]


def test_a_function_of_concurrency_one_never_has_two_batches_at_once(bench: Bench):
    queue, name = bench.queue(VisibilityTimeout=30), bench.deploy(RECORDS)
    bench.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    bench.send(queue, *["0.2"] * 5)
    bench.feed(queue, name, BatchSize=1)

    bench.had(name, 5)
    batches = bench.batches(name)
    assert all(before.ended <= after.begun for before, after in pairwise(batches))
    assert bench.waiting(queue) == (0, 0)


def test_without_a_limit_batches_overlap(bench: Bench):
    queue, name = bench.queue(VisibilityTimeout=30), bench.deploy(RECORDS)
    bench.send(queue, *["0.5"] * 4)
    bench.feed(queue, name, BatchSize=1)

    bench.had(name, 4)
    batches = bench.batches(name)
    assert max(batch.begun for batch in batches) < min(batch.ended for batch in batches)


# What Lambda refuses to bring.

NO_RIGHT = "The provided execution role does not have permissions to call {} on SQS"


@pytest.mark.parametrize(
    ("may", "misses"),
    [((), "ReceiveMessage"), (CONSUMES[:1], "DeleteMessage"), (CONSUMES[:2], "GetQueueAttributes")],
    ids=["nothing", "receive", "receive and delete"],
)
def test_a_mapping_needs_a_role_that_may_read_the_queue(
    bench: Bench, may: tuple[str, ...], misses: str
):
    name = bench.deploy(ECHO, Timeout=1, Role=make_role(bench.sandbox, LAMBDA, *may))

    with pytest.raises(
        bench.functions.exceptions.InvalidParameterValueException, match=NO_RIGHT.format(misses)
    ):
        bench.feed(bench.queue(), name)


def test_a_role_that_loses_the_right_to_read_the_queue_is_brought_nothing(bench: Bench):
    queue, name = bench.queue(), bench.deploy(RECORDS, Timeout=1)
    mapping = bench.feed(queue, name)
    only_logs = policy_document({"Action": LOGS, "Resource": "*"})
    role = bench.role.rpartition("/")[2]
    bench.sandbox.client("iam").put_role_policy(
        RoleName=role, PolicyName="own", PolicyDocument=only_logs
    )
    bench.send(queue, "one")

    wait_until(
        lambda: (
            "PROBLEM"
            in bench.functions.get_event_source_mapping(UUID=mapping)["LastProcessingResult"]
        )
    )
    assert (bench.waiting(queue), bench.batches(name)) == ((1, 0), [])


@pytest.mark.parametrize(
    ("function", "mapping", "said"),
    [
        (
            {"Timeout": 2},
            {},
            "Queue visibility timeout: 1 seconds is less than Function timeout: 2 seconds",
        ),
        (
            {"Timeout": 1},
            {"BatchSize": 11},
            (
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
                "greater than 10"
            ),
        ),
    ],
    ids=["a queue less patient than the function", "a large batch without a window"],
)
def test_a_mapping_that_lambda_would_refuse_is_refused(
    bench: Bench, function: Any, mapping: Any, said: str
):
    name = bench.deploy(ECHO, **function)

    with pytest.raises(bench.functions.exceptions.InvalidParameterValueException, match=said):
        bench.feed(bench.queue(), name, **mapping)


TEMPLATE = (
    FUNCTION_TEMPLATE
    + """  Queue: {Type: AWS::SQS::Queue}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Function, EventSourceArn: !GetAtt Queue.Arn}
"""
)


def test_a_stack_whose_mapping_lambda_would_refuse_rolls_back(server: Sandbox):
    cloud, name = server.client("cloudformation"), unique_name("stack")
    cloud.create_stack(StackName=name, TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_IAM"])

    ended = wait_until(
        lambda: (
            (s := cloud.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]).endswith(
                "COMPLETE"
            )
            and s
        )
    )
    assert ended == "ROLLBACK_COMPLETE"
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in cloud.describe_stack_events(StackName=name)["StackEvents"]
    ]
    assert any(NO_RIGHT.format("ReceiveMessage") in reason for reason in reasons), reasons
    cloud.delete_stack(StackName=name)
