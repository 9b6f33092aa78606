"""The built ReconcileGrants, as Lambda runs it: its cold start, and a sweep without changes.

It has its own interpreter, memory limit and timeout, and Lambda's own libraries.
"""

import json
import re
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.figures import Figure, format_columns
from harness.session import ROOT
from sandbox.functions.environment import Environment, Function, Host
from tests.conftest import ACCOUNT, REGION
from tests.grantor_setup import LEDGER, GrantorSetup

BUILD_FOLDER = ROOT / ".aws-sam/build"
TEMPLATE = (ROOT / "template.yaml").read_text()
MEMORY_MB = int(re.findall(r"MemorySize: (\d+)", TEMPLATE)[0])  # of every function
TIMEOUT_SECONDS = 120.0  # of ReconcileGrants
COLD_STARTS = 21
SWEEP_ROUNDS = 5  # each a sweep and a plain reading; the medians are the figures
# At AWS's quota of grants; a small sweep costs a dozen calls besides.
SWEEP_RATIO_BOUND, SWEEP_RATIO_GRANTS = 1.15, 100_000
INIT_RATIO_BOUND = 1.25  # what our own imports may add to what boto3 costs anyway
TICKS_PER_SECOND = 100  # of proc(5)
MINIMAL_FUNCTION = """\
import boto3

CONTROL = boto3.client("s3control")


def handler(event, context):
    account = context.invoked_function_arn.split(":")[4]
    CONTROL.list_access_grants(AccountId=account, MaxResults=1)
"""


@dataclass(frozen=True)
class Invocation:
    """What Lambda's REPORT line says: milliseconds and MB. `init` is 0 in a warm environment."""

    duration: float
    memory: float
    init: float


@dataclass(frozen=True)
class FunctionHost:
    """Starts environments for a setup. `aws_variables` lead AWS's clients to the sandbox."""

    setup: GrantorSetup
    aws_variables: Mapping[str, str]
    folder: Path

    @contextmanager
    def start_reconciler(self) -> Iterator[Environment]:
        """ReconcileGrants as `sam build` left it."""
        names = asdict(self.setup.names)
        variables = {name.upper(): value for name, value in names.items()}
        paths = (BUILD_FOLDER / "ReconcileGrants", BUILD_FOLDER / "GrantorLayer/python")
        with self._start("reconcile-grants", variables, *paths) as environment:
            yield environment

    @contextmanager
    def start_minimal(self) -> Iterator[Environment]:
        """The least that such a function does: it makes one client, and one call when invoked."""
        code = self.folder / "code"
        code.mkdir(exist_ok=True)
        (code / "app.py").write_text(MINIMAL_FUNCTION)
        with self._start("minimal", {}, code) as environment:
            yield environment

    @contextmanager
    def _start(self, name: str, variables: dict[str, str], *paths: Path) -> Iterator[Environment]:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        function = Function(
            name, arn, "$LATEST", "app.handler", MEMORY_MB, TIMEOUT_SECONDS, variables,
            f"/aws/lambda/{name}", paths,
        )  # fmt: skip
        python = Path(sys.base_prefix) / "bin/python3.12"
        runtime, folder = ROOT / ".tools/runtime", self.folder / name
        host = Host(python, runtime, folder, dict(self.aws_variables))
        environment = Environment(function, host)
        try:
            yield environment
        finally:
            environment.stop()


@dataclass(frozen=True)
class SweepCost:
    """A sweep of a warm process: seconds, seconds of CPU, peak MB, seconds of a plain reading, and
    the median of the ratios of each sweep to the reading after it.
    """

    grants: int
    seconds: float
    cpu_seconds: float
    memory: float
    reading_seconds: float
    ratio: float

    @property
    def figures(self) -> list[Figure]:
        """The rows of the JSON file."""
        what = f"sweep of {self.grants:,} grants"
        bound = SWEEP_RATIO_BOUND if self.grants >= SWEEP_RATIO_GRANTS else None
        return [
            Figure(f"{what}, warm", self.seconds, "s", TIMEOUT_SECONDS),
            Figure(f"{what}, warm / reading the same pages", self.ratio, "x", bound),
            Figure(f"{what}, one core busy", self.cpu_seconds, "s"),
            Figure(f"{what}, peak memory", self.memory, "MB", MEMORY_MB),
        ]

    def row(self) -> tuple[object, ...]:
        """The row of the table."""
        costs = (self.seconds, self.reading_seconds, self.ratio, self.cpu_seconds, self.memory)
        return f"sweep of {self.grants:,} grants", *costs


