"""From an event to its grant, warm and cold, beside the same way to a function that does nothing.

Both are timed by the same clock on the same machine in the same minute: from just before the upload whose event rings
the bell until the effect can be seen from outside, in milliseconds: the grant in ListAccessGrants; the empty function's REPORT line in
its log. Cold means that the function's configuration was touched before, so that Lambda must start a new environment.
"""

import statistics
import time
from collections.abc import Callable
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
Ring = Callable[[], Callable[[], bool]]  # rings the bell; what it returns says whether the effect can be seen


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


# What a reconcile may cost over a function that does nothing: some fifteen API calls warm; cold also boto3 and Powertools, which
# the empty function does not import.
RATIO = {"warm": 6.0, "cold": 25.0}


def _rounds(client: Callable[[str], Any], pairs: list[tuple[Ring, str]], samples: int, *, cold: bool) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {function: [] for _, function in pairs}
    for _ in range(samples):
        for ring, function in pairs:
            if cold:
                _touch(client("lambda"), function)
            times[function].append(_time(ring))
    return times


def _time(ring: Ring, patience: float = 60) -> float:
    begun = time.perf_counter()
    seen = ring()
    while not seen():
        if time.perf_counter() - begun > patience:
            raise TimeoutError(f"no effect seen within {patience:.0f} s of the event")
        time.sleep(0.002)
    return (time.perf_counter() - begun) * 1000


def _grantor(client: Callable[[str], Any], outputs: dict[str, str]) -> Ring:
    s3, control, account = client("s3"), client("s3control"), client("sts").get_caller_identity()["Account"]
    role = client("iam").get_role(RoleName="sagemaker-usera-role")["Role"]["Arn"]

    def ring() -> Callable[[], bool]:
        n = next(TURN)
        scope = f"s3://{outputs['DataBucket']}/Product/bench-{n}/*"
        s3.put_object(Bucket=outputs["PolicyBucket"], Key="policy/bench.yaml", Body=POLICY.format(role=role, n=n).encode())
        return lambda: bool(control.list_access_grants(AccountId=account, GrantScope=scope).get("AccessGrantsList"))

    return ring


def _empty(client: Callable[[str], Any], bucket: str) -> Ring:
    s3, logs = client("s3"), client("logs")

    def reports() -> int:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{EMPTY}", filterPattern="REPORT")
        return sum(len(page["events"]) for page in pages)

    def ring() -> Callable[[], bool]:
        before = reports()
        s3.put_object(Bucket=bucket, Key=f"upload-{next(TURN)}", Body=b"")
        return lambda: reports() > before

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
