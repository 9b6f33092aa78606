"""From an event to its grant, warm and cold, beside the same way to a function that does nothing.

Both are timed by the same clock on the same machine in the same minute, in milliseconds: from just before the upload whose event
rings the bell until the effect, as the service itself dates it: the grant by its CreatedAt, the empty function's end by the REPORT line
in its log. Cold means that the function's configuration was touched before, so that Lambda must start a new environment.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

EMPTY = "empty-function"
POLICY = """\
version: 1
rules:
  - name: bench
    to: {{role: "{role}"}}
    on: s3://{{data_bucket}}/Product/bench-{n}/*
    allow: READ
"""
TURN = count(1)
Effect = Callable[[], float | None]  # when it was, in seconds since 1970; None before it can be seen
Ring = Callable[[], Effect]
GLANCE = 0.02  # seconds between two looks, which keep the one server from its work


def measure(client: Callable[[str], Any], outputs: dict[str, str], samples: int) -> list[Figure]:
    """Medians over `samples` warm rings and as many cold ones, Grantor and the floor in turn, and their ratios."""
    ring_empty = _empty(client, _deploy_empty(client))
    ring_grantor = _grantor(client, outputs)
    try:
        pairs = [(ring_grantor, outputs["ReconcileGrants"]), (ring_empty, EMPTY)]
        times = {
            (kind, name): statistics.median(values)
            for kind in ("cold", "warm")
            for name, values in _rounds(client, pairs, samples, cold=kind == "cold").items()
        }
    finally:
        _remove_empty(client)
        client("s3").delete_object(Bucket=outputs["PolicyBucket"], Key="policy/bench.yaml")
    return _figures(times, outputs["ReconcileGrants"])


def _figures(times: dict[tuple[str, str], float], grantor: str) -> list[Figure]:
    rows = []
    for kind in ("warm", "cold"):
        ours, floor = times[kind, grantor], times[kind, EMPTY]
        rows.append(Figure(f"event to grant, {kind}, median", ours, "ms"))
        rows.append(Figure(f"event to an empty function's end, {kind}, median", floor, "ms"))
        rows.append(Figure(f"event to grant / event to empty function, {kind}", ours / floor, "x", bound=RATIO[kind]))
    return rows


# What a reconcile may cost over a function that does nothing: warm a dozen calls one after another, each no dearer than the whole
# way to the empty function; cold also boto3, and a client for each of four services, which the empty function does without.
RATIO = {"warm": 12.0, "cold": 18.0}


def _rounds(client: Callable[[str], Any], pairs: list[tuple[Ring, str]], samples: int, *, cold: bool) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {function: [] for _, function in pairs}
    for _ in range(samples):
        for ring, function in pairs:
            if cold:
                _touch(client("lambda"), function)
            times[function].append(_time(ring))
    return times


def _time(ring: Ring, patience: float = 60) -> float:
    begun = time.time()
    effect = ring()
    while (at := effect()) is None:
        if time.time() - begun > patience:
            raise TimeoutError(f"no effect seen within {patience:.0f} s of the event")
        time.sleep(GLANCE)
    return (at - begun) * 1000


def _grantor(client: Callable[[str], Any], outputs: dict[str, str]) -> Ring:
    s3, control, account = client("s3"), client("s3control"), client("sts").get_caller_identity()["Account"]
    role = client("iam").get_role(RoleName="sagemaker-usera-role")["Role"]["Arn"]

    def made(scope: str) -> float | None:
        found = control.list_access_grants(AccountId=account, GrantScope=scope).get("AccessGrantsList")
        return float(found[0]["CreatedAt"].timestamp()) if found else None

    def ring() -> Effect:
        n = next(TURN)
        scope = f"s3://{outputs['DataBucket']}/Product/bench-{n}/*"
        s3.put_object(Bucket=outputs["PolicyBucket"], Key="policy/bench.yaml", Body=POLICY.format(role=role, n=n).encode())
        return partial(made, scope)

    return ring


def _empty(client: Callable[[str], Any], bucket: str) -> Ring:
    s3, logs = client("s3"), client("logs")

    def ended(since: int) -> float | None:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{EMPTY}", filterPattern="REPORT", startTime=since)["events"]
        return found[0]["timestamp"] / 1000 if found else None

    def ring() -> Effect:
        since = int(time.time() * 1000)
        s3.put_object(Bucket=bucket, Key=f"upload-{next(TURN)}", Body=b"")
        return partial(ended, since)

    return ring


def _touch(functions: Any, name: str) -> None:
    functions.update_function_configuration(FunctionName=name, Description=f"cold start {next(TURN)}")
    functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def _deploy_empty(client: Callable[[str], Any]) -> str:
    cloud = client("cloudformation")
    template = Path(__file__).with_name("empty_function.yaml").read_text()
    cloud.create_stack(StackName=EMPTY, TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    cloud.get_waiter("stack_create_complete").wait(StackName=EMPTY, WaiterConfig={"Delay": 1})
    outputs = cloud.describe_stacks(StackName=EMPTY)["Stacks"][0]["Outputs"]
    return str(next(output["OutputValue"] for output in outputs if output["OutputKey"] == "Bucket"))


def _remove_empty(client: Callable[[str], Any]) -> None:
    cloud, s3 = client("cloudformation"), client("s3")
    for resource in cloud.describe_stack_resources(StackName=EMPTY)["StackResources"]:
        if resource["ResourceType"] == "AWS::S3::Bucket":
            for item in s3.list_objects_v2(Bucket=resource["PhysicalResourceId"]).get("Contents", []):
                s3.delete_object(Bucket=resource["PhysicalResourceId"], Key=item["Key"])
    cloud.delete_stack(StackName=EMPTY)
    cloud.get_waiter("stack_delete_complete").wait(StackName=EMPTY, WaiterConfig={"Delay": 1})
