"""A new account has no processing instances and ten concurrent executions."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.switches import YOUNG_ACCOUNT, set_switches
from sandbox.testing.helpers import call_control, make_role, make_zip, unique_name
from sandbox.testing.running import Sandbox

SLOW = "import time\ndef handler(event, context): time.sleep(event)"


@pytest.fixture
def young(server: Sandbox) -> Iterator[Sandbox]:
    call_control(server, "faults", "POST", {"switches": {"young_account": True}})
    yield server
    call_control(server, "faults", "DELETE")


def deploy_function(server: Sandbox, source: str) -> str:
    name, role = unique_name("function"), make_role(server, "lambda.amazonaws.com")
    server.client("lambda").create_function(
        FunctionName=name, Runtime="python3.12", Handler="app.handler", Role=role, Timeout=9,
        Code={"ZipFile": make_zip({"app.py": source})},
    )  # fmt: skip
    return name


def test_one_switch_stands_for_the_quotas_and_its_opposite_for_the_usual_ones() -> None:
    quotas = {name: str(_find(name, "young_account=true")) for name in YOUNG_ACCOUNT}
    assert quotas == YOUNG_ACCOUNT
    usual = {name: _find(name, "young_account=true", "young_account=false") for name in quotas}
    assert usual == {"job_instances_quota": 20, "concurrent_executions": 1_000}
    with pytest.raises(ValueError, match="young_account is true or false"):
        set_switches(["young_account=yes"])


def _find(name: str, *settings: str) -> Any:
    return next(getattr(kind, name) for kind in set_switches(settings) if hasattr(kind, name))


def test_a_processing_job_is_refused_in_sagemakers_words(young: Sandbox) -> None:
    cluster = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30}
    with pytest.raises(ClientError) as refused:
        young.client("sagemaker").create_processing_job(
            ProcessingJobName=unique_name("job"),
            RoleArn=make_role(young, "sagemaker.amazonaws.com"),
            AppSpecification={"ImageUri": "image"},
            ProcessingResources={"ClusterConfig": cluster},
        )
    assert refused.value.response["Error"] == {
        "Code": "ResourceLimitExceeded",
        "Message": "The account-level service limit 'ml.m5.xlarge for processing job usage' is 0 "
        "Instances, with current utilization of 0 Instances and a request delta of 2 Instances. "
        "Please use AWS Service Quotas to request an increase for this quota. If AWS Service "
        "Quotas is not available, contact AWS support to request an increase for this quota.",
    }


@pytest.mark.parametrize(("quota", "kept", "spare"), [(10, 10, 0), (1_000, 100, 900)])
def test_a_function_may_reserve_what_leaves_enough_unreserved(
    young: Sandbox, quota: int, kept: int, spare: int
) -> None:
    call_control(young, "faults", "POST", {"switches": {"concurrent_executions": quota}})
    functions, name = young.client("lambda"), deploy_function(young, SLOW)
    limit = functions.get_account_settings()["AccountLimit"]
    assert (limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]) == (quota,) * 2

    with pytest.raises(ClientError, match=rf"below its minimum value of \[{kept}\]"):
        functions.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=spare + 1
        )
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=spare)
    limit = functions.get_account_settings()["AccountLimit"]
    assert limit["UnreservedConcurrentExecutions"] == quota - spare
    functions.delete_function(FunctionName=name)


def test_one_execution_too_many_is_throttled(young: Sandbox) -> None:
    call_control(young, "faults", "POST", {"switches": {"concurrent_executions": 2}})
    name = deploy_function(young, SLOW)
    functions = young.client("lambda")

    def invoke(seconds: float) -> str:
        try:
            functions.invoke(FunctionName=name, Payload=json.dumps(seconds))
        except functions.exceptions.TooManyRequestsException as refused:
            return str(refused.response["Reason"])
        return "done"

    with ThreadPoolExecutor(3) as pool:
        answers = sorted(pool.map(invoke, [2, 2, 2]))
    assert answers == ["ConcurrentInvocationLimitExceeded", "done", "done"]
    assert invoke(0) == "done"