def measure_cold_start(host: FunctionHost) -> list[Figure]:
    """Medians over cold starts of ReconcileGrants and of a minimal function, and their ratios.

    The setup must have its grants, so that the first run changes nothing. The first invocation
    is measured too, so that a cost that moves there does not disappear.
    """
    ours: list[Invocation] = []
    minimal: list[Invocation] = []
    for _ in range(COLD_STARTS):
        with host.start_reconciler() as environment:
            ours.append(invoke_function(environment, batch_events(schedule_event())))
        with host.start_minimal() as environment:
            minimal.append(invoke_function(environment, {}))
    both = "cold start: init and first invocation"
    return [
        *_compare_medians("cold start: init", ours, minimal, lambda it: it.init, INIT_RATIO_BOUND),
        *_compare_medians(both, ours, minimal, lambda it: it.init + it.duration, None),
    ]


def _compare_medians(
    what: str,
    ours: list[Invocation],
    minimal: list[Invocation],
    read: Callable[[Invocation], float],
    bound: float | None,
) -> list[Figure]:
    one, other = statistics.median(map(read, ours)), statistics.median(map(read, minimal))
    return [
        Figure(f"{what}, Grantor, median", one, "ms"),
        Figure(f"{what}, only a client for S3 Control, median", other, "ms"),
        Figure(f"{what}, Grantor / only a client", one / other, "x", bound),
    ]


def measure_sweep(host: FunctionHost) -> SweepCost:
    """Warm sweeps and plain readings in turn; the cold sweep before them is not counted."""
    rounds = []
    with host.start_reconciler() as environment:
        invoke_function(environment, batch_events(schedule_event()))
        pid = environment.process.pid if environment.process else 0
        for _ in range(SWEEP_ROUNDS):
            before = _read_cpu_seconds(pid)
            sweep = invoke_function(environment, batch_events(schedule_event()))
            cpu = _read_cpu_seconds(pid) - before
            begun = time.perf_counter()
            grants = _read_all_pages(host.setup)
            reading, took = time.perf_counter() - begun, sweep.duration / 1000
            rounds.append((took, cpu, sweep.memory, reading, took / reading))
    return SweepCost(grants, *map(statistics.median, zip(*rounds, strict=True)))


def format_sweeps(sweeps: list[SweepCost]) -> str:
    """The table of all sweeps."""
    head = ("", "seconds", "plain reading", "ratio", "core busy", "MB")
    return format_columns(head, [sweep.row() for sweep in sweeps])


def invoke_function(environment: Environment, event: Mapping[str, Any]) -> Invocation:
    """Invoke it once. Raises RuntimeError with the log if it fails or returns a message."""
    outcome = environment.invoke(json.dumps(event).encode(), str(uuid.uuid4()))
    if outcome.failed or json.loads(outcome.body) not in (None, {"batchItemFailures": []}):
        raise RuntimeError("\n".join([outcome.body.decode(), *outcome.log]))
    names = ("Duration", "Max Memory Used", "Init Duration")
    return Invocation(*(_read_report(outcome.log[-1], name) for name in names))


def batch_events(*events: Mapping[str, Any]) -> dict[str, Any]:
    """The events as SQS delivers them."""
    return {"Records": [_build_message(event) for event in events]}


def schedule_event() -> dict[str, Any]:
    """The schedule's event, with the time of now."""
    event: dict[str, Any] = json.loads((ROOT / "events/schedule_fired.json").read_text())
    return event | {"time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}


def _build_message(event: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "0",
        "SenderId": ACCOUNT,
        "ApproximateFirstReceiveTimestamp": "0",
    }
    return {
        "messageId": str(uuid.uuid4()),
        "receiptHandle": "handle",
        "body": json.dumps(event),
        "messageAttributes": {},
        "attributes": attributes,
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "awsRegion": REGION,
    }


def _read_report(report: str, name: str) -> float:
    found = re.search(rf"(?:^|\t){name}: ([\d.]+) ", report)
    return float(found[1]) if found else 0.0


def _read_all_pages(setup: GrantorSetup) -> int:
    """Read every page of the grants and of the ledger; how many grants there are."""
    control, grants = setup.client("s3control"), 0
    asked = {"AccountId": ACCOUNT, "MaxResults": 1000}
    while True:
        page = control.list_access_grants(**asked)
        grants += len(page["AccessGrantsList"])
        if "NextToken" not in page:
            break
        asked["NextToken"] = page["NextToken"]
    for _ in setup.client("dynamodb").get_paginator("scan").paginate(TableName=LEDGER):
        pass
    return grants


def _read_cpu_seconds(pid: int) -> float:
    """The CPU time of a process (proc(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
