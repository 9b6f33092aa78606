"""The time from an event to its grant, warm and cold, beside the same path to an empty function.

Both are timed by the same clock on the same machine in the same minute, in milliseconds: from just
before the upload that causes the event until the effect, as the service itself dates it. That is
the grant's CreatedAt, or the REPORT line in the empty function's log. Cold means that the
function's configuration was changed just before, so that Lambda has to start a new environment.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from harness.deployment import Deployment
from harness.figures import Figure

EMPTY_FUNCTION = "empty-function"
POLICY_KEY = "policy/bench.yaml"
POLICY = """\
version: 1
rules:
  - name: bench
    to: {{role: "{role}"}}
    on: s3://{{data_bucket}}/Product/bench-{n}/*
    allow: READ
"""
SEQUENCE = count(1)
# The service dates the effect, so to look often gains nothing, and each look keeps the one server
# from its work. By the first look, a run has ended: it does not slow what is timed next.
POLL_SECONDS = 0.25
EFFECT_SECONDS = 60.0
# What a reconcile may cost beside a function that does nothing. Warm: five calls in sequence, with
# others beside them. Cold: also boto3, and a client for each of four services, which the empty
# function does without.
RATIO_BOUNDS = {"warm": 4.0, "cold": 18.0}

Effect = Callable[[], float | None]  # seconds since the epoch; None while it cannot be seen
SendEvent = Callable[[], Effect]


def measure_event_to_grant(deployment: Deployment, samples: int) -> list[Figure]:
    """Medians over `samples` warm and as many cold events, both paths in turn, and their ratios."""
    client, grantor = deployment.session.client, deployment.outputs["ReconcileGrants"]
    send_to_empty = _prepare_empty(client, _deploy_empty(client))
    try:
        pairs = [(_prepare_grantor(deployment), grantor), (send_to_empty, EMPTY_FUNCTION)]
        times = {
            (kind, name): statistics.median(values)
            for kind in ("cold", "warm")
            for name, values in _time_rounds(client, pairs, samples, cold=kind == "cold").items()
        }
    finally:
        _delete_empty(client)
        deployment.delete_policy(POLICY_KEY)
    return _compare_paths(times, grantor)


def _compare_paths(times: dict[tuple[str, str], float], grantor: str) -> list[Figure]:
    rows = []
    for kind, bound in RATIO_BOUNDS.items():
        ours, floor = times[kind, grantor], times[kind, EMPTY_FUNCTION]
        ratio = f"event to grant / event to empty function, {kind}"
        rows.append(Figure(f"event to grant, {kind}, median", ours, "ms"))
        rows.append(Figure(f"event to an empty function's end, {kind}, median", floor, "ms"))
        rows.append(Figure(ratio, ours / floor, "x", bound=bound))
    return rows


def _time_rounds(
    client: Callable[[str], Any], pairs: list[tuple[SendEvent, str]], samples: int, *, cold: bool
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {function: [] for _, function in pairs}
    for _ in range(samples):
        for send, function in pairs:
            if cold:
                _force_cold_start(client("lambda"), function)
            times[function].append(_time_effect(send))
    return times


def _time_effect(send: SendEvent) -> float:
    """Milliseconds from just before the event to its effect."""
    begun = time.time()
    effect = send()
    while time.time() - begun <= EFFECT_SECONDS:
        time.sleep(POLL_SECONDS)
        if (at := effect()) is not None:
            return (at - begun) * 1000
    raise TimeoutError(f"no effect seen within {EFFECT_SECONDS:.0f} s of the event")


def _prepare_grantor(deployment: Deployment) -> SendEvent:
    client, account = deployment.session.client, deployment.session.account
    role = client("iam").get_role(RoleName="grantor-usera-role")["Role"]["Arn"]
    s3, control = client("s3"), client("s3control")  # made here: a new client takes milliseconds

    def find_creation(scope: str) -> float | None:
        found = control.list_access_grants(AccountId=account, GrantScope=scope)
        grants = found.get("AccessGrantsList")
        return float(grants[0]["CreatedAt"].timestamp()) if grants else None

    def send_event() -> Effect:
        n = next(SEQUENCE)
        body = POLICY.format(role=role, n=n).encode()
        s3.put_object(Bucket=deployment.policy_bucket, Key=POLICY_KEY, Body=body)
        return partial(find_creation, f"s3://{deployment.data_bucket}/Product/bench-{n}/*")

    return send_event


def _prepare_empty(client: Callable[[str], Any], bucket: str) -> SendEvent:
    s3, logs = client("s3"), client("logs")
    asked = {"logGroupName": f"/aws/lambda/{EMPTY_FUNCTION}", "filterPattern": "REPORT"}

    def find_end(since: int) -> float | None:
        found = logs.filter_log_events(**asked, startTime=since)["events"]
        return found[0]["timestamp"] / 1000 if found else None

    def send_event() -> Effect:
        since = int(time.time() * 1000)
        s3.put_object(Bucket=bucket, Key=f"upload-{next(SEQUENCE)}", Body=b"")
        return partial(find_end, since)

    return send_event


def _force_cold_start(functions: Any, name: str) -> None:
    description = f"cold start {next(SEQUENCE)}"
    functions.update_function_configuration(FunctionName=name, Description=description)
    waiter = functions.get_waiter("function_updated_v2")
    waiter.wait(FunctionName=name, WaiterConfig={"Delay": 1})


def _deploy_empty(client: Callable[[str], Any]) -> str:
    """Deploy the empty function, and return the name of the bucket whose uploads invoke it."""
    cloud, stack = client("cloudformation"), {"StackName": EMPTY_FUNCTION}
    template = Path(__file__).with_name("empty_function.yaml").read_text()
    cloud.create_stack(**stack, TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    cloud.get_waiter("stack_create_complete").wait(**stack, WaiterConfig={"Delay": 1})
    outputs = cloud.describe_stacks(**stack)["Stacks"][0]["Outputs"]
    return str(next(it["OutputValue"] for it in outputs if it["OutputKey"] == "Bucket"))


def _delete_empty(client: Callable[[str], Any]) -> None:
    cloud, s3, stack = client("cloudformation"), client("s3"), {"StackName": EMPTY_FUNCTION}
    for resource in cloud.describe_stack_resources(**stack)["StackResources"]:
        if resource["ResourceType"] == "AWS::S3::Bucket":
            bucket = resource["PhysicalResourceId"]
            for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=item["Key"])
    cloud.delete_stack(**stack)
    cloud.get_waiter("stack_delete_complete").wait(**stack, WaiterConfig={"Delay": 1})
