"""The job asks for its grants before it does anything else, renews its credentials, and stops after
a revocation.
"""

import time
from typing import TYPE_CHECKING

import pytest

from framework.access import CredentialBroker
from framework.objects import ObjectFolder
from sandbox.testing.helpers import call_control, policy_document
from tests.conftest import ACCOUNT, Sandbox
from tests.jobs_io.input_rows import build_rows
from tests.jobs_io.job_process import compute_without_spark, replace_environment, run_job_in_process
from tests.jobs_io.job_setup import JobSetup, set_up_job
from tests.jobs_io.output_reader import read_output

if TYPE_CHECKING:
    from framework.compute import ComputedRun, ComputeTask

INPUT, OUTPUT = "Product/abalone.csv", "UserA/output"
MISSING = [
    pytest.param(
        [("UserA/*", "READWRITE")],
        "READ on s3://{data}/Product/abalone.csv",
        id="the input may not be read",
    ),
    pytest.param(
        [("Product/*", "WRITE"), ("UserA/*", "READWRITE")],
        "READ on s3://{data}/Product/abalone.csv",
        id="nor where it may be written",
    ),
    pytest.param(
        [("Product/*", "READ")],
        "READ on s3://{data}/UserA/output/*",
        id="nothing is granted for the output",
    ),
    pytest.param(
        [("Product/*", "READ"), ("UserA/*", "READ")],
        "WRITE on s3://{data}/UserA/output/*",
        id="the output may only be read",
    ),
    pytest.param(
        [("Product/*", "READ"), ("UserA/*", "WRITE")],
        "READ on s3://{data}/UserA/output/*",
        id="the output may only be written",
    ),
    pytest.param(
        [("Product/*", "READ"), ("UserB/*", "READWRITE")],
        "READ on s3://{data}/UserA/output/*",
        id="only somebody else's folder",
    ),
]


@pytest.mark.parametrize(("grants", "missing"), MISSING)
def test_a_missing_grant_is_named_before_anything_is_read_or_written(
    job_sandbox: Sandbox, grants: list[tuple[str, str]], missing: str
):
    setup = set_up_job(job_sandbox, *grants)
    setup.upload(INPUT, build_rows(20))
    call_control(job_sandbox, "calls", "DELETE")

    ended = run_job_in_process(
        setup, setup.build_arguments(INPUT, OUTPUT, summary=setup.build_summary_url())
    )

    assert ended.code == 10
    assert ended.last_line.startswith(
        f"role {setup.role} has no {missing.format(data=setup.data_bucket)} (asked GetDataAccess: You do not have"
    )
    assert {call["operation"] for call in setup.list_calls()} <= {
        "GetDataAccess",
        "GetCallerIdentity",
        "ListObjectsV2",
        "PutObject",
    }
    assert setup.list_keys() == [INPUT]
    assert setup.read_summary()["sentence"] == ended.last_line


SUFFICIENT = [
    pytest.param([("*", "READWRITE")], id="one grant for all"),
    pytest.param([("Product/*", "READ"), ("UserA/*", "READWRITE")], id="two places"),
    pytest.param(
        [("Product/*", "READ"), ("UserA/*", "READ"), ("UserA/*", "WRITE")],
        id="reading and writing granted apart",
    ),
    pytest.param(
        [("Product/abalone.csv", "READ"), ("UserA/output/*", "READWRITE")],
        id="no more than there must be",
    ),
]


@pytest.mark.parametrize("grants", SUFFICIENT)
def test_sufficient_grants_produce_the_output(job_sandbox: Sandbox, grants: list[tuple[str, str]]):
    setup = set_up_job(job_sandbox, *grants)
    for number in (20, 30):
        setup.upload(INPUT, build_rows(number))
        ended = run_job_in_process(setup, setup.build_arguments(INPUT, OUTPUT))
        assert ended.code == 0, ended.stderr

    seen = read_output(setup)
    assert (seen.manifest["rows"]["in"], seen.plain_digests) == (30, seen.files)


def test_a_role_that_may_not_ask_for_access_gets_an_error_that_says_so(job_sandbox: Sandbox):
    setup = set_up_job(job_sandbox, ("UserA/*", "READWRITE"))
    setup.upload("UserA/abalone.csv", build_rows(20))
    job_sandbox.client("iam").delete_role_policy(RoleName=setup.role, PolicyName="job")

    ended = run_job_in_process(setup)

    assert (ended.code, "s3:GetDataAccess" in ended.last_line) == (10, True), ended.stderr


def test_an_object_is_found_by_a_role_that_may_read_it_and_list_nothing(setup: JobSetup):
    etag = setup.upload("UserA/abalone.csv", build_rows(20))
    only = policy_document(
        {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{setup.data_bucket}/*"}
    )
    setup.sandbox.client("iam").put_role_policy(
        RoleName=setup.location_role, PolicyName="data", PolicyDocument=only
    )

    with replace_environment(setup.build_environment()):
        found = ObjectFolder(
            CredentialBroker(ACCOUNT), setup.data_bucket, "UserA/abalone.csv"
        ).find_object("UserA/abalone.csv")
        missing = ObjectFolder(
            CredentialBroker(ACCOUNT), setup.data_bucket, "UserA/other.csv"
        ).find_object("UserA/other.csv")

    assert (found and found.etag, found and found.bytes, missing) == (etag, 940, None)


def test_a_job_goes_on_for_longer_than_its_credentials_last(setup: JobSetup):
    setup.upload("UserA/abalone.csv", build_rows(20))
    setup.set_switches(vended_seconds=2)
    asked: list[int] = []

    def slow(task: "ComputeTask") -> "ComputedRun":
        asked.append(count_access_requests(setup))
        time.sleep(3)  # the time that credentials last is what is tested here
        return compute_without_spark(task)

    call_control(setup.sandbox, "calls", "DELETE")
    try:
        ended = run_job_in_process(setup, make=slow)
    finally:
        setup.clear_faults()

    assert ended.code == 0, ended.stderr
    assert count_access_requests(setup) > asked[0]
    assert read_output(setup).manifest["rows"]["in"] == 20


def test_credentials_that_last_an_hour_are_requested_once(setup: JobSetup):
    setup.upload("UserA/abalone.csv", build_rows(20))
    call_control(setup.sandbox, "calls", "DELETE")
    run_job_in_process(setup)

    assert (
        count_access_requests(setup) == 4
    )  # READ on the input; READ, WRITE and READWRITE on the output


@pytest.mark.parametrize("how", ["the credentials", "the grant"])
def test_a_revocation_during_the_job_ends_it_and_nothing_is_published(
    job_sandbox: Sandbox, how: str
):
    setup = set_up_job(job_sandbox)
    grant = setup.create_grant("UserA/*", "READWRITE")
    setup.upload("UserA/abalone.csv", build_rows(20))
    setup.set_switches(
        vended_seconds=3600 if how == "the credentials" else 1
    )  # else they would last for an hour

    def taken_back(task: "ComputeTask") -> "ComputedRun":
        made = compute_without_spark(task)
        setup.revoke_sessions() if how == "the credentials" else setup.delete_grant(grant)
        return made

    try:
        ended = run_job_in_process(setup, make=taken_back)
    finally:
        setup.clear_faults()

    assert ended.code == 10, ended.stderr
    assert read_output(setup).latest_run == ""


def count_access_requests(setup: JobSetup) -> int:
    return sum(call["operation"] == "GetDataAccess" for call in setup.list_calls())
