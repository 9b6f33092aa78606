"""The built function in environments as Lambda has them: their own interpreter, memory and time, and Lambda's own libraries."""

import json
import re
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo.desk import ROOT
from sandbox.functions.environment import Environment, Function, Host
from tests.conftest import ACCOUNT, REGION
from tests.estate import Estate

BUILT = ROOT / ".aws-sam/build"
MEMORY = int(re.findall(r"MemorySize: (\d+)", (ROOT / "template.yaml").read_text())[0])  # MB, of every function
TIMEOUT = 120.0  # seconds, of ReconcileGrants
FLOOR = """\
import boto3

CONTROL = boto3.client("s3control")


def handler(event, context):
    CONTROL.list_access_grants(AccountId=context.invoked_function_arn.split(":")[4], MaxResults=1)
"""


@dataclass(frozen=True)
class Told:
    """What Lambda's REPORT says of an invocation, in milliseconds and MB; `init` is 0 where the process was there already."""

    duration: float
    memory: float
    init: float


@dataclass(frozen=True)
class Place:
    """Where environments of this estate run; `leading` are the variables that lead AWS's clients to it."""

    estate: Estate
    leading: Mapping[str, str]
    folder: Path

    @contextmanager
    def reconcile_grants(self) -> Iterator[Environment]:
        """ReconcileGrants as `sam build` left it."""
        variables = {name.upper(): value for name, value in asdict(self.estate.names).items()}
        with self._environment("reconcile-grants", variables, BUILT / "ReconcileGrants", BUILT / "GrantorLayer/python") as made:
            yield made

    @contextmanager
    def floor(self) -> Iterator[Environment]:
        """The least that a function for this purpose does: a client is made when it starts, and a call when it is invoked."""
        code = self.folder / "code"
        code.mkdir(exist_ok=True)
        (code / "app.py").write_text(FLOOR)
        with self._environment("floor", {}, code) as made:
            yield made

    @contextmanager
    def _environment(self, name: str, variables: dict[str, str], *paths: Path) -> Iterator[Environment]:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        function = Function(name, arn, "$LATEST", "app.handler", MEMORY, TIMEOUT, variables, f"/aws/lambda/{name}", paths)
        python = Path(sys.base_prefix) / "bin/python3.12"
        made = Environment(function, Host(python, ROOT / ".tools/runtime", self.folder / name, dict(self.leading)))
        try:
            yield made
        finally:
            made.stop()


def invoke(environment: Environment, event: Mapping[str, Any]) -> Told:
    """One invocation; RuntimeError with its log if it fails, or has a message come again."""
    outcome = environment.invoke(json.dumps(event).encode(), str(uuid.uuid4()))
    if outcome.failed or json.loads(outcome.body) not in (None, {"batchItemFailures": []}):
        raise RuntimeError("\n".join([outcome.body.decode(), *outcome.log]))
    report = outcome.log[-1]
    return Told(*(_said(report, what) for what in ("Duration", "Max Memory Used", "Init Duration")))


def batch(*events: Mapping[str, Any]) -> dict[str, Any]:
    """The events as a queue brings them."""
    return {"Records": [_message(event) for event in events]}


def clock() -> dict[str, Any]:
    """The clock's event, of now."""
    event: dict[str, Any] = json.loads((ROOT / "events/clock_ticked.json").read_text())
    return event | {"time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}


def _message(event: Mapping[str, Any]) -> dict[str, Any]:
    told = {"messageId": str(uuid.uuid4()), "receiptHandle": "handle", "body": json.dumps(event), "messageAttributes": {}}
    sent = {"ApproximateReceiveCount": "1", "SentTimestamp": "0", "SenderId": ACCOUNT, "ApproximateFirstReceiveTimestamp": "0"}
    return told | {"attributes": sent, "md5OfBody": "", "eventSource": "aws:sqs", "awsRegion": REGION}


def _said(report: str, what: str) -> float:
    found = re.search(rf"(?:^|\t){what}: ([\d.]+) ", report)
    return float(found[1]) if found else 0.0
